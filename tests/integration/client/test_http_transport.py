"""The real transport against a real socket: reuse, cuts, early refusals, streams."""

import http.server
import io
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from nsmlctl.errors import BadUsage, CutOff, ServerAway
from nsmlctl.http_transport import HttpTransport
from nsmlctl.transport import Request

PATIENCE = 180.0  # seconds for whatever normally comes at once
Handler = http.server.BaseHTTPRequestHandler
Act = Callable[[Handler], None]


class Server:
    """Answers as the test says; counts connections."""

    def __init__(self) -> None:
        self.act: Act = lambda handler: None
        self.connections = 0
        outer = self

        class Each(Handler):  # the names of its methods are the standard library's
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                outer.connections += 1

            def do_GET(self) -> None:  # noqa: N802
                outer.act(self)

            def do_PUT(self) -> None:  # noqa: N802
                outer.act(self)

            def log_message(self, *_: Any) -> None:
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Each)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = threading.Thread(target=made.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.http.shutdown()
    thread.join()
    made.http.server_close()


@pytest.fixture
def transport(server: Server) -> Iterator[HttpTransport]:
    made = HttpTransport(server.url, timeout=PATIENCE)
    yield made
    made.close()


def answer(handler: Handler, body: bytes, status: int = 200) -> None:
    handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def chunk(handler: Handler, data: bytes) -> None:
    handler.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")


def assert_set(event: threading.Event) -> None:
    assert event.wait(PATIENCE)


def begin_chunks(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()


def test_one_connection_carries_many_requests(server: Server, transport: HttpTransport) -> None:
    server.act = lambda handler: answer(handler, handler.path.encode())
    for number in range(3):
        assert transport.send(Request("GET", f"/{number}")).read() == f"/{number}".encode()
    assert server.connections == 1


def test_each_thread_has_its_own_connection(server: Server, transport: HttpTransport) -> None:
    server.act = lambda handler: answer(handler, b"")
    threads = [threading.Thread(target=lambda: transport.send(Request("GET", "/")).read()) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.connections == 2


def test_a_prefix_of_the_address_is_kept(server: Server) -> None:
    server.act = lambda handler: answer(handler, handler.path.encode())
    behind = HttpTransport(server.url + "/nsml/", timeout=PATIENCE)
    assert behind.send(Request("GET", "/api")).read() == b"/nsml/api"
    behind.close()


def test_a_file_is_opened_for_each_attempt_and_closed(server: Server, transport: HttpTransport) -> None:
    server.act = echo
    opened: list[io.BytesIO] = []

    def body() -> io.BytesIO:
        opened.append(io.BytesIO(b"x" * 300_000))
        return opened[-1]

    for _ in range(2):
        response = transport.send(Request("PUT", "/", {"Content-Length": "300000"}, body))
        assert response.read() == b"x" * 300_000
    assert [stream.closed for stream in opened] == [True, True]


def echo(handler: Handler) -> None:
    body = handler.rfile.read(int(handler.headers["Content-Length"]))
    handler.headers.replace_header("Content-Length", "0")
    answer(handler, body)


def test_nobody_at_the_address_is_told_as_away() -> None:
    with socket.socket() as bound:  # so that nobody else listens there
        bound.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{bound.getsockname()[1]}"
        with pytest.raises(ServerAway, match="connection refused") as caught:
            HttpTransport(address).send(Request("GET", "/"))
    assert not isinstance(caught.value, CutOff)


def test_a_connection_that_ends_without_an_answer_is_a_cut(server: Server, transport: HttpTransport) -> None:
    def hang_up(handler: Handler) -> None:
        handler.close_connection = True

    server.act = hang_up
    with pytest.raises(CutOff):
        transport.send(Request("GET", "/"))
    server.act = lambda handler: answer(handler, b"again")
    assert transport.send(Request("GET", "/")).read() == b"again"


def test_a_short_body_is_a_cut(server: Server, transport: HttpTransport) -> None:
    def promise_too_much(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "10")
        handler.end_headers()
        handler.wfile.write(b"short")
        handler.close_connection = True

    server.act = promise_too_much
    with pytest.raises(CutOff):
        transport.send(Request("GET", "/")).read()


def test_a_stream_gives_each_piece_as_it_comes_and_its_end_is_seen(server: Server, transport: HttpTransport) -> None:
    seen = threading.Event()

    def stream(handler: Handler) -> None:
        begin_chunks(handler)
        chunk(handler, b"first")
        assert seen.wait(PATIENCE)  # the second piece is sent only when the first one has arrived
        chunk(handler, b"second")
        chunk(handler, b"")

    server.act = stream
    chunks = transport.send(Request("GET", "/")).chunks
    assert next(chunks) == b"first"
    seen.set()
    assert list(chunks) == [b"second"]


def test_a_stream_that_breaks_is_a_cut_after_what_arrived(server: Server, transport: HttpTransport) -> None:
    def stream(handler: Handler) -> None:
        begin_chunks(handler)
        chunk(handler, b"first")
        handler.close_connection = True

    server.act = stream
    chunks = transport.send(Request("GET", "/")).chunks
    assert next(chunks) == b"first"
    with pytest.raises(CutOff):
        next(chunks)


def test_silence_is_a_cut(server: Server) -> None:
    release = threading.Event()
    server.act = lambda handler: assert_set(release)
    impatient = HttpTransport(server.url, timeout=0.05)
    with pytest.raises(CutOff, match="silent"):
        impatient.send(Request("GET", "/"))
    release.set()


def test_a_refusal_in_the_middle_of_an_upload_is_read(server: Server, transport: HttpTransport) -> None:
    def refuse(handler: Handler) -> None:
        handler.send_response(413)
        handler.send_header("Content-Length", "3")
        handler.end_headers()
        handler.wfile.write(b"big")
        handler.close_connection = True
        handler.rfile.read(1_000_000)

    server.act = refuse
    size = 50_000_000
    request = Request("PUT", "/", {"Content-Length": str(size)}, lambda: io.BytesIO(bytes(size)))
    response = transport.send(request)
    assert (response.status, response.read()) == (413, b"big")


@pytest.mark.parametrize("address", ["ftp://host", "host:8080", "http://", "http://host:port", "http://host:99999"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(BadUsage, match="is not the address of a platform"):
        HttpTransport(address)


def test_a_plain_address_costs_no_tls_and_a_secure_one_has_it_all_the_same() -> None:
    program = (
        "import sys; from nsmlctl.workplace import connect; connect('http://host'); assert 'ssl' not in sys.modules; "
        "connect('https://host'); import http.client; print(http.client.HTTPSConnection.__name__)"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert shown == "HTTPSConnection\n"
