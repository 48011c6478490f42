"""How requests go out: connections, limits, authentication, redirects, TLS, proxies."""

import base64
import csv
import http.server
import signal
import subprocess
import threading
import time

import pytest

from harness import behaviours as b
from harness.hiding import SECRET
from harness.runner import FAILED, OK, PARTIAL, ROOT, USAGE, is_sanitized
from harness.told import assert_told, failed_items

CITIES = ["New York", "Portland", "Chicago", "Seattle", "Dallas"]


def many(count):
    return {"each": {"city": [f"c{number}" for number in range(count)]}}


def test_the_request_is_what_the_file_says(program, server):
    file = program.pipeline(server.url("/a b/{city}"), source={
        "query": {"q": "{city}", "when": "{slot:%Y-%m-%d %H:%M}", "sign": "ä&=+/ #%"},
        "headers": {"Accept-Language": "de", "X-Run": "{run_id}"}, "each": {"city": ["São Paulo/1"]}})
    assert_told(program, program.run(file), OK, ok=1)
    request, = server.requests
    assert request.method == "GET"
    assert request.path == "/a%20b/S%C3%A3o%20Paulo%2F1"
    assert request.query == {"q": "São Paulo/1", "when": "2012-10-01 18:00", "sign": "ä&=+/ #%", "appid": SECRET}
    assert request.headers["accept-language"] == "de"
    assert request.headers["x-run"] == program.record()["run_id"]
    assert request.headers["user-agent"].startswith("lambda-pipeline/")
    assert "gzip" in request.headers["accept-encoding"]


def test_a_query_in_the_address_is_kept_and_added_to(program, server):
    file = program.pipeline(server.url("/x?fixed=1"), source={"each": {"city": ["A"]}})
    assert_told(program, program.run(file), OK, ok=1)
    assert server.requests[0].query == {"fixed": "1", "q": "A", "units": "metric", "appid": SECRET}


@pytest.mark.parametrize("auth, header, value", [
    ({"header": "X-API-Key", "secret": "env:OPENWEATHER_API_KEY"}, "x-api-key", SECRET),
    ({"bearer": "env:OPENWEATHER_API_KEY"}, "authorization", "Bearer " + SECRET),
    ({"basic": "me", "secret": "env:OPENWEATHER_API_KEY"}, "authorization",
     "Basic " + base64.b64encode(f"me:{SECRET}".encode()).decode())], ids=["header", "bearer", "basic"])
def test_the_secret_goes_where_auth_says(program, server, auth, header, value):
    result = program.run(program.pipeline(server.url(), source={"auth": auth}))
    assert_told(program, result, OK, ok=5)
    assert all(request.headers[header] == value for request in server.requests)
    assert all("appid" not in request.query for request in server.requests)


def test_the_secret_may_come_from_a_file(program, server):
    path = program.folder / "key.secret"
    path.write_text(SECRET + "\n")
    file = program.pipeline(server.url(), source={"auth": {"query": "appid", "secret": "file:key.secret"}})
    assert_told(program, program.run(file), OK, ok=5)
    assert {request.query["appid"] for request in server.requests} == {SECRET}


def test_connections_are_kept_and_never_more_than_at_once(program, server):
    server.default = b.ok(delay=0.01)
    file = program.pipeline(server.url(), source={**many(60), "limit": {"at_once": 4}}, quality={"unique": ["city"]})
    assert_told(program, program.run(file), OK, ok=60)
    assert server.connections <= 4
    assert 2 <= server.most_at_once <= 4


def test_at_once_1_asks_one_after_the_other(program, server):
    server.default = b.ok(delay=0.01)
    file = program.pipeline(server.url(), source={**many(10), "limit": {"at_once": 1}}, quality={"unique": ["city"]})
    assert_told(program, program.run(file), OK, ok=10)
    assert server.most_at_once == 1 and server.connections == 1
    assert [request.city for request in server.requests] == [f"c{number}" for number in range(10)]


def test_rows_stand_in_the_order_of_the_items_whatever_order_replies_come_in(program, server):
    for number in range(20):
        server.script(f"c{number}", b.ok(delay=0.2 - number * 0.01))
    file = program.pipeline(server.url(), source={**many(20), "limit": {"at_once": 20}}, quality={"unique": ["city"]})
    assert_told(program, program.run(file), OK, ok=20)
    assert [row["city"] for row in program.rows()] == [f"c{number}" for number in range(20)]


def test_the_rate_is_kept(program, server):
    file = program.pipeline(server.url(), source={**many(30), "limit": {"rate": "20/s", "at_once": 8}},
                            quality={"unique": ["city"]})
    result = program.run(file)
    assert_told(program, result, OK, ok=30)
    times = sorted(request.at for request in server.requests)
    for start in times:  # in no second more than the bucket's 20 and what drips in meanwhile
        assert sum(1 for at in times if start <= at < start + 0.5) <= 31
    assert times[-1] - times[0] >= 0.4


def test_a_rate_of_few_a_second_spreads_requests(program, server):
    file = program.pipeline(server.url(), source={**many(6), "limit": {"rate": "4/s", "at_once": 8}},
                            quality={"unique": ["city"]})
    assert_told(program, program.run(file), OK, ok=6)
    times = sorted(request.at for request in server.requests)
    assert times[-1] - times[0] >= 0.45


def test_http_2_is_used_where_offered_and_many_share_a_connection(program, make_server, authority):
    server = make_server(tls=authority.context("good"), http2=True, default=b.ok(delay=0.05))
    file = program.pipeline(server.url(), source={**many(40), "limit": {"at_once": 16}}, quality={"unique": ["city"]})
    result = program.run(file, env={"SSL_CERT_FILE": authority.bundle})
    assert_told(program, result, OK, ok=40)
    assert {request.version for request in server.requests} == {"HTTP/2"}
    assert server.connections < 16, [(request.at, request.connection) for request in server.requests]


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "CURL_CA_BUNDLE"])
def test_a_bundle_named_in_the_environment_is_believed(program, make_server, authority, name):
    server = make_server(tls=authority.context("good"))
    result = program.run(program.pipeline(server.url()), env={name: authority.bundle})
    assert_told(program, result, OK, ok=5)
    assert {request.version for request in server.requests} == {"HTTP/1.1"}


def test_a_folder_of_certificates_named_in_the_environment_is_believed(program, make_server, authority):
    folder = program.folder / "certs"
    folder.mkdir()
    (folder / "authority.pem").write_bytes(authority.bundle.read_bytes())
    subprocess.run(["openssl", "rehash", folder], check=True)
    server = make_server(tls=authority.context("good"))
    result = program.run(program.pipeline(server.url()), env={"SSL_CERT_DIR": folder})
    assert_told(program, result, OK, ok=5)


def test_a_bundle_that_is_not_there_fails_the_run(program, make_server, authority):
    server = make_server(tls=authority.context("good"))
    result = program.run(program.pipeline(server.url()), env={"SSL_CERT_FILE": program.folder / "nothing.pem"})
    assert_told(program, result, FAILED, failed=5)
    assert server.requests == []


def test_https_goes_through_the_proxy_of_the_environment(program, make_server, make_proxy, authority):
    server, proxy = make_server(tls=authority.context("good")), make_proxy()
    result = program.run(program.pipeline(server.url()), env={
        "SSL_CERT_FILE": authority.bundle, "HTTPS_PROXY": proxy.url})
    assert_told(program, result, OK, ok=5)
    assert set(proxy.tunnels) == {f"localhost:{server.port}"}


def test_no_proxy_names_who_is_asked_directly(program, make_server, make_proxy, authority):
    server, proxy = make_server(tls=authority.context("good")), make_proxy()
    result = program.run(program.pipeline(server.url()), env={
        "SSL_CERT_FILE": authority.bundle, "HTTPS_PROXY": proxy.url, "NO_PROXY": "example.com,localhost"})
    assert_told(program, result, OK, ok=5)
    assert proxy.tunnels == []


def test_a_proxy_that_refuses_fails_the_run_and_its_password_is_not_told(program, make_server, make_proxy, authority):
    server, proxy = make_server(tls=authority.context("good")), make_proxy(refuse_with="407 Proxy Authentication Required")
    with_password = proxy.url.replace("http://", "http://me:hush-hush-42@")
    result = program.run(program.pipeline(server.url()), env={
        "SSL_CERT_FILE": authority.bundle, "HTTPS_PROXY": with_password})
    assert result.status == FAILED, result.stderr
    assert "407" in result.stderr
    assert "hush-hush-42" not in result.stdout + result.stderr + str(program.record())
    assert server.requests == []


def test_a_redirect_within_the_same_origin_is_followed(program, server):
    server.script("/data/2.5/weather", b.redirect(lambda request: "/moved" + request.target[len(request.path):]))
    result = program.run(program.pipeline(server.url()))
    assert_told(program, result, OK, ok=5)
    assert len(server.asked("/moved")) == 5
    assert [row["city"] for row in program.rows()] == CITIES


def test_a_redirect_from_https_to_http_is_refused_and_no_secret_goes_there(program, make_server, server, authority):
    secure = make_server(tls=authority.context("good"), default=b.redirect(lambda request: server.url() + "?" + "x=1"))
    result = program.run(program.pipeline(secure.url()), env={"SSL_CERT_FILE": authority.bundle})
    record = assert_told(program, result, FAILED, failed=5)
    assert server.requests == []
    assert all("redirect" in error for error in failed_items(record).values())


def test_a_redirect_to_another_port_is_another_origin(program, make_server, server):
    other = make_server()
    server.script("Portland", b.redirect(other.url()))
    record = assert_told(program, program.run(program.pipeline(server.url())), PARTIAL, ok=4, failed=1)
    assert other.requests == [] and "redirect" in failed_items(record)["Portland"]


@pytest.mark.parametrize("address", ["http://api.example.com/", "ftp://127.0.0.1/", "//127.0.0.1/", "http://127.0.0.1.example.com/",
                                     "http://user:pass@127.0.0.1/", "https://", "http://localhost@example.com/"])
def test_an_address_that_cannot_be_meant_is_refused_before_any_request(program, address):
    result = program.run(program.pipeline(address))
    assert result.status == USAGE
    assert ":4:8: get: " in result.stderr


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_plain_http_is_allowed_to_this_machine(program, server, host):
    assert_told(program, program.run(program.pipeline(server.url(host=host))), OK, ok=5)


def test_a_header_value_cannot_bring_another_header(program, server):
    file = program.pipeline(server.url(), source={"headers": {"X-City": "{city}"},
                                                  "each": {"city": ["good", "bad\r\nX-Evil: 1"]}})
    result = program.run(file)
    record = assert_told(program, result, PARTIAL, ok=1, failed=1)
    assert len(server.requests) == 1
    assert "line break" in record["failures"][0]["error"]


def test_items_come_from_a_csv_file_with_several_columns(program, server):
    with (program.folder / "places.csv").open("w", newline="") as out:
        csv.writer(out).writerows([["city", "lat", "note"], ["New York", "40.7", "a,b"], ["São \"Paulo\"", "-23.5", "x\ny"]])
    columns = {"city": {"value": "{city}", "type": "string"}, "lat": {"value": "{lat}", "type": "double"},
               "note": {"value": "{note}", "type": "string"}}
    file = program.pipeline(server.url("/at/{lat}"), source={"each": {"file": "places.csv"}}, columns=columns,
                            quality={"unique": ["city"]})
    assert_told(program, program.run(file), OK, ok=2)
    assert sorted(request.path for request in server.requests) == ["/at/-23.5", "/at/40.7"]
    assert program.rows() == [{"city": "New York", "lat": "40.7", "note": "a,b"},
                              {"city": 'São "Paulo"', "lat": "-23.5", "note": "x\ny"}]


def test_items_come_from_a_jsonl_file(program, server):
    (program.folder / "places.jsonl").write_text('{"city": "A", "lat": 1.5}\n\n{"city": "B", "lat": -2}\n')
    file = program.pipeline(server.url("/at/{lat}"), source={"each": {"file": "places.jsonl"}}, quality={"unique": ["city"]})
    assert_told(program, program.run(file), OK, ok=2)
    assert sorted(request.path for request in server.requests) == ["/at/-2", "/at/1.5"]


def test_several_lists_make_every_combination(program, server):
    columns = {"city": {"value": "{city}", "type": "string"}, "day": {"value": "{day}", "type": "string"}}
    file = program.pipeline(server.url(), source={"each": {"city": ["A", "B"], "day": ["1", "2", "3"]}}, columns=columns,
                            quality={"unique": ["city", "day"]})
    assert_told(program, program.run(file), OK, ok=6)
    assert [(row["city"], row["day"]) for row in program.rows()] == [(c, d) for c in "AB" for d in "123"]


@pytest.mark.parametrize("text, words", [
    ("city,lat\nA,1\nB\n", ":3"), ("city,lat\nA,1\nB,2,3\n", ":3"), ("city\n\"A\n", "quote"), ("city\ncaf\xe9\n", "UTF-8")])
def test_a_fault_in_the_file_of_items_is_told_with_its_line_and_nothing_is_published(program, server, text, words):
    (program.folder / "places.csv").write_bytes(text.encode("latin-1"))
    result = program.run(program.pipeline(server.url(), source={"each": {"file": "places.csv"}}, quality={"unique": ["city"]}))
    assert result.status in (FAILED, USAGE), result.stderr
    assert "places.csv" in result.stderr and words in result.stderr
    assert program.rows() == []


def test_without_each_there_is_one_request(program, server):
    columns = {"name": {"from": "name", "type": "string"}}
    file = program.pipeline(server.url("/one"), source={"query": None, "each": None}, columns=columns, quality=None)
    result = program.run(file)
    assert result.status == OK, result.stderr
    assert len(server.requests) == 1 and len(program.rows()) == 1


def test_thousands_of_items_from_a_file_arrive_in_order(program):
    class Quick(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            body = b'{"id": %s}' % self.path.rsplit("=", 1)[1].encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    class Server(http.server.ThreadingHTTPServer):
        request_queue_size, daemon_threads = 256, True

    count = 3000
    with Server(("127.0.0.1", 0), Quick) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        (program.folder / "ids.csv").write_text("id\n" + "".join(f"{n}\n" for n in range(count)))
        file = program.pipeline(f"http://127.0.0.1:{server.server_port}/x", source={
            "query": {"id": "{id}"}, "auth": None, "each": {"file": "ids.csv"}, "limit": {"at_once": 32, "total": "20s"}},
            columns={"id": {"from": "id", "type": "bigint"}}, quality={"unique": ["id"]})
        result = program.run(file, timeout=60)
        server.shutdown()
    assert_told(program, result, OK, ok=count)
    assert [int(row["id"]) for row in program.rows()] == list(range(count))


def test_what_is_recorded_is_replayed_to_the_same_bytes(program, server):
    server.script("Chicago", b.status(404, "city not found"))
    file = program.pipeline(server.url())
    first = program.run(file, "--record", "replies")
    assert_told(program, first, PARTIAL, ok=4, failed=1)
    data, asked = program.data_file().read_bytes(), len(server.requests)
    assert sorted(path.name for path in (program.folder / "replies").rglob("*.http")) == sorted(f"{c}.http" for c in CITIES)
    program.data_file().unlink()
    again = program.run(file, "--replay", "replies", env={"OPENWEATHER_API_KEY": None})
    record = assert_told(program, again, PARTIAL, ok=4, failed=1)
    assert program.data_file().read_bytes() == data and len(server.requests) == asked
    assert "city not found" in failed_items(record)["Chicago"]


def test_an_item_without_a_recorded_reply_fails_alone(program, server):
    file = program.pipeline(server.url())
    assert program.run(file, "--record", "replies").status == OK
    next((program.folder / "replies").rglob("Seattle.http")).unlink()
    record = assert_told(program, program.run(file, "--replay", "replies"), PARTIAL, ok=4, failed=1)
    assert "Seattle.http" in failed_items(record)["Seattle"]


@pytest.mark.parametrize("content", [b"", b"HTTP/1.1", b"HTTP/1.1 200 OK\r\n", b"\xff\xfe\x00", b"HTTP/1.1 999999 x\r\n\r\n{}"])
def test_a_broken_recorded_reply_fails_its_item(program, server, content):
    file = program.pipeline(server.url())
    assert program.run(file, "--record", "replies").status == OK
    next((program.folder / "replies").rglob("Seattle.http")).write_bytes(content)
    assert_told(program, program.run(file, "--replay", "replies"), PARTIAL, ok=4, failed=1)


def test_item_names_that_are_no_file_names_are_recorded_and_replayed(program, server):
    odd = ["../up", "a/b", ".", "..", "", "x" * 300, "ä ö", "a\\b", "a:b*c?", "-rf", "a%2Fb", "A", "a"]
    file = program.pipeline(server.url(), source={"each": {"city": odd}}, quality={"unique": ["city"]})
    assert_told(program, program.run(file, "--record", "replies"), OK, ok=len(odd))
    data = program.data_file().read_bytes()
    outside = [path for path in program.folder.rglob("*.http") if (program.folder / "replies") not in path.parents]
    assert outside == []
    assert_told(program, program.run(file, "--replay", "replies"), OK, ok=len(odd))
    assert program.data_file().read_bytes() == data


def test_the_address_is_shown_without_what_it_carries(program, closed_port):
    result = program.run(program.pipeline(f"http://127.0.0.1:{closed_port}/data"))
    assert result.status == FAILED
    assert "appid" not in result.stderr and str(ROOT) not in result.stdout


# Limits that other things set.

def test_the_last_item_waits_for_no_further_token(program, server):
    file = program.pipeline(server.url(), source={"each": {"city": ["A"]}, "limit": {"rate": "1/h", "at_once": 1}})
    result = program.run(file)
    assert_told(program, result, OK, ok=1)
    assert result.seconds < 2


def test_one_item_that_is_tried_again_holds_nobody_back(program, server):
    server.script("c3", b.too_many(2), b.ok())
    file = program.pipeline(server.url(), source={**many(400), "limit": {"at_once": 8}}, quality=None)
    assert_told(program, program.run(file), OK, ok=400, retried=1)
    second = server.asked("c3")[1].at
    assert sum(1 for request in server.requests if request.at < second) == 400


def test_few_descriptors_make_fewer_requests_at_once_not_a_failure(program, server):
    import resource
    server.default = b.ok(delay=0.02)
    file = program.pipeline(server.url(), source={**many(200), "limit": {"at_once": 256}}, quality=None)
    result = program.run(file, limits={resource.RLIMIT_NOFILE: 60})
    assert_told(program, result, OK, ok=200)
    assert server.most_at_once <= 12


def test_no_retry_begins_past_its_deadline_because_of_the_rate(program, server):
    server.default = b.status(503)
    file = program.pipeline(server.url(), source={
        **many(8), "limit": {"rate": "4/s", "at_once": 8}, "retry": {"attempts": 10, "deadline": "1s", "base": "1ms", "cap": "1ms"}},
        quality=None)
    result = program.run(file, timeout=30)
    assert result.status == FAILED and result.seconds < 8
    for number in range(8):
        asked = [request.at for request in server.asked(f"c{number}")]
        assert max(asked) - min(asked) < 1.1


@pytest.mark.skipif(is_sanitized(), reason="a shim is loaded before the program, which the sanitizer must be")
@pytest.mark.parametrize("how", ["the time limit", "a signal"])
def test_a_name_that_is_never_found_holds_the_run_up_no_longer_than(program, tmp_path, how):
    (tmp_path / "slow.c").write_text("#include <netdb.h>\n#include <unistd.h>\nint getaddrinfo(const char *a, const char *b, "
                                     "const struct addrinfo *c, struct addrinfo **d) { sleep(20); return EAI_FAIL; }\n")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", tmp_path / "slow.so", tmp_path / "slow.c"], check=True)
    file = program.pipeline("https://api.example.com/x", source={
        "each": {"city": ["A"]}, "limit": {"connect": "1s", "total": "1s"} if "limit" in how else {"total": "30s", "connect": "30s"},
        "retry": {"attempts": 1}})
    running = program.start("run", file, "--slot", "2012-10-01T18:00:00Z", env={"LD_PRELOAD": tmp_path / "slow.so"})
    started = time.monotonic()
    if "signal" in how:
        time.sleep(0.5)
        running.signal(signal.SIGTERM)
    result = running.finish()
    assert time.monotonic() - started < 3
    assert result.status == (-signal.SIGTERM if "signal" in how else FAILED)


def test_what_a_server_says_moves_no_terminal(program, server):
    server.script("Portland", b.json_body({"message": "\x1b]0;title\x07\x1b[31mred\nsecond line\u202e\u009b"}, status=404))
    result = program.run(program.pipeline(server.url()), "--verbose")
    assert result.status == PARTIAL
    assert "\x1b" not in result.stderr + result.stdout and "\x07" not in result.stderr and "\u009b" not in result.stderr
    assert "\\u001b" in result.stderr and "\\u000asecond line" in result.stderr


def test_a_recording_that_is_not_there_is_told_before_anything(program, server):
    result = program.run(program.pipeline(server.url()), "--replay", "nowhere")
    assert result.status == USAGE and "there is no such folder" in result.stderr


def test_an_expected_value_may_be_long(program, server):
    server.default = b.ok(base="x" * 500)
    assert_told(program, program.run(program.pipeline(server.url(), source={"expect": {"base": "x" * 500}})), OK, ok=5)
