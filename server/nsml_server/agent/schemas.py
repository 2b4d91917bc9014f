"""What requests of workers hold. A worker may be newer than the server: what is not known here is passed over."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from nsml_server.api.schemas import LARGEST
from nsml_server.services.leases import Box

MAX_BOXES = 10_000
MAX_EVENTS = 1000
Number = Annotated[int, Field(ge=0, le=LARGEST)]


class Body(BaseModel):
    """Fields it does not name are ignored; those it names are as strict as people's."""

    model_config = ConfigDict(extra="ignore", strict=True)


class Joining(Body):
    """A machine that wants to be a node of this name."""

    name: Annotated[str, Field(max_length=200)]


class Boxes(Body):
    """Boxes a node has: [run id, attempt] of each."""

    boxes: Annotated[list[Annotated[list[Number], Field(min_length=2, max_length=2)]], Field(max_length=MAX_BOXES)]

    def pairs(self) -> list[Box]:
        """As the services have them."""
        return [(box[0], box[1]) for box in self.boxes]


class Hello(Boxes):
    """What a node offers, and what it found on its disk."""

    capacity: dict[str, Any]


class Heartbeat(Boxes):
    """The same with what runs use, by run id, and what the node offers when that has changed."""

    use: Annotated[dict[str, dict[str, Any]], Field(default_factory=dict, max_length=MAX_BOXES)]
    capacity: dict[str, Any] | None = None


class Told(Body):
    """Facts of one attempt, in their order."""

    attempt: Annotated[int, Field(ge=1, le=LARGEST)]
    events: Annotated[list[dict[str, Any]], Field(max_length=MAX_EVENTS)]


class Hashes(Body):
    """BLAKE3 hashes in hex."""

    hashes: list[Annotated[str, Field(max_length=64)]]
