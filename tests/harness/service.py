"""`serve` as a test starts it: under a clock of the test's own, which may run fast, be set, and stand still."""

import json
import re
import signal
import time
import urllib.request
from datetime import datetime, timedelta, timezone
from pathlib import Path

from .runner import is_sanitized

FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
BEGIN = "2012-10-01 17:58:30"


def slot_name(text):
    """2012-10-01 18:00 → 20121001T180000Z"""
    return datetime.fromisoformat(text).strftime("%Y%m%dT%H%M%SZ")


def slots(first, count, minutes=1):
    at = datetime.fromisoformat(first)
    return [(at + timedelta(minutes=i * minutes)).strftime("%Y%m%dT%H%M%SZ") for i in range(count)]


class Service:
    """Running from its construction on. `begin` and `speed` are of its clock; None: the machine's own."""

    def __init__(self, program, *arguments, begin=BEGIN, speed=60, env=None, wait=True, port="0"):
        self.program = program
        self._began, self._begin, self._speed = time.monotonic(), begin, speed
        self.clock = program.folder / f"clock-{time.monotonic_ns()}"
        changes = {"TZ": "UTC", **(env or {})}
        if begin:
            assert not is_sanitized(), "the sanitizer and the faked clock do not go together"
            self.clock.write_text(f"@{begin} x{speed}")
            changes |= {"LD_PRELOAD": str(FAKETIME), "FAKETIME_TIMESTAMP_FILE": str(self.clock), "FAKETIME_NO_CACHE": "1",
                        "NO_FAKE_STAT": "1"}
        self.running = program.start("serve", *arguments, "--port", port, env=changes)
        if wait:
            self.port = int(self.wait_for(r"the page is at http://[^ \n]*:(\d+)").group(1))

    def now(self):
        """What its clock shows, for another service beside it."""
        passed = timedelta(seconds=(time.monotonic() - self._began) * self._speed)
        return (datetime.fromisoformat(self._begin) + passed).strftime("%Y-%m-%d %H:%M:%S")

    @property
    def log(self):
        return self.running.errors_so_far()

    def wait_for(self, pattern, seconds=20, count=1):
        until = time.monotonic() + seconds
        while len(found := list(re.finditer(pattern, self.log))) < count:
            assert time.monotonic() < until, f"no {pattern} in\n{self.log}"
            assert self.running.process.poll() is None, self.log
            time.sleep(0.02)
        return found[count - 1]

    def get(self, path, timeout=10):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=timeout) as answer:
            return answer.read().decode()

    def set_clock(self, text, speed=60):
        """From now on it is this time."""
        new = self.clock.with_suffix(".new")
        new.write_text(f"@{text} x{speed}")
        new.rename(self.clock)

    def signal(self, number):
        self.running.signal(number)

    def stop(self, status=0):
        self.running.signal(signal.SIGTERM)
        result = self.running.finish()
        assert result.status == status, result.stderr
        return result

    def kill(self):
        self.running.kill()


def records(program, name="weather"):
    """{slot: record} of all that lies there."""
    found = {}
    for path in sorted((program.lake / "_runs" / name).glob("2*.json")):
        found[path.stem] = json.loads(path.read_text())
    return found


def wait_for_record(program, slot, name="weather", seconds=20):
    until = time.monotonic() + seconds
    while not program.has_record(name, slot):
        assert time.monotonic() < until, f"no record of {slot} in {seconds} s"
        time.sleep(0.02)
    return program.record(name, slot)


def now_utc():
    return datetime.now(timezone.utc)
