"""Under AWS's own Runtime Interface Emulator, with the five cities from a local API and a bucket that checks signatures."""

import json
import os
import signal
import subprocess
import threading
import time

import pytest

from harness import behaviours
from harness.rie import PATH, Emulator
from harness.runner import SLOT, SLOT_NAME
from harness.weather import CITIES

AT = json.dumps({"slot": SLOT}).encode()
DATA, RECORD = f"weather/dt=2012-10-01/{SLOT_NAME}.csv", f"_runs/weather/{SLOT_NAME}.json"


@pytest.fixture
def bucket(program, server, aws):
    name = aws.bucket()
    program.pipeline(server.url(), sink={"to": f"s3://{name}"})
    return name


def emulator(program, aws, **options):
    return Emulator(program, "lambda", "weather", env={**aws.env, "AWS_LAMBDA_LOG_FORMAT": "JSON"}, **options)


def test_the_tutorials_curl_on_port_9080_writes_five_cities(program, aws, bucket):
    with emulator(program, aws, port=9080):
        said = subprocess.run(["curl", "-sS", "-d", AT.decode(), f"http://localhost:9080{PATH}"], capture_output=True, text=True,
                              timeout=60)
    record = json.loads(said.stdout)
    assert record["status"] == "ok" and record["files"][0]["url"] == f"s3://{bucket}/{DATA}"
    rows = aws.objects(bucket)[DATA].decode().splitlines()
    assert [line.split(",")[0] for line in rows[1:]] == CITIES
    assert json.loads(aws.objects(bucket)[RECORD])["run_id"] == record["run_id"]


def test_ten_calls_in_a_row_are_served_by_one_process(program, aws, bucket):
    with emulator(program, aws) as rie:
        slots = [f"2012-10-{day:02}T18:00:00Z" for day in range(1, 11)]
        records = [rie.invoke(json.dumps({"slot": slot}).encode()).json() for slot in slots]
        assert [record["slot"] for record in records] == slots and {record["status"] for record in records} == {"ok"}
        lines = [line for line in rie.lines() if "_aws" in line]
    assert [line["ColdStarts"] for line in lines] == [1] + [0] * 9
    assert len({line["requestId"] for line in lines}) == 10
    assert len([name for name in aws.objects(bucket) if name.startswith("weather/")]) == 10


def test_errors_come_out_as_errors_and_the_next_call_works(program, server, aws, bucket):
    server.script("Dallas", behaviours.ok(), behaviours.status(401))
    with emulator(program, aws) as rie:
        assert rie.invoke(b'{"slto": 1}').json()["errorType"] == "Function.EventInvalid"
        assert rie.invoke(b"").json()["status"] == "ok"
        assert rie.invoke(AT).json()["status"] == "partial"
        program.folder.joinpath("weather.yaml").unlink()
        assert rie.invoke(AT).json()["status"] == "partial"  # what was parsed before the first event serves all


def test_a_run_ends_before_the_emulator_would_end_it(program, server, aws, bucket):
    server.script("New York", behaviours.stall_before_header())
    program.pipeline(server.url(), sink={"to": f"s3://{bucket}"}, source={"limit": {"total": "60s", "at_once": 1}})
    with emulator(program, aws, timeout=4) as rie:
        told = rie.invoke(AT)
        assert b"Task timed out" not in told.body and told.json()["errorType"] == "Function.TimeOver"
        assert json.loads(aws.objects(bucket)[RECORD])["status"] == "failed"
        assert [name for name in aws.objects(bucket) if "weather/dt" in name or name.endswith(".lock")] == []
        server.script("New York", behaviours.ok())
        assert rie.invoke(AT).json()["status"] == "ok"


def test_a_process_that_is_killed_in_mid_run_leaves_nothing_half_and_the_next_call_works(program, server, aws, bucket):
    server.script("Dallas", behaviours.stall_before_header(), behaviours.ok())
    with emulator(program, aws) as rie:
        answers = []
        caller = threading.Thread(target=lambda: answers.append(rie.invoke(AT)))
        caller.start()
        while not server.asked("Dallas"):
            time.sleep(0.01)
        os.kill(rie.function_pid(), signal.SIGKILL)
        caller.join(30)
        assert answers[0].status == 502 or b"errorType" in answers[0].body, answers
        assert [name for name in aws.objects(bucket) if name.startswith("weather/")] == []
        # Its lock stays for as long as a lease lasts: of a function nobody can see whether it is still there.
        assert rie.invoke(AT).json()["errorType"] == "Function.SlotLocked"
        assert rie.invoke(b'{"slot": "2012-10-02"}').json()["status"] == "ok"


def test_an_unknown_handler_is_an_init_error(program, aws, bucket):
    with Emulator(program, "lambda", "wether", env=aws.env) as rie:
        told = rie.invoke(AT)
        assert told.status == 502 or b"Runtime.HandlerUnknown" in told.body, told
        assert "did you mean" in rie.log()
