"""As a function: events in, records or errors out, by Lambda's runtime interface as a test scripts it."""

import json
import time

import pytest

from harness import behaviours
from harness.runner import SLOT, USAGE
from harness.runtime_api import Event, metrics, said
from harness.weather import CITIES

AT = json.dumps({"slot": SLOT}).encode()


def test_an_event_is_answered_with_the_record_of_its_run(program, server, api):
    program.pipeline(server.url())
    api.events(Event(AT, id="first one"))
    running = program.start("lambda", "weather", env=api.env)
    answer = api.answer(0)
    result = api.finish(running, asked=2)
    assert answer.kind == "response" and answer.id == "first%20one", answer.body
    assert answer.headers["content-type"] == "application/json" and answer.error_type is None
    record = answer.json()
    assert record == program.record() and record["slot"] == SLOT and record["rows"]["written"] == 5
    assert [row["city"] for row in program.rows()] == CITIES
    assert {request.connection for request in api.requests} == {1}
    assert all("expect" not in request.headers for request in api.requests)
    assert [line["requestId"] for line in said(result)] == ["first one"]
    assert result.stderr == ""
