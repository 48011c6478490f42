"""serve where something does not answer, does not end, or is not to be had: all else stays on time, and it is told once."""

import os
import re
import resource
import signal
import socket
import subprocess
import time

import pytest

from harness import behaviours
from harness.runner import is_sanitized
from harness.service import records

pytestmark = pytest.mark.skipif(is_sanitized(), reason="the sanitizer and the faked clock do not go together")

PATIENT = {"each": {"city": ["Dallas"]}, "limit": {"total": "900s"}, "retry": {"attempts": 1, "deadline": "900s"}}


def is_alive(pid):
    """A child whose parent is gone may stay a zombie where nobody is there to reap it."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.fixture
def silent():
    """A server that takes connections and says nothing."""
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        it.listen(100)
        yield f"http://127.0.0.1:{it.getsockname()[1]}"


def test_a_bucket_that_does_not_answer_is_told_once_and_holds_up_no_other_lake(program, server, serve, silent):
    env = {"AWS_ENDPOINT_URL": silent, "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "an-example-of-a-key",
           "AWS_REGION": "us-east-1"}
    bucket = {"to": "s3://bucket/lake", "catalog": None}
    every = {"expression": "cron(0/10 * * * ? *)", "catch_up": "all"}
    good = program.pipeline(server.url(), name="good", schedule=every, source=PATIENT)
    assert program.run(good, slot="2012-10-01T17:30:00Z").status == 0
    # The one without a schedule is looked at first, and for ever.
    away = [program.pipeline(server.url(), name=name, sink=bucket, **more)
            for name, more in (("unscheduled", {}), ("scheduled", {"schedule": every}))]
    it = serve(*away, good, env=env)
    it.wait_for(r"✓ good, slot 2012-10-01T17:40:00Z: .*caught up", seconds=10)
    it.wait_for(r"s3://bucket/lake: the lake does not answer; nothing is fired until it is back")
    it.wait_for(r"✗ unscheduled: its records cannot be read")
    it.wait_for(r"✓ good, slot 2012-10-01T18:20:00Z", seconds=40)
    log = it.log
    it.stop()
    assert log.count("does not answer; nothing is fired") == 1
    assert log.count("cannot be read") == 1
    for slot, said in re.findall(r"^(\S+)  ✓ good, slot (\S+):", log, re.M):
        assert "17:40" in said or "17:50" in said or slot[:15] == said[:15], (slot, said)


def test_a_run_that_does_not_end_when_it_is_asked_to_is_killed_and_the_service_ends(program, server, serve):
    path = program.pipeline(server.url(), name="stuck", schedule={"expression": "cron(0 * * * ? *)", "time_limit": "10h"},
                            source=PATIENT)
    server.script("Dallas", behaviours.stall_before_header())
    it = serve(path)
    until = time.monotonic() + 10
    while not server.requests:
        assert time.monotonic() < until
        time.sleep(0.02)
    child = int(subprocess.run(["pgrep", "-P", str(it.running.pid), "-x", "stuck"], capture_output=True, text=True).stdout)
    os.kill(child, signal.SIGSTOP)
    it.signal(signal.SIGTERM)
    it.wait_for("asked to stop; 1 at work may end first")
    it.signal(signal.SIGTERM)
    result = it.running.finish(timeout=20)
    assert result.status == 0
    assert "✗ stuck, slot 2012-10-01T18:00:00Z: failed after" in result.stderr
    assert "it was killed: it did not end within 30 s when it was asked to" in result.stderr
    assert not is_alive(child)


def test_slots_for_which_there_is_no_process_wait_until_there_is_one_and_it_is_told_once(program, server, serve):
    paths = [program.pipeline(server.url(), name=f"p{n}", schedule={"expression": "cron(0 * * * ? *)", "retries": 0},
                              source=PATIENT, sink={"catalog": {"database": "weather", "table": f"p{n}"}}) for n in range(8)]
    it = serve(*paths, speed=30)
    it.wait_for("this service fires")
    taken = len(os.listdir(f"/proc/{it.running.pid}/fd"))
    resource.prlimit(it.running.pid, resource.RLIMIT_NOFILE, (taken + 1, 1024))  # a pipe to a child wants two
    it.wait_for(r"✗ p\d, slot 2012-10-01T18:00:00Z: no run can be started: .*; what is due waits until it can")
    time.sleep(2)  # a minute of its clock: it has tried again
    assert it.log.count("no run can be started") == 1
    resource.prlimit(it.running.pid, resource.RLIMIT_NOFILE, (1024, 1024))
    it.wait_for("runs can be started again")
    for n in range(8):
        it.wait_for(rf"✓ p{n}, slot 2012-10-01T18:00:00Z")
    assert it.stop().status == 0
    assert all(len(records(program, f"p{n}")) == 1 for n in range(8))


def test_no_child_outlives_a_service_that_is_killed(program, server, serve):
    path = program.pipeline(server.url(), name="orphan", schedule={"expression": "cron(0 * * * ? *)"}, source=PATIENT)
    server.script("Dallas", behaviours.stall_before_header())
    it = serve(path)
    until = time.monotonic() + 10
    while not server.requests:
        assert time.monotonic() < until
        time.sleep(0.02)
    children = subprocess.run(["pgrep", "-P", str(it.running.pid)], capture_output=True, text=True).stdout.split()
    assert len(children) >= 2  # the run, and who keeps the lock
    it.kill()
    until = time.monotonic() + 5
    while any(is_alive(child) for child in children):
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_storm_of_signals_is_survived_and_the_last_one_heard(program, server, serve):
    path = program.pipeline(server.url(), schedule={"expression": "cron(* * * * ? *)"}, source=PATIENT)
    it = serve(path, speed=30)
    it.wait_for("✓ weather, slot")
    for _ in range(500):
        it.signal(signal.SIGHUP)
    it.wait_for("✓ weather, slot", count=3)
    for _ in range(20):
        it.signal(signal.SIGHUP)
    assert it.stop().status == 0
    done = re.findall(r"✓ weather, slot (\S+):", it.log)
    assert len(done) == len(set(done))


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system wants root")
def test_a_full_disk_is_told_shown_and_tried_again_and_ends_no_service(program, server, serve):
    program.lake.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", program.lake], capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        program.pipeline(server.url(), schedule={"expression": "cron(* * * * ? *)", "retries": 0}, source=PATIENT)
        it = serve(speed=30)
        it.wait_for(r"✓ weather, slot", seconds=30)
        ballast = program.lake / "ballast"
        with ballast.open("wb") as file, pytest.raises(OSError):
            while True:
                os.write(file.fileno(), b"x" * 4096)
        failed = it.wait_for(r"✗ weather, slot (\S+): failed after .*No space left", seconds=30)
        assert "No space left" in it.get("/")
        ballast.unlink()
        it.wait_for(r"✓ weather, slot", count=it.log.count("✓ weather, slot") + 1, seconds=30)
        it.stop()
        assert all(record["status"] in ("ok", "failed") for record in records(program).values())
        assert not list(program.lake.rglob("*.part")) and failed
    finally:
        subprocess.run(["umount", "-l", program.lake], check=True)
