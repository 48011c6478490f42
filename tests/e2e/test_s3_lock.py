"""A run of a slot is alone in a bucket: its lock is a lease that outlives no one for long."""
import datetime
import json
import pathlib
import time

import pytest

from harness import behaviours as b
from harness.aws_faults import cut_after_done, slow_down, then_do
from harness.runner import LOCKED, OK, is_sanitized

LOCK = "_runs/weather/.20121001T180000Z.lock"
DATA = "weather/dt=2012-10-01/20121001T180000Z.csv"
RECORD = "_runs/weather/20121001T180000Z.json"
FAKETIME = next(pathlib.Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))


@pytest.fixture
def bucket(aws):
    return aws.bucket()


def held_by_another(aws, bucket):
    aws.client("s3").put_object(Bucket=bucket, Key=LOCK, Body=json.dumps(
        {"host": "elsewhere", "machine": "another start of another machine", "token": "0123456789abcdef", "pid": 1,
         "started": 12, "written_at": "2012-10-01T18:00:00Z", "lease_s": 120}))


def run(program, server, aws, bucket, **named):
    return program.run(program.pipeline(server.url(), sink={"to": f"s3://{bucket}", "catalog": None}), env=aws.env, **named)


def test_a_slot_that_another_machine_runs_is_refused(program, server, aws, bucket):
    held_by_another(aws, bucket)
    result = run(program, server, aws, bucket)
    assert result.status == LOCKED
    assert "is being run already" in result.stderr
    assert not server.requests
    assert aws.keys_of(bucket) == [LOCK]


def test_a_lock_that_nobody_renewed_is_taken_over(program, server, aws, bucket):
    held_by_another(aws, bucket)
    aws.proxy.clock = datetime.timedelta(seconds=130)
    result = run(program, server, aws, bucket)
    assert result.status == OK, result.stderr
    assert DATA in aws.keys_of(bucket) and LOCK not in aws.keys_of(bucket)
    assert "ListMultipartUploads" in " ".join(aws.proxy.operations())


@pytest.mark.parametrize("number", [1, 2])
def test_a_lock_whose_answer_was_lost_is_known_for_our_own(program, server, aws, bucket, number):
    aws.proxy.fault(cut_after_done(), operation="PutObject", key=r".*\.lock", times=number)
    result = run(program, server, aws, bucket)
    assert result.status == OK, result.stderr
    assert LOCK not in aws.keys_of(bucket)


def test_a_stopped_run_gives_its_lock_back(program, server, aws, bucket):
    server.default = b.ok(delay=5)
    running = program.start("run", program.pipeline(server.url(), sink={"to": f"s3://{bucket}", "catalog": None}),
                            "--slot", "2012-10-01T18:00:00Z", env=aws.env)
    while not server.requests:
        time.sleep(0.01)
    running.signal(15)
    result = running.finish()
    assert result.status == -15
    assert aws.keys_of(bucket) == ["_runs/weather/20121001T180000Z.json"]
    record = json.loads(aws.objects(bucket)["_runs/weather/20121001T180000Z.json"])
    assert record["status"] == "failed" and "SIGTERM" in record["failures"][0]["error"]


# A minute passes in a second for the program; the requests' dates stay within what S3 takes.
HURRY = {"LD_PRELOAD": FAKETIME, "FAKETIME": "+0 x60", "FAKETIME_NO_CACHE": "1"}
PATIENT = {"limit": {"at_once": 8, "connect": "5m", "total": "1h"}, "retry": {"attempts": 1, "deadline": "1h"}}


@pytest.fixture
def slow(server):
    server.default = b.ok(delay=2.5)
    return server


@pytest.mark.skipif(is_sanitized(),
                    reason="the sanitizer and another clock do not go together")
class TestWhileTheSourceIsSlow:
    def start(self, program, slow, aws, bucket):
        file = program.pipeline(slow.url(), source=PATIENT, sink={"to": f"s3://{bucket}", "catalog": None})
        return program.start("run", file, "--slot", "2012-10-01T18:00:00Z", env={**aws.env, **HURRY})

    def test_the_lock_is_renewed(self, program, slow, aws, bucket):
        result = self.start(program, slow, aws, bucket).finish()
        assert result.status == OK, result.stderr
        writes = [it for it in aws.proxy.operations() if it == f"PutObject {bucket}/{LOCK}"]
        assert len(writes) >= 2, aws.proxy.operations()

    def test_a_renewal_that_fails_is_tried_again(self, program, slow, aws, bucket):
        aws.proxy.fault(slow_down(), operation="PutObject", key=r".*\.lock", after=1, times=2)
        result = self.start(program, slow, aws, bucket).finish()
        assert result.status == OK, result.stderr

    def test_a_run_whose_lock_was_taken_ends_and_publishes_nothing(self, program, slow, aws, bucket):
        running = self.start(program, slow, aws, bucket)
        while LOCK not in aws.keys_of(bucket):
            time.sleep(0.01)
        held_by_another(aws, bucket)
        result = running.finish()
        assert result.status == LOCKED, result.stderr
        assert "has taken" in result.stderr
        assert LOCK in aws.keys_of(bucket) and DATA not in aws.keys_of(bucket)


# What was begun is given back.

def test_a_takeover_whose_answer_was_lost_ends_the_uploads_that_were_left(program, server, aws, bucket):
    held_by_another(aws, bucket)
    aws.client("s3").create_multipart_upload(Bucket=bucket, Key=DATA)
    aws.proxy.clock = datetime.timedelta(seconds=130)
    aws.proxy.fault(cut_after_done(), operation="PutObject", key=r".*\.lock", after=1)
    result = run(program, server, aws, bucket)
    assert result.status == OK, result.stderr
    assert not aws.proxy.faults_left() and aws.unfinished(bucket) == []


@pytest.mark.parametrize("key, operation", [(RECORD, "GetObject"), (RECORD, "PutObject"), (LOCK, "DeleteObject")])
def test_a_signal_at_either_end_of_a_run_leaves_no_lock(program, server, aws, bucket, key, operation):
    """While it reads what was before, and while it writes down how it went."""
    running = []
    aws.proxy.fault(then_do(lambda: (running[0].signal(15), time.sleep(1))), operation=operation, key="^" + key)
    running.append(program.start("run", program.pipeline(server.url(), sink={"to": f"s3://{bucket}", "catalog": None}),
                                 "--slot", "2012-10-01T18:00:00Z", env=aws.env))
    result = running[0].finish(20)
    assert result.status == -15, result
    assert LOCK not in aws.keys_of(bucket)
    if operation != "GetObject":
        assert json.loads(aws.objects(bucket)[RECORD])["status"] == "ok"


def test_who_holds_a_slot_in_a_bucket_is_told_with_what_to_do(program, server, aws, bucket):
    held_by_another(aws, bucket)
    result = run(program, server, aws, bucket)
    assert result.status == LOCKED
    assert [word for word in ("process 1 on elsewhere", "120 s", "wait") if word not in result.stderr] == [], result.stderr
