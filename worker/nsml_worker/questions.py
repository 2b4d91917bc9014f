"""What a program asks of its worker: checkpoints of its user's other sessions, laid out where it can only read them."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import structlog
from blake3 import blake3

from nsml import _contract as sdk
from nsml_worker import lines
from nsml_worker.box import Box
from nsml_worker.contract import RunKind, Tree
from nsml_worker.errors import AttemptOver, Leaving, RunFailed, ServerError
from nsml_worker.materialise import BlobCache, lay_out
from nsml_worker.server_api import RunApi

PATIENCE = 10.0  # seconds for a question to arrive whole, and for its answer to be taken
MAX_NAME = 1000  # characters of a session or a checkpoint that are passed on

log = structlog.get_logger()


@contextlib.contextmanager
def answering(box: Box, seen: str, api: RunApi, cache: BlobCache) -> Iterator[None]:
    """Answer the box's program while it runs. `seen`: the folder of what was fetched, as the program names it.

    A box that takes no socket is run without: its program is told that there is no such model.
    """
    desk = None
    if box.spec.kind is not RunKind.SCORE and box.fetched.is_dir():
        try:
            desk = Desk(box, seen, api, cache)
        except OSError as error:
            log.warning("no_questions", box=str(box.id), error=str(error))
    try:
        yield
    finally:
        if desk is not None:
            desk.close()


class Desk:
    """Listens at HOME/questions.sock, one question at a time."""

    def __init__(self, box: Box, seen: str, api: RunApi, cache: BlobCache) -> None:
        self._box = box
        self._seen = seen
        self._api = api
        self._cache = cache
        self._server = lines.listen(box, sdk.QUESTIONS)
        self._thread = threading.Thread(target=self._serve, name=f"desk {box.id}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """No more questions; returns when the last one is done."""
        self._server.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._server.close()

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        """What the program is told.

        Raises:
            AttemptOver, Leaving: there is nobody to ask any more.
        """
        name, session = asked.get("name"), asked.get("session")
        if asked.get(sdk.ASK) != sdk.ASK_CHECKPOINT or not isinstance(name, str):
            return {"error": "The platform can be asked for a checkpoint, and for nothing else."}
        session = session if isinstance(session, str) and session.strip() else None
        missing = f"No model: {(session or self._box.spec.session).strip()[:MAX_NAME]}/nsml_model/{name[:MAX_NAME]}"
        try:
            return {"path": f"{self._seen}/{self._fetch(session, name)}"}
        except (AttemptOver, Leaving):
            raise
        except (ServerError, RunFailed, OSError) as error:
            log.info("checkpoint_not_lent", box=str(self._box.id), error=str(error))
            return {"error": missing}

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            with connection:
                try:
                    asked = lines.read_line(connection, sdk.MAX_QUESTION, PATIENCE)
                    lines.write_line(connection, self.answer(asked), PATIENCE)
                except (OSError, ValueError):
                    continue  # whoever asked has left, or asked nothing
                except (AttemptOver, Leaving):
                    return
                except Exception:  # nobody else would answer: the next program that asks would wait for half an hour
                    log.exception("question_failed", box=str(self._box.id))

    def _fetch(self, session: str | None, name: str) -> str:
        """Lay a checkpoint out, once for the same files; the folder's name."""
        tree = self._api.find_checkpoint(None if session is None else session[:MAX_NAME], name[:MAX_NAME])
        folder = self._box.fetched / name_of(tree)
        with self._cache.holding([tree]) as missing:
            if missing:
                self._cache.fetch(self._api, missing)
            if not folder.exists():
                self._lay_out(tree, folder)
        return folder.name

    def _lay_out(self, tree: Tree, folder: Path) -> None:
        """Whole or absent."""
        unfinished = folder.with_name(f".{secrets.token_hex(8)}")
        try:
            lay_out(tree, unfinished, self._cache)
            unfinished.rename(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


def name_of(tree: Tree) -> str:
    """The same files are in the same folder."""
    text = json.dumps(sorted([entry.path, entry.hash, entry.mode] for entry in tree.files))
    return blake3(os.fsencode(text)).hexdigest()[:16]
