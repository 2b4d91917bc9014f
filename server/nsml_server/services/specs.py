"""What a worker needs to execute a run: built from the rows, the same however often it is asked for.

Which part of a dataset is in which box is decided here and nowhere else: a training gets no test part, a prediction no
labels and no train part, a scoring no code of a participant's.
"""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Callable

from nsml_server.domain import trees
from nsml_server.domain.names import SessionName
from nsml_server.domain.ranking import CUSTOM
from nsml_server.services import environments
from nsml_server.services.platform import Platform
from nsml_server.storage.database import ReadTransaction
from nsml_server.storage.repositories import datasets, manifests, origins, sessions, submissions
from nsml_server.storage.tables import Attempt, DatasetVersion, Run, Session, Submission
from nsml_worker.contract import Environment, FileEntry, Limits, Mount, Output, RunKind, RunSpec, Tree

# Names of variables and files inside a box, as nsml._contract has them; the worker checks that it knows them.
ENV_MODE = "NSML_MODE"
ENV_SESSION = "NSML_SESSION"
ENV_SESSION_NAME = "NSML_SESSION_NAME"
ENV_DATASET_NAME = "NSML_DATASET_NAME"
ENV_GPU_NUM = "NSML_GPU_NUM"
ENV_CHECKPOINT = "NSML_CHECKPOINT"
ENV_BATCH = "NSML_BATCH"
PREDICTION = "prediction"
SCORE = "score.json"
MAX_SCORE = 64 * 1024  # bytes of score.json
# What NSML gave a program that is to predict, to go on, or to be asked; it has to know these options. One that goes on keeps
# the mode it was run in, which may be one of its own.
RESERVED = ("--mode", "test", "--pause", "1")
RESERVED_FORK = ("--pause", "1", "--iteration")  # and the checkpoint's name
RESERVED_SERVE = ("--mode", "infer", "--pause", "1")
CHECKPOINT = "/nsml/checkpoint"
# The worker puts the path of its scorer here.
SCORER = "@score"


def name_of(session: Session) -> SessionName:
    """USER/DATASET/NUMBER."""
    return SessionName(session.user.name, session.dataset, session.number)


def build(platform: Platform, tx: ReadTransaction, run: Run, attempt: Attempt) -> RunSpec:
    """The RunSpec of an attempt."""
    session = sessions.of_id(tx, run.session_id)
    if session is None:
        raise LookupError(f"run {run.id} has no session")
    spec = _MAKERS[run.kind](platform, tx, run, attempt, session)
    # An evaluation is the organiser's: it runs in the platform's own Python, whatever the participant's code asks for.
    own = Environment() if run.kind is RunKind.SCORE else environments.of_session(platform, tx, session)
    return dataclasses.replace(spec, environment_of=own)


def limits_of(platform: Platform, run: Run) -> Limits:
    """What the box of this run may use."""
    settings = platform.settings
    seconds = {RunKind.PREDICT: settings.predict_limit, RunKind.SCORE: settings.score_limit}
    return Limits(
        cpus=run.cpus,
        memory=run.memory or settings.memory,
        shm=run.shm,
        gpus=tuple(run.devices),
        wall_clock=seconds.get(run.kind, settings.train_limit),
        processes=settings.processes,
        log=settings.log_bytes,
        disk=settings.box_disk,
    )


def readable(spec: RunSpec) -> frozenset[str]:
    """The hashes this run may fetch: those it mounts."""
    return frozenset(entry.hash for mount in spec.mounts for entry in mount.tree.files)


def _train(platform: Platform, tx: ReadTransaction, run: Run, attempt: Attempt, session: Session) -> RunSpec:
    if attempt.manifest is not None:
        return _begun(platform, tx, run, attempt, session)
    mounts, environment = _training_view(tx, run, session), _environment(run, session, "train")
    argv = ("python", "-u", session.entry, *shlex.split(session.args))
    return _spec(platform, run, attempt, session, argv, mounts, environment=environment)


def _begun(platform: Platform, tx: ReadTransaction, run: Run, attempt: Attempt, session: Session) -> RunSpec:
    """A fork, a training that goes on, or a model that is served: what a training has, and the checkpoint to begin with."""
    name, tree = _start(tx, session, attempt)
    mounts = (*_training_view(tx, run, session), Mount(CHECKPOINT, tree))
    is_served = run.kind is RunKind.SERVE
    environment = {**_environment(run, session, "serve" if is_served else "fork"), ENV_CHECKPOINT: name}
    reserved = RESERVED_SERVE if is_served else (*RESERVED_FORK, name)
    argv = ("python", "-u", session.entry, *shlex.split(session.args), *reserved)
    return _spec(platform, run, attempt, session, argv, mounts, environment=environment)


def _training_view(tx: ReadTransaction, run: Run, session: Session) -> tuple[Mount, ...]:
    code = Mount("/app", manifests.load(tx, session.code), writable=True)
    version = _version(tx, run)
    return (code,) if version is None else (code, _data(tx, version, trees.train_view))


def _predict(platform: Platform, tx: ReadTransaction, run: Run, attempt: Attempt, session: Session) -> RunSpec:
    submission, version = _submission(tx, run), _needed_version(tx, run)
    mounts = (
        Mount("/app", manifests.load(tx, session.code), writable=True),
        _tested(tx, submission, version, trees.predict_view),
        Mount(CHECKPOINT, manifests.load(tx, submission.checkpoint_manifest)),
        Mount("/nsml/loader", trees.loader_view(manifests.load(tx, version.manifest))),
    )
    environment = {**_environment(run, session, "submit"), ENV_CHECKPOINT: submission.checkpoint}
    if submission.batch is not None:
        environment[ENV_BATCH] = str(submission.batch)
    argv = ("python", "-u", submission.entry or session.entry, *shlex.split(session.args), *RESERVED)
    outputs = (Output(PREDICTION, platform.settings.prediction_bytes),)
    return _spec(platform, run, attempt, session, argv, mounts, environment=environment, outputs=outputs)


def _score(platform: Platform, tx: ReadTransaction, run: Run, attempt: Attempt, session: Session) -> RunSpec:
    submission, version = _submission(tx, run), _needed_version(tx, run)
    folder = f"/data/{version.dataset.name}"
    prediction = FileEntry(PREDICTION, submission.prediction_size or 0, submission.prediction_hash or "")
    mounts = (_tested(tx, submission, version, trees.score_view), Mount("/nsml/prediction", Tree((prediction,))))
    argv = ["python", SCORER, "--metric", version.metric, "--label", f"{folder}/{trees.TEST_LABEL}"]
    argv += ["--prediction", f"/nsml/prediction/{PREDICTION}"]
    if version.metric == CUSTOM:
        argv += ["--evaluation", f"{folder}/{trees.EVALUATION}"]
    environment = {ENV_DATASET_NAME: version.dataset.name, ENV_GPU_NUM: "0"}
    outputs = (Output(SCORE, MAX_SCORE),)
    return _spec(platform, run, attempt, session, tuple(argv), mounts, environment=environment, outputs=outputs)


def _spec(
    platform: Platform,
    run: Run,
    attempt: Attempt,
    session: Session,
    argv: tuple[str, ...],
    mounts: tuple[Mount, ...],
    *,
    environment: dict[str, str],
    outputs: tuple[Output, ...] = (),
) -> RunSpec:
    return RunSpec(
        run_id=run.id,
        attempt=attempt.number,
        kind=run.kind,
        session=str(name_of(session)),
        image=run.image,
        argv=argv,
        mounts=mounts,
        dataset=None if run.version is None else run.version.dataset.name,
        environment=environment,
        outputs=outputs,
        limits=limits_of(platform, run),
        log_base=attempt.log_base,
        events_base=attempt.events_base,
        lease=platform.settings.lease,
        keep_checkpoints=run.kind not in (RunKind.PREDICT, RunKind.SCORE),
        network=None if run.version is None else run.version.dataset.network,
    )


def _environment(run: Run, session: Session, mode: str) -> dict[str, str]:
    environment = {
        ENV_MODE: mode,
        ENV_SESSION: str(session.number),
        ENV_SESSION_NAME: str(name_of(session)),
        ENV_GPU_NUM: str(run.gpus),
    }
    return environment if run.version_id is None else {**environment, ENV_DATASET_NAME: session.dataset}


def _data(tx: ReadTransaction, version: DatasetVersion, view: Callable[[Tree], Tree]) -> Mount:
    tree = manifests.load(tx, version.manifest)
    return Mount(f"/data/{version.dataset.name}", view(tree) if version.hides_test else trees.open_view(tree))


def _tested(
    tx: ReadTransaction, submission: Submission, version: DatasetVersion, view: Callable[[Tree], Tree]
) -> Mount:
    """What a submit is measured on: the hidden test, or in a rehearsal the public sample in its place."""
    if submission.sample is None:
        return _data(tx, version, view)
    return Mount(f"/data/{version.dataset.name}", view(manifests.load(tx, submission.sample)))


def _version(tx: ReadTransaction, run: Run) -> DatasetVersion | None:
    return None if run.version_id is None else datasets.version_of(tx, run.version_id)


def _needed_version(tx: ReadTransaction, run: Run) -> DatasetVersion:
    version = _version(tx, run)
    if version is None:
        raise LookupError(f"run {run.id} has no dataset")
    return version


def _start(tx: ReadTransaction, session: Session, attempt: Attempt) -> tuple[str, Tree]:
    if attempt.manifest is not None:
        return attempt.checkpoint or "", manifests.load(tx, attempt.manifest)
    origin = origins.of_session(tx, session.id)
    if origin is None or origin.manifest is None:
        raise LookupError(f"session {session.id} has no checkpoint to begin with")
    return origin.checkpoint or "", manifests.load(tx, origin.manifest)


def _submission(tx: ReadTransaction, run: Run) -> Submission:
    submission = None if run.submission_id is None else submissions.of_id(tx, run.submission_id)
    if submission is None:
        raise LookupError(f"run {run.id} has no submission")
    return submission


_MAKERS: dict[RunKind, Callable[[Platform, ReadTransaction, Run, Attempt, Session], RunSpec]] = {
    RunKind.TRAIN: _train,
    RunKind.FORK: _begun,
    RunKind.SERVE: _begun,
    RunKind.PREDICT: _predict,
    RunKind.SCORE: _score,
}
