"""Lays out what the layers of the image hold, below three folders: base (certificates, time zones), program, pipelines.

scripts/image makes the image of them, the Dockerfile copies them. Without --out it only looks whether the pipelines can go into
an image. Nothing here comes from this machine's own settings:
certificates are those of Debian's package, without what was added to the machine.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CERTIFICATES = Path("/usr/share/ca-certificates/mozilla")
ZONES = Path("/usr/share/zoneinfo")
# libc has both of these inside; anything else here it would look for in files that are not in the image.
NSSWITCH = "hosts: files dns\n"


def fail(sentence):
    sys.exit(f"image: {sentence}")


def lay_file(target, content, mode=0o644):
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    target.chmod(mode)


def lay_certificates(folder):
    """Each under the hash of its subject, where OpenSSL looks for it without reading the others."""
    found = sorted(CERTIFICATES.glob("*.crt"))
    if not found:
        fail(f"there are no certificates in {CERTIFICATES}; scripts/deps --image installs them")
    count = {}
    with tempfile.TemporaryDirectory() as work:
        for path in found:
            shutil.copyfile(path, Path(work, path.stem + ".pem"))
        done = subprocess.run(["openssl", "rehash", work], capture_output=True, text=True, timeout=60)
        if done.returncode:
            fail(f"openssl rehash failed: {done.stderr.strip()}")
        links = [link for link in Path(work).iterdir() if link.is_symlink()]
        # Of those with the same hash the number follows the name, not the order in which the folder was read.
        for link in sorted(links, key=lambda link: (link.stem, os.readlink(link))):
            number = count.setdefault(link.stem, 0)
            count[link.stem] += 1
            lay_file(folder / f"{link.stem}.{number}", link.read_bytes())


def lay_zones(folder):
    """Every time zone once; zones that are the same are links."""
    first = {}
    for path in sorted(ZONES.rglob("*")):
        name = path.relative_to(ZONES)
        if name.parts[0] in ("right", "posix") or not path.is_file() or ZONES not in path.resolve().parents:
            continue
        content = path.read_bytes()
        if not content.startswith(b"TZif"):
            continue
        target = folder / name
        same = first.setdefault(hashlib.sha256(content).digest(), target)
        if same is target:
            lay_file(target, content)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(same, target)
    if not first:
        fail(f"there are no time zones in {ZONES}; scripts/deps --image installs them")


def find_pipelines(source):
    """The names of the folder's files, but nothing hidden, which might be a .env or a .git."""
    if not source.is_dir():
        fail(f"{source} is not a folder; --pipelines names the folder that becomes the function's task root")
    if not list(source.glob("*.yaml")) + list(source.glob("*.yml")):
        fail(f"there is no pipeline in {source}; put the pipeline's file, like weather.yaml, there")
    found = []
    for path in sorted(source.rglob("*")):
        name = path.relative_to(source)
        if any(part.startswith(".") for part in name.parts) or (path.is_dir() and not path.is_symlink()):
            continue
        if path.is_symlink() or not path.is_file():
            fail(f"{path} is not a regular file; an image holds only those")
        found.append(name)
    return found


def settle(top):
    """The same modes whatever the umask was, and one time for all. Folders that others may write to: /tmp alone."""
    epoch = int(os.environ["SOURCE_DATE_EPOCH"])
    for path in [top, *top.rglob("*")]:
        if path.is_dir():
            path.chmod(0o1777 if path == top / "tmp" else 0o755)
        os.utime(path, (epoch, epoch))


def main():
    parser = argparse.ArgumentParser()
    for name in ("program", "pipelines", "out"):
        parser.add_argument(f"--{name}", type=Path)
    options = parser.parse_args()
    found = find_pipelines(options.pipelines)
    if not options.out:
        return
    base, program, pipelines = (options.out / name for name in ("base", "program", "pipelines"))
    for folder in (base, program, pipelines):
        shutil.rmtree(folder, ignore_errors=True)
    for folder in (base / "tmp", base / "root"):  # root: where a person's ~/.aws is mounted to
        folder.mkdir(parents=True)
    lay_file(base / "etc/nsswitch.conf", NSSWITCH.encode())
    lay_certificates(base / "etc/ssl/certs")
    lay_zones(base / "usr/share/zoneinfo")
    lay_file(program / "lambda-pipeline", options.program.read_bytes(), 0o755)
    for name in found:
        lay_file(pipelines / "var/task" / name, (options.pipelines / name).read_bytes())
    for folder in (base, program, pipelines):
        settle(folder)


if __name__ == "__main__":
    main()
