"""The service killed again and again, alone and beside another, wherever that finds it: in the end each slot was run, once."""

import random
import re
import signal
import time
from datetime import datetime

import pytest

from harness.runner import is_sanitized
from harness.service import Service, records, slots

pytestmark = pytest.mark.skipif(is_sanitized(), reason="the sanitizer and the faked clock do not go together")

RULES = {"expression": "cron(0/10 * * * ? *)", "catch_up": "all", "catch_up_limit": 1000}

PATIENT = {"limit": {"total": "900s", "connect": "900s"}, "retry": {"deadline": "1800s"}}  # of a clock that runs fast


def settle(program, begin, first, seconds=40):
    """A last service, left alone until nothing is missing; it returns the slots that there have to be."""
    it = Service(program, program.folder / "weather.yaml", begin=begin, speed=1)
    count = int((datetime.fromisoformat(begin) - first).total_seconds() // 600) + 1
    expected = slots(first.strftime("%Y-%m-%d %H:%M:%S"), count, 10)
    until = time.monotonic() + seconds
    while not set(expected) <= set(records(program)):
        assert time.monotonic() < until, (set(expected) - set(records(program)), it.log[-2000:])
        time.sleep(0.1)
    it.stop()
    return expected, it.log


def judge(program, expected, logs):
    found = records(program)
    assert set(expected) <= set(found)
    assert all(record["status"] == "ok" and record["rows"]["written"] == 5 for record in found.values())
    done = re.findall(r"✓ weather, slot (\S+):", logs)
    assert len(done) == len(set(done)), [slot for slot in done if done.count(slot) > 1]
    files = [path for path in (program.lake / "weather").rglob("*.csv")]
    assert {path.stem for path in files} == set(found) and len(files) == len(found)
    assert all(len(path.read_text().splitlines()) == 6 for path in files)
    assert not [path for path in program.lake.rglob("*") if path.is_file() and path.name.endswith((".part", ".keys"))]


def test_killed_at_any_moment_it_misses_and_doubles_nothing(program, server):
    dice = random.Random(6)
    program.pipeline(server.url(), schedule=RULES, source=PATIENT)
    begin, logs, first = "2012-10-01 17:58:30", "", None
    for _ in range(30):
        it = Service(program, program.folder / "weather.yaml", begin=begin, speed=600)
        time.sleep(dice.uniform(0.02, 1.2))
        it.kill()
        logs += it.log
        begin = it.now()
        if first is None and records(program):
            first = datetime.strptime(next(iter(records(program))), "%Y%m%dT%H%M%SZ")
    expected, log = settle(program, begin, first)
    assert len(expected) > 15
    judge(program, expected, logs + log)


def test_of_two_services_that_are_killed_stopped_and_started_at_random_no_slot_is_missed_or_doubled(program, server):
    dice = random.Random(7)
    program.pipeline(server.url(), schedule=RULES, source=PATIENT)
    speed, logs, first = 60, "", None
    begin, began = "2012-10-01 17:58:30", time.monotonic()

    def now():
        reference = Service.now(type("At", (), {"_began": began, "_begin": begin, "_speed": speed})())
        return reference
    pair = [Service(program, program.folder / "weather.yaml", begin=now(), speed=speed) for _ in range(2)]
    paused = set()
    for _ in range(24):
        time.sleep(dice.uniform(0.1, 1.5))
        at = dice.randrange(2)
        what = dice.choice(["kill", "term", "pause", "go on", "none"])
        if what in ("kill", "term"):
            if at in paused or what == "kill":
                pair[at].kill()
            else:
                pair[at].stop()
            paused.discard(at)
            logs += pair[at].log
            pair[at] = Service(program, program.folder / "weather.yaml", begin=now(), speed=speed)
        elif what == "pause":
            pair[at].signal(signal.SIGSTOP)
            paused.add(at)
        elif what == "go on":
            pair[at].signal(signal.SIGCONT)
            paused.discard(at)
        if first is None and records(program):
            first = datetime.strptime(next(iter(records(program))), "%Y%m%dT%H%M%SZ")
    for it in pair:
        it.signal(signal.SIGCONT)
        it.kill()
        logs += it.log
    expected, log = settle(program, now(), first)
    judge(program, expected, logs + log)
