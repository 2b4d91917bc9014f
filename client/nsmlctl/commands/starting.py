"""What `run`, `fork`, `resume` and `infer` share: a session is made, comes up, and is announced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nsmlctl.api import Api
from nsmlctl.config import remember_dataset
from nsmlctl.errors import CutOff, Failed
from nsmlctl.following import wait_for_start
from nsmlctl.interrupts import held_interrupt
from nsmlctl.output import echo, echo_json, plain, tell, waiting_text
from nsmlctl.preparing import accompany
from nsmlctl.references import parse_session
from nsmlctl.workplace import Workplace

Json = dict[str, Any]
NO_DATASET = "None"  # stands in the name of a session without one


def start(api: Api, place: Workplace, make: Callable[[], Json]) -> Json:
    """The session once it runs or says why not; Ctrl-C leaves it, by name. Its dataset becomes the folder's."""
    session: Json | None = None
    try:
        with held_interrupt():
            session = make()
        if session["dataset"] not in (None, NO_DATASET):
            remember_dataset(place.home, place.folder, str(session["dataset"]))
        reference = parse_session(str(session["name"]))
        return accompany(api, reference, wait_for_start(api, reference, session, place.pause), place.pause)
    except CutOff as error:
        error.hint = "Whether the session was made is not known: `nsmlctl ps` tells."
        raise
    except KeyboardInterrupt:
        if session is not None:
            tell(f"\nSession {session['name']} was made and goes on. To stop it: nsmlctl stop {session['name']}")
        raise


def conclude_start(session: Json, as_json: bool, *, tell_next: bool = True) -> None:
    """Raises Failed when it is over already and failed."""
    for note in (*(session.get("notes") or ()), *(session.get("notices") or ())):
        tell(plain(str(note)))
    has_failed = session["final"] and session["state"] == "failed"
    if as_json:
        echo_json(session)
    elif session.get("started_at") or not has_failed:  # of one that never came up only the reason is worth telling
        announce(session, tell_next=tell_next)
    if has_failed:
        raise Failed(f"Session {session['name']} failed: {session.get('message') or session.get('reason')}")


def announce(session: Json, *, tell_next: bool = True) -> None:
    """Whether it runs, where it can be seen, and what may be typed next."""
    name, waiting = session["name"], waiting_text(session)
    if session.get("started_at"):
        echo(f"Session {name} is started")
    elif waiting:
        echo(f"Session {name} is queued: {waiting}")
    else:
        echo(f"Session {name} is {str(session['status']).lower()}")
    if tell_next:
        short = "/".join(name.split("/")[1:])
        echo(f"  {session['url']}")
        submit = "" if session["dataset"] in (None, NO_DATASET) else f"   |   nsmlctl submit {short}"
        echo(f"Next:  nsmlctl logs -f {short}   |   nsmlctl model ls {short}{submit}")
