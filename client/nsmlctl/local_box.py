"""A box on this machine, without a platform around it: folders as a worker lays them out, and a program started in them.

Nothing is sealed off: the program is one's own. What is the same as on the platform is what the program can find: its
uploaded files, its part of the dataset, the SDK, and nothing that another box made.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nsmlctl.errors import BadUsage, NsmlctlError
from nsmlctl.ignore import read_rules
from nsmlctl.manifest import walk

LOADER, EVALUATION, LABEL = "data_loader.py", "evaluation.py", "test_label"
TEST, SAMPLE = "test", "test_submit"
# What the SDK reads, by the contract between it and the worker; a test holds the names to it.
NAMES = {
    "home": "NSML_HOME",
    "mode": "NSML_MODE",
    "number": "NSML_SESSION",
    "session": "NSML_SESSION_NAME",
    "dataset": "NSML_DATASET_NAME",
    "path": "NSML_DATASET_PATH",
    "gpus": "NSML_GPU_NUM",
    "checkpoint": "NSML_CHECKPOINT",
}
CHECKPOINTS, CHECKPOINT, LOADER_FOLDER, OUT = "checkpoints", "checkpoint", "loader", "out"
PREDICTION, SCORE = "prediction", "score.json"
STDERR = 2  # file descriptor


@dataclass(frozen=True)
class Dataset:
    """A folder laid out as for `nsmlctl dataset push`. `sample` is test_submit/, else test/, or None when there is neither."""

    folder: Path

    @property
    def name(self) -> str:
        """As the program sees it."""
        return self.folder.name

    @property
    def sample(self) -> Path | None:
        """What a rehearsal asks for."""
        return next((self.folder / part for part in (SAMPLE, TEST) if (self.folder / part).is_dir()), None)

    @property
    def label(self) -> Path | None:
        """The right answers to the sample, when they are here."""
        path = self.sample / LABEL if self.sample else None
        return path if path is not None and path.is_file() else None

    @property
    def evaluation(self) -> Path | None:
        """The organiser's own scoring."""
        path = self.folder / EVALUATION
        return path if path.is_file() else None


def find_sdk() -> Path:
    """The folder of the package `nsml`; it is not imported.

    Raises:
        NsmlctlError: there is none, or another package has its name.
    """
    found = importlib.util.find_spec("nsml")
    if found is None or found.origin is None or not (Path(found.origin).parent / "_contract.py").is_file():
        raise NsmlctlError(
            "The SDK `nsml` of this platform is not installed here.", "pip install --force-reinstall nsmlctl"
        )
    return Path(found.origin).parent


def find_scorer() -> Path | None:
    """The program that scores on the platform, if it is installed here; it is run, never imported."""
    return _of_worker("score.py")


def _of_worker(file: str) -> Path | None:
    found = importlib.util.find_spec("nsml_worker")
    path = Path(found.origin).parent / file if found is not None and found.origin is not None else None
    return path if path is not None and path.is_file() else None


@dataclass(frozen=True)
class LocalBox:
    """One folder for one program. `root`/app is where it starts, `root`/home what the SDK writes to."""

    root: Path

    @property
    def app(self) -> Path:
        """The program's own files."""
        return self.root / "app"

    @property
    def home(self) -> Path:
        """What the program and the SDK leave for whoever comes after."""
        return self.root / "home"

    @property
    def prediction(self) -> Path:
        """Written by a submit that went well."""
        return self.home / OUT / PREDICTION

    def lay_out(self, folder: Path, sdk: Path) -> None:
        """The uploaded files of `folder`, an empty home, and the SDK where nothing of the program's shadows it."""
        self.home.joinpath(OUT).mkdir(parents=True)
        for file in walk(folder, read_rules(folder)):
            target = self.app / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file.source, target)
        shutil.copytree(sdk, self.root / "sdk" / "nsml", ignore=shutil.ignore_patterns("__pycache__"))
        winner = _of_worker("box_site.py")  # makes the SDK win over a folder `nsml` of the program's own
        if winner is not None:
            shutil.copy2(winner, self.root / "sdk" / "sitecustomize.py")

    def show(self, dataset: Dataset, entries: Iterable[tuple[str, Path]]) -> Path:
        """The dataset's folder as this box sees it: links to the given parts of it."""
        view = self.root / "data" / dataset.name
        view.mkdir(parents=True)
        for name, source in entries:
            target = view / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(source.resolve(), target_is_directory=source.is_dir())
        return view

    def run(self, words: Sequence[str], environment: Mapping[str, str], *, python: str, quiet: bool) -> int:
        """The program's exit code. What it prints goes to this terminal; to stderr when `quiet`."""
        paths = [str(self.root / "sdk"), str(self.app)]
        if inherited := environment.get("PYTHONPATH"):
            paths.append(inherited)
        whole = {
            **environment,
            "PYTHONPATH": os.pathsep.join(paths),
            "PYTHONUNBUFFERED": "1",
            "TMPDIR": str(self.scratch()),
        }
        out = STDERR if quiet else None
        return subprocess.run([python, "-u", *words], cwd=self.app, env=whole, stdout=out, check=False).returncode

    def scratch(self) -> Path:
        """For temporary files; gone with the box."""
        path = self.root / "tmp"
        path.mkdir(exist_ok=True)
        return path


def train_part(dataset: Dataset) -> list[tuple[str, Path]]:
    """What a training sees: all but test/ and evaluation.py."""
    return [(path.name, path) for path in sorted(dataset.folder.iterdir()) if path.name not in (TEST, EVALUATION)]


def test_part(dataset: Dataset) -> list[tuple[str, Path]]:
    """What a submit sees: neither train/, labels nor evaluation.py. The sample stands where the hidden test does.

    Raises:
        BadUsage: the dataset has neither test_submit/ nor test/.
    """
    if dataset.sample is None:
        raise BadUsage(
            f"{dataset.folder} has neither {SAMPLE}/ nor {TEST}/: there is nothing to rehearse on.",
            f"Put some rows into {SAMPLE}/test_data, and their labels into {SAMPLE}/{LABEL}.",
        )
    beside = [path for path in sorted(dataset.folder.iterdir()) if path.name not in (TEST, SAMPLE, EVALUATION, "train")]
    rows = [path for path in sorted(dataset.sample.iterdir()) if not path.name.startswith(LABEL)]
    return [*((path.name, path) for path in beside), *((f"{TEST}/{path.name}", path) for path in rows)]


def check_dataset(folder: Path) -> Dataset:
    """Looked at before the training: nobody trains for an hour to hear that there is nothing to submit to.

    Raises:
        BadUsage: it is no folder, or lacks what a submit needs.
    """
    if not folder.is_dir():
        raise BadUsage(f"'{folder}' is not a folder.", "Name the dataset's: the one with train/ and data_loader.py.")
    dataset = Dataset(folder.resolve())
    if not (dataset.folder / LOADER).is_file():
        raise BadUsage(f"{folder} has no {LOADER}.", "It hands the test rows to infer; the organiser has it.")
    test_part(dataset)
    return dataset


def check_python(python: str) -> str:
    """Raises BadUsage when there is no such program."""
    found = shutil.which(python)
    if found is None:
        raise BadUsage(f"There is no Python '{python}' here.", "Name it with its path: --python venv/bin/python")
    return str(Path(found).absolute())


def point_to(source: Path, target: Path, dataset: Dataset, view: Path) -> None:
    """A copy of an organiser's program in which the path of the platform, /data/NAME, is this machine's."""
    target.parent.mkdir(parents=True, exist_ok=True)
    text = source.read_bytes()
    target.write_bytes(text.replace(f"/data/{dataset.name}".encode(), os.fsencode(view)))
