"""AWS's own Runtime Interface Emulator around the program: what `docker run -p 9080:8080` of an image does.

    with Emulator(program, "lambda", "weather", env=aws.env) as rie:
        answer = rie.invoke(b"{}")       # one at a time: the emulator dies of two at once

Its timeouts are whole seconds, and it answers 200 whatever came of a call: look for errorType.
"""

import http.client
import json
import re
import socket
import subprocess
import time
from dataclasses import dataclass

from .runner import ROOT, program_path

PATH = "/2015-03-31/functions/function/invocations"
EXECUTABLE = ROOT / "build" / "deps" / "rie" / "aws-lambda-rie"


@dataclass
class Invoked:
    status: int
    body: bytes
    headers: dict

    def json(self):
        return json.loads(self.body)


def invoke(port, body=b"{}", path=PATH, method="POST", headers=None, timeout=60):
    """One request to a local invocation URL, the emulator's or the program's own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, path, body, headers or {})
        reply = connection.getresponse()
        return Invoked(reply.status, reply.read(), {name.lower(): value for name, value in reply.getheaders()})
    finally:
        connection.close()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as it:
        return it.getsockname()[1]


def wait_for_port(port, seconds=60):
    """Somebody else's suite may be at it."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            socket.create_server(("127.0.0.1", port)).close()
            return port
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"port {port} is taken")


class Emulator:
    def __init__(self, program, *arguments, env=None, timeout=30, port=None, cwd=None):
        assert EXECUTABLE.exists(), f"{EXECUTABLE} is not there: scripts/deps --test fetches it"
        self.port, api = wait_for_port(port) if port else free_port(), free_port()
        self._log = program.folder / f"rie-{self.port}.log"
        env = program.environment({"AWS_LAMBDA_FUNCTION_TIMEOUT": timeout, **(env or {})})
        with self._log.open("wb") as out:
            self.process = subprocess.Popen(
                [str(EXECUTABLE), "--runtime-interface-emulator-address", f"127.0.0.1:{self.port}",
                 "--runtime-api-address", f"127.0.0.1:{api}", str(program_path()), *arguments],
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env=env, cwd=cwd or program.folder)

    def __enter__(self):
        until = time.monotonic() + 10
        while time.monotonic() < until:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                assert self.process.poll() is None, self.log()
                time.sleep(0.01)
        raise AssertionError("the emulator does not listen")

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def invoke(self, body=b"{}", **options):
        return invoke(self.port, body, **options)

    def log(self):
        return self._log.read_text(encoding="utf-8", errors="replace")

    def lines(self):
        """The program's own lines of JSON."""
        return [json.loads(line) for line in re.findall(r"^\{.*\}$", self.log(), re.M)]

    def function_pid(self):
        """The program as the emulator started it last."""
        found = subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True, timeout=10)
        return int(found.stdout.split()[-1])
