"""What can go wrong in a worker.

NsmlWorkerError
├── SettingsInvalid       the worker's own environment is not usable; it does not start
├── BrokerAway            the queue does not answer; it does not start
├── NodeTooBusy           how boxes can be sealed here could not be found out in time; it does not start
├── BoxUnreadable         a box's record is there and not to be read: the box is left alone
├── ServerError
│   ├── ServerAway        not reachable, its own fault (5xx), or somebody else answers in its place: tried again
│   ├── ServerRefused     an answer that trying again does not change
│   │   └── StreamGap     bytes before ours are missing on the server
│   └── AttemptOver       this attempt no longer counts; its box goes away
├── Leaving               the worker is being stopped; the box goes on without it
└── RunFailed             the run ends here, for the reason on the class
    ├── BoxFailed         ours: a box could not be made or started
    │   └── EngineFailed  ours: the Docker engine is away, or refused
    ├── BlobMismatch      ours: bytes do not match their name
    ├── UnsafePath        ours: a tree names a path that leaves its folder
    ├── EntryMissing
    ├── ImageMissing
    ├── NoPython
    ├── EnvironmentFailed
    ├── PreparationStopped    asked for, while an image was pulled or an environment built
    ├── OutputMissing
    ├── OutputTooLarge
    └── CheckpointRefused what a program left is not a folder of plain files; only that checkpoint is dropped
"""

from __future__ import annotations

from nsml_worker.contract import EndReason


class NsmlWorkerError(Exception):
    """The root. `exit_code` is what the worker process exits with when nothing catches it."""

    exit_code = 1


class SettingsInvalid(NsmlWorkerError):
    """A variable the worker needs is missing or unusable."""

    exit_code = 2


class BrokerAway(NsmlWorkerError):
    """The broker that carries this node's queue does not answer."""


class NodeTooBusy(NsmlWorkerError):
    """A trial that takes a fraction of a second had no end after minutes, which says nothing about what was tried."""


class BoxUnreadable(NsmlWorkerError):
    """The record of a box on disk cannot be read or is not understood."""


class ServerError(NsmlWorkerError):
    """The server did not do what it was asked."""


class ServerAway(ServerError):
    """The server cannot be reached, answers with a fault of its own, or something on the way answers for it."""


class ServerRefused(ServerError):
    """The server understood and said no."""


class StreamGap(ServerRefused):
    """The server holds fewer bytes of a stream than this attempt should start at."""

    def __init__(self, message: str, size: int) -> None:
        super().__init__(message)
        self.size = size


class AttemptOver(ServerError):
    """The attempt was given to somebody else or has ended."""


class Leaving(NsmlWorkerError):
    """The worker is being stopped."""


class RunFailed(NsmlWorkerError):
    """Ends a run. `reason` is what the server is told."""

    reason = EndReason.NODE_ERROR


class BoxFailed(RunFailed):
    """The node could not make or start a box."""


class EngineFailed(BoxFailed):
    """The Docker engine does not answer, or refused; the message ends with its own words."""


class BlobMismatch(RunFailed):
    """Bytes that came from the server do not match their hash."""


class UnsafePath(RunFailed):
    """A tree names a path outside its folder."""


class EntryMissing(RunFailed):
    """The file to run is not part of the uploaded code."""

    reason = EndReason.ENTRY_MISSING


class ImageMissing(RunFailed):
    """The node does not have the image."""

    reason = EndReason.IMAGE_MISSING


class NoPython(RunFailed):
    """What the image table calls a Python is none, or is too old."""

    reason = EndReason.NO_PYTHON


class PreparationStopped(RunFailed):
    """The server asked for an end before the program was started."""

    reason = EndReason.STOPPED


class EnvironmentFailed(RunFailed):
    """pip could not install what the program asks for."""

    reason = EndReason.ENVIRONMENT_FAILED


class OutputMissing(RunFailed):
    """The program ended well without its result file."""

    reason = EndReason.OUTPUT_MISSING


class OutputTooLarge(RunFailed):
    """A result file is larger than allowed."""

    reason = EndReason.OUTPUT_TOO_LARGE


class CheckpointRefused(RunFailed):
    """A checkpoint holds something that is not a plain file."""
