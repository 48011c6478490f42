"""How the scripted server answers one request.

A Reply is a well-formed answer and works over HTTP/1.1 and HTTP/2. A Wire writes bytes itself, so that it can break
HTTP at any point; it works over HTTP/1.1 only. Both are told the request and so can answer for its city.
"""

import base64
import email.utils
import gzip as gzip_module
import json
import time
import urllib.parse
import zlib
from dataclasses import dataclass, field
from typing import Callable, Union

from .weather import weather_json

REASONS = {200: "OK", 301: "Moved Permanently", 302: "Found", 307: "Temporary Redirect", 308: "Permanent Redirect",
           400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 408: "Request Timeout",
           418: "I'm a teapot", 425: "Too Early", 429: "Too Many Requests", 500: "Internal Server Error",
           502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout"}

Body = Union[bytes, Callable]


@dataclass(frozen=True)
class Reply:
    status: int = 200
    body: Body = b""
    headers: dict = field(default_factory=dict)
    delay: float = 0.0
    chunked: bool = False
    gzip: bool = False
    close: bool = False

    def make(self, request):
        """(status, [(name, value)…], body) for this request."""
        body = self.body(request) if callable(self.body) else self.body
        headers = {"Content-Type": "application/json"}
        for name, value in self.headers.items():
            headers[name] = value(request) if callable(value) else value
        if self.gzip and "gzip" in request.headers.get("accept-encoding", ""):
            body = gzip_module.compress(body)
            headers["Content-Encoding"] = "gzip"
        return self.status, list(headers.items()), body

    def play(self, exchange):
        exchange.pause(self.delay)
        status, headers, body = self.make(exchange.request)
        if self.close:
            headers.append(("Connection", "close"))
        if self.chunked:
            exchange.send_head(status, headers + [("Transfer-Encoding", "chunked")])
            for at in range(0, len(body), 100):
                exchange.send_chunk(body[at:at + 100])
            exchange.send(b"0\r\n\r\n")
        else:
            exchange.send(head(status, headers + [("Content-Length", str(len(body)))]) + body)
        return not self.close


@dataclass(frozen=True)
class Wire:
    """play(exchange) writes what it likes; a true result keeps the connection open."""

    play: Callable


def head(status, headers):
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Unknown')}"] + [f"{name}: {value}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


# Answers as they should be.

def ok(**changes):
    """The weather of the city that was asked for. Options of Reply go by their names, the rest changes the reply."""
    options = {name: changes.pop(name) for name in ("delay", "chunked", "gzip", "close", "headers") if name in changes}
    return Reply(body=lambda request: weather_json(request.city, **changes), **options)


def body(content, **options):
    return Reply(body=content, **options)


def json_body(value, **options):
    return Reply(body=json.dumps(value).encode(), **options)


def weather_text(field_name, text):
    """The city's weather with main.<field_name> written exactly as these bytes."""
    from .weather import weather_with
    return Reply(body=lambda request: weather_with(request.city, field_name, text))


# Statuses.

def status(code, message="as told", **options):
    cod = str(code) if code == 404 else code
    return Reply(status=code, body=json.dumps({"cod": cod, "message": message}).encode(), **options)


def too_many(retry_after=None, code=429):
    """429 with Retry-After as given: text, a number of seconds, or None for no header."""
    return status(code, "too many", headers={} if retry_after is None else {"Retry-After": str(retry_after)})


def too_many_until(seconds_from_now):
    """429 with Retry-After as an HTTP date, counted from the moment of the answer."""
    return status(429, "too many", headers={
        "Retry-After": lambda request: email.utils.formatdate(time.time() + seconds_from_now, usegmt=True)})


def redirect(to, code=302):
    """To a URL or path, or to what a function of the request says."""
    return Reply(status=code, body=b"", headers={"Location": to})


def redirect_to_itself():
    return redirect(lambda request: request.target)


# Broken on the wire.

def close_without_answer():
    return Wire(lambda exchange: False)


def reset():
    return Wire(lambda exchange: exchange.reset())


def stall_before_header():
    return Wire(lambda exchange: exchange.stall())


def stall_in_header():
    return Wire(lambda exchange: exchange.send(b"HTTP/1.1 200 OK\r\nContent-Ty") or exchange.stall())


def stall_in_body():
    def play(exchange):
        content = weather_json(exchange.request.city)
        exchange.send(head(200, [("Content-Length", str(len(content)))]) + content[:len(content) // 2])
        return exchange.stall()
    return Wire(play)


def drip(seconds_between=0.05):
    """One byte at a time for ever: never idle, never done."""
    def play(exchange):
        exchange.send_head(200, [("Content-Length", "1000000")])
        while exchange.pause(seconds_between):
            exchange.send(b" ")
        return False
    return Wire(play)


def short_body():
    """Fewer bytes than Content-Length promised, then the end of the connection."""
    def play(exchange):
        content = weather_json(exchange.request.city)
        exchange.send(head(200, [("Content-Length", str(len(content) + 100))]) + content)
        return False
    return Wire(play)


def cut_in_chunk():
    def play(exchange):
        content = weather_json(exchange.request.city)
        exchange.send_head(200, [("Transfer-Encoding", "chunked")])
        exchange.send(f"{len(content):x}\r\n".encode() + content[:-20])
        return False
    return Wire(play)


def garbage():
    """Not HTTP at all."""
    return Wire(lambda exchange: exchange.send(b"\x00\x01\x02 hello, this is not HTTP\r\n\r\n") or False)


def huge_header(size=20_000_000):
    def play(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nX-Long: ")
        for _ in range(size // 65536):
            exchange.send(b"x" * 65536)
        return False
    return Wire(play)


def huge_body(size=1 << 30, announced=True):
    """A body of `size` bytes made while it is sent, with or without Content-Length."""
    def play(exchange):
        exchange.send_head(200, [("Content-Type", "application/json")]
                           + ([("Content-Length", str(size))] if announced else [("Connection", "close")]))
        block = b" " * 65536
        for _ in range(size // len(block)):
            exchange.send(block)
        return False
    return Wire(play)


def gzip_bomb(inflated=256 << 20):
    """A valid gzip body, small on the wire, of `inflated` zero bytes."""
    mega = bytes(1 << 20)

    def play(exchange):
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        block = packer.compress(mega) + packer.flush(zlib.Z_FULL_FLUSH)  # stands alone, so it can be repeated
        count, check = inflated >> 20, 0
        for _ in range(count):
            check = zlib.crc32(mega, check)
        content = (b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff" + block * count + b"\x03\x00"
                   + check.to_bytes(4, "little") + (inflated & 0xFFFFFFFF).to_bytes(4, "little"))
        exchange.send(head(200, [("Content-Type", "application/json"), ("Content-Encoding", "gzip"),
                                 ("Content-Length", str(len(content)))]) + content)
        return True
    return Wire(play)


def broken_gzip():
    return Reply(body=b"this is not gzip", headers={"Content-Encoding": "gzip"})


# Bodies that are not what was asked for.

def html():
    return Reply(body=b"<!DOCTYPE html><html><body>Please sign in</body></html>", headers={"Content-Type": "text/html"})


def empty():
    return Reply()


def cut_json():
    return Reply(body=lambda request: weather_json(request.city)[:-30])


def deep_json(levels=200):
    """Nothing but arrays in arrays."""
    return Reply(body=b"[" * levels + b"]" * levels)


def weather_with_deep_field(levels=200):
    def make(request):
        return weather_json(request.city)[:-1] + b', "deep": ' + b"[" * levels + b"]" * levels + b"}"
    return Reply(body=make)


def bom():
    return Reply(body=lambda request: b"\xef\xbb\xbf" + weather_json(request.city))


def description(raw):
    """The weather with these bytes between the quotes of its description, whatever they are."""
    def make(request):
        return weather_json(request.city).replace(b'"few clouds"', b'"' + raw + b'"')
    return Reply(body=make)


def echo(secret, code=200):
    """Gives back, in the field the pipeline keeps and in the reason of an error, what it was asked, secrets included:
    as it came, decoded, percent-encoded, in base64 and with JSON's escapes."""
    def make(request):
        forms = [request.target, secret, urllib.parse.quote(secret, safe=""), urllib.parse.quote_plus(secret),
                 *(base64.b64encode(b"x" * shift + secret.encode()).decode() for shift in range(3)),
                 request.headers.get("authorization", "")]
        text = " | ".join(forms)
        escaped = "".join(f"\\u{ord(letter):04x}" for letter in secret)
        both = (json.dumps(text)[:-1] + " | " + escaped + '"').encode()
        whole = weather_json(request.city).replace(b'"few clouds"', both)
        if code == 200:
            return whole
        return b'{"cod": %d, "message": %s}' % (code, both)
    return Reply(status=code, body=make, headers={"X-Echo": lambda request: request.target, "Set-Cookie": secret})
