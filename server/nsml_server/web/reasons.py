"""The short heading above a reason's sentence, in words that the catalogues translate."""

from __future__ import annotations

from nsml_server.domain.reasons import Reason
from nsml_server.web.i18n import mark

HEADINGS = {
    Reason.EXITED: mark("Ended well"),
    Reason.EXIT_CODE: mark("The program ended with an error"),
    Reason.SIGNALLED: mark("The program was killed"),
    Reason.OUT_OF_MEMORY: mark("Out of memory"),
    Reason.TOO_MANY_PROCESSES: mark("Too many processes"),
    Reason.DISK_FULL: mark("Disk full"),
    Reason.WALL_CLOCK: mark("Time limit reached"),
    Reason.STOPPED: mark("Stopped on request"),
    Reason.ENTRY_MISSING: mark("The entry file is missing"),
    Reason.IMAGE_MISSING: mark("The image is missing"),
    Reason.NO_PYTHON: mark("No working Python in the image"),
    Reason.ENVIRONMENT_FAILED: mark("The environment could not be built"),
    Reason.OUTPUT_MISSING: mark("No prediction was written"),
    Reason.OUTPUT_TOO_LARGE: mark("The prediction is too large"),
    Reason.BOX_LOST: mark("The machine was restarted"),
    Reason.NODE_ERROR: mark("A fault of the platform"),
    Reason.LEASE_LOST: mark("The machine stopped answering"),
    Reason.PREPARE_LIMIT: mark("Not ready to start in time"),
    Reason.RETRIES_EXHAUSTED: mark("Given up after several tries"),
    Reason.CANCELLED: mark("Cancelled"),
    Reason.OUT_OF_CREDIT: mark("Credit used up"),
    Reason.IDLE_GPU: mark("GPU left idle"),
    Reason.STOPPED_BY_OPERATOR: mark("Stopped by the operator"),
    Reason.START_FAILED: mark("Failed while starting"),
    Reason.PAUSED_NOT_CALLED: mark("nsml.paused was not called"),
    Reason.LOAD_FAILED: mark("Failed while loading the checkpoint"),
    Reason.INFER_FAILED: mark("Failed while predicting"),
    Reason.WRITE_FAILED: mark("The prediction could not be written"),
    Reason.LOADER_FAILED: mark("The organiser's data loader failed"),
    Reason.WRONG_LENGTH: mark("The prediction has the wrong length"),
    Reason.NOT_A_NUMBER: mark("The prediction holds something that is no number"),
    Reason.INVALID_PREDICTION: mark("The prediction cannot be read"),
    Reason.EVALUATION_FAILED: mark("The organiser's evaluation failed"),
}


def heading_of(reason: str) -> str:
    """The heading for a reason, still to be translated; a reason we do not know is shown as it is."""
    try:
        return HEADINGS[Reason(reason)]
    except (KeyError, ValueError):
        return reason
