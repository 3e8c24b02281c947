"""Real web servers on the loopback address that serve the four ``.gz`` files, well or badly."""

import contextlib
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LOGIN_PAGE = b"<!DOCTYPE html><html><body>Welcome. Please log in to use this network.</body></html>"


class Loopback(ThreadingHTTPServer):
    """Serves ``files`` (name to bytes) as ``behave(handler, body)`` does; ``asked`` lists the requests."""

    daemon_threads = True

    def __init__(self, files: dict[str, bytes], behave: Callable) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = files
        self.behave = behave
        self.asked: list[str] = []
        self.arrived = threading.Event()  # set by the first request
        self.released = threading.Event()  # what the handlers that wait are waiting for

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/mnist/"

    def handle_error(self, request, client_address) -> None:
        """Say nothing: a client that gives up is what many of these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        self.server.asked.append(name)
        self.server.arrived.set()
        self.server.behave(self, self.server.files.get(name, b""))

    def log_message(self, *_) -> None:
        """Keep stderr clean."""


@contextlib.contextmanager
def serving(files: dict[str, bytes], behave: Callable | None = None) -> Iterator[Loopback]:
    """Run a server in a thread for the length of a ``with`` block."""
    server = Loopback(files, behave or well)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


def unused_address() -> str:
    """Return an address at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/mnist/"


def _begin(handler, length: int | None, status: int = 200) -> None:
    handler.send_response(status)
    if length is not None:
        handler.send_header("Content-Length", str(length))
    handler.end_headers()


def well(handler, body: bytes) -> None:
    """As a mirror should."""
    _begin(handler, len(body))
    handler.wfile.write(body)


def held(handler, body: bytes) -> None:
    """Well, but not before the test says so."""
    handler.server.released.wait(300)
    well(handler, body)


def slow(handler, body: bytes) -> None:
    """Well, over about a tenth of a second."""
    _begin(handler, len(body))
    piece = len(body) // 5 + 1
    for first in range(0, len(body), piece):
        handler.wfile.write(body[first : first + piece])
        handler.server.released.wait(0.02)


def without_length(handler, body: bytes) -> None:
    """Well, without saying how long the file is."""
    _begin(handler, None)
    handler.wfile.write(body)


def encoded(handler, body: bytes) -> None:
    """Well, but as ``Content-Encoding: gzip``, which the client unpacks."""
    handler.send_response(200)
    handler.send_header("Content-Encoding", "gzip")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def not_found(handler, body: bytes) -> None:
    """Status 404."""
    handler.send_error(404)


def out_of_order(handler, body: bytes) -> None:
    """Status 503."""
    handler.send_error(503)


def login_page(handler, body: bytes) -> None:
    """A web page with status 200, as networks send it that want a login first."""
    _begin(handler, len(LOGIN_PAGE))
    handler.wfile.write(LOGIN_PAGE)


def login_elsewhere(handler, body: bytes) -> None:
    """The same by way of a redirect."""
    if handler.path.endswith("/login"):
        return login_page(handler, body)
    handler.send_response(302)
    handler.send_header("Location", "/login")
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def empty(handler, body: bytes) -> None:
    """Nothing, with status 200."""
    _begin(handler, 0)


def cut_short(handler, body: bytes) -> None:
    """The first half, as if that were all."""
    _begin(handler, len(body) // 2)
    handler.wfile.write(body[: len(body) // 2])


def broken_off(handler, body: bytes) -> None:
    """Half of what was announced, then the connection ends."""
    _begin(handler, len(body))
    handler.wfile.write(body[: len(body) // 2])


def reset(handler, body: bytes) -> None:
    """Half of what was announced, then the connection is reset."""
    broken_off(handler, body)
    handler.wfile.flush()
    # Closing with a linger time of 0 sends RST in the place of FIN. Detached, because http.server would say
    # goodbye in an orderly way first.
    linger = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    socket.socket(fileno=handler.connection.detach()).close()


def stalled(handler, body: bytes) -> None:
    """Half of what was announced, then nothing."""
    broken_off(handler, body)
    handler.wfile.flush()
    handler.server.released.wait(300)


def silent(handler, body: bytes) -> None:
    """Not a word."""
    handler.server.released.wait(300)


def trickling(handler, body: bytes) -> None:
    """A byte at a time for 20 s, often enough that no wait on the socket is long."""
    _begin(handler, len(body))
    for byte in body[:400]:
        handler.wfile.write(bytes([byte]))
        if handler.server.released.wait(0.05):
            return


def trickling_headers(handler, body: bytes) -> None:
    """The same within the headers."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Header: ")
    for _ in range(400):
        handler.wfile.write(b"x")
        if handler.server.released.wait(0.05):
            return


def endless(handler, body: bytes) -> None:
    """Far more than the file has."""
    _begin(handler, None)
    for _ in range(100):
        handler.wfile.write(bytes(1 << 20))
