"""An HTTP API on loopback that does what a test tells it to, request by request, and keeps a log.

    with ScriptedServer() as server:
        server.script("Portland", status(500), status(500), ok())   # by city, or by path; the last one repeats
        …
        assert len(server.asked("Portland")) == 3

Without a script a request is answered with `default`, the city's weather. One thread per connection; every wait ends
when the server is closed or the other side goes away, and after LIFE seconds at the latest.
"""

import select
import socket
import ssl
import struct
import threading
import time
import urllib.parse
from collections import defaultdict
from dataclasses import dataclass, field

from . import behaviours
from .behaviours import Reply

LIFE = 60.0
MAX_HEAD = 1 << 20
MAX_BODY = 1 << 28


@dataclass
class Request:
    at: float                      # time.monotonic() when its header was complete
    connection: int                # 1 for the first connection this server took
    method: str
    target: str
    headers: dict                  # names in lower case
    version: str                   # "HTTP/1.1" or "HTTP/2"
    alpn: str = ""
    path: str = ""
    query: dict = field(default_factory=dict)
    fields: list = field(default_factory=list)  # (name, value) of the headers as they came
    body: bytes = b""
    ended_at: float = 0.0          # when the answer was out or the other side was gone
    sent: int = 0                  # bytes of the answer that left

    def __post_init__(self):
        parts = urllib.parse.urlsplit(self.target)
        self.path = parts.path
        self.query = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))

    @property
    def city(self):
        return self.query.get("q", "")

    @property
    def form(self):
        """The body of a form, as a dict."""
        return dict(urllib.parse.parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    @property
    def operation(self):
        """What AWS's JSON and query services are asked to do: "AWSGlue.GetTable", "Publish"; else ""."""
        if "x-amz-target" in self.headers:
            return self.headers["x-amz-target"]
        return self.form.get("Action", "") if b"Action=" in self.body[:10000] else ""


class Gone(Exception):
    """The other side closed, or the server is being closed."""


class Exchange:
    """One request on one connection: what a Wire behaviour writes through."""

    def __init__(self, server, connection, request, pending=b""):
        self.server, self.connection, self.request = server, connection, request
        self.pending = pending         # what arrived behind the header and is not taken yet

    def receive(self, count):
        """Exactly so many bytes of what the client sends."""
        parts, left = [self.pending[:count]], count - len(self.pending)
        self.pending = self.pending[count:]
        while left > 0:
            data = self.connection.recv(min(left, 1 << 20))
            if not data:
                raise Gone
            parts.append(data)
            left -= len(data)
        return b"".join(parts)

    def receive_line(self):
        line = b""
        while not line.endswith(b"\r\n"):
            line += self.receive(1)
        return line[:-2]

    def invite_body(self):
        """What a client that said "Expect: 100-continue" waits for."""
        if self.request.headers.get("expect", "").lower() == "100-continue":
            self.connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")

    def take_body(self):
        self.invite_body()
        if self.request.headers.get("transfer-encoding", "").lower() != "chunked":
            size = int(self.request.headers.get("content-length", 0))
            if size > MAX_BODY:
                raise Gone
            self.request.body = self.receive(size)
            return
        while size := int(self.receive_line().split(b";")[0], 16):
            self.request.body += self.receive(size)
            self.receive(2)
            if len(self.request.body) > MAX_BODY:
                raise Gone
        while self.receive_line():
            pass

    def send(self, data):
        try:
            self.connection.sendall(data)
        except OSError as error:
            raise Gone from error
        self.request.sent += len(data)

    def send_head(self, status, headers):
        self.send(behaviours.head(status, headers))

    def send_chunk(self, data):
        self.send(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def pause(self, seconds):
        """True after so many seconds; Gone when the other side went away before."""
        self._wait(seconds)
        return True

    def stall(self):
        """Nothing more, until the other side gives up."""
        self._wait(LIFE)
        return False

    def reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False

    def _wait(self, seconds):
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self.server.closing.wait(0):
                raise Gone
            # A sleeping client is silent: readable means its end (or, over TLS, its goodbye).
            readable, _, _ = select.select([self.connection], [], [], min(left, 0.05))
            if readable:
                raise Gone


class ScriptedServer:
    takes_bodies_itself = False  # a kind of server whose steps decide whether a request's body is read

    def __init__(self, tls=None, http2=False, on_accept=(), default=None):
        """tls: an ssl.SSLContext for the server's side. on_accept: what to do with the first, second… connection,
        "serve", "close" or "reset"; the last repeats. http2 needs tls."""
        self.tls, self.http2, self.on_accept = tls, http2, list(on_accept)
        self.default = default or behaviours.ok()
        self.requests, self.tls_failures = [], []
        self.connections = self.most_at_once = self._at_once = 0
        self.closing = threading.Event()
        self._scripts, self._lock, self._threads, self._open = {}, threading.Lock(), [], set()
        self._taken = defaultdict(int)
        if http2:
            tls.set_alpn_protocols(["h2", "http/1.1"])
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self._listener.getsockname()[1]

    def __enter__(self):
        self._start(self._accept)
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.closing.set()
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()
        with self._lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        for thread in self._threads:
            thread.join(5)

    # What a test says and reads.

    def script(self, key, *steps):
        """key: a city (the query's q), a path that starts with '/', or a service's operation as the header
        X-Amz-Target or the form's Action says it (AWSGlue.GetTable, Publish)."""
        self._scripts[key] = list(steps)
        self._taken[key] = 0

    def asked(self, key):
        """The requests for a city, a path or an operation, in order of arrival."""
        return [request for request in list(self.requests) if key in (request.city, request.path, request.operation)]

    def url(self, path="/data/2.5/weather", host=None):
        host = host or ("localhost" if self.tls else "127.0.0.1")
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}{path}"

    # The rest serves.

    def _start(self, target, *arguments):
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        with self._lock:
            self._threads = [other for other in self._threads if other.is_alive()] + [thread]
            thread.start()

    def _accept(self):
        while not self.closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            todo = self.on_accept[min(self.connections, len(self.on_accept)) - 1] if self.on_accept else "serve"
            self._start(self._serve, connection, self.connections, todo)

    def _serve(self, connection, number, todo):
        connection.settimeout(LIFE)
        with self._lock:
            self._open.add(connection)
        plain = connection
        try:
            if todo == "reset":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if todo != "serve":
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
                with self._lock:
                    self._open.discard(plain)
                    self._open.add(connection)
            if self.tls and connection.selected_alpn_protocol() == "h2":
                from .http2 import serve_http2
                serve_http2(self, connection, number)
            else:
                self._serve_http1(connection, number)
        except ssl.SSLError as error:
            self.tls_failures.append(str(error))
        except (Gone, OSError):
            pass
        finally:
            with self._lock:
                self._open.discard(plain)
                self._open.discard(connection)
            connection.close()

    def _serve_http1(self, connection, number):
        pending = b""
        while not self.closing.is_set():
            while b"\r\n\r\n" not in pending:
                data = connection.recv(65536)
                if not data or len(pending) > MAX_HEAD:
                    return
                pending += data
            raw, pending = pending.split(b"\r\n\r\n", 1)
            first, *lines = raw.decode("latin-1").split("\r\n")
            method, target, version = first.split(" ", 2)
            fields = [tuple(part.strip() for part in line.split(":", 1)) for line in lines]
            headers = {name.lower(): value for name, value in fields}
            alpn = connection.selected_alpn_protocol() or "" if self.tls else ""
            request = Request(time.monotonic(), number, method, target, headers, version, alpn, fields=fields)
            exchange = Exchange(self, connection, request, pending)
            if not self.takes_bodies_itself:
                exchange.take_body()
            step = self.begin(request)
            try:
                keep = step.play(exchange)
            finally:
                self.end(request)
            if not keep:
                return
            pending = exchange.pending

    def begin(self, request):
        """Logs a request and says what it gets."""
        with self._lock:
            self.requests.append(request)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            key = next((key for key in (request.city, request.operation) if key in self._scripts), request.path)
            steps = self._scripts.get(key)
            if not steps:
                return self.default
            step = steps[min(self._taken[key], len(steps) - 1)]
            self._taken[key] += 1
            return step

    def end(self, request):
        with self._lock:
            request.ended_at = time.monotonic()
            self._at_once -= 1


class ClosedPort:
    """A port on loopback that refuses, and stays ours so that nobody else opens it meanwhile."""

    def __enter__(self):
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        self.port = self._socket.getsockname()[1]
        return self

    def __exit__(self, *_):
        self._socket.close()


__all__ = ["ClosedPort", "Exchange", "Gone", "Reply", "Request", "ScriptedServer"]
