"""Images in OCI layout as scripts/image makes them: made, read, laid out as a folder, and the program run with that as its root.

    image = Image(make_image("--pipelines", folder).path)
    image.config["config"]["User"]; image.files["lambda-pipeline"].mode
"""

import gzip
import hashlib
import io
import json
import os
import re
import subprocess
import tarfile
from pathlib import Path

from .runner import ROOT

MAX_BYTES = 5_000_000


class Made:
    """What scripts/image said."""

    def __init__(self, done):
        self.status, self.stdout, self.stderr = done.returncode, done.stdout, done.stderr
        said = re.match(r"(\S+\.tar)  (\d+\.\d\d) MB  (sha256:[0-9a-f]{64})\n(\S+\.spdx\.json)  ", self.stdout)
        self.path, self.megabytes, self.digest, self.sbom = (
            (ROOT / said[1], float(said[2]), said[3], ROOT / said[4]) if said else (None,) * 4)


def make_image(*options, env=None, umask=0o022):
    done = subprocess.run([ROOT / "scripts/image", *map(str, options)], capture_output=True, text=True, timeout=900,
                          env={**os.environ, **(env or {})}, cwd="/", preexec_fn=lambda: os.umask(umask))
    return Made(done)


def sha256(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


class Image:
    """Reads a layout and checks while reading that everything is what its digest says."""

    def __init__(self, path):
        with tarfile.open(path) as tar:
            self.members = tar.getmembers()
            self._content = {it.name: tar.extractfile(it).read() for it in self.members if it.isfile()}
        (self.named,) = json.loads(self._content["index.json"])["manifests"]
        self.manifest = json.loads(self.blob(self.named))
        self.config = json.loads(self.blob(self.manifest["config"]))
        self.layers = [gzip.decompress(self.blob(layer)) for layer in self.manifest["layers"]]
        assert [sha256(layer) for layer in self.layers] == self.config["rootfs"]["diff_ids"]
        self.entries = [member for layer in self.layers for member in self._tar(layer).getmembers()]
        self.files = {member.name: member for member in self.entries}

    @property
    def digest(self):
        return self.named["digest"]

    @property
    def size(self):
        """What a registry keeps."""
        return (self.named["size"] + self.manifest["config"]["size"]
                + sum(layer["size"] for layer in self.manifest["layers"]))

    def blob(self, told):
        content = self._content["blobs/" + told["digest"].replace(":", "/")]
        assert sha256(content) == told["digest"] and len(content) == told["size"]
        return content

    @staticmethod
    def _tar(layer):
        return tarfile.open(fileobj=io.BytesIO(layer))

    def read(self, name):
        for layer in self.layers:
            tar = self._tar(layer)
            if name in tar.getnames():
                return tar.extractfile(name).read()
        raise KeyError(name)

    def unpack(self, folder):
        for layer in self.layers:
            self._tar(layer).extractall(folder, filter="fully_trusted")
        return folder


def inside(root, *command):
    """The words that run a command with a folder as its root, as a user who may do nothing else."""
    user = [] if os.getuid() == 0 else ["unshare", "--user", "--map-root-user"]
    drop = ["--userspec=1000:1000"] if os.getuid() == 0 else []
    return [*user, "chroot", *drop, str(root), "/lambda-pipeline", *map(str, command)]
