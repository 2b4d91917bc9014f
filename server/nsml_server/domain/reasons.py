"""Why runs and submissions end: the final state, whether to try again, whose fault it was, and the sentence shown."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from nsml_server.domain.states import RunState
from nsml_worker.contract import Limits


class Reason(StrEnum):
    """Every end. The first block repeats the worker's EndReason value by value; the rest is the server's own."""

    EXITED = "exited"
    EXIT_CODE = "exit_code"
    SIGNALLED = "signalled"
    OUT_OF_MEMORY = "out_of_memory"
    TOO_MANY_PROCESSES = "too_many_processes"
    DISK_FULL = "disk_full"
    WALL_CLOCK = "wall_clock"
    STOPPED = "stopped"
    ENTRY_MISSING = "entry_missing"
    IMAGE_MISSING = "image_missing"
    NO_PYTHON = "no_python"
    ENVIRONMENT_FAILED = "environment_failed"
    OUTPUT_MISSING = "output_missing"
    OUTPUT_TOO_LARGE = "output_too_large"
    BOX_LOST = "box_lost"
    NODE_ERROR = "node_error"

    LEASE_LOST = "lease_lost"
    PREPARE_LIMIT = "prepare_limit"
    RETRIES_EXHAUSTED = "retries_exhausted"
    CANCELLED = "cancelled"
    OUT_OF_CREDIT = "out_of_credit"
    IDLE_GPU = "idle_gpu"
    STOPPED_BY_OPERATOR = "stopped_by_operator"

    START_FAILED = "start_failed"
    PAUSED_NOT_CALLED = "paused_not_called"
    LOAD_FAILED = "load_failed"
    INFER_FAILED = "infer_failed"
    WRITE_FAILED = "write_failed"
    LOADER_FAILED = "loader_failed"
    WRONG_LENGTH = "wrong_length"
    NOT_A_NUMBER = "not_a_number"
    INVALID_PREDICTION = "invalid_prediction"
    EVALUATION_FAILED = "evaluation_failed"


@dataclass(frozen=True)
class Outcome:
    """What an end means.

    `state` is the run's final state. `retry`: the run is placed again while attempts are left. `ours`: the participant is
    not to blame (the platform's or the organiser's fault, or nobody's), so a quota is given back.
    """

    state: RunState
    retry: bool
    ours: bool
    message: str
    hint: str = ""

    def describe(self, facts: Mapping[str, object] | None = None) -> str:
        """The sentence and the next step, with {placeholders} filled from `facts` where known."""
        known = _Facts({key: str(value) for key, value in (facts or {}).items() if value not in (None, "")})
        text = f"{self.message} {self.hint}".strip()
        return text.format_map(known)


class _Facts(dict[str, str]):
    """What a sentence may mention; a fact that is not known is told in general words."""

    GENERAL: Mapping[str, str] = {
        "session": "SESSION",
        "entry": "the entry file",
        "exit_code": "an unknown code",
        "signal": "a signal",
        "limit": "its limit",
        "image": "the image",
        "output": "the result file",
        "detail": "no more is known",
        "expected": "as many lines as there are test rows",
        "got": "another number",
        "attempts": "several",
    }

    def __missing__(self, key: str) -> str:
        return self.GENERAL[key]


def _theirs(message: str, hint: str) -> Outcome:
    return Outcome(RunState.FAILED, retry=False, ours=False, message=message, hint=hint)


def _ours(message: str, hint: str, *, retry: bool) -> Outcome:
    return Outcome(RunState.FAILED, retry=retry, ours=True, message=message, hint=hint)


_LOGS = "`nsmlctl logs {session}` shows what it wrote last."
_MEND = "Correct it, train and save again, and submit the new checkpoint."
_AGAIN = "Nothing you did caused it; submit or run again, and tell the operator if it comes back."

_OUTCOMES: dict[Reason, Outcome] = {
    Reason.EXITED: Outcome(RunState.EXITED, retry=False, ours=False, message="The program ended well."),
    Reason.EXIT_CODE: _theirs("The program ended with exit code {exit_code}.", _LOGS),
    Reason.SIGNALLED: _theirs("The program was killed by {signal}, which the platform did not send.", _LOGS),
    Reason.OUT_OF_MEMORY: _theirs(
        "The program used more memory than {limit} and was killed.",
        "Use smaller batches, or ask for more with `--memory`.",
    ),
    Reason.TOO_MANY_PROCESSES: _theirs(
        "The program started more processes or threads than {limit}.",
        "Use fewer data-loading workers, and look for a loop that starts processes.",
    ),
    Reason.DISK_FULL: _theirs(
        "The program wrote more to disk than {limit}.", "Keep fewer checkpoints and temporary files."
    ),
    Reason.WALL_CLOCK: _theirs(
        "The program was still running at its time limit ({limit}) and was ended.",
        "Make it quicker, or do less in one run.",
    ),
    Reason.STOPPED: Outcome(RunState.STOPPED, retry=False, ours=False, message="It was stopped on request."),
    Reason.ENTRY_MISSING: _theirs(
        "There is no {entry} in the uploaded folder.",
        "Run `nsmlctl run` in the folder that holds it, or name another file with `-e`.",
    ),
    Reason.IMAGE_MISSING: _theirs(
        "The image {image} is not available here: {detail}.",
        "Name another one in the `#nsml:` line of setup.py, or ask the operator to add it.",
    ),
    Reason.NO_PYTHON: _theirs(
        "The image {image} cannot be used: {detail}.", "Name an image with Python 3.6 or newer in the `#nsml:` line."
    ),
    Reason.ENVIRONMENT_FAILED: _theirs(
        "The packages the program asks for could not be installed: {detail}.",
        "Correct the names and versions in setup.py or requirements.txt.",
    ),
    Reason.OUTPUT_MISSING: _theirs(
        "The program ended without writing {output}.",
        "It must reach `nsml.paused(scope=locals())` when it is started with `--pause 1`.",
    ),
    Reason.OUTPUT_TOO_LARGE: _theirs(
        "The program wrote {output} larger than {limit}.", "Write one short line for each test row."
    ),
    Reason.BOX_LOST: _ours("The machine was restarted while the program ran.", _AGAIN, retry=True),
    Reason.NODE_ERROR: _ours("The machine could not run the program: {detail}.", _AGAIN, retry=True),
    Reason.LEASE_LOST: _ours("The machine that ran the program stopped answering.", _AGAIN, retry=True),
    Reason.PREPARE_LIMIT: _ours(
        "It was not ready to start within {limit}, and was given up; the last that was told of it: {detail}.",
        "Ask for fewer or smaller packages, or ask the operator to allow more time.",
        retry=False,
    ),
    Reason.RETRIES_EXHAUSTED: _ours(
        "It was started {attempts} times and the machine failed each time; the last time: {detail}.",
        _AGAIN,
        retry=False,
    ),
    Reason.CANCELLED: Outcome(RunState.STOPPED, retry=False, ours=True, message="It was cancelled."),
    Reason.OUT_OF_CREDIT: Outcome(
        RunState.STOPPED,
        retry=False,
        ours=False,
        message="It was ended because your credit is used up; what it has saved is kept. When there is credit again, "
        "`nsmlctl resume {session}` goes on from its last checkpoint.",
    ),
    Reason.IDLE_GPU: Outcome(
        RunState.STOPPED,
        retry=False,
        ours=False,
        message="It was ended because a GPU it was given did nothing for too long; what it has saved is kept. Ask for no more "
        "GPUs than the program uses.",
    ),
    Reason.STOPPED_BY_OPERATOR: Outcome(
        RunState.STOPPED,
        retry=False,
        ours=True,
        message="The platform's operator stopped it; what it has saved is kept, and `nsmlctl resume {session}` goes on from "
        "its last checkpoint.",
    ),
    Reason.START_FAILED: _theirs("The program failed before it reached `nsml.paused`.", _MEND),
    Reason.PAUSED_NOT_CALLED: _theirs(
        "The program ended without calling `nsml.paused`, so nothing asked for its predictions.",
        "Call `nsml.bind(...)`, then `if args.pause: nsml.paused(scope=locals())` before the training begins.",
    ),
    Reason.LOAD_FAILED: _theirs("The program failed while loading the checkpoint (phase load).", _MEND),
    Reason.INFER_FAILED: _theirs("The program failed while predicting (phase infer).", _MEND),
    Reason.WRITE_FAILED: _theirs(
        "What `infer` returned could not be written as a prediction (phase write).",
        "Return a list of (probability, answer) pairs, one for each test row.",
    ),
    Reason.LOADER_FAILED: _ours(
        "The dataset's own data_loader.py failed, not your program.",
        "The organiser has to mend the dataset.",
        retry=False,
    ),
    Reason.WRONG_LENGTH: _theirs(
        "The prediction has {got} rows and the test set has {expected}.",
        "`infer` must return one (probability, answer) pair for each row it is given.",
    ),
    Reason.NOT_A_NUMBER: _theirs(
        "The prediction holds something that is not a finite number: {detail}.",
        "Check `infer` for NaN, infinity and text.",
    ),
    Reason.INVALID_PREDICTION: _theirs(
        "The prediction cannot be read: {detail}.", "Write one answer in each line, as UTF-8 text."
    ),
    Reason.EVALUATION_FAILED: _ours(
        "The dataset's evaluation failed, not your program: {detail}.",
        "Your submit does not count; once the organiser has mended it, it can be scored again without a new submit.",
        retry=False,
    ),
}


def outcome(reason: Reason | str) -> Outcome:
    """What this end means. Raises ValueError for a word that is no Reason."""
    return _OUTCOMES[Reason(reason)]


def limit_of(reason: Reason, limits: Limits | None) -> str:
    """The limit that such an end ran into, as people read it; empty when it is not known."""
    if limits is None:
        return ""
    texts = {
        Reason.OUT_OF_MEMORY: _size(limits.memory),
        Reason.DISK_FULL: _size(limits.disk),
        Reason.WALL_CLOCK: "" if limits.wall_clock is None else f"{limits.wall_clock:g} seconds",
        Reason.TOO_MANY_PROCESSES: f"{limits.processes}",
    }
    return texts.get(reason, "")


def signal_name(number: int | None) -> str:
    """SIGSEGV for 11; "signal 99" for one without a name; with what it mostly means where people cannot know."""
    if number is None:
        return "an unknown signal"
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
    meaning = _SIGNAL_MEANINGS.get(number)
    return f"{name} ({meaning})" if meaning else name


# PyTorch hands batches over in /dev/shm, and the kernel answers a write to a mapping that finds no room with SIGBUS.
_SIGNAL_MEANINGS: dict[int, str] = {signal.SIGBUS: "mostly a full /dev/shm; ask for more with `--shm-size`"}


def _size(count: int | None) -> str:
    if count is None:
        return ""
    unit, name = next(((unit, name) for unit, name in _UNITS if count >= unit), (1, "bytes"))
    return f"{count / unit:.4g} {name}"


_UNITS = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))
