"""What an API may do to a run: one city of five goes wrong, each way once, and the run tells what happened.

Four cities are written, the fifth is a failed item, the exit status says partial; where it was worth another try,
the record counts it.
"""

import resource

import pytest

from harness import behaviours as b
from harness.runner import FAILED, GATE, OK, PARTIAL, is_sanitized
from harness.told import assert_told, failed_items

OTHERS = ["New York", "Chicago", "Seattle", "Dallas"]
MEGA = 1 << 20

# name: (behaviour of Portland, tries, words of its error)
FAULTS = {
    "closes after accepting the request": (b.close_without_answer(), 3, ""),
    "resets the connection": (b.reset(), 3, ""),
    "promises more bytes than it sends": (b.short_body(), 3, ""),
    "stops inside a chunk": (b.cut_in_chunk(), 3, ""),
    "does not speak HTTP": (b.garbage(), 3, ""),
    "sends a header without end": (b.huge_header(), 3, ""),
    "says gzip and sends something else": (b.broken_gzip(), 3, ""),
    "answers 429 without Retry-After": (b.too_many(), 3, "429"),
    "answers 408": (b.status(408), 3, "408"),
    "answers 425": (b.status(425), 3, "425"),
    "answers 500": (b.status(500, "we broke"), 3, "we broke"),
    "answers 502": (b.status(502), 3, "502"),
    "answers 503": (b.status(503), 3, "503"),
    "answers 504": (b.status(504), 3, "504"),
    "answers 400": (b.status(400, "Nothing to geocode"), 1, "Nothing to geocode"),
    "answers 401": (b.status(401, "Invalid API key"), 1, "401"),
    "answers 403": (b.status(403), 1, "403"),
    "does not know the city": (b.status(404, "city not found"), 1, "city not found"),
    "answers with a page of HTML": (b.html(), 3, "HTML"),
    "answers with nothing": (b.empty(), 3, "empty"),
    "cuts the JSON off": (b.cut_json(), 3, "not JSON"),
    "sends arrays 100,000 levels deep": (b.deep_json(100_000), 3, "not JSON"),
    "sends Latin-1": (b.description("café".encode("latin-1")), 3, "UTF-8"),
    "sends broken UTF-8": (b.description(b"\xf0\x9f\x92"), 3, "UTF-8"),
    "sends an encoded surrogate": (b.description(b"\xed\xa0\x80"), 3, "UTF-8"),
    "announces a body of 1 GB": (b.huge_body(), 1, "1"),
    "sends a body of 1 GB": (b.huge_body(announced=False), 1, "1"),
    "sends a gzip bomb": (b.gzip_bomb(), 1, "1"),
    "redirects to another host": (b.redirect("http://elsewhere.example/"), 1, ""),
    "redirects to a file": (b.redirect("file:///etc/passwd"), 1, ""),
    "redirects in a loop": (b.redirect_to_itself(), 1, ""),
}


@pytest.mark.parametrize("name", FAULTS)
def test_one_city_fails_and_the_others_are_written_when_the_api(program, server, name):
    behaviour, tries, words = FAULTS[name]
    server.script("Portland", behaviour)
    file = program.pipeline(server.url(), source={"limit": {"connect": "5s", "total": "5s", "body": "1MB"}})
    result = program.run(file)
    record = assert_told(program, result, PARTIAL, ok=4, failed=1, retried=tries - 1)
    errors = failed_items(record)
    assert list(errors) == ["Portland"] and words in errors["Portland"]
    assert [row["city"] for row in program.rows()] == OTHERS
    assert "Portland" in result.stderr and words in result.stderr
    if "loop" not in name:
        assert len(server.asked("Portland")) == tries
    else:
        assert 2 <= len(server.asked("Portland")) <= 20
    assert result.seconds < 10


@pytest.mark.parametrize("behaviour", [b.stall_before_header(), b.stall_in_header(), b.stall_in_body(), b.drip()],
                         ids=["before the header", "inside the header", "inside the body", "between single bytes"])
def test_a_server_that_stalls_is_given_up_at_the_time_limit_and_tried_again(program, server, behaviour):
    server.script("Portland", behaviour)
    file = program.pipeline(server.url(), source={
        "limit": {"connect": "2s", "total": "700ms"},
        "retry": {"attempts": 2, "deadline": "5s", "base": "10ms", "cap": "50ms"}})
    result = program.run(file)
    record = assert_told(program, result, PARTIAL, ok=4, failed=1, retried=1)
    assert list(failed_items(record)) == ["Portland"]
    assert len(server.asked("Portland")) == 2
    assert 1.4 <= result.seconds < 4


def test_a_port_that_refuses_fails_the_run_after_all_tries(program, closed_port):
    file = program.pipeline(f"http://127.0.0.1:{closed_port}/data/2.5/weather")
    result = program.run(file)
    record = assert_told(program, result, FAILED, failed=5, retried=10)
    assert set(failed_items(record)) == {*OTHERS, "Portland"}
    assert "127.0.0.1" in result.stderr


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_server_that_hangs_up_after_accepting_fails_the_run_after_all_tries(program, make_server, how):
    server = make_server(on_accept=[how])
    result = program.run(program.pipeline(server.url()))
    assert_told(program, result, FAILED, failed=5, retried=10)


def test_a_server_that_hangs_up_once_is_asked_again(program, make_server):
    server = make_server(on_accept=["close", "serve"])
    result = program.run(program.pipeline(server.url(), source={"limit": {"at_once": 1}}))
    assert_told(program, result, OK, ok=5, retried=1)


def test_a_host_that_does_not_exist_fails_the_run(program):
    result = program.run(program.pipeline("https://nowhere.invalid/weather"), timeout=60)
    assert_told(program, result, FAILED, failed=5, retried=10)
    assert "nowhere.invalid" in result.stderr


@pytest.mark.parametrize("kind, words", [("expired", "expired"), ("self-signed", "self"), ("wrong-name", "localhost")])
def test_a_bad_certificate_is_refused_before_any_request_and_not_tried_again(
        program, make_server, authority, kind, words):
    server = make_server(tls=authority.context(kind))
    result = program.run(program.pipeline(server.url()), env={"SSL_CERT_FILE": authority.bundle})
    record = assert_told(program, result, FAILED, failed=5)
    assert all(words in error for error in failed_items(record).values()), record["failures"]
    assert server.requests == []


def test_a_certificate_of_an_unknown_authority_is_refused(program, make_server, authority):
    server = make_server(tls=authority.context("good"))
    result = program.run(program.pipeline(server.url()))
    assert_told(program, result, FAILED, failed=5)
    assert server.requests == []


def test_tls_spoken_to_a_server_without_it_fails_the_run(program, server, authority):
    result = program.run(program.pipeline(f"https://localhost:{server.port}/"),
                         env={"SSL_CERT_FILE": authority.bundle})
    assert result.status == FAILED, result.stderr
    record = program.record()
    assert record["requests"]["failed"] == 5 and record["rows"]["written"] == 0


@pytest.mark.parametrize("behaviour", [b.huge_body(), b.huge_body(announced=False), b.gzip_bomb()],
                         ids=["1 GB announced", "1 GB unannounced", "gzip bomb"])
def test_a_body_over_the_cap_costs_neither_memory_nor_traffic(program, server, behaviour):
    server.script("Portland", behaviour)
    file = program.pipeline(server.url(), source={"limit": {"body": "1MB"}})
    # The sanitizer wants terabytes of addresses; without it no more than this is to be had.
    result = program.run(file, limits={} if is_sanitized() else {resource.RLIMIT_AS: 150 * MEGA})
    assert_told(program, result, PARTIAL, ok=4, failed=1)
    assert server.asked("Portland")[0].sent < 50 * MEGA


def test_a_body_just_under_the_cap_is_read(program, server):
    server.script("Portland", b.ok(base="x" * (900 * 1024)))
    result = program.run(program.pipeline(server.url(), source={"limit": {"body": "1MB"}}))
    assert_told(program, result, OK, ok=5)


# Replies that look odd and are right.

@pytest.mark.parametrize("behaviour", [
    b.bom(), b.weather_with_deep_field(), b.ok(chunked=True), b.ok(close=True), b.ok(gzip=True),
    b.ok(headers={"Content-Type": "text/plain; charset=iso-8859-1"})],
    ids=["a BOM", "JSON 200 levels deep", "chunks", "Connection: close", "gzip", "a wrong content type"])
def test_a_reply_is_read_although_it_has(program, server, behaviour):
    server.script("Portland", behaviour)
    result = program.run(program.pipeline(server.url()))
    assert_told(program, result, OK, ok=5)
    assert program.rows()[1] == {"city": "Portland", "temperature": "14.0", "humidity": "71",
                                 "description": "few clouds", "observed_at": "2012-10-01T18:00:00Z"}


@pytest.mark.parametrize("written, read", [
    (b"-0", {"0.0", "-0.0"}), (b"-0.0", {"-0.0"}), (b"5e0", {"5.0"}), (b"0.1", {"0.1"}), (b"1e300", {"1e+300"}),
    (b'"12.5"', {"12.5"}), (b'" 12.5 "', {"12.5"}), (b"5e-324", {"5e-324"}), (b"9007199254740993", {"9007199254740992.0"}),
    (b"1e-400", {"0.0"})])
def test_a_number_is_read_as_the_double_it_means(program, server, written, read):
    server.script("Portland", b.weather_text("temp", written))
    result = program.run(program.pipeline(server.url()))
    assert_told(program, result, OK, ok=5)
    text = program.rows()[1]["temperature"]
    assert text in read or float(text) in {float(one) for one in read}


@pytest.mark.parametrize("written, read", [
    (b"9007199254740993", "9007199254740993"), (b"-9223372036854775808", "-9223372036854775808"), (b"-0", "0"),
    (b"9223372036854775807", "9223372036854775807"), (b"5.0", "5"), (b"5e0", "5"), (b'"5.0"', "5")])
def test_a_whole_number_stays_exact(program, server, written, read):
    server.script("Portland", b.weather_text("humidity", written))
    result = program.run(program.pipeline(server.url()))
    assert_told(program, result, OK, ok=5)
    assert program.rows()[1]["humidity"] == read


@pytest.mark.parametrize("field, written, check", [
    ("temp", b"1e400", "coerce_dtype('float64')"), ("temp", b"-1e400", "coerce_dtype('float64')"),
    ("temp", b'"warm"', "coerce_dtype('float64')"), ("temp", b'"0x10"', "coerce_dtype('float64')"),
    ("temp", b'"nan"', "coerce_dtype('float64')"), ("temp", b'""', "coerce_dtype('float64')"),
    ("temp", b"null", "not_nullable"), ("temp", b"[1]", "coerce_dtype('float64')"),
    ("humidity", b"5.5", "coerce_dtype('int64')"), ("humidity", b"9223372036854775808", "coerce_dtype('int64')"),
    ("humidity", b"1e400", "coerce_dtype('int64')")])
def test_a_value_that_does_not_fit_its_column_goes_to_quarantine(program, server, field, written, check):
    server.script("Portland", b.weather_text(field, written))
    result = program.run(program.pipeline(server.url()))
    assert_told(program, result, OK, ok=5, quarantined=1)
    line, = program.quarantine()
    assert line["item"] == {"city": "Portland"}
    column = {"temp": "temperature", "humidity": "humidity"}[field]
    assert [(case["column"], case["check"]) for case in line["failures"]] == [(column, check)]
    assert line["source"]["name"] == "Portland"
    assert [row["city"] for row in program.rows()] == OTHERS


def test_a_reply_that_is_nothing_but_arrays_fails_the_item(program, server):
    server.script("Portland", b.deep_json(200))
    result = program.run(program.pipeline(server.url()))
    record = assert_told(program, result, PARTIAL, ok=4, failed=1)
    assert "the reply is a list" in failed_items(record)["Portland"]


@pytest.mark.parametrize("text", [
    'say "rain"', "rain, then sun", "rain\r\nsun", "rain\nsun", "\U0001f327\ufe0f rain", " rain ", "=1+1", "NULL", "é\u0301",
    "\\N", "'", "\ufeffrain", "\x7f\x01\x1f"],
    ids=["quotes", "comma", "CRLF", "LF", "emoji", "spaces", "formula", "the word NULL", "accents", "backslash",
         "apostrophe", "BOM", "control characters"])
def test_text_comes_through_the_csv_unchanged(program, server, text):
    server.script("Portland", b.ok(weather=[{"description": text}]))
    result = program.run(program.pipeline(server.url()))
    assert_told(program, result, OK, ok=5)
    assert program.rows()[1]["description"] == text


def test_an_empty_text_is_no_null(program, server):
    columns = {"city": {"value": "{city}", "type": "string"},
               "description": {"from": "weather[0].description", "type": "string", "nullable": True},
               "missing": {"from": "not.there", "type": "string", "nullable": True}}
    server.script("Portland", b.ok(weather=[{"description": ""}]))
    server.script("Chicago", b.ok(weather=[{"description": None}]))
    result = program.run(program.pipeline(server.url(), columns=columns, quality={"unique": ["city"]}))
    assert_told(program, result, OK, ok=5)
    lines = program.data_file().read_bytes().split(b"\n")
    assert lines[2:4] == [b'Portland,"",', b"Chicago,,"]


def test_a_nul_in_text_makes_a_bad_row(program, server):
    server.script("Portland", b.description(b"rain\\u0000sun"))
    result = program.run(program.pipeline(server.url()))
    assert_told(program, result, OK, ok=5, quarantined=1)
    line, = program.quarantine()
    case, = line["failures"]
    assert case["column"] == "description" and case["check"].startswith("coerce_dtype(")


def test_when_every_row_is_bad_the_gate_refuses_and_the_reasons_are_kept(program, server):
    server.default = b.weather_text("temp", b"1e400")
    result = program.run(program.pipeline(server.url()))
    assert_told(program, result, GATE, ok=5, quarantined=5)


def test_when_every_item_fails_there_is_no_data_file(program, server):
    server.default = b.status(404, "city not found")
    result = program.run(program.pipeline(server.url()))
    assert_told(program, result, FAILED, failed=5)
    assert "city not found" in result.stderr


def test_a_failed_run_leaves_the_file_of_an_earlier_one_as_it_was(program, server):
    file = program.pipeline(server.url())
    assert program.run(file).status == OK
    before = program.data_file().read_bytes()
    server.default = b.status(401)
    assert program.run(file).status == FAILED
    assert program.data_file().read_bytes() == before
    assert program.record()["status"] == "failed"
