"""A document whose commands are one story: each ```sh block runs in the same shell as those before it, and the ```text block
that follows it is what it prints.

    walk = Walk(path)
    with walk.shell(folder, env) as shell:
        for step in walk.steps:
            said = shell.run(step.script, answers="what is typed\\n")
            assert not differs(step.shown, said)
"""

import os
import re
import select
import signal
import subprocess
import time
from dataclasses import dataclass

PATIENCE = 60.0


@dataclass
class Step:
    heading: str             # of the section it stands in
    script: str
    shown: str | None        # what the document says is printed; None: it does not say


class Walk:
    def __init__(self, path):
        self.text = path.read_text(encoding="utf-8")
        self.steps, heading = [], ""
        parts = re.split(r"^(## [^\n]*|```\w*\n.*?^```)$", self.text, flags=re.M | re.S)
        for index, part in enumerate(parts):
            if part.startswith("## "):
                heading = part[3:].strip()
            elif part.startswith("```sh\n"):
                self.steps.append(Step(heading, part[6:-3], None))
            elif part.startswith("```text\n") and parts[index - 2].startswith("```sh\n") and not parts[index - 1].strip():
                self.steps[-1].shown = part[8:-3]

    def shell(self, folder, env):
        return Shell(folder, env)


class Shell:
    """One bash, stopped at the first command that fails; what it started ends with it."""

    def __init__(self, folder, env):
        self.folder, self.env, self.count = folder, env, 0

    def __enter__(self):
        script, self._script = os.pipe()
        self._done, done = os.pipe()
        self.process = subprocess.Popen(["bash", "-euo", "pipefail", f"/dev/fd/{script}"], cwd=self.folder, env=self.env,
                                        stdin=subprocess.PIPE, pass_fds=(script, done), start_new_session=True,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(script)
        os.close(done)
        self._mark = f"echo >&{done}"
        return self

    def __exit__(self, *_):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.stdin.close()
        self.process.wait()
        os.close(self._script)
        os.close(self._done)

    def run(self, script, answers=""):
        """What it printed, both streams in order."""
        self.count += 1
        out = self.folder / f"said-{self.count}"
        if answers:
            self.process.stdin.write(answers.encode())
            self.process.stdin.flush()
        os.write(self._script, f"exec >'{out}' 2>&1\n{script}\n{self._mark}\n".encode())
        until = time.monotonic() + PATIENCE
        while not select.select([self._done], [], [], 0.05)[0]:
            said = out.read_text(errors="replace") if out.exists() else ""
            assert self.process.poll() is None, f"{script}\nended with {self.process.returncode}:\n{said}"
            assert time.monotonic() < until, f"{script}\nis not done after {PATIENCE} s:\n{said}"
        assert os.read(self._done, 1), f"{script}\nended early:\n{out.read_text(errors='replace')}"
        return out.read_text()


def differs(shown, said):
    """The first line of `said` that is not what `shown` says; None when all are. … stands for anything within a line, and a
    line that is nothing else for any number of lines."""
    lines, rest = shown.rstrip("\n").split("\n"), said.rstrip("\n").split("\n")
    at = 0
    for index, line in enumerate(lines):
        if line.strip() == "…":
            if index == len(lines) - 1:
                return None
            wanted = _pattern(lines[index + 1])
            while at < len(rest) and not wanted.fullmatch(rest[at]):
                at += 1
        elif at >= len(rest) or not _pattern(line).fullmatch(rest[at]):
            return f"{line!r} is shown, {rest[at] if at < len(rest) else 'nothing'!r} was said"
        else:
            at += 1
    return None if at >= len(rest) or rest == [""] else f"{rest[at]!r} was said and is not shown"


def _pattern(line):
    return re.compile(".*".join(re.escape(part) for part in line.split("…")))
