"""What requests hold. Sizes are bounded here; what things mean is checked by the services."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from nsml_server.domain.credits import MAX_GRANT
from nsml_server.errors import Invalid
from nsml_server.services import rescoring
from nsml_server.services.sessions import Resources
from nsml_server.services.submissions import Wish
from nsml_worker.contract import FileEntry, Tree

LARGEST = 2**53 - 1  # integers beyond it are not the same in every JSON reader
Limit = Annotated[int, Field(ge=1, le=LARGEST)]
MAX_BATCH = 1_000_000  # rows in one call of infer
Count = Annotated[int, Field(ge=0, le=LARGEST)]


class Body(BaseModel):
    """An unknown field is a mistake of the sender's, and is told."""

    model_config = ConfigDict(extra="forbid", strict=True)


class FileBody(Body):
    """One file: where, how large, which bytes, its permission bits."""

    path: Annotated[str, Field(max_length=4096)]
    size: Count
    hash: Annotated[str, Field(max_length=64)]
    mode: Annotated[int, Field(ge=0, le=0o777)] = 0o644


class TreeBody(Body):
    """A folder by value."""

    files: list[FileBody]

    def to_tree(self) -> Tree:
        """As the domain has it."""
        return Tree(tuple(FileEntry(file.path, file.size, file.hash, file.mode) for file in self.files))


class Hashes(Body):
    """BLAKE3 hashes in hex."""

    hashes: list[Annotated[str, Field(max_length=64)]]


class NewUser(Body):
    """A person to be added."""

    name: Annotated[str, Field(max_length=200)]
    admin: bool = False


class NewNode(Body):
    """A machine to be added."""

    name: Annotated[str, Field(max_length=200)]


class NewJoinToken(Body):
    """A machine to be let in; no name: it says its own."""

    name: Annotated[str, Field(max_length=200)] | None = None


class NodeChange(Body):
    """What is to be changed about a machine."""

    drained: bool


class NewGrant(Body):
    """Credits for somebody, or for everybody; `every` period again, up to a ceiling."""

    user: Annotated[str, Field(max_length=200)]
    credit: Annotated[int, Field(ge=-LARGEST, le=LARGEST)]
    every: Literal["hour", "day", "week", "month"] | None = None
    ceiling: Annotated[int, Field(ge=1, le=MAX_GRANT)] | None = None
    note: Annotated[str, Field(max_length=1000)] = ""


class Wanted(Body):
    """What a run is to have. None: the platform's default, or what the session it comes from had."""

    gpus: Annotated[int, Field(ge=0, le=4096)] | None = None
    cpus: Annotated[int, Field(ge=1, le=65536)] | None = None
    memory: Annotated[int, Field(ge=2**20, le=LARGEST)] | None = None
    shm: Annotated[int, Field(ge=0, le=LARGEST)] | None = None
    gpu_model: Annotated[str, Field(max_length=200)] | None = None
    gpu_driver: Annotated[str, Field(max_length=200)] | None = None

    def to_resources(self) -> Resources:
        """As the services have it."""
        return Resources(self.gpus, self.cpus, self.memory, self.shm, self.gpu_model, self.gpu_driver)


class NewSession(Wanted):
    """A training to be run."""

    code: TreeBody
    entry: Annotated[str, Field(max_length=4096)] = "main.py"
    dataset: Annotated[str, Field(max_length=200)] | None = None
    args: Annotated[str, Field(max_length=100_000)] = ""
    memo: Annotated[str, Field(max_length=100_000)] = ""
    node: Annotated[str, Field(max_length=200)] | None = None


class NewFork(Wanted):
    """A session that trains on from another's checkpoint. None: as the other had it; of checkpoints the newest."""

    checkpoint: Annotated[str, Field(max_length=1000)] | None = None
    args: Annotated[str, Field(max_length=100_000)] | None = None
    entry: Annotated[str, Field(max_length=4096)] | None = None
    memo: Annotated[str, Field(max_length=100_000)] | None = None
    image: Annotated[str, Field(max_length=300)] | None = None


class NewServe(Wanted):
    """A session that loads a checkpoint and answers. None: as the other had it; of checkpoints the newest."""

    checkpoint: Annotated[str, Field(max_length=1000)] | None = None
    dataset: Annotated[str, Field(max_length=200)] | None = None
    entry: Annotated[str, Field(max_length=4096)] | None = None
    memo: Annotated[str, Field(max_length=100_000)] | None = None


class NewImage(Body):
    """What a name of an image means; see domain/images.py."""

    target: Annotated[str, Field(max_length=5000)]
    note: Annotated[str, Field(max_length=1000)] = ""


class Memo(Body):
    """A session's new memo."""

    memo: Annotated[str, Field(max_length=100_000)]


class Ask(Body):
    """A question to a live program; what is not given is not passed on."""

    do: Literal["exec", "infer", "sh", "save"]
    code: str = ""
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    app_type: str | None = None
    argv: Annotated[list[str], Field(max_length=10_000)] = []
    name: Annotated[str, Field(max_length=1000)] = ""


class NewSubmission(Body):
    """Which checkpoint, of none the best or the newest; another entry; how many rows each call of infer is given."""

    checkpoint: Annotated[str, Field(max_length=1000)] | None = None
    entry: Annotated[str, Field(max_length=4096)] | None = None
    batch: Annotated[int, Field(ge=1, le=MAX_BATCH)] | None = None

    def to_wish(self) -> Wish:
        """As the services have it."""
        return Wish(self.checkpoint, self.entry, self.batch)


class NewDataset(Body):
    """A dataset, or its next version. `pull_models` and `max_model_bytes`: none leaves what was said before."""

    tree: TreeBody
    leaderboard: bool = False
    metric: Annotated[str, Field(max_length=200)] = "accuracy"
    order: Annotated[str, Field(max_length=200)] | None = None
    description: Annotated[str, Field(max_length=100_000)] = ""
    force: bool = False
    pull_models: bool | None = None
    max_model_bytes: Limit | None = None


class DatasetChange(Body):
    """What is to be said of a dataset from now on. What is not given stays; null takes a model limit or a network away."""

    description: Annotated[str, Field(max_length=100_000)] = ""
    metric: Annotated[str, Field(max_length=200)] = ""
    order: Annotated[str, Field(max_length=200)] = ""
    leaderboard: bool = False
    pull_models: bool = True
    max_model_bytes: Limit | None = None
    network: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")] | None = None

    def given(self) -> dict[str, Any]:
        """Only what the request named."""
        return self.model_dump(include=self.model_fields_set)


class Rescore(Body):
    """Which submissions are to be scored again: those named, else those the evaluation failed, with `all` every scored one too."""

    submissions: (
        Annotated[list[Annotated[int, Field(ge=1, le=LARGEST)]], Field(min_length=1, max_length=rescoring.AT_ONCE)]
        | None
    ) = None
    all: bool = False
    after: Count = 0

    def to_wish(self) -> rescoring.Wish:
        """As the services have it. Raises Invalid when both are said."""
        if self.all and self.submissions is not None:
            raise Invalid(
                "Name submissions or say all, not both.", hint="`all` scores every submission of the board again."
            )
        return rescoring.Wish(None if self.submissions is None else tuple(self.submissions), self.all, self.after)
