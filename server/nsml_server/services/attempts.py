"""The fence: what a worker may do, it may do for one attempt, with that attempt's token, until it is over."""

from __future__ import annotations

from nsml_server.domain.states import RunState, SubmissionState
from nsml_server.errors import AttemptOver, Invalid, TooLarge, Unauthenticated
from nsml_server.services import files, nodes, restarts, runs, specs, submissions, tokens
from nsml_server.services.platform import Platform
from nsml_server.storage.database import ReadTransaction, WriteTransaction
from nsml_server.storage.repositories import manifests, questions
from nsml_server.storage.repositories import runs as run_rows
from nsml_server.storage.tables import Attempt, Node, Run
from nsml_worker.contract import RunKind, RunSpec

LOG, EVENTS = "log", "events"
MAX_APPEND = 16 * 2**20  # bytes of a stream in one request


def require_known(tx: ReadTransaction, run_id: int, token: str) -> tuple[Run, Attempt]:
    """The attempt whose token this is, over or not.

    Raises:
        Unauthenticated: it is no token of this run.
    """
    attempt = run_rows.attempt_with(tx, run_id, tokens.digest(token))
    if attempt is None or not tokens.is_same(attempt.token, token):
        raise Unauthenticated("This run token is wrong or has been replaced.", hint="Stop this box and remove it.")
    return runs.find(tx, run_id), attempt


def require_current(tx: ReadTransaction, run_id: int, token: str) -> tuple[Run, Attempt]:
    """The same, when the attempt is the one that counts.

    Raises:
        AttemptOver: the run has ended or was placed again.
    """
    run, attempt = require_known(tx, run_id, token)
    if attempt.ended_at is not None or attempt.number != run.attempt or run.state.is_final:
        raise AttemptOver(f"Attempt {attempt.number} of run {run_id} is over.")
    return run, attempt


def claim(platform: Platform, run_id: int, token: str) -> RunSpec:
    """Give the run to the worker that asks; the same token is given the same answer.

    Raises:
        AttemptOver: the run has ended or was placed again.
    """
    _hear(platform, run_id, token)
    # Under the run's lock nothing of an earlier attempt can arrive between measuring the streams and the claim.
    with platform.locks.of(run_id), platform.database.write() as tx:
        run_rows.lock(tx, [run_id])
        run, attempt = require_current(tx, run_id, token)
        if attempt.claimed_at is None:
            _begin(platform, tx, run, attempt)
        return specs.build(platform, tx, run, attempt)


def append(platform: Platform, run_id: int, token: str, stream: str, offset: int, data: bytes) -> int:
    """Add what a box wrote; returns the stream's size.

    Raises:
        StreamGap: bytes before these have not arrived.
        AttemptOver: the run has ended or was placed again.
    """
    if stream not in (LOG, EVENTS):
        raise Invalid(f'There is no stream "{stream[:32]}".', hint="A run has the streams log and events.")
    if offset + len(data) > platform.settings.stream_bytes:
        raise TooLarge(f"The stream {stream} of run {run_id} may hold {platform.settings.stream_bytes:,} bytes.")
    with platform.locks.of(run_id):
        with platform.database.read() as tx:
            require_current(tx, run_id, token)
        size = platform.streams.append(run_id, stream, offset, data)
    platform.notices.publish(f"stream:{run_id}:{stream}")
    return size


def holder(platform: Platform, run_id: int, token: str) -> str:
    """Whose bytes an attempt adds to."""
    with platform.database.read() as tx:
        return files.holder_of_run(require_current(tx, run_id, token)[0])


def require_readable(platform: Platform, run_id: int, token: str, hashes: list[str]) -> None:
    """Raises Invalid when the attempt asks for bytes that are not in what it mounts."""
    with platform.database.read() as tx:
        run, attempt = require_current(tx, run_id, token)
        allowed = platform.grants.of(
            run_id, attempt.number, lambda: specs.readable(specs.build(platform, tx, run, attempt))
        )
        foreign = [name for name in hashes if name not in allowed]
        if foreign:
            borrowed = {entry.hash for lent in questions.lent(tx, run_id) for entry in manifests.load(tx, lent).files}
            foreign = [name for name in foreign if name not in borrowed]
    if foreign:
        raise Invalid(f"Run {run_id} does not mount {foreign[0][:12]}….", hint="Ask only for what the claim listed.")


def _hear(platform: Platform, run_id: int, token: str) -> None:
    """Who comes with an attempt's token has got its message, late or not: so its machine takes what it is given."""
    with platform.database.read() as tx:
        _, attempt = require_known(tx, run_id, token)
        node = tx.get(Node, attempt.node_id)
    if node is not None and node.unclaimed:
        nodes.note_taken(platform, node.id)


def _begin(platform: Platform, tx: WriteTransaction, run: Run, attempt: Attempt) -> None:
    now = platform.now()
    if attempt.number > 1:
        start = restarts.choose(platform, tx, run, attempt)
        attempt.checkpoint, attempt.manifest = (start.name, start.manifest) if start else (None, None)
        _mark_new_attempt(platform, run.id, attempt, restarts.reason_of(tx, run, attempt.number))
    attempt.claimed_at = now
    attempt.log_base = platform.streams.size(run.id, LOG)
    attempt.events_base = platform.streams.size(run.id, EVENTS)
    tx.flush()
    settings = platform.settings
    deadlines = {"lease_until": now + settings.lease, "deadline": now + settings.prepare_limit}
    runs.move(platform, tx, run, RunState.PREPARING, **deadlines)
    if run.kind is RunKind.PREDICT:
        submissions.move_of_run(platform, tx, run, SubmissionState.PREDICTING)


def _mark_new_attempt(platform: Platform, run_id: int, attempt: Attempt, why: str) -> None:
    """Say in the log where an attempt begins anew, and close a journal line that the last one left open."""
    size = platform.streams.size(run_id, LOG)
    if size:
        begun = f"goes on from checkpoint {attempt.checkpoint}" if attempt.manifest else "is started again"
        mark = f"\n[nsml] {why}; the program {begun} (attempt {attempt.number}).\n"
        platform.streams.append(run_id, LOG, size, mark.encode())
    size = platform.streams.size(run_id, EVENTS)
    if size and platform.streams.read(run_id, EVENTS, size - 1, 1) != b"\n":
        platform.streams.append(run_id, EVENTS, size, b"\n")
