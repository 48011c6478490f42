"""When a request is made again, how long it waits, and when it is given up."""

import pytest

from harness import behaviours as b
from harness.runner import FAILED, OK, PARTIAL
from harness.told import assert_told, failed_items

ONE = {"each": {"city": ["Portland"]}}


def gaps(requests):
    return [later.at - earlier.at for earlier, later in zip(requests, requests[1:])]


def retry(**changes):
    return {"attempts": 3, "deadline": "5s", "base": "10ms", "cap": "50ms", **changes}


@pytest.mark.parametrize("trouble", [b.status(500), b.status(503), b.too_many(), b.status(408), b.status(425), b.html(),
                                     b.cut_json(), b.short_body(), b.cut_in_chunk(), b.close_without_answer()],
                         ids=["500", "503", "429", "408", "425", "HTML", "cut JSON", "short body", "cut chunk", "close"])
def test_trouble_twice_and_then_an_answer_is_a_whole_run(program, server, trouble):
    server.script("Portland", trouble, trouble, b.ok())
    result = program.run(program.pipeline(server.url()))
    record = assert_told(program, result, OK, ok=5, retried=2)
    assert record["failures"] == []
    assert len(server.asked("Portland")) == 3


def test_no_more_tries_are_made_than_attempts_says(program, server):
    server.script("Portland", b.status(500))
    result = program.run(program.pipeline(server.url(), source={"retry": retry(attempts=5)}))
    record = assert_told(program, result, PARTIAL, ok=4, failed=1, retried=4)
    assert len(server.asked("Portland")) == 5
    assert "5 attempts" in failed_items(record)["Portland"]


def test_one_attempt_means_no_retry(program, server):
    server.script("Portland", b.status(500))
    result = program.run(program.pipeline(server.url(), source={"retry": retry(attempts=1)}))
    assert_told(program, result, PARTIAL, ok=4, failed=1)
    assert len(server.asked("Portland")) == 1


def test_retry_after_in_seconds_is_obeyed(program, server):
    server.script("Portland", b.too_many(1), b.ok())
    result = program.run(program.pipeline(server.url()))
    record = assert_told(program, result, OK, ok=5, retried=1)
    gap, = gaps(server.asked("Portland"))
    assert 1.0 <= gap < 2.0
    assert 1000 <= record["requests"]["waited_ms"] < 2000


def test_retry_after_counts_for_503_as_well(program, server):
    server.script("Portland", b.too_many(1, code=503), b.ok())
    result = program.run(program.pipeline(server.url(), source=ONE))
    assert_told(program, result, OK, ok=1, retried=1)
    assert gaps(server.asked("Portland"))[0] >= 1.0


def test_retry_after_as_a_date_is_obeyed(program, server):
    server.script("Portland", b.too_many_until(2), b.ok())
    result = program.run(program.pipeline(server.url(), source=ONE))
    assert_told(program, result, OK, ok=1, retried=1)
    gap, = gaps(server.asked("Portland"))
    assert 0.95 <= gap < 3.0  # a date has whole seconds


def test_retry_after_as_a_date_that_is_past_means_now(program, server):
    server.script("Portland", b.too_many_until(-3600), b.ok())
    result = program.run(program.pipeline(server.url(), source=ONE))
    assert_told(program, result, OK, ok=1, retried=1)
    assert gaps(server.asked("Portland"))[0] < 0.5


@pytest.mark.parametrize("text", ["1000000000", "99999999999999999999999999", "6"])
def test_a_retry_after_past_the_deadline_is_given_up_at_once(program, server, text):
    server.script("Portland", b.too_many(text))
    result = program.run(program.pipeline(server.url()))
    record = assert_told(program, result, PARTIAL, ok=4, failed=1)
    assert "deadline" in failed_items(record)["Portland"]
    assert len(server.asked("Portland")) == 1
    assert result.seconds < 2


def test_a_date_past_the_deadline_is_given_up_at_once(program, server):
    server.script("Portland", b.too_many_until(3600))
    result = program.run(program.pipeline(server.url()))
    assert_told(program, result, PARTIAL, ok=4, failed=1)
    assert result.seconds < 2


@pytest.mark.parametrize("text", ["-5", "soon", "", "1.5e3", "0", "Mon, 99 Foo 2012 25:61:61 GMT", "1 2"])
def test_a_retry_after_that_makes_no_sense_is_as_good_as_none(program, server, text):
    server.script("Portland", b.too_many(text), b.ok())
    result = program.run(program.pipeline(server.url()))
    assert_told(program, result, OK, ok=5, retried=1)
    assert result.seconds < 2


def test_tries_end_at_the_deadline_however_many_attempts_are_left(program, server):
    server.script("Portland", b.status(503))
    result = program.run(program.pipeline(server.url(), source={
        "retry": {"attempts": 100, "deadline": "1s", "base": "200ms", "cap": "200ms"}}))
    assert result.status == PARTIAL, result.stderr
    requests = server.asked("Portland")
    assert 3 <= len(requests) < 100
    assert requests[-1].at - requests[0].at <= 1.1 and result.seconds < 3
    record = program.record()
    assert record["requests"]["retried"] == len(requests) - 1
    assert "deadline" in failed_items(record)["Portland"]


def test_a_stalled_try_is_cut_at_the_deadline(program, server):
    server.script("Portland", b.stall_before_header())
    result = program.run(program.pipeline(server.url(), source={
        "limit": {"connect": "5s", "total": "30s"}, "retry": retry(deadline="1s")}))
    assert_told(program, result, PARTIAL, ok=4, failed=1)
    assert 0.9 <= result.seconds < 3


def test_waits_stay_below_the_cap_and_are_not_all_alike(program, server):
    server.script("Portland", b.status(503))
    result = program.run(program.pipeline(server.url(), source={
        **ONE, "retry": {"attempts": 12, "deadline": "20s", "base": "100ms", "cap": "100ms"}}))
    assert_told(program, result, FAILED, failed=1, retried=11)
    seen = gaps(server.asked("Portland"))
    assert max(seen) < 0.3
    assert max(seen) - min(seen) > 0.01


def test_the_record_says_how_long_was_waited(program, server):
    server.script("Portland", b.status(503))
    result = program.run(program.pipeline(server.url(), source={
        **ONE, "retry": {"attempts": 12, "deadline": "20s", "base": "50ms", "cap": "50ms"}}))
    assert result.status == FAILED
    waited = program.record()["requests"]["waited_ms"] / 1000
    assert 0 < waited <= sum(gaps(server.asked("Portland"))) + 0.05


def test_other_cities_go_on_while_one_waits(program, server):
    server.script("New York", b.too_many(1), b.ok())
    result = program.run(program.pipeline(server.url(), source={"limit": {"at_once": 1}}))
    assert_told(program, result, OK, ok=5, retried=1)
    assert [request.city for request in server.requests] \
        == ["New York", "Portland", "Chicago", "Seattle", "Dallas", "New York"]
    assert [row["city"] for row in program.rows()] == ["New York", "Portland", "Chicago", "Seattle", "Dallas"]


@pytest.mark.parametrize("code", [404, 500, 429])
def test_a_status_to_skip_fails_the_item_without_another_try(program, server, code):
    server.script("Portland", b.status(code, "no such thing"))
    result = program.run(program.pipeline(server.url(), source={"on_status": {code: "skip"}}))
    record = assert_told(program, result, PARTIAL, ok=4, failed=1)
    error = failed_items(record)["Portland"]
    assert str(code) in error and "no such thing" in error and "on_status" in error
    assert len(server.asked("Portland")) == 1


@pytest.mark.parametrize("code", [401, 403, 500])
def test_a_status_to_stop_ends_the_run_at_once_and_publishes_nothing(program, server, code):
    server.script("Portland", b.status(code, "Invalid API key"))
    result = program.run(program.pipeline(server.url(), source={
        "limit": {"at_once": 1}, "on_status": {code: "stop"}}))
    assert result.status == FAILED, result.stderr
    assert [request.city for request in server.requests] == ["New York", "Portland"]
    assert program.rows() == [] and not program.data_file().exists()
    record = program.record()
    assert record["status"] == "failed" and record["rows"]["written"] == 0 and record["files"] == []
    assert record["requests"]["failed"] == 1 and record["requests"]["retried"] == 0
    assert any("Invalid API key" in failure["error"] for failure in record["failures"])
    assert str(code) in result.stderr and "Invalid API key" in result.stderr


def test_a_status_to_stop_does_not_wait_for_what_is_in_flight(program, server):
    server.script("Portland", b.status(401))
    server.script("Dallas", b.stall_before_header())
    result = program.run(program.pipeline(server.url(), source={"on_status": {401: "stop"}}))
    assert result.status == FAILED and result.seconds < 3


def test_a_status_to_retry_is_tried_again(program, server):
    server.script("Portland", b.status(404), b.status(418), b.ok())
    result = program.run(program.pipeline(server.url(), source={"on_status": {404: "retry", 418: "retry"}}))
    assert_told(program, result, OK, ok=5, retried=2)


@pytest.mark.parametrize("cod", ["404", 404, None, {"a": 1}])
def test_a_reply_that_is_not_as_expected_fails_the_item_and_is_not_tried_again(program, server, cod):
    server.script("Portland", b.ok(cod=cod, message="city not found"))
    result = program.run(program.pipeline(server.url(), source={"expect": {"cod": 200}}))
    record = assert_told(program, result, PARTIAL, ok=4, failed=1)
    assert "cod" in failed_items(record)["Portland"] and "city not found" in failed_items(record)["Portland"]
    assert len(server.asked("Portland")) == 1


def test_what_is_expected_is_compared_as_text(program, server):
    server.script("Portland", b.ok(cod="200"))
    result = program.run(program.pipeline(server.url(), source={"expect": {"cod": 200}}))
    assert_told(program, result, OK, ok=5)
