"""`python -m nsml_server`: the server of the distributed form. Settings come from the environment, see settings.py."""

from __future__ import annotations

import signal
import sys

from pydantic import ValidationError

from nsml_server import logs
from nsml_server.app import create_app, make_platform
from nsml_server.errors import NsmlError
from nsml_server.serving import Server, bind
from nsml_server.settings import Settings


def main() -> int:
    """Serve until a signal; returns the exit code."""
    logs.configure()
    try:
        settings = Settings()
        listener = bind(settings.host, settings.port)
        server = Server(create_app(make_platform(settings)))
    except ValidationError as error:
        first = error.errors()[0]
        print(f"NSML_{str(first['loc'][0]).upper()} is not right: {first['msg']}.", file=sys.stderr)
        return 1
    except NsmlError as error:
        print(f"{error.message} {error.hint or ''}".rstrip(), file=sys.stderr)
        return 1
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: server.leave())
    server.run(sockets=[listener])
    return 0


if __name__ == "__main__":
    sys.exit(main())
