"""How long the command line keeps a person waiting, against an interpreter that does nothing."""

import http.server
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.table import Row, compare

ROUNDS = 21
NSMLCTL = str(Path(sys.executable).with_name("nsmlctl"))
NOTHING = (sys.executable, "-c", "pass")


def rows() -> list[Row]:
    """The platform is a socket that answers at once: what is measured is the command, not the server."""
    with _platform() as url, tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "NSMLCTL_HOME": home, "NSML_SERVER": url, "NSML_TOKEN": "benchmark"}
        ways = {
            "nothing": NOTHING,
            "version": (NSMLCTL, "--version"),
            "help": (NSMLCTL, "--help"),
            "ps": (NSMLCTL, "ps"),
        }
        seen = _time_by_turns(ways, environment)
    floor = seen["nothing"]
    return [
        compare("nsmlctl --version vs python -c pass", seen["version"], floor, goal=4, unit="ms"),
        compare("nsmlctl --help vs python -c pass", seen["help"], floor, goal=4, unit="ms"),
        compare("nsmlctl ps (one round trip) vs python -c pass", seen["ps"], floor, goal=6.5, unit="ms"),
    ]


def _time_by_turns(ways: dict[str, Sequence[str]], environment: dict[str, str]) -> dict[str, float]:
    """Median milliseconds of each; taken by turns, so that a busy moment of the machine hits all alike."""
    samples: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, words in ways.items():
            before = time.perf_counter()
            subprocess.run(words, env=environment, stdout=subprocess.DEVNULL, check=True)
            samples[name].append((time.perf_counter() - before) * 1000)
    return {name: statistics.median(times) for name, times in samples.items()}


@contextmanager
def _platform() -> Iterator[str]:
    """The address of something that knows three sessions."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _ThreeSessions) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


class _ThreeSessions(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        session = {
            "name": "kim/kin_phase1/1",
            "created_at": "2020-01-01T00:00:00Z",
            "args": "--epochs 3",
            "status": "Running",
            "summary": {"epoch": 2, "train/loss": 0.25},
            "memo": "first try",
            "checkpoints": 3,
            "size": 107_220_000,
            "type": "normal",
        }
        body = json.dumps({"sessions": [session] * 3}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: the table is the output."""
