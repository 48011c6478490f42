"""What the lines about the service and the schedule stand on: a folder of pipelines, `serve` over it, and contenders that
know when expressions are due."""
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import lake
from ground import BUILD, FETCH_PYTHON, HERE, OURS, TOP, Failed, build, measure, on_one_core

COUNT = 1000  # pipelines
IDLE_SHARE = 0.001  # of a core
AT_ONCE = 8
YEARLY = "cron(0 0 1 1 ? *)"
PIPELINE = """pipeline: bench-{n:05}
schedule: {{ expression: "{expression}", catch_up: latest }}
source:
  get: {url}
  query: {{ id: "0000001" }}
columns:
  temperature: {{ from: main.temp, type: double, unit: celsius -> fahrenheit, in_range: [-130, 140] }}
  humidity:    {{ from: main.humidity, type: bigint, in_range: [0, 100] }}
  description: {{ from: "weather[0].description", type: string }}
  observed_at: {{ from: dt, type: timestamp, parse: unix }}
sink: {{ to: {lake} }}
"""


def not_soon():
    """Once a year, about half a year from now."""
    return f"cron(0 0 1 {(time.gmtime().tm_mon + 5) % 12 + 1} ? *)"


def last_year():
    """The newest slot of YEARLY, and the one before it."""
    year = time.gmtime().tm_year
    return f"{year}-01-01T00:00:00Z", f"{year - 1}-01-01T00:00:00Z"


def slot_name(slot):
    return slot.replace("-", "").replace(":", "")


class Folder:
    """Pipeline files, and the lake they write to."""

    def __init__(self, scratch, count, url, expression):
        self.count = count
        self.top = Path(tempfile.mkdtemp(dir=scratch))
        self.files, self.lake = self.top / "pipelines", self.top / "lake"
        self.files.mkdir()
        self.names = [f"bench-{n:05}" for n in range(count)]
        self.paths = [self.files / f"{name}.yaml" for name in self.names]
        for n, path in enumerate(self.paths):
            path.write_text(PIPELINE.format(n=n, url=url, expression=expression, lake=self.lake))

    def run_before(self, slot):
        """One record of each pipeline, as a run of that slot writes it: the first one's, under all names."""
        shutil.rmtree(self.lake, ignore_errors=True)
        measure([OURS, "run", self.paths[0], "--slot", slot, "--quiet"])
        record = self.record(self.names[0], slot).read_text()
        for name in self.names:
            path = self.record(name, slot)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(record.replace(self.names[0], name))

    def record(self, name, slot):
        return self.lake / "_runs" / name / f"{slot_name(slot)}.json"

    def check(self, slot):
        for name in self.names:
            path = self.record(name, slot)
            if not path.exists():
                raise Failed(f"{name} has no record of {slot}")
            record = json.loads(path.read_text())
            if record["status"] != "ok" or record["rows"]["written"] != 1:
                raise Failed(f"the record of {name} is not that of one row")


class Service:
    """`serve` over the folder, ready once it is entered."""

    def __init__(self, folder, *options):
        self.folder, self.options = folder, options
        self.log = open(folder.top / "serve.log", "w+")

    def __enter__(self):
        address = self.folder.top / "notify"
        address.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(str(address))
            notify.settimeout(60)
            self.began = time.monotonic()
            command = [str(it) for it in (OURS, "serve", self.folder.files, "--port", "0", *self.options)]
            self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=self.log,
                                            env={**os.environ, "NOTIFY_SOCKET": str(address)})
            try:
                while b"READY=1" not in notify.recv(4096):
                    continue
            except TimeoutError:
                self.__exit__()
                raise Failed("serve is not ready within a minute") from None
            self.wall = time.monotonic() - self.began
            self.cpu = sum(seconds_on_cpu(pid) for pid in self.pids())
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.log.close()

    def pids(self):
        """The service's and its children's that have not ended."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [self.process.pid, *(int(pid) for pid in children if resident(pid))]

    def settle(self):
        """Until nothing but the keeper of the lake's lock is at work beside it, and it has used no CPU for a second."""
        last, until = None, time.monotonic() + 60
        while time.monotonic() < until:
            now = (self.pids(), [seconds_on_cpu(pid) for pid in self.pids()][0])
            if now == last and len(now[0]) == 2:
                return
            last = now
            time.sleep(1)
        raise Failed("serve does not come to rest within a minute")

    def memory(self):
        """Resident, of all its processes, in bytes."""
        return sum(resident(pid) for pid in self.pids())


def seconds_on_cpu(pid):
    try:
        return sum(int(it.read_text().split()[0]) for it in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9
    except OSError:
        return 0.0  # it has ended


def resident(pid):
    """0 once it has ended."""
    try:
        kibibytes = re.search(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.M)
    except OSError:
        return 0
    return int(kibibytes.group(1)) * 1024 if kibibytes else 0


def idle(scratch, url, count, seconds):
    """CPU and wall seconds while nothing is due, and memory."""
    folder = Folder(scratch, count, url, not_soon())
    with Service(folder, "--quiet") as service:
        service.settle()
        pids, before, began = service.pids(), [seconds_on_cpu(pid) for pid in service.pids()], time.monotonic()
        time.sleep(seconds)
        if service.pids() != pids:
            raise Failed("a process of the service has come or gone meanwhile")
        cpu, wall = sum(seconds_on_cpu(pid) for pid in pids) - sum(before), time.monotonic() - began
        memory = service.memory()
    shutil.rmtree(folder.top)
    return {"cpu": cpu, "wall": wall, "memory": memory}


class DueJob:
    """All pipelines due at once: by `serve`, and by xargs and `run`."""

    def __init__(self, scratch, url, count):
        self.folder = Folder(scratch, count, url, YEARLY)
        self.slot, self.before = last_year()
        self.list = self.folder.top / "list"
        self.list.write_text("".join(f"{path}\n" for path in self.folder.paths))

    def ours(self):
        """The newest slot was missed; serve runs it once it knows the past. Until the last run is told."""
        self.folder.run_before(self.before)
        with Service(self.folder, "--at-once", AT_ONCE) as service:
            self.wait_for_all(service)
            wall = time.monotonic() - service.began
            service.process.terminate()
            used = os.wait4(service.process.pid, 0)[2]
            service.process.returncode = 0
        self.folder.check(self.slot)
        return {"wall": wall, "cpu": used.ru_utime + used.ru_stime}

    def wait_for_all(self, service):
        told, until = 0, time.monotonic() + 300
        with open(service.log.name) as log:
            while told < self.folder.count:
                told += sum("(caught up)" in line for line in log)
                if time.monotonic() > until or service.process.poll() is not None:
                    raise Failed(f"{told} runs in five minutes instead of {self.folder.count}")
                time.sleep(0.005)

    def xargs(self):
        self.folder.run_before(self.before)
        result = measure(["xargs", "-a", self.list, "-P", AT_ONCE, "-I", "{}", OURS, "run", "{}", "--slot", self.slot, "--quiet"], 300)
        self.folder.check(self.slot)
        return result


class StartJob:
    """A folder until it is served, beside `check` of the same files."""

    def __init__(self, scratch, url, count):
        self.folder = Folder(scratch, count, url, not_soon())

    def ours(self):
        with Service(self.folder, "--quiet") as service:
            return {"wall": service.wall, "cpu": service.cpu}

    def check(self):
        return measure([OURS, "check", *self.folder.paths])


# --- when expressions are due ----------------------------------------------------------------------------------------

# As EventBridge writes it, as croniter does, as Go's cron does; None where it has no words for it.
EXPRESSIONS = (("0 18 * * ? *", "0 18 * * *", "0 18 * * *"),
               ("0/15 9-17 ? * MON-FRI *", "*/15 9-17 * * mon-fri", "*/15 9-17 * * mon-fri"),
               ("30 4 1 1,4,7,10 ? *", "30 4 1 1,4,7,10 *", "30 4 1 1,4,7,10 *"),
               ("0 9 L * ? *", "0 9 L * *", None),
               ("0 6 ? * 6#2 *", "0 6 * * fri#2", None),
               ("0 12 ? * 6L *", "0 12 * * l5", None),
               ("0 8 15W * ? *", "0 8 15W * *", None))
EACH = 400
ZONE = "Europe/Berlin"
# Expressions that never fire. The last one's local time is skipped every year.
NEVER = (("UTC", "0 0 30 2 ? *"), ("UTC", "0 0 31 2,4,6,9,11 ? *"), (ZONE, "30 2 ? 3 1L *"))


def build_next_fires():
    build("gcc", "-O2", "-D_GNU_SOURCE", "-I", TOP / "src", HERE / "next_fires.c", "-o", BUILD / "next_fires",
          TOP / "build" / "release" / "liblp.a", "-lm")
    return [BUILD / "next_fires", "walk"]


def build_go_fires():
    return lake.build_go("go/fires", ".", "fires-go")


def find_python(way):
    if not FETCH_PYTHON.exists():
        raise Failed("build/bench/venv is missing; scripts/deps --bench makes it")
    return [FETCH_PYTHON, HERE / "python" / "fires.py", way]


def walk(command, zone, expressions, seconds):
    said = measure(on_one_core(*command, seconds, EACH, zone, *expressions), 300)["printed"].split()
    return {"sum": int(said[0]), "rate": int(said[1]) / float(said[2])}


def never(zone, expression):
    """Seconds for each look."""
    said = measure(on_one_core(BUILD / "next_fires", "never", zone, f"cron({expression})"))["printed"].split()
    return float(said[2]) / int(said[1])
