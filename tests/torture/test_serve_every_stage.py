"""serve is killed at each of its own system calls around a fire in turn, from its first look at the lake until the run has ended
and been told. Its children end with it, wherever they are. The next service finds nothing doubled, and leaves nothing undone."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
from datetime import datetime, timezone

import pytest

from harness.runner import program_path

STRACE = shutil.which("strace")
assert STRACE, "strace is missing; scripts/deps --test installs it"
CALLS = ["clone", "poll", "read", "write", "close", "wait4", "timerfd_settime", "kill", "pipe2"]
YEAR = datetime.now(timezone.utc).year
MISSED, EARLIER = f"{YEAR}0101T000000Z", f"{YEAR - 1}0101T000000Z"
PIPELINE = """pipeline: weather
source:
  get: https://api.example.com/weather?q={city}
  each: { city: [A, B, C] }
columns:
  city: { value: "{city}", type: string }
  temperature: { from: temp, type: double }
quality: { unique: [city] }
sink: { to: ./lake }
schedule: { expression: "cron(0 0 1 1 ? *)", catch_up: latest }
"""


class Ground:
    """A pipeline that was due once a year and has missed the last time: each service begins with a fire."""

    def __init__(self, folder):
        self.folder, self.count, self.started = folder, 0, []
        (folder / "weather.yaml").write_text(PIPELINE)
        (folder / "replies").mkdir()
        for city in "ABC":
            (folder / "replies" / f"{city}.http").write_bytes(b'HTTP/1.1 200 OK\r\n\r\n{"temp": 1.5}')
        (folder / "start" / "_runs" / "weather").mkdir(parents=True)
        (folder / "start" / "_runs" / "weather" / f"{EARLIER}.json").write_text('{"pipeline": "weather", "status": "ok"}\n')

    def prepare(self):
        self.count += 1
        lake = self.folder / f"lake-{self.count}"
        shutil.copytree(self.folder / "start", lake)
        return lake

    def start(self, lake, *strace):
        env = {"PATH": "/usr/bin:/bin", "HOME": str(self.folder), "LC_ALL": "C.UTF-8", "ASAN_OPTIONS": "detect_leaks=0"}
        log = (self.folder / f"log-{lake.name}").open("ab")
        service = subprocess.Popen([*map(str, strace), str(program_path()), "serve", "weather.yaml", "--port", "0", "--to", lake, "--replay",
                                    "replies"], cwd=self.folder, env=env, stderr=log, stdout=log, start_new_session=True)
        self.started.append(service)
        return service

    def close(self):
        """What a test that failed has left."""
        for service in self.started:
            if service.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(service.pid, signal.SIGKILL)
                service.wait(20)

    def wait(self, service, lake, pattern, seconds=20):
        until = time.monotonic() + seconds
        log = self.folder / f"log-{lake.name}"
        while service.poll() is None and not re.search(pattern, log.read_text()):
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.005)

    def serve_once(self, lake, *strace):
        """A service until its fire has been told, or it was killed."""
        service = self.start(lake, *strace)
        self.wait(service, lake, "weather, slot")
        if service.poll() is None:
            pids = subprocess.run(["pgrep", "-P", str(service.pid)], capture_output=True, text=True).stdout.split()
            for pid in pids:  # strace does not pass it on
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGTERM)
        return service.wait(20)


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    it = Ground(tmp_path_factory.mktemp("stages"))
    yield it
    it.close()


@pytest.mark.parametrize("call", CALLS)
def test_a_kill_at_each_of_its_calls_leaves_a_slot_that_the_next_service_finds_done_or_does(ground, call):
    lake = ground.prepare()
    log = ground.folder / f"calls-{call}"
    ground.serve_once(lake, STRACE, "-o", log, "-e", f"trace={call}")
    first = len(re.findall(rf"^{call}\(", log.read_text(), re.M))
    assert first, log.read_text()
    killed = 0
    for n in range(max(1, first - 14), first + 1):  # what comes before reads the program's own files
        lake = ground.prepare()
        ground.serve_once(lake, STRACE, "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={n}")
        record = lake / "_runs" / "weather" / f"{MISSED}.json"
        before = record.read_bytes() if record.exists() else None
        killed += 1
        service = ground.start(lake)
        ground.wait(service, lake, "this service fires(.|\n)*(weather, slot)" if before is None else "this service fires")
        until = time.monotonic() + 20
        while not record.exists():
            assert time.monotonic() < until, (ground.folder / f"log-{lake.name}").read_text()
            time.sleep(0.005)
        time.sleep(0.05)
        service.terminate()
        assert service.wait(20) == 0
        if before is not None:
            assert record.read_bytes() == before  # it was left alone
        assert json.loads(record.read_text())["rows"]["written"] == 3
        files = [path for path in lake.rglob("*.csv")]
        assert [path.stem for path in files] == [MISSED] and len(files[0].read_text().splitlines()) == 4
        left = [path for path in lake.rglob(".*") if path.is_file() and not path.name.endswith(".lock")]
        assert not left
    assert killed
