"""`python -m nsml_server.embedded --data DIR --host H --port N`: what `nsmlctl up` becomes."""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

from nsml_server import logs
from nsml_server.app import create_app, make_platform
from nsml_server.embedded import banner
from nsml_server.embedded.child import NODE, WorkerChild
from nsml_server.embedded.folder import DataFolder
from nsml_server.embedded.keeper import Keeper
from nsml_server.embedded.login import LocalLogin, user_name
from nsml_server.errors import NsmlError
from nsml_server.services import accounts
from nsml_server.services.accounts import Caller
from nsml_server.services.platform import Platform
from nsml_server.serving import Server, address_of, bind
from nsml_server.settings import Settings


def main() -> int:
    """Serve until Ctrl-C or SIGTERM; returns the exit code."""
    options = read_options()
    logs.configure(logging.WARNING)
    os.umask(0o077)  # what we write is ours alone
    try:
        folder = DataFolder(options.data)
        try:
            listener = bind(options.host, options.port)
            return serve(folder, listener, options, os.environ)
        finally:
            folder.close()
    except NsmlError as error:
        print(f"{error.message} {error.hint or ''}".rstrip(), file=sys.stderr)
        return 1


def read_options() -> argparse.Namespace:
    """Where the data lies and where to listen."""
    parser = argparse.ArgumentParser(prog="nsmlctl up", description="Start the platform on this machine.")
    parser.add_argument("--data", type=Path, default=Path("nsml-data"), help="the data folder (default: nsml-data)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8080, help="port to listen on; 0: any free one (default: 8080)")
    parser.add_argument("--ready-file", type=Path, help="write the address here as JSON once everything is up")
    return parser.parse_args()


def serve(
    folder: DataFolder, listener: socket.socket, options: argparse.Namespace, environment: Mapping[str, str]
) -> int:
    """Server in this thread, worker as a child, a keeper between them."""
    url, user = address_of(listener, options.host), user_name(environment)
    folder.tell_address(url)
    folder.renew_broker()
    platform = make_platform(settings_of(folder, url, options, listener))
    login, caller = LocalLogin(environment), _prepare_accounts(platform, folder, user)
    login.leave(url, _issue_token(platform, caller), user, folder.path)
    child = WorkerChild(folder, url, environment)
    keeper = Keeper(platform, child, say)
    server = Server(create_app(platform))

    def greet(confinement: str | None) -> None:
        say(banner.greet(url, folder.path, confinement, _make_link(platform, caller), user))
        if options.ready_file:
            options.ready_file.write_text(json.dumps({"url": url}))

    _heed_signals(keeper)
    try:
        # The connections of the worker wait in the socket's queue until the server is ready: both start at once.
        child.start()
        looking = threading.Thread(target=keeper.keep, args=(greet, server.leave), name="keeper")
        looking.start()
        server.run(sockets=[listener])
        keeper.on_signal()  # however the server ended, the worker goes with it
        looking.join()
    finally:
        child.leave()
        login.remove()
    return 0


def settings_of(folder: DataFolder, url: str, options: argparse.Namespace, listener: socket.socket) -> Settings:
    """What the environment says, and what this form fixes."""
    return Settings(
        mode="embedded",
        data=folder.path,
        broker_url=folder.broker_url,
        public_url=url,
        host=options.host,
        port=listener.getsockname()[1],
    )


def say(text: str) -> None:
    """To whoever typed `nsmlctl up`."""
    print(text, flush=True)


def _prepare_accounts(platform: Platform, folder: DataFolder, name: str) -> Caller:
    with platform.database.write() as tx:
        user = accounts.ensure_user(tx, name, admin=True, now=platform.now())
        _, token = accounts.create_node(tx, NODE, platform.now())
        caller = Caller(user.id, user.name, user.admin)
    folder.write_node_token(token)
    return caller


def _issue_token(platform: Platform, caller: Caller) -> str:
    with platform.database.write() as tx:
        return accounts.issue_local(tx, caller, platform.now())


def _make_link(platform: Platform, caller: Caller) -> str:
    with platform.database.write() as tx:
        return accounts.make_login_link(tx, caller, platform.settings.public_url, platform.now())


def _heed_signals(keeper: Keeper) -> None:
    def on_signal(_: int, __: FrameType | None) -> None:
        keeper.on_signal()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)


if __name__ == "__main__":
    sys.exit(main())
