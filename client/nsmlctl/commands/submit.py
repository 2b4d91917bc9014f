"""`nsmlctl submit`: a checkpoint against the hidden test."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

import click

from nsmlctl.api import LONG_POLL, Api
from nsmlctl.commands.options import GoCommand, examples, json_option, silent
from nsmlctl.errors import CutOff, Failed, NotFound, Refused, VersionSkew
from nsmlctl.following import Pause, RehearsalLog, follow_submission
from nsmlctl.interrupts import held_interrupt
from nsmlctl.output import echo, echo_json, score_text, tell, waiting_text
from nsmlctl.references import SessionReference
from nsmlctl.submissions import cancel_open, how_to_cancel, title
from nsmlctl.workplace import Workplace, pass_workplace

Json = dict[str, Any]
HandIn = Callable[[SessionReference, Json, str], Json]
Show = Callable[[bytes], None]
SCORED = "scored"
LOG_POLL = 1  # seconds between two looks at a rehearsal's log


@click.command(
    cls=GoCommand,
    epilog=examples(
        "nsmlctl submit session/1", "nsmlctl submit kin_phase1/3 best", "nsmlctl submit --cancel session/1"
    ),
)
@click.argument("session")
@click.argument("checkpoint", required=False)
@click.option("-t", "--test", "rehearse", is_flag=True, help="Only rehearse, on the dataset's public sample.")
@click.option(
    "--cancel", is_flag=True, help="End the session's submits and rehearsals that go on, or those of CHECKPOINT."
)
@click.option("--no-wait", is_flag=True, help="Leave once the platform has accepted it.")
@click.option("-e", "--entry", help="Another program of the same upload, for this submit.")
@click.option("-b", "--batch", type=click.IntRange(1), help="Rows that each call of infer is given.  [default: 2,500]")
@silent("-v", "--verbose")
@json_option
@pass_workplace
def command(
    place: Workplace, /, session: str, rehearse: bool, cancel: bool, no_wait: bool, as_json: bool, **asked: Any
) -> None:
    """Score a checkpoint on the hidden test.

    Without CHECKPOINT the best one by the board's metric is taken if the program reported it, else the newest. The platform runs the
    program that was uploaded with the session, not what is in this folder now. Ctrl-C leaves; the submit goes on. With -t it runs on
    the dataset's public sample instead: its log and its score are shown, and nothing counts. With --cancel what goes on is ended.
    """
    api, reference = place.api(), place.session(session)
    if cancel:
        _cancel(api, reference, asked["checkpoint"], as_json)
        return
    hand_in: HandIn = _rehearsal(api) if rehearse else api.submit
    wish = {"checkpoint": asked["checkpoint"]} | {name: asked[name] for name in ("entry", "batch") if asked[name]}
    show = _show_log if rehearse and not as_json else None
    submission = _submit(
        api, lambda: hand_in(reference, wish, str(uuid.uuid4())), None if no_wait else place.pause, show
    )
    if as_json:
        echo_json(submission)
    elif no_wait:
        echo(f"Accepted; to look again: {_where(submission)}")
    if submission["final"]:
        _conclude(submission, as_json, rehearse)


def _cancel(api: Api, reference: SessionReference, checkpoint: str | None, as_json: bool) -> None:
    """Raises NotFound when nothing goes on."""
    session = api.session(reference)
    cancelled = cancel_open(api, session, checkpoint)
    if as_json:
        echo_json({"submissions": cancelled})
        return
    if not cancelled:
        of = "" if checkpoint is None else f" of checkpoint {checkpoint}"
        raise NotFound(f"No submit{of} of {session['name']} goes on.", "`nsmlctl ps` shows those that do.")
    for submission in cancelled:
        echo(f"{title(submission)} of checkpoint {submission['checkpoint']}: {submission['state']}")


def _rehearsal(api: Api) -> HandIn:
    """The call that rehearses. It raises Refused, and nothing is submitted, where the platform has none."""

    def hand_in(reference: SessionReference, wish: Json, key: str) -> Json:
        try:
            return api.rehearse(reference, wish, key)
        except VersionSkew as error:
            raise Refused(
                "This platform does not rehearse submits; nothing was submitted.",
                "nsmlctl local main.py -d DATASET_DIR rehearses on this machine.",
            ) from error

    return hand_in


def _show_log(chunk: bytes) -> None:
    click.echo(chunk, nl=False)


def _where(submission: Json) -> str:
    """Where to look again; a rehearsal is on no board."""
    board = "" if submission.get("rehearsal") else f"nsmlctl dataset board {submission['dataset']} --mine, or "
    return f"{board}{submission['url']}"


def _submit(api: Api, hand_in: Callable[[], Json], pause: Pause | None, show: Show | None) -> Json:
    """Hands it in and, with a `pause`, follows it to its end; Ctrl-C leaves it going and says which it is."""
    submission: Json | None = None
    try:
        with held_interrupt():
            submission = hand_in()
        tell(f"{title(submission)}: {submission['session']}, checkpoint {submission['checkpoint']}")
        return _follow(api, submission, pause, show) if pause else submission
    except CutOff as error:
        if submission is None:
            error.hint = "Whether it was accepted is not known: `nsmlctl dataset board DATASET --mine` tells."
        raise
    except KeyboardInterrupt:
        if submission is not None:
            where, session = _where(submission), submission["session"]
            tell(f"\n{title(submission)} goes on. To look again: {where}; to end it: {how_to_cancel(session)}")
        raise


def _follow(api: Api, submission: Json, pause: Pause, show: Show | None) -> Json:
    began, told = time.monotonic(), ""
    log = RehearsalLog(api, int(submission["id"]), show) if show else None
    for now in follow_submission(api, submission, pause, LOG_POLL if log else LONG_POLL):
        if (line := phase_line(now)) and line != told:
            tell(f"[{time.monotonic() - began:6.1f}s] {line}")
            told = line
        if log:
            log.catch_up()
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
    """Score and rank. Raises Failed for a submit without a score; a sample may have no labels, so a rehearsal needs none."""
    without = submission.get("score") is None
    if without and not (rehearse and submission["state"] == SCORED):
        raise Failed(f"{title(submission)} has no score: {submission.get('message') or submission.get('reason')}")
    if as_json:
        return
    echo(str(submission["message"]) if without else f"Score: {score_text(submission['score'])}")
    if not without and submission.get("message"):
        echo(str(submission["message"]))
    if submission.get("rank") is not None:
        best = "" if submission.get("best", True) else "; your best score stays"
        echo(f"Rank: {submission['rank']} on {submission['dataset']}{best}")
    echo("Done: a rehearsal, which counts nowhere." if rehearse else "Done")
