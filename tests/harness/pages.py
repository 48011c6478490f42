"""The pages of the service by themselves (tests/probe/web_probe.c): a made-up board, real lakes.

    with Pages(tmp_path) as pages:
        pages.show({"pipelines": [pipeline("weather", path=file)]})
        pages.get("/").text
"""

import datetime
import http.client
import json
import os
import re
import socket
import subprocess
import time
import urllib.parse
import zoneinfo
from dataclasses import dataclass

from . import behaviours
from .runner import ROOT
from .weather import weather_json

NOW = 1353974400000000  # 2012-11-27T00:00:00Z
HOUR = 3600 * 1000000
DAY = 24 * HOUR
OK, PARTIAL, FAILED, MISSED = range(4)  # the states of a bar


def path_of_probe():
    return ROOT / "build" / ("dev" if os.environ.get("LP_PRESET", "dev") == "release" else os.environ.get("LP_PRESET", "dev")) \
        / "unit" / "web_probe"


def bar(days_ago, state=OK, duration_ms=1200, rows=5, **more):
    return {"slot_us": NOW - days_ago * DAY - 6 * HOUR, "state": state, "duration_ms": duration_ms, "rows": rows, **more}


def pipeline(name, **more):
    """A pipeline of the board that has gone well for thirty days, unless told otherwise."""
    bars = [bar(day, duration_ms=900 + 37 * (day * 7 % 11), rows=5) for day in range(29, -1, -1)]
    usual = {"name": name, "path": f"{name}.yaml", "words": "every day at 18:00 UTC", "next_us": NOW + 18 * HOUR, "bars": bars,
             "runs_ok": 30, "rows_written": 150, "last_success_us": NOW - 6 * HOUR, "last_duration_ms": 1200,
             "last_lateness_ms": 12}
    return {key: value for key, value in {**usual, **more}.items() if value is not None}


@dataclass
class Answer:
    status: int
    headers: dict
    body: bytes

    @property
    def text(self):
        return self.body.decode("utf-8")


class Pages:
    def __init__(self, folder, *options, env=None):
        self._errors = (folder / "web-probe-errors").open("w+b")
        env = {"PATH": f"{ROOT}/build/deps/duckdb:/usr/bin:/bin", "HOME": str(folder), "AWS_EC2_METADATA_DISABLED": "true",
               "LSAN_OPTIONS": f"suppressions={ROOT}/tests/leaks-of-others:print_suppressions=0", **(env or {})}
        self.process = subprocess.Popen([path_of_probe(), *map(str, options)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self._errors, env={name: str(value) for name, value in env.items()}, text=True)
        self._asked_at = 0.0
        self.url = self.process.stdout.readline().strip()
        self.port = int(self.url.rsplit(":", 1)[1]) if self.url else None

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind:
            self.process.kill()
        self.process.communicate(timeout=30)
        assert kind or (self.process.returncode == 0 and not self.errors()), self.errors()
        self._errors.close()

    def errors(self):
        self._errors.flush()
        self._errors.seek(0)
        return self._errors.read().decode("utf-8", "replace")

    def show(self, board):
        """What is made of the board is kept for a second at most: what was asked for before is waited out."""
        self.process.stdin.write(json.dumps({"board": {"now_us": NOW, "started_us": NOW - 3 * DAY, **board}}, default=str) + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"
        time.sleep(max(0.0, self._asked_at + 1.05 - time.monotonic()))

    def get(self, path, method="GET", headers=None, timeout=30):
        self._asked_at = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        connection.request(method, path, headers=headers or {})
        reply = connection.getresponse()
        answer = Answer(reply.status, dict(reply.getheaders()), reply.read())
        connection.close()
        return answer

    def connect(self, timeout=30):
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout)

    def say(self, data, timeout=30):
        """What comes back for these bytes until the server closes."""
        with self.connect(timeout) as it:
            try:
                it.sendall(data)
                it.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # closed already; what it said before that counts
            return receive_all(it)

    def memory_kib(self):
        return int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{self.process.pid}/status").read()).group(1))

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def children(self):
        """Those of its children that have not been reaped, zombies too."""
        return open(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read().split()


def receive_all(connection):
    parts = []
    try:
        while data := connection.recv(65536):
            parts.append(data)
    except ConnectionResetError:
        pass
    return b"".join(parts)


# ---- a lake with a past ----

COLUMNS = {
    "city": {"value": "{city}", "type": "string"},
    "temperature": {"from": "main.temp", "type": "double", "unit": "celsius -> fahrenheit", "description": "Air temperature"},
    "humidity": {"from": "main.humidity", "type": "bigint", "in_range": [0, 100], "unit": "%"},
    "description": {"from": "weather[0].description", "type": "string"},
    "observed_at": {"from": "dt", "type": "timestamp", "parse": "unix"},
    "collected_at": {"value": "{slot}", "type": "timestamp"},
}


def slot_of(day):
    """18:00 in New York, whose clocks went back on the 4th of November."""
    local = datetime.datetime(2012, 11, 26, 18, tzinfo=zoneinfo.ZoneInfo("America/New_York")) - datetime.timedelta(days=day)
    return local.astimezone(datetime.timezone.utc)


def name_of(slot):
    return slot.strftime("%Y%m%dT%H%M%SZ")


def make_past(program, server, days=30, partial=(), failed=(), missed=(), quarantined=(), file=None, **sections):
    """Runs the pipeline for each of the last days (0 is the newest); returns its file."""
    sections = {"columns": COLUMNS, "schedule": {"expression": "cron(0 18 * * ? *)", "timezone": "America/New_York"},
                "quality": {"unique": ["city", "observed_at"], "max_bad": "60%"}, **sections}
    file = program.pipeline(server.url(), **sections)
    for day in range(days - 1, -1, -1):
        slot = slot_of(day)

        def body(request, day=day, slot=slot):
            shift = (day * 13 % 7) - day / 4
            base = {"New York": 9.0, "Portland": 8.0, "Chicago": 4.0, "Seattle": 7.5, "Dallas": 19.0}.get(request.city, 12.0)
            humidity = 107 if day in quarantined and request.city == "Chicago" else 40 + (day * 17 + len(request.city) * 5) % 50
            return weather_json(request.city, main__temp=round(base + shift, 1), main__humidity=humidity, dt=int(slot.timestamp()))
        if day in missed:
            continue
        server.default = behaviours.Reply(body=body)
        server.script("Portland", behaviours.Reply(status=404, body=b'{"message":"city <not> found"}') if day in partial
                      else server.default)
        if day in failed:
            server.default = behaviours.Reply(status=401, body=b'{"message":"Invalid API key"}')
            server.script("Portland", server.default)
        program.run(file, "--quiet", slot=slot.strftime("%Y-%m-%dT%H:%M:%SZ"))
    return file


def links(text):
    return re.findall(r'href="([^"]+)"', text)


def absolute(url, path):
    return urllib.parse.urljoin(url, path)
