"""The program `nsmlctl`, also called `nsml`: carries out what was typed and maps errors to exit codes."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nsmlctl.workplace import Workplace

GARBAGE = 200_000  # new objects between two looks for garbage: seldom, and yet a log followed for days does not grow


def main(arguments: Sequence[str] | None = None, workplace: Workplace | None = None) -> int:
    """Returns the exit code; see `nsmlctl --help` for what each means."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words == ["--version"]:  # answered before anything is imported: editors and scripts ask it again and again
        from nsmlctl import version_lines

        print(version_lines())
        return 0
    if arguments is not None:
        return _carry_out(words, workplace)
    # Looking for garbage among the modules just imported, then and when the interpreter ends, costs more than `--help` itself.
    gc.set_threshold(GARBAGE)
    try:
        return _carry_out(words, workplace)
    finally:
        gc.freeze()


def _carry_out(words: list[str], workplace: Workplace | None) -> int:
    import click

    from nsmlctl.cli import nsmlctl
    from nsmlctl.errors import EXIT_INTERRUPTED, NsmlctlError

    try:
        look = _look_around if workplace is None else lambda: workplace
        color = False if os.environ.get("NO_COLOR") else None
        code = nsmlctl.main(words, prog_name="nsmlctl", standalone_mode=False, obj=look, color=color)
        return code if isinstance(code, int) else 0
    except click.Abort:
        return EXIT_INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except NsmlctlError as error:
        click.echo(f"{click.style('Error:', fg='red')} {error}", err=True)
        if error.hint:
            click.echo(error.hint, err=True)
        return error.exit_code


def _look_around() -> Workplace:
    from nsmlctl.workplace import Workplace

    return Workplace.here()


if __name__ == "__main__":
    sys.exit(main())
