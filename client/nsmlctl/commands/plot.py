"""`nsmlctl plot`: what a session reported, drawn in the terminal."""

from __future__ import annotations

from typing import Any

import click

from nsmlctl.api import Api
from nsmlctl.commands.options import GoCommand, examples, json_option
from nsmlctl.errors import NotFound, NsmlctlError
from nsmlctl.output import echo_json, plain, tell
from nsmlctl.references import SessionReference, parse_session
from nsmlctl.wildcards import as_pattern
from nsmlctl.workplace import Workplace, pass_workplace

POINTS = 400  # per line; a terminal shows two for each column
HEIGHT, MOST = 15, 12  # lines of one chart; charts at once
AGAIN = 2.0  # seconds between two looks
Json = dict[str, Any]


@click.command(
    cls=GoCommand, epilog=examples("nsmlctl plot session/1", "nsmlctl plot -f session/1 train/loss 'test/*'")
)
@click.argument("session")
@click.argument("metrics", nargs=-1, metavar="[METRIC]...")
@click.option("-f", "--follow", is_flag=True, help="Draw again as values come, until the session is over.")
@json_option
@pass_workplace
def command(place: Workplace, session: str, metrics: tuple[str, ...], follow: bool, as_json: bool) -> None:
    """Draw what a session reported.

    One chart for each METRIC, by default for all; `*` and `?` fit many, quoted.
    """
    api, reference = place.api(), place.session(session)
    if as_json:
        echo_json({"series": chosen(api.metrics(reference, points=POINTS), metrics)})
        return
    if not follow:
        series = api.metrics(reference, points=POINTS)
        found = chosen(series, metrics)
        if series and not found:
            reported = plain(", ".join(list(series)[:MOST]))
            raise NotFound(f"{session} has reported no {' and no '.join(metrics)}.", f"It reported: {reported}.")
        show(found, session)
        return
    watch(api, place, parse_session(str(api.session(reference)["name"])), metrics)


def watch(api: Api, place: Workplace, reference: SessionReference, metrics: tuple[str, ...]) -> None:
    """Draws again when something new was reported; ends with the session."""
    drawn: Json | None = None
    while True:
        session = api.session(reference)
        series = chosen(api.metrics(reference, points=POINTS), metrics)
        if series and series != drawn:
            click.clear()
            show(series, str(session["name"]))
            drawn = series
        if session["final"]:
            tell(f"Session {session['name']}: {session['status']}")
            return
        place.pause(AGAIN)


def chosen(series: Json, metrics: tuple[str, ...]) -> Json:
    """Those that were asked for, or all."""
    patterns = [as_pattern(metric) for metric in metrics]
    return {name: line for name, line in series.items() if not patterns or any(p.fullmatch(name) for p in patterns)}


def show(series: Json, session: str) -> None:
    """Raises NotFound when there is nothing to draw."""
    lines = {name: points(line) for name, line in list(series.items())[:MOST]}
    if not any(x for x, _ in lines.values()):
        raise NotFound(f"{session} has reported nothing.", "A program reports with nsml.report(step=…, loss=…).")
    for name, (x, y) in lines.items():
        if x:
            click.echo(chart(name, x, y))
    if len(series) > MOST:
        tell(f"{len(series) - MOST} more: name those to draw.")


def points(line: Json) -> tuple[list[float], list[float]]:
    """By step, or by count where a program reports none; what is no finite number is left out."""
    steps, values = line.get("step") or [], line.get("value") or []
    pairs = [(steps[i] if i < len(steps) and _is_number(steps[i]) else i, y) for i, y in enumerate(values)]
    kept = [(float(x), float(y)) for x, y in pairs if _is_number(y)]
    return [x for x, _ in kept], [y for _, y in kept]


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value - value == 0


def chart(name: str, x: list[float], y: list[float]) -> str:
    """As text, as wide as the terminal."""
    import shutil

    try:
        import plotext
    except ImportError as error:
        raise NsmlctlError("Drawing needs plotext.", "pip install 'plotext<6'") from error
    plotext.clear_figure()
    plotext.theme("clear")
    plotext.plotsize(min(shutil.get_terminal_size().columns, 160), HEIGHT)
    plotext.title(f"{plain(name)}  (last {y[-1]:.6g})")
    plotext.plot(x, y)
    return click.unstyle(str(plotext.build())).rstrip()
