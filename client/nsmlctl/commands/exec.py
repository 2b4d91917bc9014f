"""`nsmlctl exec`: an expression in the running program's own variables."""

from __future__ import annotations

import sys

import click

from nsmlctl.api import Api
from nsmlctl.commands.options import GoCommand, examples, json_option
from nsmlctl.errors import BadUsage, Failed, NsmlctlError
from nsmlctl.output import echo_answer, echo_json, plain_lines, tell
from nsmlctl.references import SessionReference, parse_session
from nsmlctl.workplace import Workplace, pass_workplace

LOOSE = {"ignore_unknown_options": True, "allow_interspersed_args": False}  # what follows SESSION is the program's


@click.command(
    cls=GoCommand,
    context_settings=LOOSE,
    epilog=examples(
        "nsmlctl exec session/1 config.lr", "nsmlctl exec session/1 'nsml.save(\"now\")'", "nsmlctl exec session/1"
    ),
)
@json_option
@click.argument("session")
@click.argument("expression", nargs=-1, type=click.UNPROCESSED)
@pass_workplace
def command(place: Workplace, session: str, expression: tuple[str, ...], as_json: bool) -> None:
    """Evaluate an expression inside a running program.

    In the variables it gave to nsml.report(scope=locals()) or nsml.paused(scope=locals()). Without EXPRESSION lines are read one
    after the other, as Python reads them; Ctrl-D leaves.
    """
    api, reference = place.api(), place.session(session)
    if not expression:
        if as_json:
            raise BadUsage("-j needs an expression.", "nsmlctl exec -j SESSION EXPRESSION")
        converse(api, parse_session(str(api.session(reference)["name"])))
        return
    answer = api.ask(reference, {"do": "exec", "code": " ".join(expression)})
    if as_json:
        echo_json(answer)
    else:
        echo_answer(answer.get("output"))
    if answer.get("error"):
        raise Failed(plain_lines(str(answer["error"])).strip())


def converse(api: Api, reference: SessionReference) -> None:
    """Read, evaluate there, print; an error is told and the conversation goes on."""
    prompts = ("", "")
    if sys.stdin.isatty():
        import readline  # noqa: F401  gives input() a history

        prompts = (">>> ", "... ")
        tell("In the program's own variables; Ctrl-D leaves it running.")
    while (code := read_statement(*prompts)) is not None:
        if not code.strip():
            continue
        try:
            answer = api.ask(reference, {"do": "exec", "code": code})
        except NsmlctlError as error:
            tell(f"Error: {error}")
            if error.exit_code != 1:
                raise
            continue
        echo_answer(answer.get("output"))
        if answer.get("error"):
            tell(plain_lines(str(answer["error"])).rstrip())


def read_statement(first: str, further: str) -> str | None:
    """The lines until Python would run them; None at the end of the input. An empty line ends a block."""
    import codeop

    lines: list[str] = []
    while True:
        try:
            lines.append(input(further if lines else first))
        except EOFError:
            return "\n".join(lines) if lines else None
        code = "\n".join(lines)
        try:
            if codeop.compile_command(code) is not None:
                return code
        except (SyntaxError, ValueError, OverflowError):
            return code  # the program's Python may be another one: it has the last word
