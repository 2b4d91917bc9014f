"""What requests hold. Sizes are bounded here; what things mean is checked by the services."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from nsml_worker.contract import FileEntry, Tree

LARGEST = 2**53 - 1  # integers beyond it are not the same in every JSON reader
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


class NewSession(Body):
    """A training to be run. None: the platform's default."""

    code: TreeBody
    entry: Annotated[str, Field(max_length=4096)] = "main.py"
    dataset: Annotated[str, Field(max_length=200)] | None = None
    args: Annotated[str, Field(max_length=100_000)] = ""
    memo: Annotated[str, Field(max_length=100_000)] = ""
    gpus: Annotated[int, Field(ge=0, le=4096)] | None = None
    cpus: Annotated[int, Field(ge=1, le=65536)] | None = None
    memory: Annotated[int, Field(ge=2**20, le=LARGEST)] | None = None
    shm: Annotated[int, Field(ge=0, le=LARGEST)] | None = None


class Memo(Body):
    """A session's new memo."""

    memo: Annotated[str, Field(max_length=100_000)]


class NewSubmission(Body):
    """Which checkpoint; none: the best or the newest."""

    checkpoint: Annotated[str, Field(max_length=1000)] | None = None


class NewDataset(Body):
    """A dataset, or its next version."""

    tree: TreeBody
    leaderboard: bool = False
    metric: Annotated[str, Field(max_length=200)] = "accuracy"
    order: Annotated[str, Field(max_length=200)] | None = None
    description: Annotated[str, Field(max_length=100_000)] = ""
    force: bool = False
