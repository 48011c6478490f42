"""The process is killed at every write, fsync, rename, unlink and mkdir of a run in turn, and each of them fails in turn.

Whatever happens, each file of the lake is as it was before or as it will be, and the next run gives the same tree as if
nothing had happened. strace stands between the program and the kernel.
"""

import json
import os
import re
import shutil
import subprocess

import pytest

from harness.runner import FAILED, OK, SLOT, is_sanitized, program_path

CALLS = ["write", "fsync", "rename", "unlink", "mkdir", "openat", "flock"]
STRACE = shutil.which("strace")
assert STRACE, "strace is missing; scripts/deps --test installs it"

PIPELINE = """pipeline: weather
source:
  get: https://api.example.com/weather?q={city}
  each: { city: [A, B, C] }
columns:
  city: { value: "{city}", type: string }
  temperature: { from: temp, type: double, in_range: [-90, 60] }
quality: { unique: [city] }
sink: { to: ./lake, partition: { place: city } }
"""


def write_replies(folder, temperatures):
    folder.mkdir()
    for city, temperature in temperatures.items():
        (folder / f"{city}.http").write_bytes(b'HTTP/1.1 200 OK\r\n\r\n{"temp": %s}' % temperature.encode())


def normal(tree):
    """The files of a lake; of the record what does not depend on the clock."""
    result = {}
    for name, data in tree.items():
        if name.startswith("_runs/") and name.endswith(".json"):
            record = json.loads(data)
            data = {key: record[key] for key in ("status", "rows", "files", "failures", "requests")}
        result[name] = data
    return result


class Ground:
    """One run to be disturbed, over a lake that is empty (fresh) or holds an earlier run of the same slot."""

    def __init__(self, folder, fresh):
        self.folder, self.count = folder, 0
        (folder / "weather.yaml").write_text(PIPELINE)
        write_replies(folder / "old", {"A": "1.5", "B": "99", "C": "3"})     # B is quarantined
        write_replies(folder / "new", {"A": "99", "B": "20.25", "C": "30"})  # A is
        self.before = {}
        if not fresh:
            assert self.run(folder / "start", "old").returncode == OK
            self.before = self.tree(folder / "start")
        self.start = None if fresh else folder / "start"
        done = self.prepare()
        assert self.run(done, "new").returncode == OK
        self.after = self.tree(done)

    def prepare(self):
        self.count += 1
        place = self.folder / f"lake-{self.count}"
        if self.start:
            shutil.copytree(self.start, place)
        return place

    @staticmethod
    def tree(place):
        return {str(path.relative_to(place)): path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file()}

    def run(self, place, replies, *strace):
        env = {"PATH": "/usr/bin:/bin", "HOME": str(self.folder), "LC_ALL": "C.UTF-8", "TMPDIR": str(self.folder),
               "ASAN_OPTIONS": "detect_leaks=0"}
        return subprocess.run([*strace, str(program_path()), "run", "weather.yaml", "--slot", SLOT, "--replay", replies, "--to", place,
                               "--quiet"], cwd=self.folder, env=env, capture_output=True, text=True, timeout=60)

    def calls(self, name):
        """How often the undisturbed run makes this call, after it began with the lake."""
        log = self.folder / "log"
        self.run(self.prepare(), "new", STRACE, "-o", log, "-e", f"trace={name}")
        return len(re.findall(rf"^{name}\(", log.read_text(), re.M))


@pytest.fixture(scope="module", params=["an empty lake", "an earlier run's lake"])
def ground(request, tmp_path_factory):
    return Ground(tmp_path_factory.mktemp("ground"), fresh=request.param == "an empty lake")


def assert_whole(ground, place):
    """Each file is as before, or as after; data and quarantine names are of either run."""
    now, before, after = normal(Ground.tree(place)), normal(relocated(ground.before, place)), normal(relocated(ground.after, place))
    for name, data in now.items():
        if name.endswith((".part", ".lock", ".keys")):
            continue
        if name.startswith("_runs/"):
            assert data["status"] in ("ok", "failed")
            continue
        assert data in (before.get(name), after.get(name)), f"{name} is neither old nor new"


def relocated(tree, place):
    """A record names its lake: the same tree as it would be in this place."""
    return {name: re.sub(rb'"url":"[^"]*/(start|lake-\d+)/', b'"url":"' + os.fsencode(str(place)) + b"/", data)
            if name.startswith("_runs/") else data for name, data in tree.items()}


def assert_converges(ground, place):
    again = ground.run(place, "new")
    assert again.returncode == OK, again.stderr
    assert normal(Ground.tree(place)) == normal(relocated(ground.after, place))


@pytest.mark.parametrize("call", CALLS)
def test_killed_at_any_call_each_file_is_old_or_new_and_the_next_run_repairs_all(ground, call):
    count = ground.calls(call)
    assert count > 0
    killed = 0
    for at in range(1, count + 1):
        place = ground.prepare()
        result = ground.run(place, "new", STRACE, "-o", "/dev/null", "-e", f"inject={call}:signal=KILL:when={at}")
        assert result.returncode in (-9, 137, OK), result
        killed += result.returncode != OK
        if place.exists():
            assert_whole(ground, place)
        assert_converges(ground, place)
        shutil.rmtree(place)
    assert killed == count


@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
@pytest.mark.parametrize("call", ["write", "fsync", "rename", "unlink", "mkdir"])
def test_when_any_call_fails_the_run_says_so_or_does_not_need_it(ground, call, error):
    count = ground.calls(call)
    told = 0
    for at in range(1, count + 1):
        place = ground.prepare()
        result = ground.run(place, "new", STRACE, "-o", "/dev/null", "-e", f"inject={call}:error={error}:when={at}")
        assert result.returncode in (OK, FAILED), result
        if result.returncode == FAILED:
            told += 1
            assert {"ENOSPC": "No space left", "EIO": "Input/output error"}[error] in result.stderr, result.stderr
        elif call in ("write", "fsync", "rename"):
            assert normal(Ground.tree(place)) == normal(relocated(ground.after, place)), (call, at)
        if place.exists():
            assert_whole(ground, place)
            if call != "unlink":
                assert not list(place.rglob("*.part")), (call, at)
        assert_converges(ground, place)
        shutil.rmtree(place, ignore_errors=True)
    if call in ("write", "fsync", "rename"):
        assert told == count, f"{count - told} failures were not told"


def test_when_every_call_of_a_kind_fails_nothing_is_published(ground):
    for call in ("write", "fsync", "rename"):
        place = ground.prepare()
        result = ground.run(place, "new", STRACE, "-o", "/dev/null", "-e", f"inject={call}:error=ENOSPC")
        assert result.returncode == FAILED
        if place.exists():
            now = {name: data for name, data in Ground.tree(place).items() if not name.endswith(".lock")}
            assert now == ground.before
        assert_converges(ground, place)
