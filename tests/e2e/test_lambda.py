"""As a function: events in, records or errors out, by Lambda's runtime interface as a test scripts it."""

import json
import re
import resource
import signal
import time
from datetime import datetime, timedelta, timezone

import pytest

from harness import behaviours
from harness.hiding import SECRET
from harness.runner import FAILED, SLOT, SLOT_NAME, USAGE, is_sanitized
from harness.runtime_api import Event, lines, metrics, said
from harness.weather import CITIES

AT = json.dumps({"slot": SLOT}).encode()
ERROR_TYPE = re.compile(r"\A(Runtime|Function)\.[A-Z][a-zA-Z]+\Z")


def iso(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def serve(program, api, *events, env=None, arguments=("lambda", "weather"), **named):
    """All answers to these events, and what the program said meanwhile."""
    api.events(*events)
    running = program.start(*arguments, env={**api.env, **(env or {})}, **named)
    wanted = sum(isinstance(event, Event) for event in events)
    api.answer(wanted - 1)
    return api.answers, api.finish(running, asked=len(events) + 1)


def test_an_event_is_answered_with_the_record_of_its_run(program, server, api):
    program.pipeline(server.url())
    (answer,), result = serve(program, api, Event(AT, id="first one"))
    assert answer.kind == "response" and answer.id == "first%20one", answer.body
    assert answer.headers["content-type"] == "application/json" and answer.error_type is None
    record = answer.json()
    assert record == program.record() and record["slot"] == SLOT and record["rows"]["written"] == 5
    assert [row["city"] for row in program.rows()] == CITIES
    assert {request.connection for request in api.requests} == {1}
    assert all("expect" not in request.headers for request in api.requests)
    assert api.requests[0].headers["user-agent"].startswith("lambda-pipeline/")
    assert [line["requestId"] for line in said(result)] == ["first one"]
    assert result.stderr == ""


# Events.

@pytest.mark.parametrize("body", [b"", b"null", b"{}", b" \r\n\t{ }\n", b'{"slot": null, "shard": null}'])
def test_nothing_null_and_an_empty_object_mean_now_cut_to_the_minute(program, server, api, body):
    program.pipeline(server.url())
    before = datetime.now(timezone.utc).replace(second=0, microsecond=0)
    (answer,), _ = serve(program, api, Event(body))
    assert answer.json()["slot"] in {iso(before), iso(before + timedelta(minutes=1))}


RULE = {"version": "0", "id": "89d1a02d-5ec7-412e-82f5-13505f849b41", "detail-type": "Scheduled Event", "source": "aws.events",
        "account": "123456789012", "time": SLOT, "region": "us-west-2",
        "resources": ["arn:aws:events:us-west-2:123456789012:rule/daily"], "detail": {}}
SCHEDULER = {**RULE, "source": "aws.scheduler", "detail": "{}", "resources": ["arn:aws:scheduler:us-west-2:1:schedule/default/daily"]}


@pytest.mark.parametrize("event", [
    {"slot": SLOT}, {"slot": SLOT_NAME}, {"slot": "2012-10-01T20:00:00+02:00"}, {"slot": "2012-10-01 18:00"},
    RULE, SCHEDULER, {**RULE, "replay-name": "again", "time": "2012-10-01T18:00:00.250Z"},
    {"scheduled": SLOT}, {"scheduled": SLOT, "attempt": "1"}, {"scheduled": SLOT, "attempt": 2, "execution": "d32c5kddcf5bb8c3",
                                                               "schedule": "arn:aws:scheduler:us-west-2:1:schedule/default/daily"}])
def test_an_event_names_its_slot_in_each_of_the_known_ways(program, server, api, event):
    program.pipeline(server.url())
    (answer,), _ = serve(program, api, Event(json.dumps(event).encode(), chunked=len(json.dumps(event)) > 100))
    assert answer.json()["slot"] == SLOT and len(program.rows()) == 5


def test_a_share_of_the_items_goes_into_files_of_its_own(program, server, api):
    program.pipeline(server.url())
    answers, _ = serve(program, api, *[Event(json.dumps({"slot": SLOT, "shard": f"{i}/2"}).encode()) for i in (1, 2)])
    assert [answer.json()["rows"]["written"] for answer in answers] == [3, 2]
    assert sorted(path.name for path in (program.lake / "weather" / "dt=2012-10-01").iterdir()) == [
        f"{SLOT_NAME}-1of2.csv", f"{SLOT_NAME}-2of2.csv"]


FUTURE = iso(datetime.now(timezone.utc) + timedelta(days=1))
BAD_EVENTS = [
    (b"[]", "a list"), (b"7", "a number"), (b'"now"', "a text"), (b"true", "true or false"), (b"{", "not JSON"),
    (b"{'slot': 1}", "not JSON"), (b'{"slot": "2012-10-01T18:00:00Z"} x', "not JSON"), (b"\xff\xfe", "not UTF-8"), (b"\x00", "not JSON"),
    (b'{"slto": "2012-10-01T18:00:00Z"}', 'unknown key "slto"; did you mean "slot"?'),
    (b'{"Records": [{"eventSource": "aws:s3"}]}', 'unknown key "Records"'), (b'{"key1": "value1"}', 'unknown key "key1"'),
    (b'{"slot": 1349114400}', "slot is a number"), (b'{"slot": "yesterday"}', 'slot "yesterday" is no time'),
    (b'{"slot": "2012-10-01T18:00:00.5Z"}', "whole second"), (b'{"slot": ["2012-10-01"]}', "slot is a list"),
    (b'{"slot": "2012-10-01T18:00:00Z\\u0000"}', "slot holds a zero byte"), (b'{"slot": ""}', 'slot "" is no time'),
    (json.dumps({"slot": FUTURE}).encode(), "has not come yet"), (json.dumps({"scheduled": FUTURE}).encode(), "has not come yet"),
    (b'{"shard": "17/16"}', 'shard "17/16" is no share'), (b'{"shard": "0/16"}', 'shard "0/16"'), (b'{"shard": "3"}', 'shard "3"'),
    (b'{"shard": 3}', "shard is a number"), (b'{"shard": {"index": 3}}', "shard is an object"), (b'{"shard": "1/99999"}', "shard"),
    (b'{"scheduled": "<aws.scheduler.scheduled-time>"}', 'scheduled "<aws.scheduler.scheduled-time>" is no time'),
    (b'{"slot": "2012-10-01", "scheduled": "2012-10-01"}', "slot and scheduled"),
    (json.dumps({**RULE, "detail-type": "Object Created"}).encode(), 'detail-type "Object Created"'),
    (json.dumps({**RULE, "detail-type": 7}).encode(), "detail-type is a number"),
    (json.dumps({**RULE, "time": None}).encode(), "without its time"), (json.dumps({**RULE, "slot": SLOT}).encode(), "leave slot out"),
    (b'{"slot": "2012-10-01T17:00:00Z", "slot": "2012-10-01T18:00:00Z"}', '"slot" is given twice'),
    (b'{"attempt": "2", "execution": "e"}', "attempt without scheduled"),
    (b'{"x\\u001b[31m": 1, "x\\u001b[31m": 1}', "is given twice"),
    (json.dumps({"x\u001b[31m" + "y" * 5000: 1}).encode(), "unknown key"), (b"[" * 100000, "JSON"),
    (b'{"slot": "' + b"9" * (6 << 20) + b'"}', "at most"), (b" " * (6 << 20), "at most"),
]


def test_any_other_event_is_a_function_error_that_names_what_is_wrong_and_the_next_one_works(program, server, api):
    program.pipeline(server.url())
    answers, result = serve(program, api, *[Event(body) for body, _ in BAD_EVENTS], Event(AT))
    for (body, words), answer in zip(BAD_EVENTS, answers, strict=False):
        assert answer.kind == "error" and answer.error_type == "Function.EventInvalid", (body[:100], answer.body[:300])
        told = answer.json()
        assert told["errorType"] == answer.error_type and told["stackTrace"] == [] and "record" not in told
        assert words in told["errorMessage"], (body[:100], told["errorMessage"])
        assert len(answer.body) < 1500 and "\x1b" not in told["errorMessage"]
    assert answers[-1].kind == "response"
    assert [line["errorType"] for line in said(result)[:-1]] == ["Function.EventInvalid"] * len(BAD_EVENTS)
    assert len(list((program.lake / "_runs" / "weather").iterdir())) == 1


@pytest.mark.parametrize("chunked", [False, True])
def test_an_event_past_all_bounds_is_an_error_and_never_means_now(program, server, api, chunked):
    program.pipeline(server.url())
    answers, result = serve(program, api, Event(b" " * (9 << 20), chunked=chunked), Event(AT))
    assert answers[0].error_type == "Function.EventInvalid" and "the 1048576 bytes that are read" in answers[0].json()["errorMessage"]
    assert answers[1].kind == "response" and len(list((program.lake / "_runs" / "weather").iterdir())) == 1


def test_shards_of_one_file_are_refused(program, server, api):
    program.pipeline(server.url(), sink={"to": str(program.lake / "all.csv"), "partition": None})
    (answer,), _ = serve(program, api, Event(b'{"shard": "1/2"}'))
    assert answer.error_type == "Function.EventInvalid" and "shard" in answer.json()["errorMessage"]


# What came of a run.

def test_a_run_of_which_some_items_failed_is_a_success_that_says_so(program, server, api):
    server.script("Portland", behaviours.status(404))
    program.pipeline(server.url())
    (answer,), result = serve(program, api, Event(AT))
    assert answer.kind == "response" and answer.json()["status"] == "partial"
    assert [line["level"] for line in said(result)] == ["WARN", "WARN"]
    assert said(result)[0]["message"].startswith("Portland: ") and said(result)[1]["status"] == "partial"


def failing(program, server, how):
    if how == "Function.GateRefused":
        return {"quality": {"min_rows": 6}}
    if how == "Function.NotAllowed":
        server.script("New York", behaviours.status(401))
        return {"source": {"on_status": {"401": "stop"}}}
    if how == "Function.ConfigInvalid":
        return {"source": {"auth": {"query": "appid", "secret": "env:NOT_SET_ANYWHERE"}}}
    for city in CITIES:
        server.script(city, behaviours.status(500))
    return {}


@pytest.mark.parametrize("how", ["Function.GateRefused", "Function.NotAllowed", "Function.ConfigInvalid", "Function.RunFailed"])
def test_a_failed_run_is_a_function_error_with_the_record_in_it(program, server, api, how):
    program.pipeline(server.url(), **failing(program, server, how))
    (answer,), result = serve(program, api, Event(AT))
    told = answer.json()
    assert answer.kind == "error" and answer.error_type == told["errorType"] == how and ERROR_TYPE.match(how)
    assert told["record"]["status"] == "failed" and told["record"] == program.record() and told["requestId"] == answer.id
    assert told["errorMessage"].startswith(f"weather, slot {SLOT}: ")
    last = said(result)[-1]
    assert last["level"] == "ERROR" and last["errorType"] == how and last["requestId"] == answer.id
    assert program.rows() == []


def cause_of(answer):
    """What X-Ray is told: one line of ASCII, as a header has to be."""
    header = answer.headers["lambda-runtime-function-xray-error-cause"]
    assert header.isascii() and header.isprintable() and len(header) < 8192, header
    return json.loads(header)


def test_an_error_tells_xray_its_cause(program, server, api):
    program.pipeline(server.url(), quality={"min_rows": 6})
    answers, _ = serve(program, api, Event(AT), Event('{"Zürich 🌧": 1}'.encode()), Event(b'{"slot": "\\u007f\\n"}'))
    for answer in answers:
        told, cause = answer.json(), cause_of(answer)
        assert cause["exceptions"] == [{"type": told["errorType"], "message": told["errorMessage"], "stack": []}]
        assert cause["working_directory"] == str(program.folder) and cause["paths"] == []
    assert "Zürich 🌧" in cause_of(answers[1])["exceptions"][0]["message"]


def test_the_record_of_a_run_that_worked_comes_without_a_cause(program, server, api):
    program.pipeline(server.url())
    (answer,), _ = serve(program, api, Event(AT))
    assert answer.kind == "response" and "lambda-runtime-function-xray-error-cause" not in answer.headers


def test_a_slot_that_is_being_run_elsewhere_is_an_error_of_its_own(program, server, api):
    program.pipeline(server.url())
    server.script("Dallas", behaviours.ok(delay=3))
    other = program.start("run", "weather.yaml", "--slot", SLOT)
    while not (program.lake / "_runs" / "weather").exists():
        time.sleep(0.01)
    (answer,), _ = serve(program, api, Event(AT))
    assert answer.error_type == "Function.SlotLocked" and "being run already" in answer.json()["errorMessage"]
    assert other.finish().status == 0


def test_a_bucket_that_denies_is_named_and_the_next_call_works(program, server, api, aws):
    bucket = aws.bucket()
    program.pipeline(server.url(), sink={"to": f"s3://{bucket}"})
    keys = aws.user([{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}])
    answers, _ = serve(program, api, Event(AT), Event(b"[]"), env=aws.env_of(keys))
    assert [answer.error_type for answer in answers] == ["Function.NotAllowed", "Function.EventInvalid"], answers[0].body
    assert "PUT s3://" in answers[0].json()["errorMessage"] and "AccessDenied" in answers[0].json()["errorMessage"]
    assert aws.objects(bucket) == {}


def test_an_answer_too_large_for_lambda_is_shortened_and_the_record_in_the_lake_is_whole(program, server, api):
    server.default = behaviours.status(404)
    items = program.folder / "items.csv"
    items.write_text("city\n" + "".join(f"place {n} {'x' * 7000}\n" for n in range(950)) + "Dallas\n")
    server.script("Dallas", behaviours.ok())
    program.pipeline(server.url(), source={"each": {"file": "items.csv"}, "limit": {"at_once": 32, "total": "5s"}})
    (answer,), _ = serve(program, api, Event(AT))
    told, kept = answer.json(), program.record()
    assert answer.kind == "response" and told["shortened"] and len(told["failures"]) == 100 and len(answer.body) < 6 << 20
    assert len(kept["failures"]) > 800 and "shortened" not in kept
    assert told["requests"] == kept["requests"] and told["rows"] == kept["rows"] and told["files"] == kept["files"]


# Time.

def test_an_item_that_does_not_answer_in_the_time_of_the_call_fails_alone(program, server, api):
    server.script("Dallas", behaviours.stall_before_header())
    server.script("Chicago", behaviours.status(503))
    program.pipeline(server.url(), source={"limit": {"total": "60s"}, "retry": {"deadline": "5m", "attempts": 100, "base": "100ms"}})
    (answer,), _ = serve(program, api, Event(AT, timeout=4))
    record = answer.json()
    assert answer.kind == "response" and record["status"] == "partial" and record["rows"]["written"] == 3
    assert sorted(failure["item"]["city"] for failure in record["failures"]) == ["Chicago", "Dallas"]
    assert 2 < record["duration_ms"] / 1000 < 3 and len(program.rows()) == 3


def test_a_run_ends_before_its_deadline_with_record_notice_and_error(program, server, api):
    server.script("New York", behaviours.stall_before_header(), behaviours.ok())
    program.pipeline(server.url(), source={"limit": {"total": "60s", "at_once": 1}, "retry": {"deadline": "5m"}},
                     notify={"when": ["failure"], "to": ["stderr"]})
    began = time.time()
    (late, after), result = serve(program, api, Event(AT, timeout=4), Event(b'{"slot": "2012-10-02", "shard": "1/5"}'))
    took = time.time() - began
    told = late.json()
    assert late.error_type == "Function.TimeOver" and "the time of this invocation is over" in told["errorMessage"]
    assert 2 < told["record"]["duration_ms"] / 1000 < 3.9 and took < 8
    assert program.record()["status"] == "failed" and program.rows() == []
    assert any(line["message"].startswith("notify: weather FAILED") for line in said(result))
    assert after.kind == "response"
    assert [path.name for path in (program.lake / "_runs" / "weather").iterdir() if path.name.endswith(".lock")] == []


@pytest.mark.parametrize("operation, says", [("PutObject", "PUT s3://"), ("GetParameter", "the secret ssm:/key: ssm GetParameter in us-west-2: "), ("Publish", None)])
def test_what_does_not_answer_in_the_time_of_the_call_is_named_and_the_answer_comes_before_it_is_over(program, server, api, aws, operation, says):
    bucket = aws.bucket()
    aws.client("ssm").put_parameter(Name="/key", Value=SECRET, Type="SecureString")
    topic = aws.client("sns").create_topic(Name="told")["TopicArn"]
    program.pipeline(server.url(), sink={"to": f"s3://{bucket}"}, source={"auth": {"query": "appid", "secret": "ssm:/key"}},
                     notify={"when": ["success"], "to": [topic]})
    aws.proxy.fault(behaviours.stall_before_header(), operation=operation, times=99)
    api.events(Event(AT, timeout=3))
    running = program.start("lambda", "weather", env={**api.env, **aws.env})
    answer = api.answer(0)
    assert answer.at - api.asked_at[0] < 3
    assert says in answer.json()["errorMessage"] if says else answer.json()["status"] == "ok", answer.body
    assert answer.error_type == ("Function.TimeOver" if says else None)
    api.finish(running, asked=2)


@pytest.mark.parametrize("late", [{"deadline_ms": "1"}, {"timeout": -5}, {"timeout": 0}])
def test_a_deadline_that_is_past_fails_the_call_at_once_and_the_next_one_works(program, server, api, late):
    program.pipeline(server.url())
    (late, after), _ = serve(program, api, Event(AT, **late), Event(AT))
    assert late.error_type == "Function.TimeOver" and after.kind == "response"
    assert late.at < after.at and not (program.lake / "_runs" / "weather" / f".{SLOT_NAME}.lock").exists()


@pytest.mark.parametrize("deadline", ["soon", "-5", "99999999999999999999", ""])
def test_a_deadline_that_cannot_be_read_is_none_and_is_told(program, server, api, deadline):
    program.pipeline(server.url())
    (answer,), result = serve(program, api, Event(AT, deadline_ms=deadline))
    assert answer.kind == "response" and "without a deadline" in said(result)[0]["message"]


def test_sigterm_in_mid_run_stops_it_soon_with_an_error_and_gives_the_lock_back(program, server, api):
    server.script("Dallas", behaviours.stall_before_header())
    program.pipeline(server.url(), source={"limit": {"total": "60s"}, "retry": {"deadline": "5m"}})
    api.events(Event(AT))
    running = program.start("lambda", "weather", env=api.env)
    while not server.asked("Dallas"):
        time.sleep(0.01)
    sent = time.monotonic()
    running.signal(signal.SIGTERM)
    result = running.finish()
    assert time.monotonic() - sent < (3 if is_sanitized() else 0.5)
    assert result.status == -signal.SIGTERM
    assert api.answer(0).error_type == "Function.Stopped" and api.answer(0).json()["record"]["status"] == "failed"
    assert not (program.lake / "_runs" / "weather" / f".{SLOT_NAME}.lock").exists()


# The runtime API at its worst.

@pytest.mark.parametrize("status", [400, 403, 410, 413, 404])
def test_an_answer_that_is_not_taken_is_told_and_the_next_event_served(program, server, api, status):
    api.on_answer(behaviours.status(status, "as told"))
    program.pipeline(server.url())
    answers, result = serve(program, api, Event(AT), Event(AT))
    assert len(answers) == 2 and answers[1].kind == "response"
    refused = [line for line in said(result) if line["level"] == "ERROR"]
    assert len(refused) == 1 and str(status) in refused[0]["message"] and refused[0]["requestId"] == answers[0].id
    assert {request.connection for request in api.requests} == {1}


def test_a_service_that_fails_at_an_answer_ends_the_process(program, server, api):
    api.on_answer(behaviours.status(500))
    program.pipeline(server.url())
    api.events(Event(AT), Event(AT))
    result = program.call("lambda", "weather", env=api.env)
    assert result.status == FAILED and len(api.answers) == 1
    assert lines(result)[-1]["level"] == "FATAL" and "500" in lines(result)[-1]["message"]


NO_ID = behaviours.body(b"{}", headers={"Lambda-Runtime-Deadline-Ms": "99999999999999"})


@pytest.mark.parametrize("step", [behaviours.status(403), behaviours.status(500), behaviours.status(302), NO_ID])
def test_a_question_that_is_refused_ends_the_process(program, server, api, step):
    program.pipeline(server.url())
    api.events(step)
    result = program.call("lambda", "weather", env=api.env)
    assert result.status == FAILED and api.answers == [] and lines(result)[-1]["level"] == "FATAL"


@pytest.mark.parametrize("step", [behaviours.reset(), behaviours.close_without_answer(),
                                  behaviours.Wire(lambda exchange: exchange.send(b"what?\r\n\r\n")),
                                  behaviours.Wire(lambda exchange: exchange.send(
                                      b"HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: x\r\nContent-Length: 10\r\n\r\n{}"))])
def test_an_event_that_breaks_off_is_asked_for_again(program, server, api, step):
    program.pipeline(server.url())
    (answer,), result = serve(program, api, step, Event(AT))
    assert answer.kind == "response"
    assert [line["level"] for line in said(result)] == ["WARN", "INFO"]


def test_a_request_id_that_is_too_long_is_said_to_be_and_not_repeated(program, server, api):
    program.pipeline(server.url())
    api.events(Event(AT, id="x" * 256))
    done = program.call("lambda", "weather", env=api.env)
    told = lines(done)[-1]["message"]
    assert done.status == FAILED and "a request id of 256 bytes; at most 255 are read" in told and "xxx" not in told
    assert not server.requests


def test_an_answer_whose_connection_breaks_is_sent_again(program, server, api):
    api.on_answer(behaviours.reset(), behaviours.reset(), behaviours.status(400, "unknown id"))
    program.pipeline(server.url())
    answers, result = serve(program, api, Event(AT), Event(AT))
    assert len({answer.id for answer in answers[:3]}) == 1 and len(answers) == 4 and answers[3].kind == "response"
    assert not [line for line in said(result) if line["level"] == "ERROR"]


def test_a_service_that_only_breaks_ends_the_process_in_a_few_seconds(program, server, api):
    program.pipeline(server.url())
    api.events(*[behaviours.reset()] * 20)
    result = program.call("lambda", "weather", env=api.env)
    assert result.status == FAILED and result.seconds < 10 and len(api.asked_at) == 6
    assert "does not answer" in lines(result)[-1]["message"]


def test_a_service_that_is_not_there_ends_the_process(program, server, api, closed_port):
    program.pipeline(server.url())
    result = program.call("lambda", "weather", env={**api.env, "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{closed_port}"})
    assert result.status == FAILED and result.seconds < 10


def test_the_invocations_id_is_echoed_as_it_came_and_only_when_it_came(program, server, api):
    program.pipeline(server.url())
    answers, _ = serve(program, api, Event(AT, headers={"Lambda-Runtime-Invocation-Id": "opaque=/+;:\"1 2"}), Event(AT),
                       Event(b"[]", headers={"lambda-runtime-invocation-id": "second"}))
    echoes = [answer.headers.get("lambda-runtime-invocation-id") for answer in answers]
    assert echoes == ["opaque=/+;:\"1 2", None, "second"]


def test_the_trace_is_in_the_environment_for_the_call_alone(program, server, api, aws):
    bucket, seen = aws.bucket(), program.folder / "seen"
    keys = {"Version": 1, "AccessKeyId": aws.env["AWS_ACCESS_KEY_ID"], "SecretAccessKey": aws.env["AWS_SECRET_ACCESS_KEY"]}
    (program.folder / "home" / ".aws").mkdir()
    (program.folder / "keys").write_text(json.dumps(keys))
    script = program.folder / "process"
    script.write_text(f'#!/bin/sh\necho "${{_X_AMZN_TRACE_ID-none}}" >>{seen}\ncat {program.folder}/keys\n')
    script.chmod(0o755)
    (program.folder / "home" / ".aws" / "config").write_text(f"[default]\ncredential_process = {script}\n")
    env = {**aws.env, "AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None, "AWS_SESSION_TOKEN": None}
    program.pipeline(server.url(), sink={"to": f"s3://{bucket}"})
    traces = ["Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1", "Root=1-2;Sampled=0"]
    answers, _ = serve(program, api, Event(AT, headers={"Lambda-Runtime-Trace-Id": traces[0]}), Event(AT),
                       Event(AT, headers={"Lambda-Runtime-Trace-Id": traces[1]}), env=env)
    assert [answer.kind for answer in answers] == ["response"] * 3, answers[0].body
    assert seen.read_text().splitlines() == [traces[0], "none", traces[1]]
    (program.folder / "keys").unlink()


# Before the first event.

def init(program, api, *arguments, env=None, status=USAGE):
    result = program.call(*arguments, env={**api.env, **(env or {})})
    assert result.status == status, result.stdout
    (answer,) = api.answers
    assert answer.kind == "init" and api.asked_at == [] and ERROR_TYPE.match(answer.error_type)
    assert answer.json()["errorType"] == answer.error_type
    (cause,) = cause_of(answer)["exceptions"]
    assert cause["type"] == answer.error_type and answer.json()["errorMessage"].startswith(cause["message"].removesuffix("…"))
    assert lines(result)[-1]["level"] == "FATAL"
    return answer


def test_an_unknown_handler_is_an_init_error_that_names_those_that_exist(program, server, api):
    program.pipeline(server.url())
    program.pipeline(server.url(), name="rivers")
    answer = init(program, api, "lambda", "wether", status=FAILED)
    assert answer.error_type == "Runtime.HandlerUnknown"
    assert answer.json()["errorMessage"] == 'there is no pipeline "wether"; did you mean "weather"? There are: rivers, weather'


def test_without_a_handler_the_only_pipeline_serves_and_several_are_named(program, server, api):
    program.pipeline(server.url())
    (answer,), _ = serve(program, api, Event(AT), arguments=())
    assert answer.kind == "response"
    program.pipeline(server.url(), name="rivers")
    api.answers.clear(), api.asked_at.clear()
    assert "rivers, weather" in init(program, api, "lambda").json()["errorMessage"]


def test_all_faults_of_the_pipeline_are_the_init_error(program, server, api):
    path = program.pipeline(server.url(), source={"limits": {}, "retry": {"attempts": "many"}}, quality={"uniqe": ["city"]})
    answer = init(program, api, "lambda", "weather")
    message = answer.json()["errorMessage"]
    assert answer.error_type == "Runtime.PipelineInvalid"
    assert all(word in message for word in ('"limits"', "attempts", '"uniqe"', "3 faults")), message
    assert program.call("check", path).status == USAGE


def test_a_variable_that_is_missing_is_an_init_error(program, server, api):
    program.pipeline(server.url(), sink={"to": "${OUTPUT_BUCKET}"})
    assert "OUTPUT_BUCKET" in init(program, api, "lambda", "weather").json()["errorMessage"]


def test_where_the_service_does_not_hear_of_it_the_log_does(program, api):
    api.on_answer(behaviours.status(403, "out of order"))
    result = program.call("lambda", "nothing", env=api.env)
    assert result.status == FAILED and [line["level"] for line in lines(result)] == ["FATAL"]
    assert "there is no pipeline in" in lines(result)[0]["message"]


@pytest.mark.parametrize("arguments, env", [
    (("lambda", "weather"), {}), (("weather",), {}), ((), {"_HANDLER": "weather"}), (("lambda",), {"_HANDLER": "weather"}),
    (("lambda", "weather"), {"_HANDLER": "lambda"}), (("lambda", "weather.yaml"), {}), (("weather.yaml",), {})])
def test_the_handlers_name_is_the_pipelines_wherever_it_stands(program, server, api, arguments, env):
    task = program.folder / "task"
    task.mkdir()
    program.pipeline(server.url()).rename(task / "weather.yaml")
    program.pipeline(server.url(), name="rivers")
    (answer,), _ = serve(program, api, Event(AT), arguments=arguments, env={"LAMBDA_TASK_ROOT": str(task), **env})
    assert answer.json()["pipeline"] == "weather"


def test_only_tmp_and_the_lake_are_written(program, server, api):
    task = program.folder / "task"
    task.mkdir()
    program.pipeline(server.url()).rename(task / "weather.yaml")
    task.chmod(0o555)
    before = {path for path in program.folder.rglob("*") if "call-" not in str(path)}
    (answer,), _ = serve(program, api, Event(AT), cwd=task)
    assert answer.kind == "response"
    left = {path for path in program.folder.rglob("*") if "call-" not in str(path)} - before
    assert all(program.lake in (path, *path.parents) for path in left), left


# What it says.

def test_text_is_the_form_of_the_log_unless_json_is_asked_for(program, server, api):
    program.pipeline(server.url())
    (answer,), result = serve(program, api, Event(AT), env={"AWS_LAMBDA_LOG_FORMAT": "Text"})
    first = result.stdout.splitlines()[0]
    assert re.match(rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}}Z INFO RequestId: {answer.id} weather, slot {SLOT}: 5 rows written", first)


@pytest.mark.parametrize("level, wanted", [("TRACE", {"DEBUG", "INFO", "WARN"}), ("DEBUG", {"DEBUG", "INFO", "WARN"}),
                                           ("INFO", {"INFO", "WARN"}), ("warn", {"WARN"}), ("ERROR", set()), ("FATAL", set()),
                                           ("loud", {"INFO", "WARN"})])
def test_lines_below_the_level_are_left_out(program, server, api, level, wanted):
    server.script("Portland", behaviours.status(404))
    program.pipeline(server.url())
    answers, result = serve(program, api, Event(AT), Event(b'{"slot": "2012-10-02", "shard": "1/5"}'), env={"AWS_LAMBDA_LOG_LEVEL": level})
    assert {line["level"] for line in said(result)} == wanted
    assert {line["requestId"] for line in said(result)} <= {answer.id for answer in answers}
    for line in said(result):
        assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\Z", line["timestamp"]) and line["message"]
    assert len(metrics(result)) == 2


def test_what_the_source_says_breaks_no_line_of_the_log(program, server, api):
    server.script("Portland", behaviours.status(404, 'evil\n{"level":"INFO"}\u2028\x1b[31m'))
    program.pipeline(server.url())
    for form in ("JSON", "Text"):
        _, result = serve(program, api, Event(AT), env={"AWS_LAMBDA_LOG_FORMAT": form})
        assert result.stdout.count("\n") == 3 and "\x1b" not in result.stdout
        api.answers.clear(), api.asked_at.clear()


def test_a_slot_in_shards_is_counted_once_when_it_is_merged(program, server, api):
    program.pipeline(server.url())
    events = [Event(json.dumps({"slot": SLOT, **more}).encode()) for more in ({"shard": "1/2"}, {"shard": "2/2"}, {"merge": 2})]
    answers, result = serve(program, api, *events)
    names = [[it["Name"] for it in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]] for line in metrics(result)]
    assert names[:2] == [["ColdStarts"]] * 2 and [line["ColdStarts"] for line in metrics(result)] == [1, 0, 0]
    whole = metrics(result)[2]
    assert (whole["RowsWritten"], whole["FilesWritten"], whole["FailedRuns"]) == (5, 2, 0)
    assert whole["Duration"] == answers[2].json()["duration_ms"]


def test_each_call_leaves_one_line_of_metrics(program, server, api):
    server.script("Portland", behaviours.status(500), behaviours.status(404))
    program.pipeline(server.url(), quality={"min_rows": 1, "max_bad": "50%"},
                     columns={"city": {"value": "{city}", "type": "string"},
                              "temperature": {"from": "main.temp", "type": "double", "in_range": [-50, 20]},
                              "observed_at": {"from": "dt", "type": "timestamp", "parse": "unix"}})
    answers, result = serve(program, api, Event(AT), Event(b"[]"))
    first, second = metrics(result)
    directive = first["_aws"]["CloudWatchMetrics"][0]
    assert abs(first["_aws"]["Timestamp"] / 1000 - time.time()) < 60
    assert directive["Namespace"] == "lambda-pipeline" and directive["Dimensions"] == [["FunctionName", "Pipeline"]]
    assert (first["FunctionName"], first["Pipeline"], first["requestId"]) == ("weather-staging", "weather", answers[0].id)
    values = {entry["Name"]: first[entry["Name"]] for entry in directive["Metrics"]}
    assert values.pop("Duration") == answers[0].json()["duration_ms"]
    assert values == {"RowsWritten": 3, "RowsQuarantined": 1, "FilesWritten": 1, "Retries": 1, "FailedItems": 1, "FailedRuns": 0,
                      "ColdStarts": 1}
    assert {entry["Unit"] for entry in directive["Metrics"]} == {"Count", "Milliseconds"}
    assert second["FailedRuns"] == 1 and second["ColdStarts"] == 0 and second["RowsWritten"] == 0


# What lasts from call to call, and what does not.

def test_connections_last_from_one_call_to_the_next(program, server, api, aws):
    bucket = aws.bucket()
    program.pipeline(server.url(), sink={"to": f"s3://{bucket}"})
    before = aws.proxy.connections
    answers, _ = serve(program, api, *[Event(AT)] * 3, env=aws.env)
    assert {answer.kind for answer in answers} == {"response"}
    assert server.connections <= 5 and len(server.requests) == 15
    assert aws.proxy.connections - before <= 3


def test_secrets_and_keys_are_read_anew_by_each_call(program, server, api, aws):
    bucket = aws.bucket()
    other = aws.user([{"Effect": "Allow", "Action": "*", "Resource": "*"}])
    (program.folder / "home" / ".aws").mkdir()
    files = program.folder / "home" / ".aws" / "credentials", program.folder / "key"
    form = "[default]\naws_access_key_id = {AWS_ACCESS_KEY_ID}\naws_secret_access_key = {AWS_SECRET_ACCESS_KEY}\n"
    env = {**aws.env, "AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None, "AWS_SESSION_TOKEN": None}
    program.pipeline(server.url(), sink={"to": f"s3://{bucket}"}, source={"auth": {"query": "appid", "secret": "file:key"}})
    running = program.start("lambda", "weather", env={**api.env, **env})
    for turn, keys in enumerate((aws.env, aws.env_of(other))):
        files[0].write_text(form.format(**keys))
        files[1].write_text(f"the-key-of-turn-{turn}\n")
        before = len(aws.proxy.calls), len(server.requests)
        api.events(Event(AT))
        assert api.answer(turn).kind == "response", api.answer(turn).body
        assert all(keys["AWS_ACCESS_KEY_ID"] in call.request.headers["authorization"] for call in aws.proxy.calls[before[0]:])
        assert {request.query["appid"] for request in server.requests[before[1]:]} == {f"the-key-of-turn-{turn}"}
    api.finish(running, asked=3)
    files[0].unlink()


def resident(running):
    return int(re.search(r"VmRSS:\s+(\d+) kB", open(f"/proc/{running.pid}/status").read()).group(1))


def test_memory_does_not_grow_over_a_thousand_calls(program, server, api):
    program.pipeline(server.url(), source={"each": {"city": ["Dallas"]}})
    running = program.start("lambda", "weather", env=api.env)
    calls = 200 if is_sanitized() else 1000
    event = {"slot": SLOT}
    for count in range(calls):
        api.events(Event(json.dumps(event).encode(), headers={"Lambda-Runtime-Trace-Id": f"Root=1-{count:08x}"}))
    api.answer(99, timeout=60)
    early = resident(running)
    api.answer(calls - 1, timeout=60)
    late = resident(running)
    assert {answer.kind for answer in api.answers} == {"response"}
    assert is_sanitized() or late - early <= 64, (early, late)  # a sanitizer holds back what was freed
    api.finish(running, asked=calls + 1)


@pytest.mark.skipif(is_sanitized(), reason="the sanitizers' own memory is far larger")
def test_a_thousand_items_pass_in_the_memory_of_the_smallest_function(program, server, api):
    program.pipeline(server.url(), source={"each": {"city": [f"place {n}" for n in range(1000)]}})
    (answer,), _ = serve(program, api, Event(AT), limits={resource.RLIMIT_AS: 128 << 20})
    assert answer.kind == "response" and answer.json()["rows"]["written"] == 1000


def test_several_events_at_once_are_not_served_and_that_is_told(program, server, api):
    program.pipeline(server.url())
    _, result = serve(program, api, Event(AT), env={"AWS_LAMBDA_MAX_CONCURRENCY": "10"})
    assert [line["level"] for line in said(result)] == ["WARN", "INFO"]
