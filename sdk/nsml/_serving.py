"""The life of an inference session: load the checkpoint, then answer what is asked, until somebody stops it."""

import sys

from nsml import _contract, _failures
from nsml._prediction import leave

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsml._session import Session


def load_and_serve(session: "Session") -> None:
    """Never returns to the program; what goes wrong before the first question ends it with 1."""
    try:
        session.console().serve(lambda: _load(session))
    except BaseException as error:
        phase = _failures.phase_of(error, _contract.PHASE_LOAD)
        session.journal.write(_contract.ERROR, _failures.describe(error, phase), must_arrive=True)
        sys.__excepthook__(type(error), error, error.__traceback__)
    leave(1)


def _load(session: "Session") -> None:
    session.journal.write(_contract.PAUSED, {})
    print("Paused.", flush=True)
    session.journal.write(_contract.PHASE, {"phase": _contract.PHASE_LOAD})
    session.load(None, None, None, dict(session.binding.objects))
    session.journal.write(_contract.PHASE, {"phase": _contract.PHASE_INFER})
