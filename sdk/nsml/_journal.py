"""The journal: one JSON object a line, each line in one write on a descriptor opened for appending.

The kernel keeps such writes whole and in order, whether they come from threads, forks or spawned processes, and a line
that was written outlives `kill -9`. There is no queue, no thread and no lock. What goes wrong here (disk full, folder gone)
is never raised: a training does not end for the sake of its bookkeeping.
"""

import errno
import os
import sys
import time

from nsml import _contract

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Optional, Set

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
#: Lines that must arrive and could not be written yet; more than these are dropped.
_MAX_OWED = 1000


class Journal:
    """Appends lines to the file at `path`."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptor = -1
        self._pid = -1
        self._owed: "List[bytes]" = []
        self._told: "Set[str]" = set()
        self._encode: "Optional[Callable[[Any], str]]" = None

    def write(self, kind: str, fields: "Dict[str, Any]", must_arrive: bool = False) -> None:
        """Append one line of this kind; a line that `must_arrive` is tried again before each later line."""
        line: "Dict[str, Any]" = {_contract.KIND: kind, "t": time.time()}
        line.update(fields)
        self.append(self.encode(line), must_arrive)

    def encode(self, line: "Dict[str, Any]") -> bytes:
        """JSON in UTF-8 with its line end.

        Raises:
            ValueError: a number in `line` is not finite: JSON has no word for it.
        """
        if self._encode is None:
            self._encode = _make_encoder()
        return self._encode(line).encode("utf-8", "replace") + b"\n"

    def append(self, data: bytes, must_arrive: bool = False) -> None:
        """Append an encoded line in one write."""
        if len(data) > _contract.MAX_LINE:
            limit = "a line of {:,} bytes was not recorded; at most {:,} bytes fit in one call of nsml.report."
            self.note_once("long line", limit.format(len(data), _contract.MAX_LINE))
            return
        if self._owed:
            self._pay()
        if not self._put(data) and must_arrive and len(self._owed) < _MAX_OWED:
            self._owed.append(data)

    def note_once(self, topic: str, text: str) -> None:
        """Tell the participant a sentence, in the log and in the journal, once for each topic."""
        if topic in self._told:
            return
        self._told.add(topic)
        try:
            sys.stderr.write("NSML Warning) " + text + "\n")
        except (AttributeError, OSError, ValueError):
            pass  # no stderr, or a closed one: the journal still has the sentence
        self.write(_contract.NOTE, {"text": text})

    def _put(self, data: bytes) -> bool:
        try:
            written = os.write(self._open(), data)
        except OSError as error:
            if error.errno == errno.EBADF:
                self._pid = -1  # the program closed every descriptor it did not know: open anew next time
            return False
        if written != len(data):
            self._owed.insert(0, b"\n")  # a full disk cut the line: the next one must not be glued to it
            return False
        return True

    def _open(self) -> int:
        # A new process opens its own: a daemon may have closed ours and given its number to a file of the program.
        if self._pid != os.getpid():
            self._descriptor = os.open(self._path, _FLAGS, 0o644)
            self._pid = os.getpid()
        return self._descriptor

    def _pay(self) -> None:
        for _ in range(len(self._owed)):
            line = self._owed.pop(0)
            if not self._put(line):
                self._owed.append(line)
                return


def _make_encoder() -> "Callable[[Any], str]":
    import json  # a third of the cost of importing this package, and only programs on the platform need it

    return json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
