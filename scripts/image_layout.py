"""Makes an OCI image layout, in one tar file, of the layers that image_layers.py laid out.

The bytes depend on the layers, the options and SOURCE_DATE_EPOCH alone: names sorted, owner root, one time for all.
"""

import argparse
import datetime
import hashlib
import io
import json
import os
import sys
import tarfile
import zlib
from pathlib import Path

MAX_BYTES = 5_000_000  # of what a registry keeps: configuration, manifest, compressed layers
# The first account of most people's Linux, so that a mounted ~/.aws that only its owner may read can be read. Lambda uses an
# account of its own.
USER = "1000:1000"
LAYERS = {  # what changes least comes first
    "base": "certificates, time zones",
    "program": "lambda-pipeline",
    "pipelines": "pipelines",
}


def fail(sentence):
    sys.exit(f"image: {sentence}")


def entry(name, epoch, mode, kind=tarfile.REGTYPE):
    it = tarfile.TarInfo(name)
    it.type, it.mode, it.mtime = kind, mode, epoch
    it.uid = it.gid = 0
    it.uname = it.gname = ""
    return it


def tar_of_folder(folder, epoch):
    out = io.BytesIO()
    first = {}
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).as_posix()):
            name, state = path.relative_to(folder).as_posix(), path.lstat()
            mode = state.st_mode & 0o7777
            if path.is_dir():
                tar.addfile(entry(name, epoch, mode, tarfile.DIRTYPE))
            elif first.setdefault(state.st_ino, name) != name:
                link = entry(name, epoch, mode, tarfile.LNKTYPE)
                link.linkname = first[state.st_ino]
                tar.addfile(link)
            else:
                content = path.read_bytes()
                file = entry(name, epoch, mode)
                file.size = len(content)
                tar.addfile(file, io.BytesIO(content))
    return out.getvalue()


def gzip(content):
    """With neither name nor time in the header."""
    squeezer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return squeezer.compress(content) + squeezer.flush()


def digest(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def json_bytes(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


class Layout:
    """blobs, and how the index names the image."""

    def __init__(self):
        self.blobs = {}

    def add(self, media_type, content):
        name = digest(content)
        self.blobs[name] = content
        return {"mediaType": f"application/vnd.oci.image.{media_type}", "digest": name, "size": len(content)}

    def write(self, path, manifest, also, epoch):
        files = {**also, "oci-layout": json_bytes({"imageLayoutVersion": "1.0.0"}),
                 "index.json": json_bytes({"schemaVersion": 2, "manifests": [manifest],
                                           "mediaType": "application/vnd.oci.image.index.v1+json"})}
        for name, content in self.blobs.items():
            files["blobs/" + name.replace(":", "/")] = content
        part = path.with_name(path.name + ".part")
        with tarfile.open(part, "w", format=tarfile.PAX_FORMAT) as tar:
            for name in ("blobs", "blobs/sha256"):
                tar.addfile(entry(name, epoch, 0o755, tarfile.DIRTYPE))
            for name, content in sorted(files.items()):
                file = entry(name, epoch, 0o644)
                file.size = len(content)
                tar.addfile(file, io.BytesIO(content))
        part.replace(path)


def for_docker_load(config, layers, version):
    """What docker before 25 reads in place of index.json; it names the same files."""
    def name(told):
        return "blobs/" + told["digest"].replace(":", "/")
    return {"manifest.json": json_bytes([{"Config": name(config), "RepoTags": [f"lambda-pipeline:{version}"],
                                          "Layers": [name(layer) for layer in layers]}])}


def choose_handler(layers, wanted):
    """The pipeline that the image runs: the one asked for, else weather, else the only one."""
    task = layers / "pipelines/var/task"
    there = sorted({path.stem for ending in ("*.yaml", "*.yml") for path in task.glob(ending)})
    if not wanted:
        wanted = "weather" if "weather" in there else there[0] if len(there) == 1 else None
    if wanted not in there:
        fail("--handler (of make image: HANDLER=) has to name the pipeline that runs where the function's own configuration names "
             f"none, one of: {', '.join(there)}")
    return wanted


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--layers", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    for name in ("arch", "version", "handler"):
        parser.add_argument(f"--{name}", required=True)
    options = parser.parse_args()
    epoch = int(os.environ["SOURCE_DATE_EPOCH"])
    created = datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")

    layout, layers, diff_ids, history = Layout(), [], [], []
    for name, what in LAYERS.items():
        tar = tar_of_folder(options.layers / name, epoch)
        diff_ids.append(digest(tar))
        layers.append(layout.add("layer.v1.tar+gzip", gzip(tar)))
        history.append({"created": created, "created_by": "scripts/image", "comment": what})
    config = layout.add("config.v1+json", json_bytes({
        "created": created,
        "architecture": options.arch,
        "os": "linux",
        "config": {
            "User": USER,
            "Env": ["HOME=/root"],
            "ExposedPorts": {"8080/tcp": {}},
            "WorkingDir": "/var/task",
            "Entrypoint": ["/lambda-pipeline", "lambda", "--host", "0.0.0.0"],
            "Cmd": [choose_handler(options.layers, options.handler)],
            "Labels": {"org.opencontainers.image.title": "lambda-pipeline",
                       "org.opencontainers.image.version": options.version,
                       "org.opencontainers.image.licenses": "Apache-2.0"},
        },
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": history,
    }))
    manifest = layout.add("manifest.v1+json", json_bytes({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": layers}))
    size = sum(len(content) for content in layout.blobs.values())
    if size > MAX_BYTES:
        parts = ", ".join(f"{name} {layer['size'] / 1e6:.2f} MB" for name, layer in zip(LAYERS, layers))
        fail(f"the image is {size / 1e6:.2f} MB compressed, more than {MAX_BYTES / 1e6:.0f} MB ({parts}); "
             "take out what the pipelines do not need")
    manifest["platform"] = {"architecture": options.arch, "os": "linux"}
    manifest["annotations"] = {"org.opencontainers.image.ref.name": options.version,
                               "io.containerd.image.name": f"docker.io/library/lambda-pipeline:{options.version}"}
    layout.write(options.out, manifest, for_docker_load(config, layers, options.version), epoch)
    print(f"{options.out}  {size / 1e6:.2f} MB  {manifest['digest']}")


if __name__ == "__main__":
    main()
