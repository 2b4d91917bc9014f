"""What of a folder is not uploaded: .nsmlignore, in the language of .gitignore, on top of a built-in list."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nsmlctl.errors import CannotUpload

if TYPE_CHECKING:
    import pathspec

FILE = ".nsmlignore"

# What version control, editors and interpreters leave behind. A line '!name' in .nsmlignore takes one of these back.
CLUTTER = """\
.git/
.hg/
.svn/
__pycache__/
*.pyc
.DS_Store
Thumbs.db
.ipynb_checkpoints/
"""
DEFAULT = (
    CLUTTER
    + """\
.idea/
.vscode/
*.swp
*~
.venv/
venv/
.conda/
node_modules/
*.egg-info/
.mypy_cache/
.pytest_cache/
.ruff_cache/
.nsml_auth
.nsml_cert
.env
nsml-data/
"""
)


def read_rules(folder: Path, default: str = DEFAULT) -> pathspec.GitIgnoreSpec:
    """The default rules, then those of the folder's .nsmlignore.

    Raises:
        CannotUpload: .nsmlignore is not text, or a line of it is no pattern.
    """
    import pathspec

    file = folder / FILE
    try:
        own = file.read_text(encoding="utf-8-sig") if file.is_file() else ""
        return pathspec.GitIgnoreSpec.from_lines([*default.splitlines(), *own.splitlines()])
    except (ValueError, OSError) as error:
        raise CannotUpload(
            f"{FILE} cannot be used: {error}", "It holds one pattern a line, as .gitignore does."
        ) from error
