"""What an operator may set: read once from the environment (prefix NSML_) into a frozen object.

Durations are in seconds, sizes in bytes. The sentence below each is what the operator reads.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from nsml_server.secret_files import read_secret, with_password

MIB, GIB = 2**20, 2**30

Seconds = Annotated[float, Field(gt=0)]
Bytes = Annotated[int, Field(gt=0)]
Count = Annotated[int, Field(gt=0)]


class Settings(BaseSettings):
    """The server's settings. A value given to the constructor wins over the environment."""

    model_config = SettingsConfigDict(env_prefix="NSML_", frozen=True, extra="ignore", use_attribute_docstrings=True)

    mode: Literal["embedded", "distributed"] = "distributed"
    """Which of the two sizes this is."""
    data: Path = Path("nsml-data")
    """Folder for blobs and streams, and for SQLite's file."""
    database_url: str = ""
    """SQLAlchemy URL of the rows; empty: SQLite in the data folder."""
    database_password_file: Path | None = None
    """File with the password of that URL."""
    broker_url: str = "redis://127.0.0.1:6379/0"
    """Celery broker that carries the hand-overs."""
    broker_password_file: Path | None = None
    """File with the password of that URL."""
    worker_broker_url: str = ""
    """The same broker as workers reach it; empty: as the server does."""
    join_token_file: Path | None = None
    """File with a token that lets in every machine which knows it; none: only those of `nsmlctl node add` do."""
    public_url: str = "http://127.0.0.1:8080"
    """The address people type; links are made with it."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """Port to listen on; 0 takes a free one."""
    image: str = "default"
    """What a program runs in when it names no image."""
    unknown_images: Literal["refuse", "default", "pull"] = "default"
    """What to do with an image that a program names and the image table does not know: run it in the nearest runtime, or in
    `image`, with a note; refuse the run; or, where machines run containers, pull it. To pull lets everybody name whatever the
    nodes' credentials open."""

    lease: Seconds = 30.0
    """Seconds after which a silent worker loses its runs."""
    heartbeat: Seconds = 5.0
    """Seconds between two heartbeats of a worker."""
    goodbye_grace: Annotated[float, Field(ge=0)] = 120.0
    """Seconds a leaving worker has to come back for its runs."""
    tick: Seconds = 1.0
    """Seconds between two looks for what is overdue or was not sent."""
    attempts: Count = 3
    """How often a run is started when the fault is ours."""
    prepare_limit: Seconds = 1800.0
    """Seconds from a claim to the program's start."""
    stop_limit: Seconds = 60.0
    """Seconds a worker has to end a run that is to stop."""
    train_limit: Seconds | None = None
    """Seconds a training may run; none: as long as it likes."""
    predict_limit: Seconds = 3600.0
    """Seconds the first half of a submit may run."""
    score_limit: Seconds = 3600.0
    """Seconds the organiser's evaluation may run."""

    upload_bytes: Bytes = 1 * GIB
    """Bytes of one session's code."""
    upload_files: Count = 10_000
    """Files of one session's code."""
    file_bytes: Bytes = 1 * GIB
    """Bytes of one uploaded file of code."""
    dataset_bytes: Bytes = 1024 * GIB
    """Bytes of a dataset."""
    dataset_files: Count = 1_000_000
    """Files of a dataset."""
    dataset_file_bytes: Bytes = 64 * GIB
    """Bytes of one file of a dataset or a checkpoint."""
    checkpoint_bytes: Bytes = 64 * GIB
    """Bytes of one checkpoint."""
    checkpoint_files: Count = 10_000
    """Files of one checkpoint."""
    checkpoints: Count = 10_000
    """Checkpoints of one session."""
    product_bytes: Bytes = 1 * GIB
    """Bytes of the files a program leaves behind besides checkpoints."""
    product_files: Count = 1_000
    """How many of them."""
    open_submissions: Count = 100
    """Submits and rehearsals that one person may have under way."""
    prediction_bytes: Bytes = 1 * GIB
    """Bytes of one prediction file."""
    stream_bytes: Bytes = 4 * GIB
    """Bytes of one run's log, or of its journal."""
    log_bytes: Bytes = 256 * MIB
    """Bytes of a program's output that are kept; the log says where the rest was dropped."""
    request_bytes: Bytes = 256 * MIB
    """Bytes of one JSON request: a dataset's list of files."""
    idle_gpu_after: Seconds = 3600.0
    """Seconds without work after which a GPU counts as idle and its session is shown as a Zombie."""
    idle_gpu_stop: bool = False
    """Whether such a session is ended, with its checkpoints kept, instead of only being shown."""
    processes: Count = 4096
    """Processes and threads in one box."""
    memory: Bytes | None = None
    """Bytes of memory of a box when none is asked for; none: a container's share of its machine, a process as much as there is."""
    box_disk: Bytes | None = None
    """Bytes a box may write to its disk; none: what its machine gives it."""

    @property
    def database(self) -> str:
        """The URL of the rows."""
        url = self.database_url or f"sqlite:///{(self.data / 'nsml.sqlite').as_posix()}"
        return with_password(url, self.database_password_file)

    @property
    def broker(self) -> str:
        """The URL of the broker."""
        return with_password(self.broker_url, self.broker_password_file)

    @property
    def worker_broker(self) -> str:
        """The URL of the broker that workers are told."""
        return with_password(self.worker_broker_url or self.broker_url, self.broker_password_file)

    @property
    def join_token(self) -> str | None:
        """The operator's own, if there is one."""
        return None if self.join_token_file is None else read_secret(self.join_token_file)
