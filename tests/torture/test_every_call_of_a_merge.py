"""merge is killed at every write, fsync, rename, unlink, mkdir, openat and flock in turn, and each of them fails in turn: merging
again gives the tree that an undisturbed one gives, and at no time does a record name a file that is not there.
"""

import json
import re
import shutil
import subprocess

import pytest

from harness.runner import FAILED, GATE, OK, SLOT, SLOT_NAME, program_path
from test_every_system_call import STRACE, Ground, write_replies

PIPELINE = """pipeline: weather
source:
  get: https://api.example.com/weather?q={city}
  each: { city: [A, B, C] }
columns:
  city: { value: "{city}", type: string }
  temperature: { from: temp, type: double, in_range: [-90, 60] }
quality: { unique: [city], max_bad: %s }
sink: { to: ./lake, partition: { place: city } }
"""
CALLS = ["write", "fsync", "rename", "unlink", "mkdir", "openat", "flock"]


class Merging(Ground):
    """A lake with a whole run of the slot, and two shares that were run since; merged, or refused."""

    def __init__(self, folder, status):
        self.folder, self.count, self.status = folder, 0, status
        self.start = folder / "start"
        file = folder / "weather.yaml"
        write_replies(folder / "old", {"A": "1.5", "B": "2", "C": "3"})
        write_replies(folder / "new", {"A": "99", "B": "20.25", "C": "30"})     # A is quarantined
        file.write_text(PIPELINE % "50%")
        assert self.program(self.start, "run", "--replay", "old").returncode == OK
        for share in ("1/2", "2/2"):
            assert self.program(self.start, "run", "--replay", "new", "--shard", share).returncode == OK
        if status == GATE:
            file.write_text(PIPELINE % "10%")
        self.after = self.told(self.merged(self.prepare()))

    def program(self, place, command, *options, strace=()):
        env = {"PATH": "/usr/bin:/bin", "HOME": str(self.folder), "LC_ALL": "C.UTF-8", "TMPDIR": str(self.folder),
               "ASAN_OPTIONS": "detect_leaks=0"}
        return subprocess.run([*strace, str(program_path()), command, "weather.yaml", "--slot", SLOT, "--to", place, "--quiet", *options],
                              cwd=self.folder, env=env, capture_output=True, text=True, timeout=60)

    def merge(self, place, *strace):
        return self.program(place, "merge", "--shards", "2", strace=strace)

    def merged(self, place):
        result = self.merge(place)
        assert result.returncode == self.status, result.stderr
        return place

    def told(self, place):
        """The names of all files, and of the slot's record what does not depend on the clock."""
        record = json.loads((place / "_runs" / "weather" / f"{SLOT_NAME}.json").read_text())
        return (sorted(self.tree(place)), record["status"], record["rows"], self.names_in(record), record.get("kept"),
                [it["error"] for it in record["failures"]])

    @staticmethod
    def names_in(record):
        """Files as the lake has them: the shares were run in another place."""
        return ["weather/" + it["url"].split("/weather/")[1] for it in record["files"]]

    def assert_honest(self, place):
        """The slot's record names files that are there, unless it is the earlier run's and merging has begun to replace them."""
        record = json.loads((place / "_runs" / "weather" / f"{SLOT_NAME}.json").read_text())
        if "shards" in record:
            assert all((place / name).exists() for name in self.names_in(record)), record["files"]
            assert self.status == OK or record["status"] == "failed" and record["files"] == []

    def calls_of(self, name):
        log = self.folder / "log"
        self.merge(self.prepare(), STRACE, "-o", log, "-e", f"trace={name}")
        return len(re.findall(rf"^{name}\(", log.read_text(), re.M))


@pytest.fixture(scope="module", params=[OK, GATE], ids=["merged", "refused"])
def merging(request, tmp_path_factory):
    return Merging(tmp_path_factory.mktemp("merging"), request.param)


def places(merging, call, inject):
    """What came of merging with the disturbance at each of its calls."""
    for at in range(1, merging.calls_of(call) + 1):
        place = merging.prepare()
        yield place, merging.merge(place, STRACE, "-o", "/dev/null", "-e", f"inject={call}:{inject}:when={at}")
        merging.assert_honest(place)
        assert merging.told(merging.merged(place)) == merging.after, (call, at)
        shutil.rmtree(place)


def test_the_undisturbed_one_leaves_what_it_should(merging):
    tree, status, rows, names, kept, _ = merging.after
    data = [name for name in tree if name.startswith("weather/")]
    if merging.status == OK:
        assert (status, rows["written"], len(names), kept) == ("ok", 2, 2, None)
        assert data == [f"weather/place=B/{SLOT_NAME}-2of2.csv", f"weather/place=C/{SLOT_NAME}-1of2.csv"]
    else:
        assert (status, rows["written"], names, kept) == ("failed", 0, [], data)
        assert data == [f"weather/place={city}/{SLOT_NAME}.csv" for city in "ABC"]


@pytest.mark.parametrize("call", CALLS)
def test_killed_at_any_call_merging_again_ends_as_if_nothing_had_happened(merging, call):
    killed = 0
    for _, result in places(merging, call, "signal=KILL"):
        assert result.returncode in (-9, 137, merging.status), result
        killed += result.returncode != merging.status
    assert killed


@pytest.mark.parametrize("call", ["write", "fsync", "rename", "unlink"])
def test_when_any_call_fails_merging_again_ends_as_if_nothing_had_happened(merging, call):
    for _, result in places(merging, call, "error=EIO"):
        assert result.returncode in (FAILED, merging.status), result
