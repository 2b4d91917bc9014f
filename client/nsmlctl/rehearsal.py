"""The whole road on this machine: train, submit the last checkpoint, score it. No server, no login."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nsmlctl.advice import advise
from nsmlctl.errors import Failed, NotFound
from nsmlctl.findings import Findings, explain_submit, explain_training
from nsmlctl.local_box import (
    CHECKPOINT,
    CHECKPOINTS,
    LOADER,
    LOADER_FOLDER,
    NAMES,
    OUT,
    SCORE,
    STDERR,
    TEST,
    Dataset,
    LocalBox,
    find_scorer,
    point_to,
    test_part,
    train_part,
)
from nsmlctl.output import tell

Json = dict[str, Any]
RESERVED = ("--mode", "test", "--pause", "1")  # what a submit adds to the program's arguments
CUSTOM, DEFAULT_METRIC = "custom", "accuracy"


@dataclass(frozen=True)
class Rehearsal:
    """What is to be rehearsed, and where: `root` is empty and holds everything that is made."""

    root: Path
    folder: Path
    sdk: Path
    entry: str
    arguments: tuple[str, ...]
    dataset: Dataset
    environ: Mapping[str, str]
    python: str
    quiet: bool = False

    def train(self) -> Findings:
        """Run the program as a session does.

        Raises:
            Failed: it failed, or saved nothing.
        """
        box = self._box("train")
        view = box.show(self.dataset, train_part(self.dataset))
        code, seconds = self._run(box, self._environment(box, view, "train"), ())
        findings = Findings.read(box.home / "journal")
        if code != 0:
            raise Failed(explain_training(findings, code, box.app), "The lines above are what it printed.")
        saved = findings.checkpoints()
        if not saved:
            raise Failed(
                "The training saved no checkpoint.",
                "A submit needs one: nsml.bind(save=save, …), then nsml.save('best')",
            )
        tell(f"[{seconds:6.1f}s] trained; checkpoints: {', '.join(saved)}")
        return findings

    def submit(self, trained: Findings, checkpoint: str | None) -> Path:
        """The prediction of a checkpoint, by default the last one.

        Raises:
            NotFound: there is no such checkpoint.
            Failed: it went wrong; says in which phase.
        """
        saved = trained.checkpoints()
        name = checkpoint or list(saved)[-1]
        if name not in saved:
            raise NotFound(f"The training saved no checkpoint {name}.", f"It saved: {', '.join(saved)}.")
        box = self._box("submit")
        view = box.show(self.dataset, test_part(self.dataset))
        shutil.copytree(self.root / "train" / "home" / CHECKPOINTS / saved[name], box.home / CHECKPOINT)
        point_to(self.dataset.folder / LOADER, box.home / LOADER_FOLDER / LOADER, self.dataset, view)
        environment = {**self._environment(box, view, "submit"), NAMES["checkpoint"]: name}
        code, seconds = self._run(box, environment, RESERVED)
        if code != 0 or not box.prediction.is_file():
            findings = Findings.read(box.home / "journal")
            sentence, *hints = explain_submit(findings, code, box.app, name, self._advice(box))
            raise Failed(sentence, "\n".join(hints) or None)
        tell(f"[{seconds:6.1f}s] submitted checkpoint {name}: {count_lines(box.prediction)} lines of prediction")
        return box.prediction

    def score(self, prediction: Path, metric: str | None) -> Json:
        """{metric, score}, as the platform would compute it from the sample's labels.

        Raises:
            Failed: the labels or the scorer are missing, or the prediction cannot be scored.
        """
        label, scorer = self.dataset.label, find_scorer()
        if label is None:
            raise Failed(
                "The sample has no test_label: the prediction cannot be scored here.", "It went well otherwise."
            )
        if scorer is None:
            raise Failed("The program that scores is not installed here.", "pip install 'nsmlctl[worker]'")
        chosen = metric or (CUSTOM if self.dataset.evaluation else DEFAULT_METRIC)
        box = LocalBox(self.root / "score")
        box.home.joinpath(OUT).mkdir(parents=True)
        view = box.show(self.dataset, [(f"{TEST}/{path.name}", path) for path in label.parent.iterdir()])
        words = ["--metric", chosen, "--prediction", str(prediction), "--label", str(label)]
        if chosen == CUSTOM and self.dataset.evaluation:
            program = view / self.dataset.evaluation.name
            point_to(self.dataset.evaluation, program, self.dataset, view)
            words += ["--evaluation", str(program)]
        environment = {**self.environ, NAMES["home"]: str(box.home), NAMES["path"]: str(view)}
        command = [sys.executable, str(scorer), *words]
        done = subprocess.run(command, cwd=box.root, env=environment, stdout=STDERR, check=False)
        return {"metric": chosen, "score": read_score(box.home / OUT / SCORE, done.returncode)}

    def _advice(self, box: LocalBox) -> list[str]:
        found = sorted(box.app.rglob("*.py"))
        programs = {
            path.relative_to(box.app).as_posix(): path.read_text(encoding="utf-8", errors="replace") for path in found
        }
        return advise(self.entry, programs)

    def _box(self, name: str) -> LocalBox:
        box = LocalBox(self.root / name)
        box.lay_out(self.folder, self.sdk)
        return box

    def _environment(self, box: LocalBox, view: Path, mode: str) -> dict[str, str]:
        known = {
            "home": str(box.home),
            "mode": mode,
            "number": "1",
            "session": f"local/{self.dataset.name}/1",
            "dataset": self.dataset.name,
            "path": str(view),
            "gpus": self.environ.get(NAMES["gpus"], "0"),
        }
        return {**self.environ, **{NAMES[key]: value for key, value in known.items()}}

    def _run(self, box: LocalBox, environment: Mapping[str, str], added: tuple[str, ...]) -> tuple[int, float]:
        began = time.monotonic()
        words = [self.entry, *self.arguments, *added]
        return box.run(words, environment, python=self.python, quiet=self.quiet), time.monotonic() - began


def read_score(path: Path, code: int) -> float:
    """Raises Failed with the scorer's own sentence."""
    if not path.is_file():
        raise Failed(
            f"Phase score: the scorer ended with exit code {code}.",
            "For f1, auc and the like: pip install 'nsmlctl[worker]'",
        )
    answer = json.loads(path.read_text(encoding="utf-8"))
    if "score" not in answer:
        raise Failed(f"Phase score: {answer['error']['message']}")
    return float(answer["score"])


def count_lines(path: Path) -> int:
    """As many as there are rows, in most competitions."""
    with path.open("rb") as file:
        return sum(1 for _ in file)
