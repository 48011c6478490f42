"""Runs the program as a person would, in a folder of its own and an environment of its own, and reads what it left."""

import csv
import json
import os
import re
import resource
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from .hiding import SECRET

ROOT = Path(__file__).resolve().parents[2]
SLOT = "2012-10-01T18:00:00Z"
SLOT_NAME = "20121001T180000Z"

OK, FAILED, USAGE, PARTIAL, GATE, LOCKED = range(6)  # the documented exit statuses

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./%-]*( [A-Za-z0-9_./%-]+)*\Z")


def program_path():
    """LP_PROGRAM names the binary, LP_PRESET (release, dev, coverage) the build it comes from."""
    path = os.environ.get("LP_PROGRAM") or ROOT / "build" / os.environ.get("LP_PRESET", "release") / "lambda-pipeline"
    return Path(path).resolve()


def is_sanitized():
    return os.environ.get("LP_PRESET") == "dev"


def yaml(value):
    """YAML on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{yaml(str(key))}: {yaml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(yaml(item) for item in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value if _PLAIN.match(value) else json.dumps(value, ensure_ascii=False)
    return str(value)


@dataclass
class Result:
    status: int            # as the shell says it, except that a signal is negative
    stdout: str
    stderr: str
    seconds: float
    dumped_core: bool

    def json(self):
        return json.loads(self.stdout)


class Running:
    """A program that was started. Ends with finish(); the test's fixture kills what a failed test leaves."""

    def __init__(self, folder, arguments, env, cwd, limits):
        self._out, self._err = folder / "stdout", folder / "stderr"
        self._started = time.monotonic()

        def prepare():
            for what, value in limits.items():
                resource.setrlimit(what, (value, value))

        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen([str(program_path()), *map(str, arguments)], stdin=subprocess.DEVNULL,
                                            stdout=out, stderr=err, env=env, cwd=cwd, preexec_fn=prepare)
        self.pid = self.process.pid

    def signal(self, number):
        self.process.send_signal(number)

    def errors_so_far(self):
        return self._err.read_bytes().decode("utf-8", "replace")

    def finish(self, timeout=30):
        until, pid = time.monotonic() + timeout, 0
        while not pid:
            pid, state = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() > until:
                self.kill()
                raise AssertionError(f"still running after {timeout} s; stderr: {self.errors_so_far()[-2000:]}")
            time.sleep(0.002)
        seconds = time.monotonic() - self._started
        self.process.returncode = os.waitstatus_to_exitcode(state)  # it has been waited for
        out, err = self._out.read_bytes(), self._err.read_bytes()
        result = Result(self.process.returncode, out.decode("utf-8", "surrogateescape"),
                        err.decode("utf-8", "surrogateescape"), seconds,
                        os.WCOREDUMP(state))
        for alarm in ("AddressSanitizer", "LeakSanitizer", "runtime error:", "MemorySanitizer", "UndefinedBehavior"):
            assert alarm not in result.stderr, result.stderr
        assert result.status not in (-signal.SIGSEGV, -signal.SIGBUS, -signal.SIGILL, -signal.SIGFPE), result.stderr
        return result

    def kill(self):
        if self.process.returncode is None:
            self.process.kill()
            self.process.wait()


class Program:
    """What the `program` fixture gives: run(…), start(…), files of pipelines, and readers of the lake."""

    def __init__(self, folder):
        self.folder = folder
        self.lake = folder / "lake"
        self.path = program_path()
        assert self.path.exists(), f"{self.path} is not there: build it first (make)"
        self._count, self._running = 0, []
        (folder / "home").mkdir()
        (folder / "tmp").mkdir()

    def environment(self, changes=None):
        env = {"PATH": "/usr/bin:/bin", "HOME": str(self.folder / "home"), "TMPDIR": str(self.folder / "tmp"),
               "LC_ALL": "C.UTF-8", "OPENWEATHER_API_KEY": SECRET, "AWS_EC2_METADATA_DISABLED": "true",
               "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:allocator_may_return_null=1",
               "LSAN_OPTIONS": f"suppressions={ROOT}/tests/leaks-of-others:print_suppressions=0",
               "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1"}
        for name in ("TZ", "LLVM_PROFILE_FILE", "GCOV_PREFIX", "GCOV_PREFIX_STRIP"):
            if name in os.environ:  # TZ: the whole suite under another zone; the others: coverage
                env[name] = os.environ[name]
        for name, value in (changes or {}).items():
            if value is None:
                env.pop(name, None)
            else:
                env[name] = str(value)
        return env

    def start(self, *arguments, env=None, cwd=None, limits=None):
        self._count += 1
        folder = self.folder / f"call-{self._count}"
        folder.mkdir()
        running = Running(folder, arguments, self.environment(env), cwd or self.folder, limits or {})
        self._running.append(running)
        return running

    def call(self, *arguments, timeout=30, **named):
        """Any command line."""
        return self.start(*arguments, **named).finish(timeout)

    def run(self, file, *options, slot=SLOT, **named):
        """`run FILE` for the fixed slot."""
        return self.call("run", file, "--slot", slot, *options, **named)

    def close(self):
        for running in self._running:
            running.kill()

    # Pipeline files.

    def pipeline(self, get, name="weather", **sections):
        """Writes a weather pipeline that asks `get`; returns its path.

        Sections given as keywords are merged over the usual ones, one level deep: source={"limit": {…}} replaces
        the limit alone, a value of None takes a key away. columns and each replace as a whole.
        """
        usual = {
            "description": "Current weather in five cities",
            "source": {
                "get": get,
                "query": {"q": "{city}", "units": "metric"},
                "auth": {"query": "appid", "secret": "env:OPENWEATHER_API_KEY"},
                "each": {"city": ["New York", "Portland", "Chicago", "Seattle", "Dallas"]},
                "limit": {"at_once": 8, "connect": "5s", "total": "5s"},
                "retry": {"attempts": 3, "deadline": "5s", "base": "10ms", "cap": "50ms"},
            },
            "columns": {
                "city": {"value": "{city}", "type": "string"},
                "temperature": {"from": "main.temp", "type": "double"},
                "humidity": {"from": "main.humidity", "type": "bigint"},
                "description": {"from": "weather[0].description", "type": "string"},
                "observed_at": {"from": "dt", "type": "timestamp", "parse": "unix"},
            },
            "quality": {"unique": ["city", "observed_at"]},
            "sink": {"to": str(self.lake), "format": "csv", "partition": {"dt": "{slot:%Y-%m-%d}"},
                     "catalog": {"database": "weather", "table": "weather"}},
        }
        for section, changes in sections.items():
            if section == "columns" or not isinstance(changes, dict) or section not in usual:
                usual[section] = changes
            else:
                usual[section] = {**usual[section], **changes}
        lines = [f"pipeline: {name}"]
        for section, content in usual.items():
            if content is None:
                continue
            if isinstance(content, dict):
                lines.append(f"{section}:")
                lines += [f"  {yaml(str(key))}: {yaml(value)}" for key, value in content.items() if value is not None]
            else:
                lines.append(f"{section}: {yaml(content)}")
        path = self.folder / f"{name}.yaml"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    # What a run left behind.

    def data_file(self, table="weather", partition="dt=2012-10-01", slot=SLOT_NAME):
        return self.lake / table / partition / f"{slot}.csv"

    def rows(self, **where):
        """The rows as Python's csv reads them; no file, no rows."""
        path = self.data_file(**where)
        if not path.exists():
            return []
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def record(self, name="weather", slot=SLOT_NAME):
        return json.loads((self.lake / "_runs" / name / f"{slot}.json").read_text(encoding="utf-8"))

    def has_record(self, name="weather", slot=SLOT_NAME):
        return (self.lake / "_runs" / name / f"{slot}.json").exists()

    def quarantine(self, table="weather", partition="dt=2012-10-01", slot=SLOT_NAME):
        path = self.lake / "_quarantine" / table / partition / f"{slot}.jsonl"
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    def tree(self):
        """{relative name: bytes} of the lake."""
        return {str(path.relative_to(self.lake)): path.read_bytes()
                for path in sorted(self.lake.rglob("*")) if path.is_file()}
