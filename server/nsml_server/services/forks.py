"""Sessions that begin where another one stood: forked with other arguments, resumed after an end, served to be asked.

Each is a session of its own, with the next number, and names its origin. The code is the origin's, as it was uploaded.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from nsml_server.domain.conventions import can_go_on
from nsml_server.errors import Conflict
from nsml_server.services import checkpoints, datasets, images, requests, runs, sessions, sources, specs
from nsml_server.services.accounts import Caller
from nsml_server.services.platform import Platform
from nsml_server.services.sessions import Resources
from nsml_server.storage.database import ReadTransaction, WriteTransaction
from nsml_server.storage.repositories import checkpoints as checkpoint_rows
from nsml_server.storage.repositories import manifests, origins
from nsml_server.storage.repositories import sessions as session_rows
from nsml_server.storage.tables import Origin, Session
from nsml_worker.contract import RunKind

RESUMED = "resume of {}"  # the memo of a session that goes on
ANEW = (
    "Begun anew, not at checkpoint {checkpoint}: the program does not take `--pause 1 --iteration NAME` and call `nsml.paused`. "
    "`nsmlctl fork {session}` starts at the checkpoint all the same."
)


@dataclass(frozen=True)
class Wish:
    """What is to be other than at the origin. None: the same, and of checkpoints the newest."""

    checkpoint: str | None = None
    args: str | None = None
    entry: str | None = None
    memo: str | None = None
    dataset: str | None = None
    image: str | None = None
    resources: Resources = field(default_factory=Resources)


@dataclass(frozen=True)
class _Start:
    """The checkpoint a session begins with; nothing of one that starts anew."""

    name: str | None = None
    manifest: str | None = None


def fork(
    platform: Platform, tx: WriteTransaction, caller: Caller, origin: Session, wish: Wish, key: str | None
) -> Session:
    """Train on from a checkpoint.

    Raises:
        Conflict: the origin has saved nothing.
        NotFound: there is no such checkpoint; lists those there are.
        Invalid: an entry, arguments or an image we do not take.
    """
    known = requests.recall(tx, caller.id, key, requests.SESSION)
    if known is not None:
        return sessions.of_id(tx, known)
    start = _choose(tx, origin, wish.checkpoint)
    return _open(platform, tx, origin, RunKind.FORK, wish, start, key)


def resume(platform: Platform, tx: WriteTransaction, caller: Caller, origin: Session, key: str | None) -> Session:
    """Let an ended session go on from the last it has saved. One that has saved nothing starts anew; so does, and is told why, one
    whose program would fall over the arguments that name a checkpoint.

    Raises:
        Conflict: it has not ended.
    """
    known = requests.recall(tx, caller.id, key, requests.SESSION)
    if known is not None:
        return sessions.of_id(tx, known)
    name = specs.name_of(origin)
    if not origin.run.state.is_final:
        raise Conflict(
            f"{name} has not ended: it is {origin.run.state}.",
            hint=f"Follow it with `nsmlctl logs -f {name}`, or start another from its checkpoint: `nsmlctl fork {name}`.",
            code="not_ended",
        )
    last, wish = _last(tx, origin), Wish(memo=RESUMED.format(name))
    if origin.run.kind is RunKind.SERVE:
        return _open(platform, tx, origin, RunKind.SERVE, wish, last, key)
    goes_on = last.manifest is not None and _can_go_on(platform, tx, origin)
    kind, start = (RunKind.FORK, last) if goes_on else (RunKind.TRAIN, _Start())
    session = _open(platform, tx, origin, kind, wish, start, key)
    if last.manifest is not None and not goes_on:
        runs.notice(platform, tx, session.run, ANEW.format(checkpoint=last.name, session=name))
    return session


def serve(
    platform: Platform, tx: WriteTransaction, caller: Caller, origin: Session, wish: Wish, key: str | None
) -> Session:
    """Load a checkpoint and wait to be asked, until somebody stops it. Raises as `fork`."""
    known = requests.recall(tx, caller.id, key, requests.SESSION)
    if known is not None:
        return sessions.of_id(tx, known)
    start = _choose(tx, origin, wish.checkpoint)
    return _open(platform, tx, origin, RunKind.SERVE, wish, start, key)


def _open(
    platform: Platform,
    tx: WriteTransaction,
    origin: Session,
    kind: RunKind,
    wish: Wish,
    start: _Start,
    key: str | None,
) -> Session:
    session = _row(platform, tx, origin, wish)
    sessions.check_args(session.args)
    sessions.check_entry(manifests.load(tx, session.code), session.entry)
    sessions.begin(platform, tx, session, kind, _inherit(wish.resources, origin))
    tx.add(Origin(session_id=session.id, origin_id=origin.id, checkpoint=start.name, manifest=start.manifest))
    tx.flush()
    requests.remember(tx, session.user_id, key, requests.SESSION, session.id, platform.now())
    return sessions.of_id(tx, session.id)


def _row(platform: Platform, tx: WriteTransaction, origin: Session, wish: Wish) -> Session:
    name, version_id = origin.dataset, origin.version_id
    if wish.image is not None:
        images.check(platform, tx, wish.image)
    if wish.dataset is not None:
        dataset = datasets.find(tx, wish.dataset)
        name, version_id = dataset.name, datasets.latest(tx, dataset).id
    return Session(
        user_id=origin.user_id,
        dataset=name,
        number=session_rows.next_number(tx, origin.user_id, name),
        version_id=version_id,
        code=origin.code,
        entry=origin.entry if wish.entry is None else wish.entry,
        args=origin.args if wish.args is None else wish.args,
        memo=sessions.check_memo(wish.memo or ""),
        image=origin.image if wish.image is None else wish.image,
        created_at=platform.now(),
    )


def _inherit(wanted: Resources, origin: Session) -> Resources:
    """A model that needed so much needs it again."""
    run = origin.run
    had: dict[str, Any] = {"gpus": run.gpus, "cpus": run.cpus, "memory": run.memory, "shm": run.shm}
    had |= {"gpu_model": run.gpu_model, "gpu_driver": run.gpu_driver}
    return replace(wanted, **{name: value for name, value in had.items() if getattr(wanted, name) is None})


def _choose(tx: ReadTransaction, origin: Session, name: str | None) -> _Start:
    """A fork that has saved nothing yet still has what it began with."""
    inherited = origins.of_session(tx, origin.id)
    has_own = checkpoint_rows.count(tx, origin.id) > 0
    if inherited is not None and inherited.manifest and not has_own and name in (None, inherited.checkpoint):
        return _Start(inherited.checkpoint, inherited.manifest)
    chosen = checkpoints.choose_newest(tx, origin, name)
    return _Start(chosen.name, chosen.manifest)


def _can_go_on(platform: Platform, tx: ReadTransaction, origin: Session) -> bool:
    """A fork that came to save something took the arguments; of any other its source tells, as after a lost machine."""
    if origin.run.kind is RunKind.FORK and checkpoint_rows.count(tx, origin.id) > 0:
        return True
    return can_go_on(sources.look(platform, manifests.load(tx, origin.code), origin.entry))


def _last(tx: ReadTransaction, origin: Session) -> _Start:
    saved = checkpoint_rows.of_session(tx, origin.id)
    if saved:
        return _Start(saved[-1].name, saved[-1].manifest)
    inherited = origins.of_session(tx, origin.id)
    return _Start() if inherited is None else _Start(inherited.checkpoint, inherited.manifest)
