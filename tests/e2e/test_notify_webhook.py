"""A webhook gets JSON that chats show; what it answers decides, within bounded time, and its address is a secret."""

import json
import time

import pytest

from harness import behaviours as b, hiding
from harness.runner import FAILED, OK, USAGE

KEY = "T0000000/B0000000/odd-Key-0123456789"
PATH = f"/services/{KEY}"
ENV = ["success", "failure", "partial", "recovery"]


def notified(program, server, address, when=("success", "failure"), **sections):
    return program.pipeline(server.url(), notify={"when": list(when), "to": address}, **sections)


def assert_hidden(program, *results):
    for result in results:
        assert KEY not in result.stdout + result.stderr
    left = [path for path in program.folder.rglob("*") if path.is_file() and not path.name.endswith(".yaml")
            and KEY.encode() in path.read_bytes()]
    assert left == []


def test_it_gets_one_text_under_the_names_that_chats_show_and_the_numbers_beside_it(program, server, make_server):
    hook = make_server(default=b.Reply(body=b"ok"))
    server.script("Portland", b.weather_text("humidity", b"107"))
    columns = {"city": {"value": "{city}", "type": "string"},
               "humidity": {"from": "main.humidity", "type": "bigint", "in_range": [0, 100]}}
    file = notified(program, server, hook.url(PATH), columns=columns, quality={"unique": ["city"]})
    result = program.run(file)
    assert result.status == OK and "notify" not in result.stderr, result.stderr
    request, = hook.requests
    assert (request.method, request.path, request.headers["content-type"]) == \
        ("POST", PATH, "application/json; charset=utf-8")
    told = json.loads(request.body)
    assert told["text"] == told["content"]
    assert told["text"].startswith("weather ran for 2012-10-01 18:00 UTC and wrote 4 records.")
    assert "\ntook: " in told["text"] and len(told["text"]) < 2000
    assert "\n1 row: humidity: in_range(0, 100)  \n" in told["text"]
    assert told["allowed_mentions"] == {"parse": []}
    assert {name: told[name] for name in ("id", "event", "pipeline", "status", "slot", "error")} == {
        "id": "weather.20121001T180000Z.success", "event": "success", "pipeline": "weather", "status": "ok",
        "slot": "2012-10-01T18:00:00Z", "error": None}
    assert told["rows"] == {"read": 5, "written": 4, "quarantined": 1}
    assert told["requests"] == {"total": 5, "ok": 5, "failed": 0, "retried": 0}
    assert told["quarantined"] == [{"rule": "humidity: in_range(0, 100)", "rows": 1}]
    assert told["run_id"] == program.record()["run_id"] and told["record"].endswith("20121001T180000Z.json")
    assert told["written"][0]["rows"] == 4
    assert program.record()["notifications"] == [
        {"to": f"http://127.0.0.1:{hook.port}/•••", "event": "success", "ok": True, "error": None}]
    assert_hidden(program, result)


def test_a_failure_tells_its_reason_and_its_items(program, server, make_server):
    hook = make_server(default=b.Reply(status=204))
    server.default = b.status(500, "down <!channel> @everyone")
    file = notified(program, server, hook.url(PATH))
    result = program.run(file)
    assert result.status == FAILED
    told = json.loads(hook.requests[0].body)
    assert told["text"].startswith("weather FAILED for 2012-10-01 18:00 UTC: ")
    assert told["status"] == "failed" and "500" in told["error"] and told["failed_in_a_row"] == 1
    assert {failure["item"] for failure in told["failures"]} == {"New York", "Portland", "Chicago", "Seattle", "Dallas"}
    assert "<!channel>" not in told["text"]
    assert_hidden(program, result)


def test_the_address_may_be_kept_elsewhere(program, server, make_server):
    hook = make_server(default=b.Reply(body=b"ok"))
    (program.folder / "hook.secret").write_text(hook.url(PATH) + "\n")
    file = notified(program, server, [{"webhook": "env:SLACK_URL"}, {"webhook": "file:hook.secret"}])
    results = [program.run(file, env={"SLACK_URL": hook.url(PATH)}), program.call("plan", file)]
    assert [result.status for result in results] == [OK, OK] and len(hook.requests) == 2
    assert "tells   webhook env:SLACK_URL, webhook file:hook.secret on success, failure" in results[1].stdout
    (program.folder / "hook.secret").unlink()
    assert_hidden(program, *results)


def test_an_address_that_is_not_there_is_a_warning(program, server):
    result = program.run(notified(program, server, {"webhook": "env:SLACK_URL"}))
    assert result.status == OK and "! notify: webhook env:SLACK_URL: the environment has no SLACK_URL" in result.stderr
    told, = program.record()["notifications"]
    assert not told["ok"] and "SLACK_URL" in told["error"]


@pytest.mark.parametrize("url", ["http://hooks.example.com/" + KEY, "ftp://x.example/" + KEY, "https://me:word@x.org/" + KEY])
def test_an_address_that_is_kept_elsewhere_and_is_none_is_a_warning_without_it(program, server, url):
    result = program.run(notified(program, server, {"webhook": "env:SLACK_URL"}), env={"SLACK_URL": url})
    assert result.status == OK and "! notify: webhook env:SLACK_URL: " in result.stderr
    assert_hidden(program, result)


def test_a_fault_in_the_file_shows_no_key(program, server):
    for address in (f"http://hooks.example.com{PATH}", f"https://hooks.example.com{PATH}#x"):
        result = program.call("check", notified(program, server, address))
        assert result.status == USAGE and "hooks.example.com" not in result.stdout
        assert_hidden(program, result)


def test_plan_shows_the_host_alone(program, server):
    result = program.call("plan", notified(program, server, f"https://hooks.example.com{PATH}"))
    assert result.status == OK and "tells   https://hooks.example.com/••• on success, failure" in result.stdout
    assert_hidden(program, result)


def test_a_redirect_is_not_followed(program, server, make_server):
    hook, other = make_server(), make_server(default=b.Reply(body=b"ok"))
    hook.default = b.redirect(other.url("/elsewhere"), 307)
    result = program.run(notified(program, server, hook.url(PATH)))
    assert result.status == OK and len(hook.requests) == 1 and other.requests == []
    assert "307" in result.stderr and "not followed" in result.stderr
    assert program.record()["notifications"][0]["ok"] is False
    assert_hidden(program, result)


def test_500_and_429_are_tried_again(program, server, make_server):
    hook = make_server()
    hook.script(PATH, b.status(500), b.too_many(0), b.Reply(body=b"ok"))
    result = program.run(notified(program, server, hook.url(PATH)))
    assert result.status == OK and "notify" not in result.stderr and len(hook.requests) == 3
    assert len({request.body for request in hook.requests}) == 1
    assert program.record()["notifications"][0]["ok"] is True


def test_what_stays_broken_is_given_up(program, server, make_server):
    hook = make_server(default=b.status(503, "down for the day"))
    result = program.run(notified(program, server, hook.url(PATH)), timeout=40)
    assert result.status == OK and len(hook.requests) == 4
    assert "answers 503" in result.stderr and "gave up after 4 attempts" in result.stderr
    assert len(program.rows()) == 5
    assert_hidden(program, result)


def test_one_that_asks_for_an_hour_is_given_up_at_once(program, server, make_server):
    hook = make_server(default=b.too_many(3600))
    began = time.monotonic()
    result = program.run(notified(program, server, hook.url(PATH)))
    assert result.status == OK and time.monotonic() - began < 10 and len(hook.requests) == 1
    assert "429" in result.stderr


@pytest.mark.parametrize("code", [400, 404, 410])
def test_what_it_refuses_is_quoted_and_not_tried_again(program, server, make_server, code):
    hook = make_server(default=b.Reply(status=code, body=b"no_service\x1b[31m " + PATH.encode()))
    result = program.run(notified(program, server, hook.url(PATH)))
    assert result.status == OK and len(hook.requests) == 1
    assert f"answers {code} no_service" in result.stderr and "\x1b" not in result.stderr
    assert_hidden(program, result)


def test_one_that_hangs_ends_in_bounded_time_and_the_run_stands(program, server, make_server):
    hook = make_server(default=b.stall_before_header())
    began = time.monotonic()
    result = program.run(notified(program, server, hook.url(PATH)), timeout=60)
    assert 5 < time.monotonic() - began < 40
    assert result.status == OK and "no answer within" in result.stderr
    assert program.record()["status"] == "ok" and len(program.rows()) == 5
    assert_hidden(program, result)


def test_over_tls_with_a_certificate_that_is_trusted_and_with_none(program, server, make_server, authority):
    hook = make_server(tls=authority.context("good"), default=b.Reply(body=b"ok"))
    file = notified(program, server, hook.url(PATH))
    good = program.run(file, env={"SSL_CERT_FILE": authority.bundle})
    bad = program.run(file)
    assert good.status == OK and "notify" not in good.stderr and len(hook.requests) == 1
    assert bad.status == OK and "certificate" in bad.stderr
    assert_hidden(program, good, bad)


def test_json_and_quiet_say_what_could_not_be_told(program, server, closed_port):
    file = notified(program, server, f"http://127.0.0.1:{closed_port}{PATH}")
    result = program.run(file, "--json", timeout=60)
    assert result.status == OK and result.json()["notifications"][0]["ok"] is False
    assert "! notify: " in result.stderr
    assert_hidden(program, result)


def test_the_secret_of_the_api_is_in_no_message(program, server, make_server):
    hook = make_server(default=b.Reply(body=b"ok"))
    server.default = b.echo(hiding.SECRET, 401)
    result = program.run(notified(program, server, hook.url(PATH)))
    assert result.status == FAILED and hiding.found_in(hook.requests[0].body) == []


def test_standard_error_hears_of_a_recovery_and_of_failures_in_a_row(program, server):
    file = notified(program, server, "stderr", when=["failure", "recovery"])
    server.default = b.status(500)
    first = program.run(file, slot="2012-10-01T18:00:00Z")
    second = program.run(file, slot="2012-10-01T19:00:00Z")
    server.default = b.ok()
    third = program.run(file, slot="2012-10-01T20:00:00Z")
    fourth = program.run(file, slot="2012-10-01T21:00:00Z")
    server.default = b.status(500)
    fifth = program.run(file, slot="2012-10-01T22:00:00Z")
    assert "  1 failure in a row; it has not worked yet\n" in first.stderr
    assert "  2 failures in a row; it has not worked yet\n" in second.stderr
    assert "✓ weather, slot 2012-10-01T20:00:00Z: works again, 5 rows written after 2 failures in a row\n" in third.stderr
    assert "works again" not in fourth.stderr
    assert "  1 failure in a row; last worked for slot 2012-10-01T21:00:00Z\n" in fifth.stderr
    assert program.record(slot="20121001T220000Z")["notifications"] == []
