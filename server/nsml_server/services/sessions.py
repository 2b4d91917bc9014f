"""Sessions: opened, found by a name that may be short, listed."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from nsml_server.domain import trees
from nsml_server.domain.devices import check_driver, check_model
from nsml_server.domain.images import DOCKER
from nsml_server.domain.names import NO_DATASET, is_visible, parse_number, shown
from nsml_server.domain.names import check_user as check_node  # the same letters
from nsml_server.domain.states import RunState
from nsml_server.errors import AmbiguousSession, Forbidden, Invalid, NotFound
from nsml_server.services import admission, credits, datasets, environments, files, nodes, requests, runs, specs
from nsml_server.services.accounts import Caller
from nsml_server.services.platform import Platform
from nsml_server.storage.database import ReadTransaction, WriteTransaction
from nsml_server.storage.repositories import manifests, sessions
from nsml_server.storage.tables import Run, Session
from nsml_worker.contract import RunKind, Tree

MAX_MEMO = 1000  # characters
MAX_ARGS = 4000  # characters
MAX_LIST = 10_000  # sessions in one answer
RECENT = 86400.0  # seconds in which an ended session is still shown without --all
ANY = "_"  # in a session's name: find it


@dataclass(frozen=True)
class Resources:
    """What a run is to have. None: the platform's default; `memory` and `shm` in bytes."""

    gpus: int | None = None
    cpus: int | None = None
    memory: int | None = None
    shm: int | None = None
    gpu_model: str | None = None
    gpu_driver: str | None = None
    node: str | None = None


@dataclass(frozen=True)
class Request:
    """What a participant asks for. None: the platform's default."""

    dataset: str | None
    code: Tree
    entry: str
    args: str
    memo: str
    gpus: int | None
    cpus: int | None
    memory: int | None
    shm: int | None
    gpu_model: str | None = None
    gpu_driver: str | None = None
    node: str | None = None


@dataclass(frozen=True)
class Reference:
    """A session as somebody names it; see `find`."""

    caller: Caller
    user: str
    dataset: str
    number: str
    near: str | None

    def find(self, tx: ReadTransaction) -> Session:
        """Raises NotFound or AmbiguousSession."""
        return find(tx, self.caller, self.user, self.dataset, self.number, self.near)


def open_session(platform: Platform, tx: WriteTransaction, caller: Caller, asked: Request, key: str | None) -> Session:
    """Accept a training: its name and its run, in this transaction.

    Raises:
        NotFound: there is no such dataset.
        Invalid, TooLarge: code, entry or arguments we do not take.
    """
    known = requests.recall(tx, caller.id, key, requests.SESSION)
    if known is not None:
        return of_id(tx, known)
    dataset = datasets.find(tx, asked.dataset) if asked.dataset else None
    version = datasets.latest(tx, dataset) if dataset else None
    tree = _checked_code(platform, tx, caller, asked)
    name = dataset.name if dataset else NO_DATASET
    session = Session(
        user_id=caller.id,
        dataset=name,
        number=sessions.next_number(tx, caller.id, name),
        version_id=version.id if version else None,
        code=manifests.save(tx, tree),
        entry=asked.entry,
        args=asked.args,
        memo=check_memo(asked.memo),
        image=environments.choose_image(platform, tx, tree),
        created_at=platform.now(),
    )
    if asked.node is not None and not caller.admin:
        raise Forbidden("Only an administrator may choose the machine of a session.", hint="Leave --node away.")
    constraints = (asked.gpu_model, asked.gpu_driver, asked.node)
    wanted = Resources(asked.gpus, asked.cpus, asked.memory, asked.shm, *constraints)
    begin(platform, tx, session, RunKind.TRAIN, wanted)
    requests.remember(tx, caller.id, key, requests.SESSION, session.id, platform.now())
    return of_id(tx, session.id)


def begin(platform: Platform, tx: WriteTransaction, session: Session, kind: RunKind, wanted: Resources) -> None:
    """Store a session and queue its run.

    Raises:
        Forbidden: it asks for GPUs, and its owner has no credit.
        Invalid: a model or a driver that cannot be one.
        NeverFits: it asks for more than any machine has.
    """
    tx.add(session)
    tx.flush()
    run = _run(platform, tx, session, kind, wanted)
    credits.require(platform, tx, session.user_id, run.gpus)
    tx.add(run)
    tx.flush()
    admission.require_possible(platform, tx, run)
    platform.hurry(tx)


def of_id(tx: ReadTransaction, session_id: int) -> Session:
    """The session of this id. Raises NotFound."""
    session = sessions.of_id(tx, session_id)
    if session is None:
        raise NotFound("There is no such session.")
    return session


def find(tx: ReadTransaction, caller: Caller, user: str, dataset: str, number: str, near: str | None) -> Session:
    """One's own session by its name, in which "_" stands for "find it".

    `session/1` comes as _/session/1: a dataset called so comes first. `near` is the dataset the asker used last: it wins
    when it matches.

    Raises:
        NotFound: none matches, or it is somebody else's.
        AmbiguousSession: several do; lists them.
    """
    count = parse_number(number)
    if user not in (ANY, caller.name):
        raise unknown(f"{user}/{dataset}/{number}")
    exact = sessions.named(tx, caller.id, dataset, count) if dataset != ANY else None
    if exact is not None:
        return exact
    if dataset not in (ANY, "session"):
        raise unknown(f"{caller.name}/{dataset}/{number}")
    return _only(sessions.numbered(tx, caller.id, count), near, number)


def listed(
    platform: Platform,
    tx: ReadTransaction,
    caller: Caller,
    *,
    everything: bool = False,
    last: int | None = None,
    dataset: str | None = None,
    search: str | None = None,
) -> Sequence[Session]:
    """One's own sessions, newest first; without `everything`, not those that ended more than a day ago."""
    ended_after = None if everything else platform.now() - RECENT
    count = MAX_LIST if last is None else max(0, min(last, MAX_LIST))
    return sessions.of_user(tx, caller.id, ended_after=ended_after, dataset=dataset, search=search, last=count)


def change_memo(platform: Platform, tx: WriteTransaction, session: Session, memo: str) -> Session:
    """Write another memo."""
    session.memo = check_memo(memo)
    tx.flush()
    runs.tell(platform, tx, session.run)
    return session


def check_memo(memo: str) -> str:
    """The memo, when it can be shown in one line. Raises Invalid."""
    if len(memo) > MAX_MEMO or not is_visible(memo):
        raise Invalid(f"A memo is one line of at most {MAX_MEMO} visible characters.", hint="Shorten it.")
    return memo


def check_entry(tree: Tree, entry: str) -> None:
    """Raises Invalid, naming what could be meant, when the file to run is not part of the code."""
    paths = [file.path for file in tree.files]
    if entry in paths:
        return
    candidates = [path for path in paths if path.endswith(".py") and "/" not in path]
    listed = ", ".join(candidates[:10])
    raise Invalid(
        f"There is no {shown(entry)} in the uploaded folder.",
        hint=f"Name one of these with -e: {listed}." if candidates else "Run this in the folder of your program.",
        code="entry_missing",
        details={"entry": entry[:200], "candidates": candidates[:100]},
    )


def check_args(args: str) -> None:
    """Raises Invalid when a command line cannot be made of these."""
    if len(args) > MAX_ARGS or not is_visible(args):
        raise Invalid(f"The arguments are one line of at most {MAX_ARGS} visible characters.", hint="Shorten them.")
    try:
        shlex.split(args)
    except ValueError as error:
        raise Invalid(
            f"The arguments {shown(args)} cannot be split into words: {error}.", hint="Close every quotation mark."
        ) from None


def _checked_code(platform: Platform, tx: ReadTransaction, caller: Caller, asked: Request) -> Tree:
    settings = platform.settings
    tree = trees.check_tree(
        asked.code,
        max_files=settings.upload_files,
        max_file_bytes=settings.file_bytes,
        max_bytes=settings.upload_bytes,
    )
    check_entry(tree, asked.entry)
    check_args(asked.args)
    files.require_held(tx, files.holder_of_user(caller.id), tree)
    return tree


def _run(platform: Platform, tx: ReadTransaction, session: Session, kind: RunKind, wanted: Resources) -> Run:
    environment = environments.of_session(platform, tx, session)
    return Run(
        kind=kind,
        user_id=session.user_id,
        session_id=session.id,
        version_id=session.version_id,
        state=RunState.QUEUED,
        cpus=wanted.cpus if wanted.cpus is not None else nodes.DEFAULT_CPUS,
        gpus=wanted.gpus if wanted.gpus is not None else nodes.default_gpus(tx),
        memory=wanted.memory,
        shm=wanted.shm,
        gpu_model=check_model(wanted.gpu_model) if wanted.gpu_model else None,
        gpu_driver=check_driver(wanted.gpu_driver) if wanted.gpu_driver else None,
        pinned=check_node(wanted.node) if wanted.node else None,
        runtime=environment.runtime,
        runner=DOCKER if environment.reference else None,
        environment=environment.key or environment.reference,
        image=session.image,
        queued_at=platform.now(),
    )


def _only(found: Sequence[Session], near: str | None, number: str) -> Session:
    nearest = [session for session in found if session.dataset == near]
    if len(nearest) == 1:
        return nearest[0]
    if len(found) == 1:
        return found[0]
    if not found:
        raise unknown(f"session/{number}")
    raise AmbiguousSession(f"session/{number}", [str(specs.name_of(session)) for session in found])


def unknown(name: str) -> NotFound:
    """What is said of a name that means none of one's sessions."""
    return NotFound(
        f"There is no session {shown(name)} of yours.",
        hint="`nsmlctl ps -a` lists your sessions.",
        code="no_such_session",
    )
