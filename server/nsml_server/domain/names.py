"""What things may be called, and the name of a session."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from nsml_server.errors import Invalid

MAX_NAME = 40  # characters of a user or a dataset; NSML allowed 20
MAX_CHECKPOINT = 128  # characters, the limit the SDK keeps too
NO_DATASET = "None"  # the dataset part of a session that has none, as NSML wrote it

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)
_NUMBER = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)
_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
# Unicode categories that a person cannot see or that turn text around: control, format (bidi), surrogate, line, paragraph.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


@dataclass(frozen=True, order=True)
class SessionName:
    """USER/DATASET/NUMBER; `dataset` is NO_DATASET for a session without one."""

    user: str
    dataset: str
    number: int

    def __str__(self) -> str:
        return f"{self.user}/{self.dataset}/{self.number}"

    @classmethod
    def parse(cls, text: str) -> SessionName:
        """Inverse of str().

        Raises:
            Invalid: the text is not USER/DATASET/NUMBER.
        """
        parts = text.split("/")
        if len(parts) != 3 or not (_NAME.fullmatch(parts[0]) and _NAME.fullmatch(parts[1])):
            raise _bad_session(text)
        return cls(parts[0], parts[1], parse_number(parts[2]))


def parse_number(text: str) -> int:
    """A session's number: digits only, from 1 on.

    Raises:
        Invalid: it is something else.
    """
    if not _NUMBER.fullmatch(text):
        raise _bad_session(text)
    return int(text)


def check_user(name: str) -> str:
    """Returns the name when a user may be called so; raises Invalid otherwise."""
    return _check_name(name, "user")


def check_dataset(name: str) -> str:
    """Returns the name when a dataset may be called so; raises Invalid otherwise."""
    if name.casefold() == NO_DATASET.casefold():
        raise Invalid(
            f'A dataset cannot be called "{NO_DATASET}": sessions without a dataset are shown under that name.',
            hint="Choose another name.",
        )
    return _check_name(name, "dataset")


def check_checkpoint(name: str) -> str:
    """Returns the name when a checkpoint may be called so; raises Invalid otherwise.

    NSML took any string, so all is allowed but what a path or a screen would take for something else.
    """
    problem = _checkpoint_problem(name)
    if problem:
        raise Invalid(
            f"The checkpoint name {shown(name)} {problem}.",
            hint=f"Use up to {MAX_CHECKPOINT} letters, digits, spaces or marks such as - and _.",
        )
    return name


def check_hash(text: str) -> str:
    """Returns the text when it is a BLAKE3 hash in 64 small hexadecimal digits; raises Invalid otherwise."""
    if not is_hash(text):
        raise Invalid(f"{shown(text)} is not a BLAKE3 hash.", hint="Send 64 hexadecimal digits in small letters.")
    return text


def is_hash(text: object) -> bool:
    """Whether this is a BLAKE3 hash as we write it."""
    return isinstance(text, str) and _HASH.fullmatch(text) is not None


def is_visible(text: str) -> bool:
    """Whether every character can be seen: no control, bidi, surrogate or line-breaking character."""
    return all(unicodedata.category(character) not in _UNSEEN for character in text)


def shown(text: str, limit: int = 80) -> str:
    """The text in quotes, safe to print: what cannot be seen is escaped, and a long one is cut."""
    return f'"{escaped(text, limit)}"'


def escaped(text: str, limit: int) -> str:
    """The same without quotes. What comes of it can also be stored: it has no NUL, and nothing that UTF-8 cannot write."""
    cut = text if len(text) <= limit else text[:limit] + "…"
    return "".join(c if is_visible(c) else c.encode("unicode_escape").decode("ascii") for c in cut)


def _check_name(name: str, what: str) -> str:
    if len(name) <= MAX_NAME and _NAME.fullmatch(name):
        return name
    raise Invalid(
        f"{shown(name)} cannot be the name of a {what}.",
        hint=f"Use 1 to {MAX_NAME} of A-Z a-z 0-9 . _ - and begin with a letter or a digit.",
    )


def _checkpoint_problem(name: str) -> str | None:
    if not name:
        return "is empty"
    if len(name) > MAX_CHECKPOINT:
        return f"is longer than {MAX_CHECKPOINT} characters"
    if not is_visible(name):
        return "contains a character that cannot be seen"
    if "/" in name or "\\" in name or name in {".", ".."}:
        return "could be taken for a path"
    return "begins or ends with a space" if name != name.strip() else None


def _bad_session(text: str) -> Invalid:
    return Invalid(
        f"{shown(text)} is not the name of a session.",
        hint="A session is called USER/DATASET/NUMBER, for example alice/kin_phase1/3; `nsmlctl ps -a` lists yours.",
    )
