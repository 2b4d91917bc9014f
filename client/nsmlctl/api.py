"""The platform's HTTP API as methods. Answers are the server's own JSON objects: this program knows no states."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from nsmlctl.exchange import Exchange, Json, with_query
from nsmlctl.transport import Body

if TYPE_CHECKING:
    from nsmlctl.references import SessionReference

LONG_POLL = 20  # seconds the server may hold back the answer about a submission


class Incoming(NamedTuple):
    """A file as it arrives, and the hash that the server announced with it, if any."""

    chunks: Iterator[bytes]
    digest: str | None = None


class Api(Exchange):
    """Every request this program makes."""

    # -- the platform and its people

    def platform(self) -> Json:
        """Version, mode, nodes, limits; needs no login."""
        return self._json("GET", "/platform")

    def me(self) -> Json:
        """Whose token this is."""
        return self._json("GET", "/me")

    def add_user(self, name: str, *, admin: bool) -> Json:
        """{user, token}; the token is shown this once."""
        return self._json("POST", "/users", {"name": name, "admin": admin}, repeat=False)

    def credit(self, user: str | None = None) -> Json:
        """{user, credit, entries, schedules}; no credit: not limited. Of others for administrators."""
        return self._json("GET", "/credit", query={"user": user})

    def grant_credit(self, wish: Json) -> Json:
        """Not repeated: a grant whose answer was lost may have been given."""
        return self._json("POST", "/credit/grants", wish, repeat=False)

    def end_credit_schedule(self, number: int) -> None:
        """A grant is given no more."""
        self._exchange("DELETE", f"/credit/schedules/{number}")

    def login_link(self) -> Json:
        """{url, expires_in}: a single-use link that logs a browser in."""
        return self._json("POST", "/login-links", {})

    def nodes(self) -> list[Json]:
        """The machines with what they have and what is in use."""
        return list(self._json("GET", "/nodes")["nodes"])

    def make_join_token(self, name: str | None) -> Json:
        """{token, expires_in}: lets one machine in; with a name, only one of that name."""
        return self._json("POST", "/join-tokens", {} if name is None else {"name": name}, repeat=False)

    def drain_node(self, name: str, *, drained: bool) -> Json:
        """Whether a machine is given nothing new."""
        return self._json("PATCH", f"/nodes/{quote(name, safe='')}", {"drained": drained})

    def remove_node(self, name: str, *, force: bool) -> None:
        """One machine less."""
        self._exchange("DELETE", with_query(f"/nodes/{quote(name, safe='')}", {"force": int(force)}))

    def images(self) -> list[Json]:
        """The image table: what the name of an image means here."""
        return list(self._json("GET", "/images")["images"])

    def put_image(self, name: str, wish: Json) -> Json:
        """One row of the image table, new or replaced."""
        return self._json("PUT", f"/images/{quote(name, safe='')}", wish)

    def remove_image(self, name: str) -> None:
        """One row less."""
        self._exchange("DELETE", f"/images/{quote(name, safe='')}")

    # -- bytes

    def missing(self, hashes: list[str]) -> list[str]:
        """Which of these the server must still be given."""
        return list(self._json("POST", "/blobs/missing", {"hashes": hashes})["missing"])

    def put_blob(self, digest: str, size: int, body: Body) -> None:
        """Upload one file."""
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        self._exchange("PUT", f"/blobs/{digest}", headers, body)

    def put_pack(self, pack: bytes) -> None:
        """Upload many small files at once."""
        self._exchange("POST", "/packs", {"Content-Type": "application/octet-stream"}, pack)

    # -- sessions

    def create_session(self, wish: Json, key: str) -> Json:
        """`key` makes a repeated request harmless."""
        return self._json("POST", "/sessions", wish, key=key)

    def sessions(self, *, every: bool = False, last: int | None = None, **filters: str | None) -> list[Json]:
        """One's own, newest first. Filters: dataset, search."""
        query = {"all": "1" if every else None, "last": last, **filters}
        return list(self._json("GET", "/sessions", query=query)["sessions"])

    def session(self, reference: SessionReference) -> Json:
        """One of one's own sessions."""
        return self._json("GET", reference.path(), query=reference.query())

    def change_memo(self, reference: SessionReference, memo: str) -> Json:
        """Replaces the description."""
        return self._json("PATCH", reference.path(), {"memo": memo}, query=reference.query())

    def remove_session(self, reference: SessionReference) -> None:
        """Deletes the session with its log and checkpoints."""
        self._exchange("DELETE", with_query(reference.path(), reference.query()))

    def stop_session(self, reference: SessionReference) -> Json:
        """Asks the program to stop; stopping twice is harmless."""
        return self._json("POST", reference.path("/stop"), {}, query=reference.query())

    def fork_session(self, reference: SessionReference, wish: Json, key: str) -> Json:
        """A new session of the same program that begins at a checkpoint."""
        return self._json("POST", reference.path("/fork"), wish, key=key, query=reference.query())

    def resume_session(self, reference: SessionReference, key: str) -> Json:
        """The session that goes on where this one ended."""
        return self._json("POST", reference.path("/resume"), {}, key=key, query=reference.query())

    def serve_session(self, reference: SessionReference, wish: Json, key: str) -> Json:
        """A new session that holds a loaded checkpoint and answers."""
        return self._json("POST", reference.path("/infer"), wish, key=key, query=reference.query())

    def ask(self, reference: SessionReference, question: Json) -> Json:
        """The program's answer. Not repeated: what was asked may have been done before the connection broke."""
        return self._json("POST", reference.path("/ask"), question, query=reference.query(), repeat=False)

    def command_line(self, reference: SessionReference) -> Json:
        """{command}: how the session was started."""
        return self._json("GET", reference.path("/command"), query=reference.query())

    def inspect(self, reference: SessionReference) -> Json:
        """The state of the session's process."""
        return self._json("GET", reference.path("/inspect"), query=reference.query())

    def metrics(self, reference: SessionReference, *, points: int) -> Json:
        """{name: {step, value, time}}, each at most `points` long."""
        query = {**reference.query(), "points": points}
        return dict(self._json("GET", reference.path("/metrics"), query=query)["series"])

    def code(self, reference: SessionReference) -> Json:
        """The tree that was uploaded with the session."""
        return self._json("GET", reference.path("/code"), query=reference.query())

    def code_file(self, reference: SessionReference, path: str) -> Incoming:
        """The bytes of one file of it."""
        return self._file(reference.path(f"/code/{quote(path)}"), reference.query())

    def products(self, reference: SessionReference) -> Json:
        """What the program wrote, as {files: [[path, size], …], left_out: [[path, why], …]}; both empty until it has ended."""
        return self._json("GET", reference.path("/files"), query=reference.query())

    def product_file(self, reference: SessionReference, path: str) -> Incoming:
        """The bytes of one of these files."""
        return self._file(reference.path(f"/files/{quote(path)}"), reference.query())

    def checkpoints(self, reference: SessionReference) -> list[Json]:
        """Oldest first."""
        return list(self._json("GET", reference.path("/checkpoints"), query=reference.query())["checkpoints"])

    def checkpoint_tree(self, reference: SessionReference, name: str) -> Json:
        """The files of a checkpoint. Raises Forbidden when the organiser lets nobody take models home."""
        return self._json("GET", reference.path(f"/checkpoints/{quote(name, safe='')}/tree"), query=reference.query())

    def checkpoint_file(self, reference: SessionReference, name: str, path: str) -> Incoming:
        """The bytes of one file of it."""
        tail = f"/checkpoints/{quote(name, safe='')}/{quote(path)}"
        return self._file(reference.path(tail), reference.query())

    def remove_checkpoints(self, reference: SessionReference, pattern: str) -> list[str]:
        """The names that were removed; `*` and `?` in the pattern stand for any letters and for one."""
        query = {**reference.query(), "name": pattern}
        return list(self._json("DELETE", reference.path("/checkpoints"), query=query)["removed"])

    def log(self, reference: SessionReference, *, offset: int = 0, follow: bool = False) -> Iterator[bytes]:
        """The log's bytes from `offset`. When following, the end means that the session is over; CutOff means it may not be."""
        query = {**reference.query(), "offset": offset, "follow": int(follow)}
        return self._exchange("GET", with_query(reference.path("/log"), query), stream=True).chunks

    # -- submissions

    def submit(self, reference: SessionReference, wish: Json, key: str) -> Json:
        """Without a checkpoint the server takes the best by the board's metric."""
        return self._json("POST", reference.path("/submissions"), wish, key=key, query=reference.query())

    def rehearse(self, reference: SessionReference, wish: Json, key: str) -> Json:
        """A submit on the dataset's sample. A route of its own: where it is missing, nothing is submitted."""
        return self._json("POST", reference.path("/rehearsals"), wish, key=key, query=reference.query())

    def submission(self, number: int, *, seen: int | None = None, wait: int = LONG_POLL) -> Json:
        """With `seen`, answers when the submission's version is another one, or after `wait` seconds."""
        query = {"wait": wait, "seen": seen} if seen is not None else {}
        return self._json("GET", f"/submissions/{number}", query=query)

    def cancel_submission(self, number: int) -> Json:
        """Ends it at once; harmless when it has ended."""
        return self._json("POST", f"/submissions/{number}/cancel", {})

    def rehearsal_log(self, number: int, offset: int) -> Iterator[bytes]:
        """What the program wrote in a rehearsal, from this byte on."""
        return self._exchange("GET", f"/submissions/{number}/log?offset={offset}", stream=True).chunks

    # -- datasets

    def push_dataset(self, name: str, wish: Json) -> Json:
        """Checked by the server before it is accepted."""
        return self._json("PUT", f"/datasets/{quote(name, safe='')}", wish)

    def dataset(self, name: str) -> Json:
        """Raises NotFound, which names what there is."""
        return self._json("GET", f"/datasets/{quote(name, safe='')}")

    def datasets(self) -> list[Json]:
        """All that this user may see."""
        return list(self._json("GET", "/datasets")["datasets"])

    def remove_dataset(self, name: str) -> None:
        """Deletes the dataset and its board."""
        self._exchange("DELETE", f"/datasets/{quote(name, safe='')}")

    def board(self, name: str, *, mine: bool = False) -> Json:
        """The leaderboard; with `mine`, every submission of one's own."""
        return self._json("GET", f"/datasets/{quote(name, safe='')}/board", query={"mine": int(mine)})

    def change_dataset(self, name: str, wish: Json) -> Json:
        """Replaces what is said of it; its files stay."""
        return self._json("PATCH", f"/datasets/{quote(name, safe='')}", wish)

    def dataset_problems(self, name: str, last: int) -> list[Json]:
        """What its evaluation and its loader failed at, the latest first; to its owner."""
        return list(self._json("GET", f"/datasets/{quote(name, safe='')}/problems", query={"last": last})["problems"])

    def rescore(self, name: str, wish: Json) -> Json:
        """{rescorings, left_out}. Not repeated: a second request would find nothing left to begin."""
        return self._json("POST", f"/datasets/{quote(name, safe='')}/rescore", wish, repeat=False)

    def rescorings(self, name: str, *, after: int) -> list[Json]:
        """Those with a larger id, newest first."""
        query = {"after": after, "last": 10_000}
        return list(self._json("GET", f"/datasets/{quote(name, safe='')}/rescorings", query=query)["rescorings"])

    def dataset_tree(self, name: str) -> Json:
        """Its files, to whoever may see them."""
        return self._json("GET", f"/datasets/{quote(name, safe='')}/tree")

    def dataset_file(self, name: str, path: str) -> Incoming:
        """The bytes of one file of it."""
        return self._file(f"/datasets/{quote(name, safe='')}/files/{quote(path)}", {})

    def _file(self, path: str, query: dict[str, str]) -> Incoming:
        response = self._exchange("GET", with_query(path, query), stream=True)
        return Incoming(response.chunks, response.headers.get("etag", "").strip('"') or None)
