"""`nsmlctl submit`: a checkpoint against the hidden test."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

import click

from nsmlctl.api import Api
from nsmlctl.commands.options import GoCommand, examples, historic, json_option, silent
from nsmlctl.errors import CutOff, Failed, Refused, VersionSkew
from nsmlctl.following import Pause, follow_submission
from nsmlctl.interrupts import held_interrupt
from nsmlctl.output import echo, echo_json, score_text, tell, waiting_text
from nsmlctl.references import SessionReference
from nsmlctl.workplace import Workplace, pass_workplace

Json = dict[str, Any]
HandIn = Callable[[SessionReference, str | None, str], Json]


@click.command(
    cls=GoCommand,
    epilog=examples("nsmlctl submit session/1", "nsmlctl submit kin_phase1/3 best", "nsmlctl submit 3 -j > score.json"),
)
@click.argument("session")
@click.argument("checkpoint", required=False)
@click.option(
    "-t", "--test", "rehearse", is_flag=True, help="Only rehearse, on the dataset's sample: no score, no rank."
)
@click.option("--no-wait", is_flag=True, help="Leave once the platform has accepted it.")
@historic(
    "-e",
    "--entry",
    takes_value=True,
    sentence="-e: not used; a submit starts the program that the session was started with, as it was uploaded then.",
)
@historic(
    "-b",
    "--batch",
    takes_value=True,
    sentence="-b: not used; rows are given to infer 2,500 at a time unless the dataset's data_loader.py does it itself.",
)
@silent("-v", "--verbose")
@json_option
@pass_workplace
def command(
    place: Workplace, session: str, checkpoint: str | None, rehearse: bool, no_wait: bool, as_json: bool
) -> None:
    """Score a checkpoint on the hidden test.

    Without CHECKPOINT the best one by the board's metric is taken if the program reported it, else the newest. The platform runs the
    program that was uploaded with the session, not what is in this folder now. Ctrl-C leaves; the submit goes on.
    """
    api, reference = place.api(), place.session(session)
    hand_in = _rehearsal(api) if rehearse else api.submit
    submission = _submit(
        api, lambda: hand_in(reference, checkpoint, str(uuid.uuid4())), None if no_wait else place.pause
    )
    if as_json:
        echo_json(submission)
    elif no_wait:
        echo(f"Accepted; to look again: nsmlctl dataset board {submission['dataset']} --mine")
    if submission["final"]:
        _conclude(submission, as_json, rehearse)


def _rehearsal(api: Api) -> HandIn:
    """The call that rehearses. It raises Refused, and nothing is submitted, where the platform has none."""

    def hand_in(reference: SessionReference, checkpoint: str | None, key: str) -> Json:
        try:
            return api.rehearse(reference, checkpoint, key)
        except VersionSkew as error:
            raise Refused(
                "This platform does not rehearse submits; nothing was submitted.",
                "nsmlctl local main.py -d DATASET_DIR rehearses on this machine.",
            ) from error

    return hand_in


def _submit(api: Api, hand_in: Callable[[], Json], pause: Pause | None) -> Json:
    """Hands it in and, with a `pause`, follows it to its end; Ctrl-C leaves it going and says which it is."""
    submission: Json | None = None
    try:
        with held_interrupt():
            submission = hand_in()
        tell(f"Submit {submission['id']}: {submission['session']}, checkpoint {submission['checkpoint']}")
        return _follow(api, submission, pause) if pause else submission
    except CutOff as error:
        if submission is None:
            error.hint = "Whether it was accepted is not known: `nsmlctl dataset board DATASET --mine` tells."
        raise
    except KeyboardInterrupt:
        if submission is not None:
            look = f"nsmlctl dataset board {submission['dataset']} --mine"
            tell(f"\nSubmit {submission['id']} goes on. To look again: {look}, or {submission['url']}")
        raise


def _follow(api: Api, submission: Json, pause: Pause) -> Json:
    began, told = time.monotonic(), ""
    for now in follow_submission(api, submission, pause):
        if (line := phase_line(now)) and line != told:
            tell(f"[{time.monotonic() - began:6.1f}s] {line}")
            told = line
        submission = now
    return submission


def phase_line(submission: Json) -> str:
    """What is going on, in the server's words; empty when it is over."""
    if submission["final"]:
        return ""
    line = f"{submission['state']}: {submission['phase']}" if submission.get("phase") else str(submission["state"])
    return f"{line}, {waiting_text(submission)}" if _waits(submission) else line


def _waits(submission: Json) -> bool:
    """Has a place in the line, or stood in it for a while: the moment that each half takes to be handed over is not told."""
    waiting = submission.get("waiting") or {}
    return bool(waiting.get("position")) or waiting.get("seconds", 0) >= 1


def _conclude(submission: Json, as_json: bool, rehearse: bool) -> None:
    if rehearse and submission["state"] != "failed":
        if not as_json:
            echo("Done: the rehearsal went well; it counts nowhere.")
        return
    if submission.get("score") is None:
        raise Failed(f"Submit {submission['id']} has no score: {submission.get('message') or submission.get('reason')}")
    if not as_json:
        echo(f"Score: {score_text(submission['score'])}")
        if submission.get("rank") is not None:
            best = "" if submission.get("best", True) else "; your best score stays"
            echo(f"Rank: {submission['rank']} on {submission['dataset']}{best}")
        echo("Done")
