"""The service seen from outside: its pages, health and metrics, and what strangers send to its port."""

import json
import os
import re
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request
import xml.etree.ElementTree as ElementTree

import html5lib
import pytest
from prometheus_client.parser import text_string_to_metric_families

from harness import behaviours
from harness import pages as board
from harness.pages import HOUR, NOW, Pages, bar, links, make_past, name_of, path_of_probe, pipeline, slot_of
from harness.runner import USAGE, is_sanitized
from harness.service import Service

EVIL = "<script>alert('&\"')</script>"


@pytest.fixture
def pages(tmp_path):
    with Pages(tmp_path) as it:
        yield it


def tree_of(text):
    """The page as a tree; a fault in its HTML is an error."""
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    return parser.parse(text)


def words_of(element):
    return re.sub(r" ([:;,.])", r"\1", " ".join(" ".join(element.itertext()).split()))


def check_page(answer, status=200):
    assert answer.status == status and answer.headers["Content-Type"] == "text/html; charset=utf-8"
    tree = tree_of(answer.text)
    assert tree.get("lang") == "en" and tree.find(".//title").text
    assert not tree.findall(".//script") and "javascript:" not in answer.text
    assert all(not name.startswith("on") and name != "style" for element in tree.iter() for name in element.attrib)
    assert len(tree.findall(".//h1")) == 1
    for drawing in tree.iter("{http://www.w3.org/2000/svg}svg"):
        assert drawing.get("aria-hidden") == "true" or drawing.get("role") == "img" and drawing.get("aria-label")
    for table in tree.iter("table"):
        assert all(cell.get("scope") in ("col", "row") for cell in table.iter("th"))
    ids = [element.get("id") for element in tree.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    return tree


# ---- the front page ----

def test_the_front_page_says_first_that_all_is_well(pages):
    pages.show({"pipelines": [pipeline("weather"), pipeline("tides"), pipeline("pollen")]})
    tree = check_page(pages.get("/"))
    assert words_of(tree.find(".//h1")) == "3 pipelines, all well"
    assert [words_of(it) for it in tree.findall(".//h2")] == ["weather", "tides", "pollen"]
    assert "next in 18 h" in words_of(tree)
    assert tree.find(".//time[@datetime='2012-11-27T18:00:00Z']").get("title") == "2012-11-27 18:00Z"


@pytest.mark.parametrize("change, word, headline", [
    ({}, "ok", "1 pipeline, well"),
    ({"bars": [bar(1), bar(0, board.PARTIAL, failed=1)], "last_error": "Portland: 404"}, "partial", "1 pipeline: 1 partial"),
    ({"bars": [bar(1), bar(0, board.FAILED)], "last_error": "401, the key is refused"}, "failed", "1 pipeline: 1 failed"),
    ({"bars": [bar(1), bar(0, board.MISSED)]}, "missed", "1 pipeline: 1 missed a slot"),
    ({"bars": []}, "never ran", "1 pipeline, well"),
    ({"running_us": NOW}, "running", "1 pipeline, well"),
    ({"fault": "weather.yaml:9:3: unknown key"}, "fault", "1 pipeline: 1 with a fault")])
def test_each_state_has_its_mark_and_its_word(pages, change, word, headline):
    pages.show({"pipelines": [pipeline("weather", **change)]})
    tree = check_page(pages.get("/"))
    state = tree.find(".//span[@class]")
    assert words_of(state) == word and state.find("{http://www.w3.org/2000/svg}svg") is not None
    assert words_of(tree.find(".//h1")) == headline
    told = change.get("fault") or change.get("last_error")
    assert not told or told in words_of(tree)


def test_bars_tell_states_apart_by_shape_as_well_as_by_colour(pages):
    shapes = set()
    for state in (board.OK, board.PARTIAL, board.FAILED, board.MISSED):
        pages.show({"pipelines": [pipeline("weather", bars=[bar(0, state)])]})
        strip = check_page(pages.get("/")).find(".//{http://www.w3.org/2000/svg}svg[@class='strip']")
        paths = [it for it in strip.iter("{http://www.w3.org/2000/svg}path") if it.get("class") not in ("ground", "hit")]
        shapes.add(tuple(it.get("d") for it in paths))
        assert ["ok", "partial", "failed", "missed"][state] in strip.get("aria-label")
    assert len(shapes) == 4


@pytest.mark.parametrize("change, sentence", [
    ({"next_us": None}, "not due any more"), ({"next_us": NOW}, "due now"), ({"words": None}, "no schedule"),
    ({"waiting": 3}, "3 slots waiting"), ({"bars": [], "next_us": NOW + 90 * 60000000}, "the first is due in 1 h 30 min"),
    ({"bars": [], "words": None}, "lambda-pipeline run weather.yaml")])
def test_what_comes_next_is_said(pages, change, sentence):
    pages.show({"pipelines": [pipeline("weather", **change)]})
    assert sentence in words_of(check_page(pages.get("/")))


@pytest.mark.parametrize("change, sentence", [
    ({"standing_by": True}, "Standing by: another service runs these pipelines."), ({"ready": False}, "The service is starting"),
    ({"stopping": True, "at_work": 2}, "The service is stopping; it waits for 2 runs."), ({"at_work": 1}, "1 run at work")])
def test_what_holds_for_the_whole_service_is_said(pages, change, sentence):
    pages.show({"pipelines": [pipeline("weather")], **change})
    assert sentence in words_of(check_page(pages.get("/")))


def test_without_pipelines_the_page_says_what_to_do(pages):
    pages.show({"pipelines": []})
    text = words_of(check_page(pages.get("/")))
    assert "No pipeline is served" in text and "Put a pipeline file into the folder" in text


def test_what_strangers_wrote_is_text_on_the_page(pages):
    pages.show({"pipelines": [pipeline("weather", bars=[bar(0, board.FAILED)], last_error=f"{EVIL} \u202e\x07 ä 日本"),
                              pipeline("tides", fault=EVIL, words=EVIL, path=EVIL)]})
    tree = check_page(pages.get("/"))
    assert EVIL in words_of(tree) and "\\u202e\\u0007 ä 日本" in words_of(tree)


def test_a_file_that_was_never_read_is_shown_without_a_page_of_its_own(pages):
    pages.show({"pipelines": [pipeline("/srv/broken.yaml", bars=[], words=None, next_us=None, fault="broken.yaml:1:1: nonsense")]})
    answer = pages.get("/")
    assert "/srv/broken.yaml fault · not run until that is mended broken.yaml:1:1: nonsense" in words_of(check_page(answer))
    assert not any("broken" in it for it in links(answer.text))


def test_an_error_on_the_front_page_leads_to_its_record(pages, past):
    bars = [bar(8), {**bar(0, board.FAILED), "slot_us": int(slot_of(9).timestamp()) * 1000000}, bar(0, board.MISSED)]
    pages.show({"pipelines": [pipeline("weather", path=past, bars=bars, last_error="401")]})
    link = next(it for it in links(pages.get("/").text) if "/runs/" in it)
    assert "Invalid API key" in words_of(check_page(pages.get(link)))


def test_the_front_page_comes_again_every_minute_and_no_other_does(pages):
    pages.show({"pipelines": [pipeline("weather")]})
    assert '<meta http-equiv="refresh" content="60">' in pages.get("/").text
    assert "refresh" not in pages.get("/pipelines/weather").text


def test_a_thousand_pipelines_make_a_page(pages):
    pages.show({"pipelines": [pipeline(f"p{number}") for number in range(1000)]})
    began = time.monotonic()
    tree = check_page(pages.get("/"))
    assert words_of(tree.find(".//h1")) == "1,000 pipelines, all well" and time.monotonic() - began < 20


# ---- a pipeline's own page ----

@pytest.fixture
def past(program, server):
    return make_past(program, server, days=20, partial=(5,), failed=(9,), missed=(12,), quarantined=(2,),
                     source={"on_status": {404: "skip", 401: "stop"}})


def test_a_pipelines_page_shows_its_past(pages, past):
    pages.show({"pipelines": [pipeline("weather", path=past)]})
    tree = check_page(pages.get("/pipelines/weather"))
    text = words_of(tree)
    assert "The last 20 slots 17 ok, 1 partial, 1 failed, 1 missed" in text
    assert "Current weather in five cities" in text and "Portland: 404 \"city <not> found\"" in text and "401 \"Invalid API key\"" in text
    assert "temperature °F" in text and "2012-11-26 23:00Z: 5 rows" in text
    assert "America/New_York" in text and "Tue 2012-11-27 18:00" in text and "2012-11-27 23:00Z" in text
    heads = [words_of(it) for it in tree.findall(".//table")[0].iter("th")]
    assert heads == ["city", "temperature °F", "humidity %", "description", "observed_at", "collected_at"]
    legend = [words_of(it) for it in tree.find(".//ul[@class='legend']")]
    assert legend == ["New York", "Portland", "Chicago", "Seattle", "Dallas"]


def test_every_link_of_a_pipelines_page_leads_somewhere(pages, past):
    pages.show({"pipelines": [pipeline("weather", path=past)]})
    found = links(pages.get("/pipelines/weather").text)
    assert any("/runs/" in it for it in found) and any("/quarantine/" in it for it in found)
    for link in sorted(set(found)):
        answer = pages.get(urllib.parse.urldefrag(link).url)
        assert answer.status == 200, (link, answer.text)
        if answer.headers["Content-Type"].startswith("text/html"):
            check_page(answer)


def test_a_column_is_chosen_by_its_name(pages, past):
    pages.show({"pipelines": [pipeline("weather", path=past)]})
    for wanted, shown in (("humidity", "humidity"), ("temperature", "temperature"), (EVIL, "temperature"), ("city", "temperature")):
        tree = check_page(pages.get("/pipelines/weather?column=" + urllib.parse.quote(wanted)))
        assert words_of(tree.find(".//h2[@id='number']")).split()[0] == shown
        assert words_of(tree.find(".//a[@aria-current]")) == shown


def test_many_items_become_one_band(pages, program, server):
    file = make_past(program, server, days=4, source={"each": {"city": [f"c{number}" for number in range(9)]}})
    pages.show({"pipelines": [pipeline("weather", path=file)]})
    tree = check_page(pages.get("/pipelines/weather"))
    assert tree.find(".//ul[@class='legend']") is None and "the band reaches from the lowest to the highest" in words_of(tree)
    assert tree.find(".//{http://www.w3.org/2000/svg}path[@class='band']") is not None


def test_parquet_is_shown_too(pages, program, server):
    file = make_past(program, server, days=3, sink={"format": "parquet"})
    pages.show({"pipelines": [pipeline("weather", path=file)]})
    tree = check_page(pages.get("/pipelines/weather"))
    assert "2012-11-26 23:00Z: 5 rows" in words_of(tree), words_of(tree)
    assert [words_of(it) for it in tree.find(".//ul[@class='legend']")][0] == "New York"


def test_rows_that_choose_their_files_are_found_through_the_record(pages, program, server):
    file = make_past(program, server, days=3, sink={"partition": {"place": "city"}})
    pages.show({"pipelines": [pipeline("weather", path=file)]})
    assert "2012-11-26 23:00Z: 5 rows" in words_of(check_page(pages.get("/pipelines/weather")))


def test_long_decimals_are_rounded_and_stay_at_hand(pages, program, server):
    columns = {"city": {"value": "{city}", "type": "string"}, "t": {"from": "t", "type": "double"}, "n": {"from": "n", "type": "bigint"}}
    server.default = behaviours.Reply(body=b'{"t": 66.24759460453788, "n": 12345678901}')
    file = program.pipeline(server.url(), columns=columns, quality={"unique": ["city"]})
    assert program.run(file).status == 0
    pages.show({"pipelines": [pipeline("weather", path=file)]})
    cells = check_page(pages.get("/pipelines/weather")).findall(".//table")[0].find("tbody/tr").findall("td")
    assert [it.text for it in cells] == ["New York", "66.25", "12345678901"]
    assert [it.get("title") for it in cells] == [None, "66.24759460453788", None]


def test_data_of_strangers_is_text_on_the_page(pages, program, server):
    file = make_past(program, server, days=2, partial=(0,), source={"each": {"city": [EVIL, "Portland"]}, "on_status": {404: "skip"}})
    pages.show({"pipelines": [pipeline("weather", path=file)]})
    assert EVIL in words_of(check_page(pages.get("/pipelines/weather")))
    run = check_page(pages.get(f"/pipelines/weather/runs/{name_of(slot_of(0))}"))
    assert "city <not> found" in words_of(run)


def test_without_a_run_a_pipelines_page_says_when_the_first_is_due(pages, program, server):
    file = program.pipeline(server.url())
    pages.show({"pipelines": [pipeline("weather", path=file, bars=[])]})
    text = words_of(check_page(pages.get("/pipelines/weather")))
    assert "No run yet; the first is due in 18 h." in text and "No run has written rows yet." in text


def test_a_file_that_has_become_wrong_is_told_and_the_rest_is_shown(pages, past):
    past.write_text("pipeline: weather\nnonsense: 1\n")
    pages.show({"pipelines": [pipeline("weather", path=past)]})
    text = words_of(check_page(pages.get("/pipelines/weather")))
    assert "The file cannot be read" in text and "The last 30 slots 30 ok" in text


@pytest.mark.parametrize("step", [behaviours.stall_before_header(), behaviours.Reply(status=403, body=b"")])
def test_a_lake_that_does_not_answer_is_told_and_the_rest_is_shown(tmp_path, program, server, step):
    server.default = step
    file = program.pipeline(server.url(), sink={"to": "s3://lake"})
    env = {"AWS_ENDPOINT_URL": server.url(""), "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example",
           "AWS_REGION": "us-west-2"}
    with Pages(tmp_path, env=env) as pages:
        pages.show({"pipelines": [pipeline("weather", path=file)]})
        began = time.monotonic()
        text = words_of(check_page(pages.get("/pipelines/weather")))
        assert "The lake cannot be read" in text and "The last 30 slots 30 ok" in text and time.monotonic() - began < 16


def test_files_that_are_too_large_or_damaged_or_gone_are_counted(pages, past, program):
    slots = [slot_of(day) for day in (0, 1, 3)]
    paths = [program.lake / "weather" / f"dt={it:%Y-%m-%d}" / f"{name_of(it)}.csv" for it in slots]
    paths[0].write_bytes(paths[0].read_bytes() + b"x," * (1 << 20))
    paths[1].write_bytes(paths[1].read_bytes() + b'"never closed')
    paths[2].unlink()
    pages.show({"pipelines": [pipeline("weather", path=past)]})
    text = words_of(check_page(pages.get("/pipelines/weather")))
    assert "1 file is larger than 2 MiB" in text and "2 files that a record names cannot be read" in text
    assert "2012-11-25 23:00Z: 5 rows" in text


# ---- records and quarantine ----

def test_a_record_is_shown_for_people_and_as_it_is(pages, past, program):
    name = name_of(slot_of(5))
    pages.show({"pipelines": [pipeline("weather", path=past)]})
    text = words_of(check_page(pages.get(f"/pipelines/weather/runs/{name}")))
    assert "partial" in text and "5 requests, 1 failed" in text and "4 rows written, none quarantined" in text
    assert "Portland 404 \"city <not> found\"" in text
    assert f"lambda-pipeline retry {past} --slot {slot_of(5):%Y-%m-%dT%H:%M:%SZ} asks again for what failed." in text
    assert "asks again" not in pages.get(f"/pipelines/weather/runs/{name_of(slot_of(9))}").text
    raw = pages.get(f"/pipelines/weather/runs/{name}.json")
    assert raw.status == 200 and raw.headers["Content-Type"] == "application/json"
    assert json.loads(raw.text) == program.record(slot=name)


def test_a_record_that_cannot_be_read_is_told_by_its_name(pages, past, program):
    name = name_of(slot_of(5))
    pages.show({"pipelines": [pipeline("weather", path=past)]})
    (program.lake / "_runs" / "weather" / f"{name}.json").write_text("nul")
    text = words_of(check_page(pages.get(f"/pipelines/weather/runs/{name}"), 500))
    assert f"The record _runs/weather/{name}.json cannot be read: it is not JSON" in text


def test_quarantined_rows_are_shown_with_their_reasons(pages, past):
    pages.show({"pipelines": [pipeline("weather", path=past)]})
    text = words_of(check_page(pages.get(f"/pipelines/weather/quarantine/{name_of(slot_of(2))}")))
    assert "Chicago humidity: in_range(0, 100), but it is 107" in text and "_quarantine/weather/" in text


@pytest.mark.parametrize("path, says", [
    ("/nonsense", "Nothing lies at this address."), ("/pipelines", "Nothing lies"), ("/pipelines/", "Nothing lies"),
    ("/pipelines/tides", 'No pipeline that is served here is called "tides"'),
    ("/pipelines/%3Cscript%3E", 'No pipeline that is served here is called "<script>"'),
    ("/pipelines/weather/", "Nothing lies"), ("/pipelines/weather/runs/..%2F..%2Fsecret", "Nothing lies"),
    ("/pipelines/weather/runs/../../../etc/passwd", "Nothing lies"), ("/pipelines/weather/runs/", "Nothing lies"),
    ("/pipelines/weather/runs/20121301T000000Z", "Nothing lies"), ("/pipelines/weather/runs/20121101T000000Z-5of4", "Nothing lies"),
    ("/pipelines/weather/runs/20121101T000000Z", "weather has no record of slot 20121101T000000Z"),
    ("/pipelines/weather/runs/20121101T000000Z.json", "weather has no record of slot 20121101T000000Z"),
    ("/pipelines/weather/runs/20121101T000000Z-1of4", "weather has no record of slot 20121101T000000Z-1of4"),
    ("/pipelines/weather/quarantine/20121101T000000Z", "weather has no quarantined row of slot 20121101T000000Z"),
    ("/style-0000000000000000.css", "Nothing lies"), ("/pipelines/" + "a" * 3000, "Nothing lies")])
def test_what_is_not_there_is_told_in_plain_words(pages, program, server, path, says):
    pages.show({"pipelines": [pipeline("weather", path=program.pipeline(server.url()))]})
    tree = check_page(pages.get(path), 404)
    assert says in words_of(tree) and words_of(tree.find(".//h1")) == "There is no such page"


# ---- HTTP ----

def test_every_answer_has_the_headers_that_protect_it(pages, past):
    pages.show({"pipelines": [pipeline("weather", path=past)]})
    style = next(it for it in links(pages.get("/").text) if it.endswith(".css"))
    for path in ("/", "/pipelines/weather", "/metrics", "/healthz", "/readyz", "/nonsense", style, "/icon.svg",
                 f"/pipelines/weather/runs/{name_of(slot_of(0))}.json"):
        answer = pages.get(path)
        policy = dict(it.split(" ", 1) for it in answer.headers["Content-Security-Policy"].split("; "))
        assert policy == {"default-src": "'none'", "style-src": "'self'", "img-src": "'self'", "frame-ancestors": "'none'",
                          "base-uri": "'none'", "form-action": "'none'"}
        assert answer.headers["X-Content-Type-Options"] == "nosniff" and answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == ("public, max-age=31536000, immutable" if path.endswith((".css", ".svg"))
                                                   else "no-store")


def test_the_icon_and_the_style_are_what_they_say(pages):
    icon = pages.get("/icon.svg")
    assert icon.headers["Content-Type"] == "image/svg+xml" and ElementTree.fromstring(icon.text).tag.endswith("svg")
    style = pages.get(next(it for it in links(pages.get("/").text) if it.endswith(".css")))
    assert style.headers["Content-Type"] == "text/css; charset=utf-8"
    assert style.text.count("{") == style.text.count("}") and "@import" not in style.text and "url(" not in style.text


@pytest.mark.parametrize("path", ["/", "/healthz", "/metrics", "/pipelines/weather", "/nonsense"])
def test_head_is_get_without_the_body(pages, past, path):
    pages.show({"pipelines": [pipeline("weather", path=past)]})
    head, whole = pages.get(path, method="HEAD"), pages.get(path)
    assert head.status == whole.status and head.body == b"" and head.headers["Content-Type"] == whole.headers["Content-Type"]
    assert abs(int(head.headers["Content-Length"]) - len(whole.body)) <= 4


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "NONSENSE"])
def test_other_methods_are_refused(pages, method):
    answer = pages.get("/", method=method)
    assert answer.status == 405 and answer.headers["Allow"] == "GET, HEAD" and "read only" in answer.text


def test_a_request_with_a_body_is_refused(pages):
    for head in (b"Content-Length: 5\r\n\r\nhello", b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"):
        assert pages.say(b"GET / HTTP/1.1\r\nHost: localhost\r\n" + head).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("host, status", [
    ("localhost", 200), ("localhost:9", 200), ("LOCALHOST", 200), ("127.0.0.1", 200), ("127.0.0.1:80", 200), ("[::1]:80", 200),
    ("evil.example", 421), ("evil.example:80", 421), ("localhost.evil.example", 421), ("127.0.0.1.evil.example", 421),
    ("", 421), ("localhost:80:80", 421), ("[::1", 421), ("localhost@evil.example", 421)])
def test_only_this_machines_own_names_are_answered_on_loopback(pages, host, status):
    for path in ("/", "/healthz", "/metrics"):
        assert pages.get(path, headers={"Host": host}).status == status


def test_elsewhere_than_on_loopback_any_name_is_answered(tmp_path):
    with Pages(tmp_path, "--host", "0.0.0.0") as pages:
        assert pages.get("/healthz", headers={"Host": "pipelines.example"}).status == 200


def test_a_port_that_is_taken_is_told_with_the_remedy(pages, tmp_path):
    result = subprocess.run([path_of_probe(), "--port", str(pages.port)], capture_output=True, text=True, timeout=30,
                            stdin=subprocess.DEVNULL)
    assert result.returncode == 1 and f"port {pages.port}; name another one with --port" in result.stderr
    assert "Address already in use" in result.stderr


def test_an_address_that_is_none_is_told(tmp_path):
    result = subprocess.run([path_of_probe(), "--host", "nowhere"], capture_output=True, text=True, timeout=30,
                            stdin=subprocess.DEVNULL)
    assert result.returncode == 1 and "--host nowhere is no address" in result.stderr


# ---- health and metrics ----

@pytest.mark.parametrize("change, status, word", [
    ({}, 200, "ok\n"), ({"standing_by": True}, 200, "standing by\n"), ({"ready": False}, 503, "starting\n"),
    ({"stopping": True}, 503, "stopping\n")])
def test_readiness_is_told_to_who_asks(pages, change, status, word):
    pages.show({"pipelines": [], **change})
    answer = pages.get("/readyz")
    assert (answer.status, answer.text) == (status, word)
    assert (pages.get("/healthz").status, pages.get("/healthz").text) == (200, "ok\n")


def metrics_of(pages):
    answer = pages.get("/metrics")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = {it.name: it for it in text_string_to_metric_families(answer.text)}
    assert all(it.documentation and it.type in ("counter", "gauge") for it in families.values())
    return {(sample.name, *sorted(sample.labels.items())): sample.value for it in families.values() for sample in it.samples}


def test_metrics_are_read_by_prometheus(pages):
    pages.show({"pipelines": [pipeline("weather", runs_ok=7, runs_partial=2, runs_failed=1, rows_written=48, rows_quarantined=3,
                                       retries=5, slots_skipped=4, waiting=2, running_us=NOW, last_duration_ms=1250,
                                       last_lateness_ms=40)],
                "at_work": 1})
    found = metrics_of(pages)
    me = ("pipeline", "weather")
    for name, value in {"last_success_timestamp_seconds": (NOW - 6 * HOUR) / 1e6, "last_duration_seconds": 1.25,
                        "last_lateness_seconds": 0.04, "next_fire_timestamp_seconds": (NOW + 18 * HOUR) / 1e6, "running": 1,
                        "waiting_slots": 2, "fault": 0, "rows_written_total": 48, "rows_quarantined_total": 3,
                        "retries_total": 5, "slots_skipped_total": 4}.items():
        assert found[(f"lambda_pipeline_{name}", me)] == value, name
    assert [found[("lambda_pipeline_runs_total", me, ("status", it))] for it in ("ok", "partial", "failed")] == [7, 2, 1]
    assert found[("lambda_pipeline_up",)] == 1 and found[("lambda_pipeline_leader",)] == 1
    assert found[("lambda_pipeline_runs_at_work",)] == 1 and found[("lambda_pipeline_served",)] == 1
    assert any(name == "lambda_pipeline_build_info" for name, *_ in found)


def test_what_is_not_known_has_no_sample(pages):
    pages.show({"pipelines": [pipeline("weather", bars=[], next_us=None, last_success_us=None, last_duration_ms=None,
                                       last_lateness_ms=None)], "standing_by": True})
    found = metrics_of(pages)
    names = {name for name, *_ in found}
    assert not names & {f"lambda_pipeline_{it}" for it in ("last_success_timestamp_seconds", "last_duration_seconds",
                                                           "last_lateness_seconds", "next_fire_timestamp_seconds")}
    assert found[("lambda_pipeline_leader",)] == 0


def test_labels_are_escaped(pages):
    name = 'a"b\\c\nd'
    pages.show({"pipelines": [pipeline(name)]})
    assert ("lambda_pipeline_running", ("pipeline", name)) in metrics_of(pages)


# ---- what strangers send ----

GARBAGE = [b"\r\n\r\n", b"\0\0\0\0", b"GET", b"GET / HTTP/1.1\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
           b"GET / HTTP/1.1\r\nHost localhost\r\n\r\n", b"GET /%00%ff%zz HTTP/1.0\r\n\r\n", b"GET " + b"/" * 100000 + b" HTTP/1.1\r\n\r\n",
           b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 100000 + b"\r\n\r\n",
           b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"A: b\r\n" * 20000 + b"\r\n",
           b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", os.urandom(5000),
           b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n",
           b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"]


def test_what_is_no_request_is_answered_or_closed_and_harms_nothing(pages):
    """Some have to wait until it is clear that nothing more comes: all at once."""
    answers = {}

    def say(number, data):
        answers[number] = pages.say(data, timeout=25)
    threads = [threading.Thread(target=say, args=it) for it in enumerate(GARBAGE)]
    for it in threads:
        it.start()
    for it in threads:
        it.join()
    assert len(answers) == len(GARBAGE)
    for number, answer in answers.items():
        assert not answer or answer.split(b" ", 2)[1][:1] in (b"2", b"4", b"5"), (GARBAGE[number][:100], answer[:100])
    assert sum(answer.split(b" ", 2)[1][:1] == b"4" for answer in answers.values() if answer) >= 5
    assert pages.get("/healthz").status == 200


def test_requests_in_one_go_are_answered_one_after_another(pages):
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
    assert pages.say((request + b"\r\n") * 4 + request + b"Connection: close\r\n\r\n").count(b"HTTP/1.1 200 OK") == 5


def test_a_client_that_is_slow_is_cut_off_and_others_are_served_meanwhile(pages):
    with pages.connect() as slow:
        began = time.monotonic()
        slow.sendall(b"GET / HTTP/1.1\r\n")
        while time.monotonic() - began < 30:
            assert pages.get("/healthz").status == 200
            try:
                slow.sendall(b"X: y\r\n")
                slow.settimeout(0.01)
                if not slow.recv(1):
                    break
            except TimeoutError:
                pass
            except OSError:
                break
            time.sleep(1)
        assert 5 < time.monotonic() - began < 20


def test_a_thousand_connections_leave_memory_bounded_and_do_not_hold_others_up(pages):
    pages.show({"pipelines": [pipeline("weather")]})
    pages.get("/")
    before, held = pages.memory_kib(), []
    for _ in range(1000):
        held.append(pages.connect())
        held[-1].sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ")
    began = time.monotonic()
    assert pages.get("/healthz").status == 200
    assert time.monotonic() - began < 12
    assert pages.descriptors() < 300 and pages.memory_kib() - before < 32 * 1024
    for it in held:
        it.close()
    began = time.monotonic()
    while pages.descriptors() > 20:
        assert pages.get("/healthz").status == 200 and time.monotonic() - began < 20
    assert pages.get("/").status == 200


def test_readers_that_do_not_read_hold_bounded_memory(pages):
    pages.show({"pipelines": [pipeline(f"p{number}", last_error="x" * 500) for number in range(300)]})
    size, before, held = len(pages.get("/").body), pages.memory_kib(), []
    assert size > 500000
    for _ in range(200):
        held.append(pages.connect())
        held[-1].sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert pages.get("/healthz").status == 200
    assert pages.memory_kib() - before < 100 * 1024
    for it in held:
        it.close()


# ---- pages that take long ----

def test_a_lake_that_does_not_answer_holds_up_nothing_else(pages, past):
    pages.show({"pipelines": [pipeline("slow", path="sleeps"), pipeline("weather", path=past)]})
    answers = []
    thread = threading.Thread(target=lambda: answers.append(pages.get("/pipelines/slow", timeout=60)))
    thread.start()
    time.sleep(0.3)
    began = time.monotonic()
    for path in ("/", "/healthz", "/metrics", "/pipelines/weather"):
        assert pages.get(path).status == 200
    assert time.monotonic() - began < 10
    thread.join()
    assert answers[0].status == 504 and "The lake has not answered: not done within 20000 ms." in answers[0].text
    check_page(answers[0], 504)


def test_a_page_that_crashes_is_told_and_the_service_goes_on(tmp_path):
    pages = Pages(tmp_path)
    pages.show({"pipelines": [pipeline("weather", path="crashes")]})
    answer = pages.get("/pipelines/weather")
    assert answer.status == 500 and "ended by signal 6" in answer.text or "ended early" in answer.text
    assert pages.get("/healthz").status == 200
    pages.process.stdin.close()
    assert pages.process.wait(20) == 0


def test_four_pages_are_written_at_a_time_and_past_many_that_wait_more_are_refused(pages):
    pages.show({"pipelines": [pipeline("slow", path="sleeps")]})
    held = [pages.connect() for _ in range(4 + 64)]
    for it in held:
        it.sendall(b"GET /pipelines/slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
    time.sleep(1)
    assert len(pages.children()) == 4
    answer = pages.get("/pipelines/slow")
    assert answer.status == 503 and answer.headers["Retry-After"] == "2" and "try again in a moment" in answer.text
    assert pages.get("/healthz").status == 200
    for it in held:
        it.close()


def test_many_pages_leave_no_process_and_no_descriptor_behind(pages, past):
    pages.show({"pipelines": [pipeline("weather", path=past)]})
    pages.get("/pipelines/weather")
    descriptors = pages.descriptors()
    threads = [threading.Thread(target=lambda: [pages.get("/pipelines/weather", timeout=60) for _ in range(5)]) for _ in range(6)]
    for it in threads:
        it.start()
    for it in threads:
        it.join()
    time.sleep(0.1)
    assert pages.get("/healthz").status == 200
    assert pages.descriptors() <= descriptors + 1 and not pages.children()


def test_stopping_while_pages_are_written_leaves_nothing_at_work(tmp_path):
    with Pages(tmp_path) as pages:
        pages.show({"pipelines": [pipeline("slow", path="sleeps")]})
        held = [pages.connect() for _ in range(8)]
        for it in held:
            it.sendall(b"GET /pipelines/slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(0.5)
        children = pages.children()
        assert len(children) == 4
    for pid in children:
        assert not os.path.exists(f"/proc/{pid}") or open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[0] == "Z"


def test_who_goes_away_before_the_page_is_written_harms_nothing(pages, past):
    pages.show({"pipelines": [pipeline("weather", path=past)]})
    for _ in range(20):
        with pages.connect() as it:
            it.sendall(b"GET /pipelines/weather HTTP/1.1\r\nHost: localhost\r\n\r\n")
            it.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    assert pages.get("/pipelines/weather", timeout=60).status == 200


# ---- the service itself ----

@pytest.fixture
def service(program, server):
    """`serve` with a pipeline of every minute, under a clock that is six times as fast."""
    if is_sanitized():
        pytest.skip("the sanitizer and the faked clock do not go together")
    program.pipeline(server.url(), columns=board.COLUMNS, schedule={"expression": "cron(* * * * ? *)"})
    it = Service(program, program.folder / "weather.yaml", speed=6, begin="2012-10-01 17:59:50")
    it.wait_for(r"✓ weather, slot 2012-10-01T18:00:00Z")
    yield it
    it.kill()


def ask(service, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{service.port}{path}", timeout=30) as reply:
        return board.Answer(reply.status, dict(reply.headers), reply.read())


def test_the_service_shows_what_it_runs(service):
    front = words_of(check_page(ask(service, "/")))
    assert "1 pipeline, well" in front and "next in less than a minute" in front and "5 rows" in front
    own = ask(service, "/pipelines/weather")
    text = words_of(check_page(own))
    assert "every minute" in text and "2012-10-01 18:00Z" in text and "temperature °F" in text
    for link in {urllib.parse.urldefrag(it).url for it in links(own.text)}:
        assert ask(service, link).status == 200
    families = {it.name: it for it in text_string_to_metric_families(ask(service, "/metrics").text)}
    assert families["lambda_pipeline_rows_written"].samples[0].value >= 5
    assert families["lambda_pipeline_last_lateness_seconds"].samples[0].value < 20
    assert ask(service, "/readyz").text == "ok\n"
    service.stop()


def test_a_thousand_connections_and_slow_pages_do_not_make_a_run_late(service):
    held = []
    for number in range(1000):
        held.append(socket.create_connection(("127.0.0.1", service.port), timeout=30))
        held[-1].sendall([b"GET /pipelines/weather HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET / HT", os.urandom(300)][number % 3])
    service.wait_for(r"✓ weather, slot 2012-10-01T18:02:00Z", seconds=40)
    late = {it.name: it for it in text_string_to_metric_families(ask(service, "/metrics").text)}["lambda_pipeline_last_lateness_seconds"]
    assert late.samples[0].value < 6  # a second of the machine's
    for it in held:
        it.close()
    service.stop()


def test_serve_refuses_an_address_that_is_none(program, server):
    result = program.call("serve", program.pipeline(server.url(), schedule={"expression": "rate(1 hour)"}), "--host", "nowhere")
    assert result.status == USAGE and "--host nowhere is no address" in result.stderr


def test_serve_says_that_its_port_is_taken_and_what_to_do(pages, program, server):
    result = program.call("serve", program.pipeline(server.url(), schedule={"expression": "rate(1 hour)"}), "--port", pages.port)
    assert result.status == 1 and "name another one with --port" in result.stderr


def test_the_documentation_names_every_metric_and_no_other(pages, repo):
    pages.show({"pipelines": [pipeline("weather")]})
    told = set(re.findall(r"^\| `(lambda_pipeline_\w+)`", (repo / "docs/page.md").read_text(), re.M))
    assert told == {name for name, *_ in metrics_of(pages)}
