"""The console of a live program: answers what a person asks of it, one question at a time.

In a training it is a daemon thread, begun when a scope is given; in serve it is all the program does. Nothing that is asked
here can end the program.
"""

import base64
import json
import os
import socket

from nsml import _contract, _lines
from nsml._callbacks import convert_input
from nsml._scopes import Scope

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Optional

    from nsml._session import Session

_PATIENCE = 10.0  # seconds for a question to arrive, or for an answer to be fetched
_SHELL_SECONDS = 25  # below the time after which whoever asked has gone
_CUT = "The output was longer than {} bytes and was cut; ask for less at once.".format(_contract.MAX_ANSWER)


class Console:
    """Answers at HOME/console.sock."""

    def __init__(self, session: "Session") -> None:
        self.scope = Scope()
        self._session = session
        self._pid = -1
        self._actions: "Dict[str, Callable[[Dict[str, Any]], Dict[str, Any]]]" = {
            _contract.DO_EXEC: self._exec,
            _contract.DO_INFER: self._infer,
            _contract.DO_SH: _run_command,
            _contract.DO_SAVE: self._save,
        }

    def start(self) -> None:
        """Begin to answer in a daemon thread, once in a process; not where another process of the session does."""
        if self._pid == os.getpid():
            return
        self._pid = os.getpid()
        server = self._listen()
        if server is None:
            return
        import threading

        threading.Thread(target=self._serve, args=(server,), name="nsml-console", daemon=True).start()

    def serve(self, prepare: "Callable[[], None]") -> None:
        """Answer for ever, in this thread: a model that belongs to the thread it was loaded in must be asked there.

        What is asked while `prepare` works is answered after it.

        Raises:
            OSError: HOME takes no socket, or another process of the session answers already.
        """
        server = self._listen()
        if server is None:
            raise OSError("The console cannot be opened: {}.".format(_contract.CONSOLE))
        prepare()
        self._serve(server)

    def answer(self, line: bytes) -> bytes:
        """The answer to one question, as the line it is sent as."""
        try:
            question = json.loads(line.decode("utf-8"))
            action = self._actions[question[_contract.DO]]
        except (ValueError, KeyError, TypeError):
            return _encode({"output": "", "error": "The console knows exec, infer, sh and save; ask one of them."})
        try:
            return _encode(action(question))
        except (Exception, SystemExit) as error:
            return _encode({"output": "", "error": "{}: {}".format(type(error).__name__, error)})

    def _listen(self) -> "Optional[socket.socket]":
        try:
            return _lines.listen(self._session.home, _contract.CONSOLE)
        except OSError as error:
            self._session.journal.note_once("no console", "the console could not be opened: {}.".format(error))
            return None

    def _serve(self, server: "socket.socket") -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return  # the program closed every descriptor it did not know
            with connection:
                self._talk(connection)

    def _talk(self, connection: "socket.socket") -> None:
        try:
            connection.settimeout(_PATIENCE)
            line = _lines.read_line(connection, _contract.MAX_QUESTION)
            connection.sendall(self.answer(line))
        except (OSError, ValueError):
            pass  # whoever asked has left, or asked too much

    def _exec(self, question: "Dict[str, Any]") -> "Dict[str, Any]":
        output, error = self.scope.run(str(question["code"]))
        return {"output": output, "error": error}

    def _infer(self, question: "Dict[str, Any]") -> "Dict[str, Any]":
        arguments, keywords = list(question.get("args") or ()), dict(question.get("kwargs") or {})
        if _contract.APP_TYPE in question and arguments:
            arguments[0] = convert_input(arguments[0], question[_contract.APP_TYPE])
        return {"output": self._session.infer(tuple(arguments), keywords), "error": None}

    def _save(self, question: "Dict[str, Any]") -> "Dict[str, Any]":
        self._session.save(question.get("name"), None, dict(self._session.binding.objects))
        return {"output": "saved", "error": None}


def _run_command(question: "Dict[str, Any]") -> "Dict[str, Any]":
    import subprocess

    argv = [str(word) for word in question["argv"]]
    if len(argv) == 1:  # `nsml sh SESSION 'ls -l /app'`: a line for the shell
        argv = ["/bin/sh", "-c", argv[0]]
    error = None
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        output, _ = process.communicate(timeout=_SHELL_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
        error = "The command took longer than {} seconds and was stopped.".format(_SHELL_SECONDS)
    return {"output": output.decode("utf-8", "replace"), "exit_code": process.returncode, "error": error}


def _encode(answer: "Dict[str, Any]") -> bytes:
    try:
        text = json.dumps(answer, default=_simplify, allow_nan=False)
    except (TypeError, ValueError):
        text = json.dumps(dict(answer, output=repr(answer["output"])))
    data = text.encode("ascii")
    if len(data) >= _contract.MAX_ANSWER:
        whole = answer["output"] if isinstance(answer["output"], str) else text
        # At worst a character takes six bytes of JSON, or twelve as a pair.
        cut = dict(answer, output=whole[: _contract.MAX_ANSWER // 16], error=_CUT)
        data = json.dumps(cut).encode("ascii")
    return data + b"\n"


def _simplify(value: "Any") -> "Any":
    if isinstance(value, (bytes, bytearray)):
        return {"base64": base64.b64encode(value).decode("ascii")}
    if isinstance(value, (set, frozenset)) or hasattr(value, "__next__"):
        return list(value)
    if hasattr(value, "tolist"):  # numpy, torch
        return value.tolist()
    return str(value)
