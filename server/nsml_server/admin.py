"""`python -m nsml_server.admin NAME`: makes a person an administrator and prints a new token of theirs.

For whoever may read the server's secrets: the first administrator, and one who has lost the token.
"""

from __future__ import annotations

import argparse
import sys

from nsml_server import logs
from nsml_server.clock import SystemClock
from nsml_server.errors import NsmlError
from nsml_server.services import accounts, tokens
from nsml_server.settings import Settings
from nsml_server.storage import migrations
from nsml_server.storage.database import Database


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(prog="nsml_server.admin", description="Print a token of an administrator.")
    parser.add_argument("name", help="how they are called; made when there is none of this name")
    options = parser.parse_args()
    logs.configure()
    try:
        database = Database(Settings().database)
        migrations.upgrade(database)
        print(make_admin(database, options.name))
    except NsmlError as error:
        print(f"{error.message} {error.hint or ''}".rstrip(), file=sys.stderr)
        return 1
    return 0


def make_admin(database: Database, name: str) -> str:
    """A new token of this administrator; earlier ones go on to work."""
    now = SystemClock().now()
    with database.write() as tx:
        user = accounts.ensure_user(tx, name, admin=True, now=now)
        user.admin = True
        return accounts.issue(tx, tokens.USER, now, user_id=user.id)


if __name__ == "__main__":
    sys.exit(main())
