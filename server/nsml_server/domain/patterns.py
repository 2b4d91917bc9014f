"""Names with wildcards: `*` is any text, `?` any one character, and nothing else is special."""

from __future__ import annotations

import fnmatch

from nsml_server.domain.names import SessionName

ANY_DATASET = "session"  # in `session/3`: whatever the dataset


def matches(name: str, pattern: str) -> bool:
    """Whether the whole name is what the pattern says."""
    return fnmatch.fnmatchcase(name, pattern.replace("[", "[[]"))


def matches_session(name: SessionName, pattern: str) -> bool:
    """Whether a session is meant by USER/DATASET/NUMBER, DATASET/NUMBER, session/NUMBER or NUMBER.

    A wildcard stands for a part of the name and never reaches into the next: `m*` is not all that begins with m.
    """
    wanted = pattern.split("/")
    if len(wanted) > 3:
        return False
    if len(wanted) == 2 and wanted[0] == ANY_DATASET and name.dataset != ANY_DATASET:
        wanted = wanted[1:]
    parts = [name.user, name.dataset, str(name.number)][-len(wanted) :]
    return all(matches(part, part_wanted) for part, part_wanted in zip(parts, wanted, strict=True))
