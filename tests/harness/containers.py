"""Tools for images that others wrote, each with storage of its own below a folder: podman with runc, a registry, skopeo, umoci.

Missing tools are skipped by name: scripts/deps --more installs them.
"""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest


def need(*tools):
    for tool in tools:
        if not shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin:/sbin"):
            pytest.skip(f"{tool} is missing; scripts/deps --more installs it")
    if os.getuid():
        pytest.skip("containers need root here")


def call(*command, timeout=300, **named):
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=timeout, **named)
    assert done.returncode == 0, (command, done.stdout[-2000:], done.stderr[-4000:])
    return done.stdout.strip()


class Podman:
    """Containers share this machine's network, so that they see servers on loopback."""

    def __init__(self):
        need("podman", "runc")
        self._folder = Path(tempfile.mkdtemp(prefix="lp-"))  # podman wants it shorter than pytest's folders are
        self.storage = ["--storage-driver", "vfs", "--root", str(self._folder / "root"), "--runroot", str(self._folder / "run")]
        self.words = ["podman", *self.storage, "--tmpdir", str(self._folder / "tmp"), "--runtime", "runc",
                      "--cgroup-manager", "cgroupfs", "--events-backend", "file"]

    def close(self):
        for words in (["rm", "--force", "--all", "--time", "0"], ["rmi", "--force", "--all"]):
            subprocess.run([*self.words, *words], capture_output=True, timeout=120)
        shutil.rmtree(self._folder, ignore_errors=True)

    def __call__(self, *words, **named):
        return call(*self.words, *words, **named)

    def run(self, image, *words, options=()):
        """Started as a function on Lambda is confined: nothing to be written but /tmp, 128 MB."""
        return Container(self, self("run", "--detach", "--read-only", "--network", "host", "--memory", "128m", "--cap-drop", "all",
                                    "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024", *options, image, *words))


class Container:
    def __init__(self, podman, name):
        self.podman, self.name = podman, name

    def log(self):
        done = subprocess.run([*self.podman.words, "logs", self.name], capture_output=True, text=True, timeout=60)
        return done.stdout + done.stderr

    def state(self):
        return json.loads(self.podman("inspect", self.name))[0]

    def url_port(self, timeout=30):
        """Where it says that it listens."""
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            for line in self.log().splitlines():
                if line.startswith("serving at http://0.0.0.0:"):
                    return int(line.split(":")[2].split("/")[0])
            time.sleep(0.1)
        raise AssertionError(f"it does not listen: {self.log()}")

    def remove(self):
        self.podman("rm", "--force", "--time", "0", self.name)


class Registry:
    """Debian's docker-registry; with certificate and password file as Amazon ECR's, else in plain HTTP."""

    def __init__(self, folder, address="127.0.0.1", port=0, certificate=None, passwords=None):
        need("docker-registry")
        self.host, self._folder = address, folder
        if not port:
            with socket.create_server((address, 0)) as it:
                port = it.getsockname()[1]
        self.port = port
        folder.mkdir()
        config = {"version": "0.1", "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
                  "http": {"addr": f"{address}:{port}"}}
        if certificate:
            config["http"]["tls"] = {"certificate": str(certificate), "key": str(certificate)}
        if passwords:
            config["auth"] = {"htpasswd": {"realm": "test", "path": str(passwords)}}
        (folder / "config.yml").write_text(json.dumps(config))

    @property
    def name(self):
        return f"{self.host}:{self.port}"

    def log(self):
        return (self._folder / "log").read_text()

    def __enter__(self):
        with (self._folder / "log").open("w") as log:
            self._process = subprocess.Popen(["docker-registry", "serve", self._folder / "config.yml"], stdout=log, stderr=log,
                                             stdin=subprocess.DEVNULL)
        until = time.monotonic() + 30
        while True:
            try:
                socket.create_connection((self.host, self.port), 1).close()
                return self
            except OSError:
                assert self._process.poll() is None and time.monotonic() < until, self.log()
                time.sleep(0.05)

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait(30)
