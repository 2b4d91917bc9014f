"""Secrets an operator hands us in files: they show in no list of processes and in no environment."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from nsml_server.errors import CannotStart

_HINT = "Write it there, readable for the server; docker/secrets.sh does so for docker-compose.yml."


def read_secret(file: Path) -> str:
    """What the file holds. Raises CannotStart when that is nothing."""
    try:
        secret = file.read_text().strip()
    except OSError as error:
        raise CannotStart(f"The secret in {file} cannot be read: {error.strerror}.", hint=_HINT) from error
    if not secret:
        raise CannotStart(f"The secret in {file} is empty.", hint=_HINT)
    return secret


def with_password(url: str, file: Path | None) -> str:
    """The URL with the password that the file holds; as it was when there is no file."""
    if file is None:
        return url
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username or ''}:{quote(read_secret(file), safe='')}@{host}"))
