"""The sentence a participant reads when a run has failed: where, what, on which line of theirs, and what to do next.

It names the phase, the type of the error and the program's own line. What a hidden test could leak through is left out:
see tracebacks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nsml_server.domain.conventions import AT_SUBMIT, Seen, say_untouched, say_what_to_add
from nsml_server.domain.logtail import Refusal
from nsml_server.domain.reasons import Reason, limit_of, outcome, signal_name
from nsml_server.domain.tracebacks import Code, Fault, Spot, read_fault
from nsml_worker.contract import Ended, Limits

_REASON_OF_PHASE = {
    "start": Reason.START_FAILED,
    "save": Reason.START_FAILED,
    "load": Reason.LOAD_FAILED,
    "infer": Reason.INFER_FAILED,
    "write": Reason.WRITE_FAILED,
}
_REASON_OF_SDK = {
    "WrongLength": Reason.WRONG_LENGTH,
    "InvalidResult": Reason.INVALID_PREDICTION,
    "InvalidLine": Reason.INVALID_PREDICTION,
    "EmptyPrediction": Reason.INVALID_PREDICTION,
}
_DOING = {
    "start": "before it reached `nsml.paused` (phase start)",
    "save": "in `save`, before it reached `nsml.paused` (phase save)",
    "load": "while it loaded {checkpoint} (phase load)",
    "infer": "while it predicted (phase infer)",
    "write": "while its prediction was written (phase write)",
}
# Ends that the program itself brought about, and of which a phase and a line say more than the word alone.
_BY_ITSELF = frozenset({Reason.EXITED, Reason.EXIT_CODE, Reason.OUTPUT_MISSING})
# Ends of which the node knows more than the limit: bytes from files, a child from the program itself, and its own bounds.
_MEASURED = frozenset({Reason.DISK_FULL, Reason.OUT_OF_MEMORY})
_USAGE = 2  # the exit code of a program that does not know its arguments
_NO_ROOM = "[Errno 28]"  # how Python begins to say that a disk is full
_LIKE_A_VOCABULARY = frozenset(
    {"KeyError", "NameError", "TypeError", "AttributeError", "UnboundLocalError", "IndexError"}
)

_MADE_IN_TRAINING = (
    "What training makes, such as a vocabulary, exists at submit only if `save` writes it beside the model "
    "and `load` reads it back."
)
_NO_TRAIN_PART = "At submit the train part of the dataset is absent: open it only after `nsml.paused`, when training."
_RESERVED = (
    "At submit it is started with `--mode test --pause 1` as well: let its argument parser know `--mode`, `--pause` and "
    "`--iteration`."
)
_SDK_SENTENCES = {
    "WrongLength": "`infer` returned {got} results for {expected} rows (phase infer).",
    "InvalidResult": "`infer` returned something else than a list of (probability, result) pairs (phase infer).",
    "InvalidLine": "`infer` returned a result with a line break, and the prediction has one line a row (phase write).",
    "EmptyPrediction": "The prediction file is missing or empty (phase write).",
    "NotBound": "The program called `nsml.paused` and had bound nothing that predicts (phase infer).",
}
_SDK_HINTS = {
    "WrongLength": "Return one (probability, result) pair for each row it is given.",
    "InvalidResult": "Return one (probability, result) pair for each row it is given.",
    "InvalidLine": "Return a number or a text of one line for each row.",
    "EmptyPrediction": "Return a result for each row that `infer` is given.",
    "NotBound": "Call `nsml.bind(save=…, load=…, infer=…)` before `nsml.paused`.",
}


@dataclass(frozen=True)
class Failure:
    """Why a run failed. `phase` is one of start, save, load, infer, write in a prediction and None elsewhere."""

    reason: Reason
    phase: str | None
    message: str


def describe_failure(
    ended: Ended,
    *,
    code: Code,
    phase_seen: str | None = None,
    checkpoint: str | None = None,
    checkpoint_files: Sequence[str] = (),
    hidden: bool = False,
    limits: Limits | None = None,
    facts: Mapping[str, object] | None = None,
    refusal: Refusal | None = None,
    seen: Seen | None = None,
) -> Failure:
    """What is told of an end that is no good one.

    `checkpoint` is the one being submitted, None in a training; `phase_seen` the last phase that a prediction entered, None
    when it never called paused; `hidden`: the box held test inputs that nobody may see. `facts` fills the placeholders of
    the reason's sentence (session, entry, image, attempts). `refusal` is what the program's log ends with, where that may be
    shown, and `seen` what its source shows.
    """
    reason = Reason(ended.reason)
    fault = read_fault(ended.error, code, hidden=hidden)
    if reason not in _BY_ITSELF:
        failure = _of_limit(ended, reason, phase_seen, checkpoint, limits, facts or {})
        never_paused = reason is Reason.WALL_CLOCK and checkpoint is not None and phase_seen is None
        return _trained_again(failure, seen) if never_paused else failure
    if fault is None and refusal is not None:
        return _of_refusal(reason, refusal, checkpoint)
    if checkpoint is None:
        return _of_training(ended, reason, fault, facts or {}, limit_of(Reason.DISK_FULL, limits))
    if fault is None:
        return _without_error(ended, phase_seen, checkpoint, seen)
    if fault.organiser:
        return Failure(Reason.LOADER_FAILED, fault.phase, _of_loader(fault))
    if fault.type in _SDK_SENTENCES:
        return Failure(_REASON_OF_SDK.get(fault.type, Reason.INFER_FAILED), fault.phase, _of_sdk(fault))
    sentences = [f"The program failed {_doing(fault.phase, checkpoint)}: {_what(fault)}."]
    sentences += _next_steps(fault, checkpoint, checkpoint_files)
    return Failure(_REASON_OF_PHASE[fault.phase], fault.phase, " ".join(sentences))


def _of_limit(
    ended: Ended,
    reason: Reason,
    phase_seen: str | None,
    checkpoint: str | None,
    limits: Limits | None,
    facts: Mapping[str, object],
) -> Failure:
    known = {"limit": limit_of(reason, limits), "signal": signal_name(ended.signal), "detail": ended.detail, **facts}
    meaning = outcome(reason)
    is_told = reason in _MEASURED and ended.detail
    text = f"{ended.detail} {meaning.hint}" if is_told else meaning.describe(known)
    if checkpoint is None:
        return Failure(reason, None, text)
    phase = phase_seen or "start"
    return Failure(reason, phase, f"{text} It happened {_doing(phase, checkpoint)}.")


def _of_training(ended: Ended, reason: Reason, fault: Fault | None, facts: Mapping[str, object], disk: str) -> Failure:
    if fault is None:
        return Failure(reason, None, outcome(reason).describe({"exit_code": ended.exit_code, **facts}))
    where = " in `save`" if fault.phase == "save" else ""
    hint = (
        _import_hint(fault)
        or _room_hint(fault, disk)
        or f"`nsmlctl logs {facts.get('session', 'SESSION')}` shows the whole traceback."
    )
    return Failure(reason, None, f"The program failed{where} with {_what(fault)}. {hint}")


def _without_error(ended: Ended, phase_seen: str | None, checkpoint: str, seen: Seen | None) -> Failure:
    """A prediction that ended and left no ERROR line: it called exit, or never asked to be paused."""
    ended_well = ended.exit_code in (0, None)
    if phase_seen is None and ended_well:
        meaning = outcome(Reason.PAUSED_NOT_CALLED)
        hint = say_untouched(seen) if seen else meaning.hint
        return Failure(Reason.PAUSED_NOT_CALLED, "start", f"{meaning.message} {hint}")
    phase = phase_seen or "start"
    refused = phase == "start" and ended.exit_code == _USAGE
    hint = _about_options(seen) if refused else outcome(_REASON_OF_PHASE[phase]).hint
    how = "ended" if ended_well else f"ended with exit code {ended.exit_code}"
    text = f"The program {how} {_doing(phase, checkpoint)}, and no prediction was written. {hint}"
    return Failure(_REASON_OF_PHASE[phase], phase, text)


def _about_options(seen: Seen | None) -> str:
    unknown = [name for name in seen.missing if name in AT_SUBMIT] if seen and seen.is_readable else []
    return f"{_RESERVED} {say_what_to_add(unknown)}" if unknown else _RESERVED


def _of_refusal(reason: Reason, refusal: Refusal, checkpoint: str | None) -> Failure:
    """Its own parser ended it, before it did anything."""
    named = " and ".join(f"`--{name}`" for name in refusal.names)
    if refusal.is_value:
        text = f"The program takes {named} only as a number, and here it is the name of a checkpoint."
        text += f" Read it as a text: `parser.add_argument('--{refusal.names[0]}', default='0')`."
    else:
        text = f"The program does not know {named}, added to its arguments at a submit, a fork, a resume and an infer."
        text += f" {say_what_to_add(refusal.names)}"
    return Failure(reason, None, text) if checkpoint is None else Failure(Reason.START_FAILED, "start", text)


def _trained_again(failure: Failure, seen: Seen | None) -> Failure:
    """It ran into the time limit of a submit and had not even been asked to predict."""
    why = "Started with `--mode test --pause 1` it has to answer, and it trained again instead."
    return Failure(
        failure.reason, failure.phase, f"{failure.message} {why} {say_untouched(seen or Seen(is_readable=False))}"
    )


def _of_loader(fault: Fault) -> str:
    with_what = f" with {fault.type}" if fault.type else ""
    return f"The dataset's own data_loader.py failed{with_what} (phase {fault.phase}). {outcome(Reason.LOADER_FAILED).hint}"


def _of_sdk(fault: Fault) -> str:
    got = "another number of" if fault.got is None else fault.got
    expected = "its" if fault.expected is None else fault.expected
    return f"{_SDK_SENTENCES[fault.type].format(got=got, expected=expected)} {_SDK_HINTS[fault.type]}"


def _what(fault: Fault) -> str:
    """KeyError: 'x' at main.py:22, `return vocabulary[word]`"""
    kind = fault.type or "an error of its own"
    told = f"{kind}: {fault.message.rstrip('.')}" if fault.message else kind
    return told + (_where(fault.spot) if fault.spot else "")


def _where(spot: Spot) -> str:
    return f" at {spot}" + (f", `{spot.text}`" if spot.text else "")


def _doing(phase: str, checkpoint: str) -> str:
    return _DOING[phase].format(checkpoint=f'checkpoint "{checkpoint}"')


def _next_steps(fault: Fault, checkpoint: str, files: Sequence[str]) -> list[str]:
    if fault.phase in ("load", "infer"):
        if fault.type == "FileNotFoundError":
            return _about_missing(fault.missing, checkpoint, files)
        if fault.type in _LIKE_A_VOCABULARY:
            return [_MADE_IN_TRAINING]
    if fault.phase == "start" and fault.type == "FileNotFoundError":
        return [_NO_TRAIN_PART]
    return [_import_hint(fault) or outcome(_REASON_OF_PHASE[fault.phase]).hint]


def _about_missing(missing: str | None, checkpoint: str, files: Sequence[str]) -> list[str]:
    if missing is None:
        return [_MADE_IN_TRAINING]
    held = [path.rsplit("/", 1)[-1] for path in files]
    if missing in held:
        return [f"{missing} is in the checkpoint: open it below the path that `load` is given."]
    listed = ", ".join(sorted(held)[:5]) + (", …" if len(held) > 5 else "")
    return [f'Checkpoint "{checkpoint}" holds {listed or "no file"} and no {missing}.', _MADE_IN_TRAINING]


def _import_hint(fault: Fault) -> str | None:
    if fault.type in ("ModuleNotFoundError", "ImportError"):
        return "Name the package it needs in requirements.txt, and run again."
    return None


def _room_hint(fault: Fault, disk: str) -> str | None:
    """A program that tidied up when the disk was full, as the SDK does with half a checkpoint, ends by its own error."""
    if not fault.message.startswith(_NO_ROOM):
        return None
    bound = f" of {disk}" if disk else ""
    return (
        f"The box's disk{bound} was full, or its /dev/shm: keep fewer checkpoints and temporary files, or ask for more shared "
        "memory with `--shm-size`."
    )
