"""Sessions, submits and the runs that carry them out."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from nsml_server.domain.states import RunState, SubmissionState
from nsml_server.storage.tables.base import HASH, Base, key, words
from nsml_server.storage.tables.contents import Dataset, DatasetVersion
from nsml_server.storage.tables.people import Node, User
from nsml_worker.contract import RunKind


class Counter(Base):
    """The last number given to a session of a user in a dataset, by the dataset's name."""

    __tablename__ = "counters"
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    dataset: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[int]


class Session(Base):
    """What a participant sees of a training: USER/DATASET/NUMBER. `code` is the manifest of what was uploaded."""

    __tablename__ = "sessions"
    id: Mapped[int] = key()
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    dataset: Mapped[str] = mapped_column(String(64))
    number: Mapped[int]
    version_id: Mapped[int | None] = mapped_column(ForeignKey("dataset_versions.id"))
    code: Mapped[str] = mapped_column(ForeignKey("manifests.hash"))
    entry: Mapped[str]
    args: Mapped[str] = mapped_column(default="")
    memo: Mapped[str] = mapped_column(default="")
    image: Mapped[str]
    created_at: Mapped[float]
    deleted_at: Mapped[float | None]

    user: Mapped[User] = relationship(lazy="raise")
    version: Mapped[DatasetVersion | None] = relationship(lazy="raise")
    run: Mapped[Run] = relationship(
        lazy="raise",
        viewonly=True,
        uselist=False,
        primaryjoin="and_(Run.session_id == Session.id, Run.submission_id.is_(None))",
    )
    __table_args__ = (UniqueConstraint("user_id", "dataset", "number"), Index("sessions_by_age", "created_at"))


class Origin(Base):
    """Where a session that did not begin from nothing came from. `checkpoint` is the name at that time; none: only the code."""

    __tablename__ = "origins"
    session_id: Mapped[int] = mapped_column(ForeignKey("sessions.id"), primary_key=True)
    origin_id: Mapped[int] = mapped_column(ForeignKey("sessions.id"))
    checkpoint: Mapped[str | None] = mapped_column(String(128))
    manifest: Mapped[str | None] = mapped_column(ForeignKey("manifests.hash"))


class Submission(Base):
    """One submit. `version` counts its changes, for those who follow it; `checkpoint` is the name at that time.

    `sample` makes it a rehearsal: the manifest of the dataset with its public sample in the place of the hidden test.
    `entry` is another program than the session's, `batch` how many rows each call of infer is given.
    """

    __tablename__ = "submissions"
    id: Mapped[int] = key()
    version: Mapped[int] = mapped_column(default=1)
    session_id: Mapped[int] = mapped_column(ForeignKey("sessions.id"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    dataset_version_id: Mapped[int] = mapped_column(ForeignKey("dataset_versions.id"))
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id"), index=True)
    checkpoint: Mapped[str] = mapped_column(String(128))
    checkpoint_manifest: Mapped[str] = mapped_column(ForeignKey("manifests.hash"))
    state: Mapped[SubmissionState] = mapped_column(words(SubmissionState))
    phase: Mapped[str | None] = mapped_column(String(32))
    reason: Mapped[str | None] = mapped_column(String(32))
    message: Mapped[str | None]
    sample: Mapped[str | None] = mapped_column(String(HASH))
    entry: Mapped[str | None]
    batch: Mapped[int | None]
    prediction_hash: Mapped[str | None] = mapped_column(String(HASH))
    prediction_size: Mapped[int | None]
    score: Mapped[float | None]
    created_at: Mapped[float]
    ended_at: Mapped[float | None]

    @property
    def is_rehearsal(self) -> bool:
        """Whether it counts nowhere, and everything of it is shown."""
        return self.sample is not None

    session: Mapped[Session] = relationship(lazy="raise")
    dataset: Mapped[Dataset] = relationship(lazy="raise")
    dataset_version: Mapped[DatasetVersion] = relationship(lazy="raise")


class Run(Base):
    """One execution of one program. A state is left only while its row is locked (see repositories/runs.py).

    `lease_until` belongs to the worker that has it, `deadline` to the state it is in; `faults` counts attempts that failed
    by our own fault; `notices` are sentences of the platform's for its log. `pinned` is the node it must go to; `runtime`,
    `runner` and `environment` are what its machine has to have or had better hold (see domain.capacity); `stop_reason` is why
    it was asked to stop, when not by its owner; `kept_since` when room was first kept for it while it waits. `journal_read` is
    how much of the journal is folded into `summary` and `phase`; `preparing` is the worker's word on what it does before the
    start.
    """

    __tablename__ = "runs"
    id: Mapped[int] = key()
    kind: Mapped[RunKind] = mapped_column(words(RunKind))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    session_id: Mapped[int] = mapped_column(ForeignKey("sessions.id"), index=True)
    submission_id: Mapped[int | None] = mapped_column(ForeignKey("submissions.id"))
    version_id: Mapped[int | None] = mapped_column(ForeignKey("dataset_versions.id"))
    state: Mapped[RunState] = mapped_column(words(RunState))
    attempt: Mapped[int] = mapped_column(default=0)
    faults: Mapped[int] = mapped_column(default=0)
    cpus: Mapped[int]
    gpus: Mapped[int]
    memory: Mapped[int | None]
    shm: Mapped[int | None]
    gpu_model: Mapped[str | None] = mapped_column(String(64))
    gpu_driver: Mapped[str | None] = mapped_column(String(32))
    pinned: Mapped[str | None] = mapped_column(String(64))
    runtime: Mapped[str | None] = mapped_column(String(64))
    runner: Mapped[str | None] = mapped_column(String(16))
    environment: Mapped[str | None] = mapped_column(String(255))
    image: Mapped[str]
    node_id: Mapped[int | None] = mapped_column(ForeignKey("nodes.id"))
    devices: Mapped[list[str]] = mapped_column(default=list)
    queued_at: Mapped[float]
    started_at: Mapped[float | None]
    ended_at: Mapped[float | None]
    lease_until: Mapped[float | None]
    deadline: Mapped[float | None]
    kept_since: Mapped[float | None]
    preparing: Mapped[str | None]
    phase: Mapped[str | None] = mapped_column(String(16))
    stop_reason: Mapped[str | None] = mapped_column(String(32))
    stop_asked_at: Mapped[float | None]
    reason: Mapped[str | None] = mapped_column(String(32))
    message: Mapped[str | None]
    exit_code: Mapped[int | None]
    summary: Mapped[dict[str, Any]] = mapped_column(default=dict)
    journal_read: Mapped[int] = mapped_column(default=0)
    notices: Mapped[list[str]] = mapped_column(default=list, server_default=text("'[]'"))

    node: Mapped[Node | None] = relationship(lazy="raise")
    user: Mapped[User] = relationship(lazy="raise")
    version: Mapped[DatasetVersion | None] = relationship(lazy="raise")
    __table_args__ = (
        UniqueConstraint("submission_id", "kind"),
        # Only what is not final is ever looked for by state: the index stays as small as the queue.
        Index("runs_under_way", "state", "queued_at"),
        Index("runs_by_start", "started_at"),
        Index("runs_by_end", "ended_at"),
    )


class Attempt(Base):
    """One placement of a run: the fence. Its token opens this run's files until `ended_at`; `seq` is the last fact applied.

    `checkpoint` and `manifest`: what it goes on from after an earlier attempt was lost; none: it began as the run does.
    """

    __tablename__ = "attempts"
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    node_id: Mapped[int] = mapped_column(ForeignKey("nodes.id"))
    token: Mapped[str] = mapped_column(String(HASH), unique=True)
    placed_at: Mapped[float]
    claimed_at: Mapped[float | None]
    ended_at: Mapped[float | None]
    reason: Mapped[str | None] = mapped_column(String(32))
    detail: Mapped[str | None]
    seq: Mapped[int] = mapped_column(default=0)
    log_base: Mapped[int] = mapped_column(default=0)
    events_base: Mapped[int] = mapped_column(default=0)
    checkpoint: Mapped[str | None] = mapped_column(String(128))
    manifest: Mapped[str | None] = mapped_column(String(HASH))
    facts: Mapped[dict[str, Any] | None]  # the Ended the worker reported


class Checkpoint(Base):
    """A saved folder of a session. The same name saved again replaces what it names."""

    __tablename__ = "checkpoints"
    id: Mapped[int] = key()
    session_id: Mapped[int] = mapped_column(ForeignKey("sessions.id"))
    name: Mapped[str] = mapped_column(String(128))
    manifest: Mapped[str] = mapped_column(ForeignKey("manifests.hash"))
    size: Mapped[int]
    summary: Mapped[dict[str, Any]]
    saved_at: Mapped[float]
    elapsed: Mapped[float]
    __table_args__ = (UniqueConstraint("session_id", "name"),)


class Product(Base):
    """What a session's program wrote besides checkpoints. `left_out` holds [path, why] of what was not kept."""

    __tablename__ = "products"
    session_id: Mapped[int] = mapped_column(ForeignKey("sessions.id"), primary_key=True)
    manifest: Mapped[str] = mapped_column(ForeignKey("manifests.hash"))
    left_out: Mapped[list[list[str]]] = mapped_column(JSON)


class Loan(Base):
    """A checkpoint of another session that a run has asked for and may fetch, beyond what it mounts."""

    __tablename__ = "loans"
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    manifest: Mapped[str] = mapped_column(ForeignKey("manifests.hash"), primary_key=True)


class Outgoing(Base):
    """A message to a node that is to be sent after the commit. Deleted once the broker has it."""

    __tablename__ = "outbox"
    id: Mapped[int] = key()
    node: Mapped[str] = mapped_column(String(64))
    task: Mapped[str] = mapped_column(String(32))
    run_id: Mapped[int] = mapped_column(index=True)
    token: Mapped[str] = mapped_column(default="")
