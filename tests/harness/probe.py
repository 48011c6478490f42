"""The room aws of the program by itself (tests/probe/aws_probe.c): a session to AWS that does what a line of JSON says.

    with Probe(env) as probe:
        probe("call", service="s3", bucket="lake", method="GET", path="/key")["status"]
    ask(env, "keys")      a session for this one question
"""

import json
import subprocess

from .runner import ROOT

PATH = ROOT / "build/dev/unit/aws_probe"


class Probe:
    def __init__(self, env, *options):
        env = {"PATH": "/usr/bin:/bin", "AWS_EC2_METADATA_DISABLED": "true", "HOME": "/nonexistent",
               "LSAN_OPTIONS": f"suppressions={ROOT}/tests/leaks-of-others:print_suppressions=0", **env}
        self._process = subprocess.Popen([PATH, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                         env={name: str(value) for name, value in env.items() if value is not None},
                                         text=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind:
            self._process.kill()
        _, errors = self._process.communicate(timeout=30)
        assert kind or (self._process.returncode == 0 and not errors), errors

    def __call__(self, do, **members):
        self._process.stdin.write(json.dumps({"do": do, **members}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, self._process.stderr.read()
        return json.loads(line)


def ask(env, do, *options, **members):
    with Probe(env, *options) as probe:
        return probe(do, **members)
