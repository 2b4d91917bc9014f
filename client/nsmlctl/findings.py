"""What a program in a local box did, read from its journal, and the sentence for where it went wrong."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Json = dict[str, Any]
LOST = ("FileNotFoundError", "KeyError", "NameError", "AttributeError", "TypeError", "UnboundLocalError")
DOING = {
    "start": "before it called nsml.paused",
    "save": "in save",
    "load": "in load",
    "infer": "in infer",
    "write": "when its results were written",
}


@dataclass(frozen=True)
class Findings:
    """The lines of one journal, in order."""

    lines: tuple[Json, ...]

    @classmethod
    def read(cls, journal: Path) -> Findings:
        """What is there; a program that never reached the SDK has written nothing."""
        if not journal.is_file():
            return cls(())
        found = []
        for line in journal.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                value = json.loads(line)
            except ValueError:
                continue  # a line that was being written when the program was killed
            if isinstance(value, dict):
                found.append(value)
        return cls(tuple(found))

    def of_kind(self, kind: str) -> list[Json]:
        """save, error, paused, …"""
        return [line for line in self.lines if line.get("k") == kind]

    def checkpoints(self) -> dict[str, str]:
        """Name to folder, the last one saved at the end."""
        found: dict[str, str] = {}
        for line in self.of_kind("save"):
            found.pop(str(line["name"]), None)
            found[str(line["name"])] = str(line["dir"])
        return found


def explain_training(findings: Findings, code: int, app: Path) -> str:
    """Why a training has nothing to submit."""
    errors = findings.of_kind("error")
    if errors:
        return f"Phase train: the program failed: {describe(errors[-1], app)}."
    return f"Phase train: the program ended with exit code {code}."


def explain_submit(findings: Findings, code: int, app: Path, checkpoint: str, advice: list[str]) -> list[str]:
    """Why a submit has no prediction: one sentence, and what helps where that is known. `advice` is what the source lacks."""
    errors = findings.of_kind("error")
    if errors:
        return _of_error(errors[-1], app, checkpoint)
    if not findings.of_kind("paused"):
        general = "A submit starts it with `--mode test --pause 1`. Add: if config.pause: nsml.paused(scope=locals())"
        said = f"Phase start: the program ended (exit code {code}) without calling nsml.paused."
        return [said, *(advice or [general])]
    phases = findings.of_kind("phase")
    phase = str(phases[-1]["phase"]) if phases else "load"
    return [f"Phase {phase}: the program ended (exit code {code}) {DOING.get(phase, '')} without an error of Python's."]


def _of_error(error: Json, app: Path, checkpoint: str) -> list[str]:
    phase = str(error.get("phase"))
    if error.get("organiser") and not error.get("infer_calls"):
        return [f"Phase {phase}: the dataset's data_loader.py failed: {describe(error, app)}."]
    sentences = [f"Phase {phase}: the program failed {DOING.get(phase, '')}: {describe(error, app)}."]
    if phase in ("load", "infer") and error.get("type") in LOST:
        sentences.append(
            f"What training made (a vocabulary, a tokenizer) is there at a submit only if `save` wrote it beside the model "
            f"of checkpoint {checkpoint} and `load` read it back: files beside main.py do not come along."
        )
    return sentences


def describe(error: Json, app: Path) -> str:
    """Type, message, and the innermost line of the program's own."""
    text = f"{error.get('type')}: {error.get('message')}" if error.get("message") else str(error.get("type"))
    own = [frame for frame in error.get("frames") or () if Path(str(frame[0])).is_relative_to(app.resolve())]
    if not own:
        return text
    file, line, _ = own[-1]
    return f"{text}, in {Path(file).relative_to(app.resolve())} line {line}{_quoted(Path(file), int(line))}"


def _quoted(file: Path, line: int) -> str:
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines() if file.is_file() else []
    return f": `{lines[line - 1].strip()}`" if 0 < line <= len(lines) else ""
