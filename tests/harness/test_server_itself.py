"""The scripted server, the proxy, the certificates and the search do what the other tests rely on."""

import base64
import gzip
import http.client
import json
import socket
import ssl
import time
import urllib.parse
import urllib.request

import h2.connection
import h2.events
import pytest

from harness import behaviours, hiding
from harness.hiding import SECRET
from harness.runner import yaml


def ask(server, path="/data/2.5/weather?q=Dallas", headers=None, timeout=5, context=None):
    """(status, headers, body) over a connection of its own."""
    if server.tls:
        connection = http.client.HTTPSConnection("localhost", server.port, timeout=timeout, context=context)
    else:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=timeout)
    try:
        connection.request("GET", path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def test_a_script_is_consumed_step_by_step_and_its_last_step_repeats(server):
    server.script("Dallas", behaviours.status(500), behaviours.status(503), behaviours.ok())
    assert [ask(server)[0] for _ in range(4)] == [500, 503, 200, 200]
    assert ask(server, "/x?q=Chicago")[0] == 200
    assert [request.city for request in server.requests] == ["Dallas"] * 4 + ["Chicago"]


def test_the_log_keeps_headers_queries_and_connections(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    for _ in range(2):
        connection.request("GET", "/a?q=New%20York&b=", headers={"X-Key": "v"})
        assert json.loads(connection.getresponse().read())["name"] == "New York"
    connection.close()
    ask(server)
    assert [request.connection for request in server.requests] == [1, 1, 2]
    assert server.requests[0].query == {"q": "New York", "b": ""}
    assert server.requests[0].headers["x-key"] == "v"
    assert server.connections == 2


@pytest.mark.parametrize("options", [{}, {"chunked": True}, {"gzip": True}, {"chunked": True, "gzip": True}])
def test_a_reply_arrives_whole_plain_chunked_and_compressed(server, options):
    server.script("Dallas", behaviours.ok(**options))
    _, headers, content = ask(server, headers={"Accept-Encoding": "gzip"})
    content = gzip.decompress(content) if headers.get("Content-Encoding") == "gzip" else content
    assert json.loads(content)["name"] == "Dallas"
    assert (headers.get("Content-Encoding") == "gzip") == ("gzip" in options)
    assert (headers.get("Transfer-Encoding") == "chunked") == ("chunked" in options)


@pytest.mark.parametrize("behaviour, error", [
    (behaviours.close_without_answer(), http.client.RemoteDisconnected),
    (behaviours.reset(), ConnectionResetError),
    (behaviours.stall_before_header(), TimeoutError),
    (behaviours.stall_in_header(), TimeoutError),
    (behaviours.stall_in_body(), TimeoutError),
    (behaviours.short_body(), http.client.IncompleteRead),
    (behaviours.cut_in_chunk(), http.client.IncompleteRead),
    (behaviours.garbage(), http.client.BadStatusLine),
    (behaviours.huge_header(), http.client.LineTooLong),
])
def test_http_breaks_where_it_was_told_to(server, behaviour, error):
    server.script("Dallas", behaviour)
    with pytest.raises(error):
        ask(server, timeout=0.2)


def test_a_stalled_request_ends_when_the_client_goes(server):
    server.script("Dallas", behaviours.stall_before_header())
    with pytest.raises(TimeoutError):
        ask(server, timeout=0.1)
    until = time.monotonic() + 5
    while not server.requests[0].ended_at and time.monotonic() < until:
        time.sleep(0.01)
    assert server.requests[0].ended_at


@pytest.mark.parametrize("announced", [True, False])
def test_a_huge_body_is_made_only_as_far_as_it_is_read(server, announced):
    server.script("Dallas", behaviours.huge_body(announced=announced))
    with socket.create_connection(("127.0.0.1", server.port), 5) as connection:
        connection.sendall(b"GET /?q=Dallas HTTP/1.1\r\nHost: x\r\n\r\n")
        start = connection.recv(4096)
    assert (b"Content-Length: 1073741824" in start) == announced
    until = time.monotonic() + 5
    while not server.requests[0].ended_at and time.monotonic() < until:
        time.sleep(0.01)
    assert 0 < server.requests[0].sent < 100_000_000


def test_a_gzip_bomb_is_small_on_the_wire_and_valid(server):
    server.script("Dallas", behaviours.gzip_bomb(8 << 20))
    _, headers, content = ask(server)
    assert headers["Content-Encoding"] == "gzip" and len(content) < 100_000
    assert gzip.decompress(content) == bytes(8 << 20)


def test_retry_after_comes_as_number_as_date_and_as_nonsense(server):
    server.script("Dallas", behaviours.too_many(7), behaviours.too_many_until(60), behaviours.too_many("soon"))
    seen = [ask(server)[1]["Retry-After"] for _ in range(3)]
    assert seen[0] == "7" and seen[1].endswith("GMT") and seen[2] == "soon"


def test_bodies_are_as_odd_as_promised(server):
    server.script("Dallas", behaviours.weather_text("temp", b"1e400"), behaviours.description(b"caf\xe9"),
                  behaviours.bom(), behaviours.deep_json(3), behaviours.cut_json(), behaviours.empty(),
                  behaviours.weather_with_deep_field())
    seen = [ask(server)[2] for _ in range(7)]
    assert b'"temp": 1e400' in seen[0]
    assert b"caf\xe9" in seen[1]
    assert seen[2].startswith(b"\xef\xbb\xbf{")
    assert seen[3] == b"[[[]]]"
    with pytest.raises(ValueError):
        json.loads(seen[4])
    assert seen[5] == b""
    assert json.loads(seen[6])["deep"]


def test_the_echo_holds_the_secret_in_every_form(server):
    server.script("Dallas", behaviours.echo(SECRET))
    _, _, content = ask(server, "/?q=Dallas&appid=" + urllib.parse.quote(SECRET, safe=""))
    present = hiding.found_in(content)
    assert SECRET.encode() in present
    assert urllib.parse.quote(SECRET, safe="").encode() in present
    assert len(present) >= 7
    assert SECRET in json.loads(content)["weather"][0]["description"]


def test_connections_can_be_closed_or_reset_before_a_word(make_server):
    server = make_server(on_accept=["close", "reset", "serve"])
    for _ in range(2):
        with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
            ask(server)
    assert ask(server)[0] == 200


def test_a_closed_port_refuses(closed_port):
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", closed_port), 5)


def test_tls_is_good_or_bad_as_asked(make_server, authority):
    context = ssl.create_default_context(cafile=authority.bundle)
    assert ask(make_server(tls=authority.context("good")), context=context)[0] == 200
    for kind, reason in [("expired", "expired"), ("self-signed", "self-signed"), ("wrong-name", "mismatch")]:
        server = make_server(tls=authority.context(kind))
        with pytest.raises(ssl.SSLCertVerificationError, match=reason):
            ask(server, context=context)
        assert server.requests == []


def test_http2_is_spoken_where_it_is_asked_for(make_server, authority):
    server = make_server(tls=authority.context("good"), http2=True)
    context = ssl.create_default_context(cafile=authority.bundle)
    context.set_alpn_protocols(["h2"])
    content, ended = {1: b"", 3: b""}, set()
    with socket.create_connection(("127.0.0.1", server.port), 5) as plain:
        with context.wrap_socket(plain, server_hostname="localhost") as connection:
            client = h2.connection.H2Connection()
            client.initiate_connection()
            for stream, city in [(1, "Dallas"), (3, "Chicago")]:
                client.send_headers(stream, [(":method", "GET"), (":scheme", "https"), (":authority", "localhost"),
                                             (":path", "/?q=" + city)], end_stream=True)
            connection.sendall(client.data_to_send())
            while len(ended) < 2:
                for event in client.receive_data(connection.recv(65536)):
                    if isinstance(event, h2.events.DataReceived):
                        content[event.stream_id] += event.data
                    elif isinstance(event, h2.events.StreamEnded):
                        ended.add(event.stream_id)
                connection.sendall(client.data_to_send())
    assert json.loads(content[1])["name"] == "Dallas" and json.loads(content[3])["name"] == "Chicago"
    assert {request.version for request in server.requests} == {"HTTP/2"}
    assert {request.alpn for request in server.requests} == {"h2"} and server.connections == 1


def test_the_proxy_tunnels_and_keeps_a_log(make_server, make_proxy, authority):
    server, proxy = make_server(tls=authority.context("good")), make_proxy()
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({"https": proxy.url}),
        urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=authority.bundle)))
    with opener.open(server.url() + "?q=Dallas", timeout=5) as answer:
        assert json.loads(answer.read())["name"] == "Dallas"
    assert proxy.tunnels == [f"localhost:{server.port}"]


def test_the_search_finds_every_form_and_passes_over_inputs(tmp_path):
    raw = SECRET.encode()
    planted = [raw, urllib.parse.quote(SECRET, safe="").encode(), urllib.parse.quote_plus(SECRET).lower().encode(),
               *(base64.b64encode(b"user:"[:5 - shift] + raw + b"tail") for shift in range(3)),
               base64.urlsafe_b64encode(b"x" + raw)]
    for number, content in enumerate(planted):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "file").write_bytes(b"a" * ((1 << 20) - 10) + content)
        count, leaks = hiding.search(folder)
        assert count == 1 and leaks, content
        (folder / "file").rename(folder / "input.secret")
        assert hiding.search(folder) == (0, [])
    (tmp_path / "clean").mkdir()
    (tmp_path / "clean" / "file").write_bytes(b"s3cr3t and nothing else")
    assert hiding.search(tmp_path / "clean") == (1, [])
    for number in range(len(planted)):
        (tmp_path / str(number) / "input.secret").unlink()


def test_pipeline_values_are_written_as_yaml():
    assert yaml({"city": ["New York", "São", "{x}"], "n": 3, "b": True, "404": "skip"}) \
        == '{city: [New York, "São", "{x}"], n: 3, b: true, 404: skip}'
