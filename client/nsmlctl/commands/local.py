"""`nsmlctl local`: the whole road on a laptop, with no server at all."""

from __future__ import annotations

import shlex
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from nsmlctl.commands.options import GoCommand, ProgramArguments, examples, json_option
from nsmlctl.errors import BadUsage
from nsmlctl.output import echo, echo_json, score_text, tell
from nsmlctl.rehearsal import Rehearsal
from nsmlctl.workplace import Workplace, pass_workplace


@click.command(
    cls=GoCommand,
    epilog=examples("nsmlctl local main.py -d ../kin_dataset", 'nsmlctl local -d ../food -a "--epochs 1" --metric f1'),
)
@click.argument("script", metavar="[ENTRY]", required=False)
@click.option("-e", "--entry", help="The program to start, the same as ENTRY.  [default: main.py]")
@click.option(
    "-d", "--dataset", "folder", required=True, type=click.Path(path_type=Path),
    help="A folder with train/, data_loader.py, and test_submit/ or test/.",
)  # fmt: skip
@click.option("-a", "--args", default="", type=ProgramArguments(), help="Arguments for the program, as one text.")
@click.option("-c", "--checkpoint", help="Which one to submit.  [default: the last]")
@click.option("--metric", help="accuracy, f1, mse, ….  [default: custom with an evaluation.py, else accuracy]")
@click.option("--python", default=sys.executable, help="The Python to run it with.  [default: nsmlctl's own]")
@click.option("--keep", is_flag=True, help="Keep the folders it was run in, and say where.")
@json_option
@pass_workplace
def command(
    place: Workplace, /, keep: bool, as_json: bool, checkpoint: str | None, metric: str | None, **what: Any
) -> None:
    """Train, submit and score on this machine, without a platform.

    ENTRY is run beside the dataset's train part. Its last checkpoint is then submitted in a fresh folder, as on the platform, on
    test_submit/ or test/, and scored when labels are there. Where it goes wrong is told with the phase.
    """
    root = Path(tempfile.mkdtemp(prefix="nsml-local-"))
    try:
        answer = walk_the_road(prepare(place, root, quiet=as_json, **what), checkpoint, metric)
    finally:
        if keep:
            tell(f"Everything is in {root}")
        else:
            _remove(root)
    if as_json:
        echo_json(answer)
    elif answer["score"] is not None:
        echo(f"Score: {score_text(answer['score'])}")
    if not as_json:
        echo("Done")


def prepare(
    place: Workplace,
    root: Path,
    *,
    script: str | None,
    entry: str | None,
    folder: Path,
    args: str,
    python: str,
    quiet: bool,
) -> Rehearsal:
    """Raises BadUsage when the program or the dataset is not there, NsmlctlError when the SDK is not."""
    from nsmlctl.local_box import check_dataset, check_python, find_sdk

    program = script or entry or "main.py"
    if entry and program != entry:
        raise BadUsage(f"Which one is the program: '{script}' or '{entry}'?", "Give it once, at the end or with -e.")
    if not (place.folder / program).is_file():
        raise BadUsage(f"{program}: there is no such file in this folder.", "Go to the folder of your program first.")
    return Rehearsal(
        root=root.resolve(),
        folder=place.folder,
        sdk=find_sdk(),
        entry=program,
        arguments=tuple(shlex.split(args)),
        dataset=check_dataset(place.folder / folder),
        environ=place.environ,
        python=check_python(python),
        quiet=quiet,
    )


def walk_the_road(rehearsal: Rehearsal, checkpoint: str | None, metric: str | None) -> dict[str, Any]:
    """What came of it. Raises Failed, NotFound or BadUsage at the first step that cannot be taken."""
    trained = rehearsal.train()
    prediction = rehearsal.submit(trained, checkpoint)
    answer = {"checkpoints": list(trained.checkpoints()), "metric": None, "score": None}
    if rehearsal.dataset.label is None:
        tell("The sample has no labels: nothing to score. The road is whole.")
        return answer
    return {**answer, **rehearsal.score(prediction, metric)}


def _remove(root: Path) -> None:
    import shutil

    shutil.rmtree(root, ignore_errors=True)
