"""Secrets: opaque random texts of which we keep the sha256. A leaked database opens nothing."""

from __future__ import annotations

import hashlib
import hmac
import secrets

# LOCAL: the token `nsmlctl up` leaves for the command line on its own machine, until it ends.
# JOIN: lets one machine in, which is given a NODE token for it.
USER, LOCAL, BROWSER, LOGIN, NODE, JOIN = "user", "local", "browser", "login", "node", "join"
OF_PEOPLE = frozenset({USER, LOCAL, BROWSER})
_PREFIX = "nsml_"  # lets secret scanners find a token that was committed by mistake


def make() -> str:
    """A new secret of 256 bits."""
    return _PREFIX + secrets.token_urlsafe(32)


def digest(token: str) -> str:
    """What we keep of it, in hex."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def is_same(digest_kept: str, token: str) -> bool:
    """Compare in a time that does not tell how much of it is right."""
    return hmac.compare_digest(digest_kept, digest(token))
