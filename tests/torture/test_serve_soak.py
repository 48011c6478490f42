"""Thousands of runs in one service: memory, descriptors and children as after the first hundred."""

import time
from pathlib import Path

import pytest

from harness.runner import is_sanitized
from harness.service import Service

pytestmark = pytest.mark.skipif(is_sanitized(), reason="the sanitizer and the faked clock do not go together")

PIPELINES, RUNS, SECONDS = 60, 3000, 42


def state(pid):
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    children = []
    for thread in Path(f"/proc/{pid}/task").iterdir():
        children += (thread / "children").read_text().split()
    zombies = 0
    for child in children:
        try:
            zombies += Path(f"/proc/{child}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
        except OSError:
            pass
    return int(fields["RssAnon"].split()[0]), len(list(Path(f"/proc/{pid}/fd").iterdir())), len(children), zombies


def test_memory_descriptors_and_children_stay_as_they_are_over_thousands_of_runs(program, server):
    folder = program.folder / "pipelines"
    folder.mkdir()
    for n in range(PIPELINES):
        name = f"p{n}"
        path = program.pipeline(server.url(), name=name, schedule={"expression": "cron(* * * * ? *)", "overlap": "queue"},
                                source={"each": {"city": ["Dallas"]}, "limit": {"total": "900s"}, "retry": {"deadline": "900s"}},
                                sink={"catalog": {"database": "weather", "table": name}})
        path.rename(folder / path.name)
    it = Service(program, folder, "--at-once", "60", speed=60)
    until, early, done = time.monotonic() + SECONDS, None, 0
    try:
        while time.monotonic() < until and done < RUNS:
            time.sleep(0.2)
            done = it.log.count("✓ p")
            if early is None and done >= 10 * PIPELINES:
                it.get("/")
                early = state(it.running.pid)
        it.get("/")
        late = state(it.running.pid)
        assert early and done > 15 * PIPELINES
        assert late[0] <= early[0] + 256, (early, late)  # KiB
        assert max(late[1], early[1]) < 100 and late[3] <= 32  # a pipe of each run at work; who has ended is reaped with the next
    finally:
        it.stop()
