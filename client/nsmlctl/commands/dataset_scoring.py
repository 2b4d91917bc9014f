"""`nsmlctl dataset problems` and `rescore`: what the evaluation of a dataset of one's own failed at, and mending it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import click

from nsmlctl.api import Api
from nsmlctl.commands.dataset_files import told_if_lacking
from nsmlctl.commands.options import GoCommand, examples, json_option
from nsmlctl.errors import BadUsage, Failed
from nsmlctl.following import Pause, patiently
from nsmlctl.output import ago, echo, echo_json, plain, right_now, score_text, tell
from nsmlctl.workplace import Workplace, pass_workplace

POLL = 1.0  # seconds between two looks at what is being scored again

Json = dict[str, Any]


@click.command(
    cls=GoCommand, epilog=examples("nsmlctl dataset problems kin_phase1", "nsmlctl dataset problems kin_phase1 -n 3 -j")
)
@click.argument("name")
@click.option("-n", "--last", type=click.IntRange(1, 1000), default=10, show_default=True, help="How many at most.")
@json_option
@pass_workplace
def problems(place: Workplace, name: str, last: int, as_json: bool) -> None:
    """Show what the evaluation or the loader of your dataset failed at.

    With the end of the evaluation's log, which no participant ever sees. What was scored again since is not listed.
    """
    with told_if_lacking("tell what evaluations fail at", "Ask its operator to look at the log of the server."):
        found = place.api().dataset_problems(name, last)
    if as_json:
        echo_json({"problems": found})
        return
    if not found:
        echo(f"The evaluation of {name} has no failure that still stands")
        return
    for problem in found:
        _show_problem(problem)
    echo(f"Mend it, push it with -f, and then:  nsmlctl dataset rescore {name}")


def _show_problem(problem: Json) -> None:
    what = "Rehearsal" if problem.get("rehearsal") else "Submit"
    where = f"{problem['session']}, version {problem['version']} of the dataset, {ago(problem['at'], right_now())}"
    echo(f"{what} {problem['submission']}: {plain(where)}")
    for line in f"{problem['said']}\n{problem.get('log') or ''}".rstrip().splitlines():
        echo(f"  {plain(line)}")
    echo()


@click.command(
    cls=GoCommand,
    epilog=examples(
        "nsmlctl dataset rescore kin_phase1",
        "nsmlctl dataset rescore kin_phase1 12 15",
        "nsmlctl dataset rescore kin_phase1 --all -j > scores.json",
    ),
)
@click.argument("name")
@click.argument("submissions", metavar="[SUBMISSION]...", nargs=-1, type=click.IntRange(1))
@click.option("--all", "every", is_flag=True, help="Also every submit that has a score by the present metric.")
@click.option("--no-wait", is_flag=True, help="Leave once the platform has accepted it.")
@json_option
@pass_workplace
def rescore(
    place: Workplace, /, name: str, submissions: tuple[int, ...], every: bool, no_wait: bool, as_json: bool
) -> None:
    """Score submits to your dataset again, with the dataset as it is now.

    Without SUBMISSION those that the evaluation failed. Nobody has to submit again and nobody's count changes: the prediction that is
    kept is measured by the present evaluation and labels. A score stands until its new one is there. Test inputs and data_loader.py
    must be those the prediction was made from. Ctrl-C leaves; the scoring goes on.
    """
    if every and submissions:
        raise BadUsage("Name submissions or say --all, not both.", "--all scores every submit of the board again.")
    api = place.api()
    wish: Json = {"submissions": list(submissions)} if submissions else {"all": every}
    with told_if_lacking("score submits again", "Its participants have to submit once more."):
        begun = _begin(api, name, wish)
    for left in begun["left_out"]:
        tell(f"Left as it is: {plain(str(left['why']))}")
    rows: list[Json] = begun["rescorings"]
    if not no_wait:
        rows = _follow(api, name, rows, place.pause, tell if as_json else echo)
    if as_json:
        echo_json({**begun, "rescorings": rows})
    elif not rows:
        echo(f"Nothing on {name} has to be scored again")
    elif no_wait:
        echo(f"Accepted: {len(rows)} are being scored again; to look: nsmlctl dataset board {name}")
    _conclude(name, rows)


def _begin(api: Api, name: str, wish: Json) -> Json:
    """All of them, however many requests the platform wants for it."""
    whole: Json = {"rescorings": [], "left_out": []}
    after: int | None = 0
    while after is not None:
        part = api.rescore(name, {**wish, "after": after} if after else wish)
        for what in whole:
            whole[what] += part[what]
        after = part.get("more_after")
    return whole


def _follow(api: Api, name: str, rows: list[Json], pause: Pause, show: Callable[[str], None]) -> list[Json]:
    """The same rows when all have ended; each is shown once, as it ends."""
    if rows:
        tell(f"Scoring {len(rows)} again; Ctrl-C leaves, and it goes on")
    wanted = {int(row["id"]) for row in rows}
    ended: dict[int, Json] = {}
    while len(ended) < len(wanted):
        for row in patiently(partial(api.rescorings, name, after=min(wanted) - 1), pause):
            if row["final"] and row["id"] in wanted - set(ended):
                ended[row["id"]] = row
                show(_line(row, f"[{len(ended)}/{len(wanted)}]"))
        if len(ended) < len(wanted):
            pause(POLL)
    return [ended[number] for number in sorted(ended)]


def _line(row: Json, count: str) -> str:
    who, before = f"{count} Submit {row['submission']} of {row['session']}", row["before"]["score"]
    if row["score"] is None:
        stays = "" if before is None else f"; its score {score_text(before)} stays"
        return plain(f"{who}: no score, {row['reason']}{stays}")
    return plain(f"{who}: {score_text(row['score'])}" + ("" if before is None else f" (was {score_text(before)})"))


def _conclude(name: str, rows: list[Json]) -> None:
    """Raises Failed when the evaluation failed again."""
    failed = [row for row in rows if row["reason"] == "evaluation_failed"]
    if failed:
        raise Failed(
            f"The evaluation of {name} failed again, on {len(failed)} of {len(rows)}.",
            f"`nsmlctl dataset problems {name}` shows what it wrote.",
        )
