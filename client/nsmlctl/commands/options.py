"""Options that several commands share, and values that need reading."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

from nsmlctl.errors import BadUsage
from nsmlctl.output import tell

F = TypeVar("F", bound=Callable[..., Any])

json_option = click.option("-j", "--json", "--json-return", "as_json", is_flag=True, help="Print JSON, for scripts.")
verbose_option = click.option("-v", "--verbose", is_flag=True, help="Say more on the way.")

WHOLE = 1000  # characters: longer than any first sentence
UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


class Bytes(click.ParamType[int]):
    """12G, 512M, 50GB or a number of bytes."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Raises BadUsage for anything else."""
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", str(value), re.IGNORECASE)
        if found is None:
            raise BadUsage(f"'{value}' is not a size.", "Write it like 12G, 512M or a number of bytes.")
        return int(float(found[1]) * UNITS[found[2].upper()])


class ProgramArguments(click.ParamType[str]):
    """Arguments for the program, in every spelling that NSML's manuals showed: "--lr 0.1", "--lr=0.1", "--a=1, --b=2"."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Without the commas that stood between options in 2018. Raises BadUsage when a quote is left open."""
        try:
            words = shlex.split(str(value))
        except ValueError as error:
            raise BadUsage(f"The arguments cannot be read: {error}.", "Close the quotation mark.") from error
        following = [*words[1:], ""]
        if not any(ends_option(word, after) for word, after in zip(words, following, strict=False)):
            return str(value)
        kept = [word[:-1] if ends_option(word, after) else word for word, after in zip(words, following, strict=False)]
        return shlex.join(word for word in kept if word)


def ends_option(word: str, following: str) -> bool:
    """Whether the comma at the end of `word` only separates it from the next option."""
    return word.endswith(",") and following.startswith("-") and not following[1:2].isdigit()


class GoCommand(click.Command):
    """Also takes `-d=kin`, as programs in Go do and click does not."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """See click."""
        valued = {
            name
            for param in self.params
            if isinstance(param, click.Option) and not param.is_flag
            for name in (*param.opts, *param.secondary_opts)
        }
        return super().parse_args(ctx, split_equals(args, valued))


class GoGroup(GoCommand, click.Group):
    """The same for a group and for its commands."""

    command_class = GoCommand

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Whole sentences: click cuts them to one line."""
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.get_short_help_str(WHOLE)) for name, command in found if command])


def split_equals(words: Iterable[str], valued: set[str]) -> list[str]:
    """`-d=kin` as two words. What follows an option that takes a value is that value, whatever it looks like."""
    split: list[str] = []
    is_value = False
    for word in words:
        if not is_value and word[:2] in valued and word[2:3] == "=":
            split += [word[:2], word[3:]]
            continue
        is_value = not is_value and word in valued
        split.append(word)
    return split


def historic(*names: str, sentence: str, takes_value: bool = False) -> Callable[[F], F]:
    """An option of NSML's that has no meaning here: accepted, and answered with one sentence."""

    def answer(_: click.Context, __: click.Parameter, value: Any) -> None:
        if value not in (None, False):
            tell(sentence)

    shape: dict[str, Any] = {} if takes_value else {"is_flag": True}
    return click.option(*names, expose_value=False, hidden=True, callback=answer, **shape)


def silent(*names: str) -> Callable[[F], F]:
    """A flag of NSML's that asks for what is always so."""
    return click.option(*names, expose_value=False, hidden=True, is_flag=True)


def examples(*lines: str) -> str:
    """The end of a command's --help."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
