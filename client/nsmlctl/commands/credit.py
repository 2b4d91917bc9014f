"""`nsmlctl credit`: what of the GPUs one may still use, and who gives it. One credit is one GPU for one minute."""

from __future__ import annotations

from typing import Any

import click

from nsmlctl.commands.options import GoGroup, examples, json_option
from nsmlctl.output import ago, echo, echo_json, echo_table, plain, right_now, tell
from nsmlctl.workplace import Workplace, pass_workplace

COLUMNS = ("When", "Credit", "What")
KINDS = {"grant": "granted", "schedule": "granted by schedule", "use": "used"}
EVERYONE = "@everyone"
Json = dict[str, Any]


@click.group(
    cls=GoGroup, invoke_without_command=True, epilog=examples("nsmlctl credit", "nsmlctl credit grant mina 600")
)
@click.option("-u", "--user", help="Somebody else's; for an admin.")
@json_option
@pass_workplace
@click.pass_context
def command(context: click.Context, place: Workplace, user: str | None, as_json: bool) -> None:
    """Show your credit.

    One credit is one GPU for one minute, counted while a program has it. A platform that counts none says `unlimited`.
    """
    if context.invoked_subcommand is not None:
        return
    stands = place.api().credit(user)
    if as_json:
        echo_json(stands)
    else:
        show(stands)


@command.command(
    epilog=examples(
        "nsmlctl credit grant mina 600",
        f"nsmlctl credit grant {EVERYONE} 600 --every day",
        f"nsmlctl credit grant {EVERYONE} 60 --every hour --up-to 2880",
    )
)
@click.argument("user")
@click.argument("amount", type=click.IntRange(1))
@click.option(
    "--every", type=click.Choice(["hour", "day", "week", "month"]), help="Again at the begin of each, in UTC."
)
@click.option("--up-to", "ceiling", type=click.IntRange(1), help="With --every: fill the balance up to there only.")
@click.option("--take", is_flag=True, help="Take it away instead.")
@click.option("-m", "--note", default="", help="Shown to whoever gets it.")
@json_option
@pass_workplace
def grant(place: Workplace, /, user: str, amount: int, take: bool, as_json: bool, **wish: Any) -> None:
    """Give credit; who gets some for the first time is limited from then on. Needs an admin's login.

    USER is a name, or @everyone.
    """
    stands = place.api().grant_credit({"user": user, "credit": -amount if take else amount, **wish})
    if as_json:
        echo_json(stands)
    else:
        echo(line_of(stands) if "credit" in stands else f"{user} has been given {amount}.")


@command.command(epilog=examples("nsmlctl credit end 1"))
@click.argument("number", type=click.IntRange(1))
@json_option
@pass_workplace
def end(place: Workplace, number: int, as_json: bool) -> None:
    """Repeat a grant no more. Needs an admin's login.

    `nsmlctl credit` shows the numbers of repeated grants; what was given stays.
    """
    place.api().end_credit_schedule(number)
    if as_json:
        echo_json({"ended": number})
    else:
        echo(f"The repeated grant {number} has ended.")


def show(stands: Json) -> None:
    """The balance, what repeats, and what led to it."""
    echo(line_of(stands))
    if stands["credit"] is None:
        tell("Nothing is counted for you; `nsmlctl gpumonitor` shows what is free.")
    if stands.get("gpus"):
        tell(f"{stands['gpus']} GPUs in use now: each takes 1 credit a minute.")
    for row in stands.get("schedules", ()):
        limit = f" up to {row['ceiling']}" if row.get("ceiling") else ""
        tell(f"Every {row['every']}: {row['credit']} more{limit} (number {row['id']}), next at {row['next_at']}.")
    if entries := stands.get("entries"):
        now = right_now()
        echo()
        echo_table(COLUMNS, [entry_row(entry, now) for entry in entries])


def line_of(stands: Json) -> str:
    """NSML's line."""
    credit = stands["credit"]
    return f"User : {stands['user']} credit {'unlimited' if credit is None else _number(credit)}"


def entry_row(entry: Json, now: Any) -> tuple[str, ...]:
    """One line of the history."""
    what = KINDS.get(str(entry["kind"]), str(entry["kind"]))
    note = f": {plain(str(entry['note']))}" if entry.get("note") else ""
    return ago(entry.get("at"), now), f"{_number(entry['credit']):>+}", f"{what}{note}"


def _number(credit: float) -> float | int:
    return int(credit) if credit == int(credit) else round(credit, 2)
