"""The container image of scripts/image: small, the same bytes each time, nothing in it that need not be, and a program that works
with nothing else around it."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tarfile
import time
import urllib.request
import zoneinfo
from pathlib import Path

import pytest

from harness.dns import NameServer
from harness.hiding import SECRET
from harness.image import MAX_BYTES, Image, inside, make_image, sha256
from harness.runner import ROOT, SLOT, SLOT_NAME, is_sanitized
from harness.weather import CITIES

if is_sanitized():
    pytest.skip("an image holds a program of its own, whatever preset is tested", allow_module_level=True)


@pytest.fixture(scope="module")
def made():
    it = make_image("--pipelines", ROOT / "examples/weather")
    assert it.status == 0, it.stderr
    return it


@pytest.fixture(scope="module")
def image(made):
    return Image(made.path)


@pytest.fixture(scope="module")
def sbom(made):
    return json.loads(made.sbom.read_text())


def test_the_same_commit_gives_the_same_bytes(made, tmp_path):
    first = made.path.read_bytes(), made.sbom.read_bytes()
    copy = tmp_path / "elsewhere"
    shutil.copytree(ROOT / "examples/weather", copy, copy_function=shutil.copyfile)  # other times, other modes
    for path in copy.rglob("*.http"):
        path.chmod(0o600)
    again = make_image("--pipelines", copy, umask=0o077, env={"TZ": "Pacific/Chatham", "LC_ALL": "C"})
    assert again.digest == made.digest, again.stderr
    assert (again.path.read_bytes(), again.sbom.read_bytes()) == first


def test_another_pipeline_changes_its_layer_alone(image, tmp_path):
    shutil.copytree(ROOT / "examples/open-meteo", tmp_path / "pipelines")
    # Made below another name, so that those who test the first one at the same time still find it.
    done = subprocess.run([ROOT / "scripts/image", "--pipelines", tmp_path / "pipelines", "--root", tmp_path / "root"], timeout=600)
    layout = subprocess.run(["python3", ROOT / "scripts/image_layout.py", "--layers", tmp_path / "root", "--arch", "amd64",
                             "--version", "0", "--handler", "open-meteo", "--out", tmp_path / "other.tar"],
                            env={**os.environ, "SOURCE_DATE_EPOCH": str(image.files["lambda-pipeline"].mtime)}, timeout=60)
    assert (done.returncode, layout.returncode) == (0, 0)
    other = Image(tmp_path / "other.tar")
    assert [a == b for a, b in zip(image.layers, other.layers)] == [True, True, False]
    assert other.config["config"]["Cmd"] == ["open-meteo"]


def test_it_says_its_size_and_digest_and_is_small(made, image):
    assert image.digest == made.digest
    assert image.size <= MAX_BYTES
    assert abs(made.megabytes - image.size / 1e6) < 0.006


def test_more_than_five_megabytes_is_refused(made, tmp_path):
    shutil.copy(ROOT / "examples/weather/weather.yaml", tmp_path)
    (tmp_path / "noise").write_bytes(os.urandom(2_000_000))
    before = made.path.read_bytes()
    refused = make_image("--pipelines", tmp_path)
    assert refused.status == 1
    assert re.search(r"^image: the image is [56]\.\d\d MB compressed, more than 5 MB \(base .* pipelines 2\.\d\d MB\)", refused.stderr, re.M)
    assert made.path.read_bytes() == before


def test_it_is_what_lambda_runs(image):
    config = image.config["config"]
    assert config["Entrypoint"] == ["/lambda-pipeline", "lambda", "--host", "0.0.0.0"] and config["Cmd"] == ["weather"]
    assert config["WorkingDir"] == "/var/task"
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", config["User"])
    assert "HOME=/root" in config["Env"]  # where the tutorial mounts ~/.aws
    assert "8080/tcp" in config["ExposedPorts"]
    assert image.config["os"] == "linux" and image.config["architecture"] in ("amd64", "arm64")
    assert image.manifest["mediaType"] == "application/vnd.oci.image.manifest.v1+json"


def test_it_holds_one_program_and_no_shell(image):
    programs = [name for name, it in image.files.items() if it.isfile() and it.mode & 0o111]
    assert programs == ["lambda-pipeline"]
    assert image.files["lambda-pipeline"].mode == 0o755
    assert not [name for name in image.files if name.split("/")[0] not in ("etc", "lambda-pipeline", "root", "tmp", "usr", "var")]


def test_all_belongs_to_root_and_only_tmp_may_be_written_to(image):
    times = {it.mtime for it in image.entries}
    assert len(times) == 1
    for name, it in image.files.items():
        assert (it.uid, it.gid, it.uname, it.gname) == (0, 0, "", "")
        assert not it.mode & (stat.S_ISUID | stat.S_ISGID)
        assert it.mode == 0o1777 if name == "tmp" else not it.mode & 0o022, name
        assert it.mode & 0o444 == 0o444, name
        assert it.isfile() or it.isdir() or it.islnk()
        assert not name.startswith("/") and ".." not in name.split("/")


def test_the_program_needs_no_other_file_and_names_no_folder_of_this_machine(image, tmp_path):
    program = tmp_path / "program"
    program.write_bytes(image.read("lambda-pipeline"))
    headers = subprocess.run(["readelf", "-lWd", program], capture_output=True, text=True, timeout=60).stdout
    assert "INTERP" not in headers and "NEEDED" not in headers
    assert "DYN (" in subprocess.run(["readelf", "-hW", program], capture_output=True, text=True, timeout=60).stdout
    assert str(ROOT).encode() not in program.read_bytes()


def test_certificates_are_debians_alone_each_under_its_hash(image, tmp_path):
    names = [name for name in image.files if name.startswith("etc/ssl/certs/") and not image.files[name].isdir()]
    theirs = {path.read_bytes() for path in Path("/usr/share/ca-certificates/mozilla").glob("*.crt")}
    assert len(names) == len(theirs) > 100
    assert {image.read(name) for name in names} == theirs
    image.unpack(tmp_path)
    for name in names[::20]:
        path = tmp_path / name
        shown = subprocess.run(["openssl", "x509", "-noout", "-hash", "-in", path], capture_output=True, text=True, timeout=60)
        assert path.name.split(".")[0] == shown.stdout.strip()


def test_every_time_zone_is_there(image, tmp_path):
    image.unpack(tmp_path)
    folder = tmp_path / "usr/share/zoneinfo"
    zones = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    system = Path("/usr/share/zoneinfo")
    wanted = {name for name in zoneinfo.available_timezones() if (system / name).is_file() and name != "localtime"}
    assert wanted - zones == set() and len(wanted) > 400
    for name in wanted:
        assert (folder / name).read_bytes() == (system / name).read_bytes()


def test_hidden_files_stay_out_of_it(tmp_path):
    pipelines = tmp_path / "pipelines"
    (pipelines / ".git").mkdir(parents=True)
    (pipelines / "more").mkdir()
    for name in ("weather.yaml", ".env", ".git/config", "more/cities.csv", "more/.hidden"):
        (pipelines / name).write_text("x")
    done = subprocess.run([ROOT / "scripts/image", "--pipelines", pipelines, "--root", tmp_path / "root"], timeout=600)
    assert done.returncode == 0
    task = tmp_path / "root/pipelines/var/task"
    assert sorted(path.relative_to(task).as_posix() for path in task.rglob("*")) == ["more", "more/cities.csv", "weather.yaml"]


def test_what_cannot_be_made_into_an_image_says_why(tmp_path):
    empty, linked, two = tmp_path / "empty", tmp_path / "linked", tmp_path / "two"
    for folder in (empty, linked, two):
        folder.mkdir()
    shutil.copy(ROOT / "examples/weather/weather.yaml", linked)
    (linked / "passwords").symlink_to("/etc/passwd")
    (two / "a.yaml").write_text("x")
    (two / "b.yml").write_text("x")
    for options, status, sentence in [
            (("--pipelines", empty), 1, f"there is no pipeline in {empty}"),
            (("--pipelines", tmp_path / "none"), 1, "is not a folder"),
            (("--pipelines", linked), 1, f"{linked}/passwords is not a regular file"),
            (("--pipelines", two), 1, "--handler (of make image: HANDLER=) has to name the pipeline that runs"),
            (("--pipelines", two, "--handler", "c"), 1, "one of: a, b"),
            (("--with", "docker", "--pipelines", two), 1, "a container tool sees only what lies below"),
            (("--with", "kaniko"), 2, "usage: scripts/image"),
            (("--arch", "sparc"), 2, "usage: scripts/image"),
            (("--handler",), 2, "usage: scripts/image")]:
        it = make_image(*options)
        assert it.status == status and sentence in it.stderr, (options, it.stderr)


def test_make_hands_over_all_that_can_be_said_of_an_image():
    said = subprocess.run(["make", "--no-print-directory", "-n", "image", "ARCH=arm64", "PIPELINES=some", "HANDLER=b", "TOOL=podman"], capture_output=True, text=True,
                          timeout=60, cwd=ROOT).stdout
    assert said.replace("\\\n", " ").split() == ["scripts/image", "--with", "podman", "--arch", "arm64", "--pipelines", "some", "--handler", "b"]


@pytest.fixture
def commit(tmp_path):
    """A repository of one commit, as the environment tells git of it; and the commit's time."""
    time = "1600000000"
    env = {"GIT_DIR": str(tmp_path / "repository"), "GIT_CONFIG_GLOBAL": "/dev/null", "SOURCE_DATE_EPOCH": ""}
    who = {f"GIT_{role}_{what}": "a@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    subprocess.run(["git", "init", "--quiet", "--bare", env["GIT_DIR"]], check=True, timeout=60, env={**os.environ, **env})
    tree = subprocess.run(["git", "mktree"], input="", capture_output=True, text=True, check=True, timeout=60, env={**os.environ, **env})
    made = subprocess.run(["git", "commit-tree", tree.stdout.strip(), "-m", "one"], capture_output=True, text=True, check=True,
                          timeout=60, env={**os.environ, **env, **who, "GIT_COMMITTER_DATE": time + " +0000"})
    subprocess.run(["git", "update-ref", "HEAD", made.stdout.strip()], check=True, timeout=60, env={**os.environ, **env})
    return env, time


@pytest.fixture
def docker(tmp_path):
    """Something called docker that writes down what it is told."""
    folder, said = tmp_path / "bin", tmp_path / "said"
    folder.mkdir()
    (folder / "docker").write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >"{said}"\n')
    (folder / "docker").chmod(0o755)

    def build(**env):
        done = make_image("--with", "docker", env={"PATH": f"{folder}:{os.environ['PATH']}", **env})
        return done, said.read_text().splitlines() if said.exists() else []
    return build


def test_a_container_tool_is_told_the_commits_time_because_it_does_not_see_git(docker, commit):
    env, time = commit
    done, words = docker(**env)
    assert done.status == 0 and "1970" not in done.stderr, done.stderr
    assert words[words.index(f"SOURCE_DATE_EPOCH={time}") - 1] == "--build-arg"
    assert "SOURCE_DATE_EPOCH=86400" in docker(**{**env, "SOURCE_DATE_EPOCH": "86400"})[1]
    said = (ROOT / "Dockerfile").read_text()
    builder = said[:said.index("FROM scratch")]
    assert ".git" in (ROOT / ".dockerignore").read_text().split()
    assert builder.index("RUN scripts/deps") < builder.index("ARG SOURCE_DATE_EPOCH\n") < builder.index("RUN scripts/image")


def test_where_the_commits_time_is_not_known_it_says_so_and_which_time_it_takes(docker, tmp_path):
    done, words = docker(GIT_DIR=str(tmp_path / "nowhere"), SOURCE_DATE_EPOCH="")
    assert done.status == 0 and "SOURCE_DATE_EPOCH=0" in words
    assert re.search(r"^image: the commit's time is not known \(.*not a git repository.*\), so times in the image are "
                     r"1970-01-01T00:00:00Z; set SOURCE_DATE_EPOCH", done.stderr, re.M), done.stderr


@pytest.mark.parametrize("epoch, told", [("", True), ("86400", False)])
def test_what_the_dockerfile_copies_has_the_time_it_says(tmp_path, epoch, told):
    done = make_image("--root", tmp_path / "root", env={"GIT_DIR": str(tmp_path / "nowhere"), "SOURCE_DATE_EPOCH": epoch})
    assert done.status == 0 and ("1970-01-01T00:00:00Z" in done.stderr) == told
    times = {path.lstat().st_mtime for path in (tmp_path / "root").glob("*/**/*")}
    assert times == {int(epoch or 0)}


@pytest.mark.parametrize("epoch", ["yesterday", "-1", "1.5", "1 2", "99999999999"])
def test_a_time_that_is_none_is_refused(docker, epoch):
    done, words = docker(SOURCE_DATE_EPOCH=epoch)
    assert done.status == 1 and not words and f'SOURCE_DATE_EPOCH is "{epoch}"' in done.stderr


def test_docker_finds_the_same_layers_without_the_index(made, image):
    with tarfile.open(made.path) as tar:
        (told,) = json.load(tar.extractfile("manifest.json"))
    names = [told["Config"], *told["Layers"]]
    assert [name.removeprefix("blobs/").replace("/", ":") for name in names] == [
        it["digest"] for it in (image.manifest["config"], *image.manifest["layers"])]
    assert told["RepoTags"] == ["lambda-pipeline:0.1.0"]


def test_the_dockerfile_is_clean_and_says_what_the_image_of_scripts_says(image):
    hadolint = subprocess.run([Path(sys.executable).parent / "hadolint", ROOT / "Dockerfile"], capture_output=True, text=True,
                              timeout=60)
    assert (hadolint.returncode, hadolint.stdout, hadolint.stderr) == (0, "", "")
    lines = (ROOT / "Dockerfile").read_text().split("FROM scratch\n")[1].splitlines()
    said = dict(line.split(" ", 1) for line in lines if line[:1].isupper() and not line.startswith("COPY"))
    config = image.config["config"]
    assert json.loads(said["ENTRYPOINT"]) == config["Entrypoint"] and json.loads(said["CMD"]) == config["Cmd"]
    assert said["USER"] == config["User"] and said["WORKDIR"] == config["WorkingDir"]
    assert [said["ENV"]] == config["Env"] and said["EXPOSE"] + "/tcp" in config["ExposedPorts"]
    assert [line for line in lines if line.startswith("COPY")] == [
        f"COPY --from=builder /image/{name}/ /" for name in ("base", "program", "pipelines")]


def test_the_sbom_is_valid_spdx(made):
    from spdx_tools.spdx.parser.parse_anything import parse_file
    from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document
    document = parse_file(str(made.sbom))
    assert [str(it) for it in validate_full_spdx_document(document)] == []


def test_the_sbom_names_the_image_and_all_that_is_linked_into_the_program(made, image, sbom):
    packages = {it["name"]: it for it in sbom["packages"]}
    assert packages["lambda-pipeline-image"]["checksums"][0]["checksumValue"] == made.digest.split(":")[1]
    assert "sha256:" + packages["lambda-pipeline"]["checksums"][0]["checksumValue"] == sha256(image.read("lambda-pipeline"))
    linked = {it["relatedSpdxElement"] for it in sbom["relationships"] if it["relationshipType"] == "STATIC_LINK"}
    names = {it["name"] for it in sbom["packages"] if it["SPDXID"] in linked}
    assert names >= {"carquet", "curl", "libc6-dev", "libdeflate-dev", "libexpat1-dev", "libjansson-dev", "liblz4-dev", "libmicrohttpd",
                     "libnghttp2-dev", "libpcre2-dev", "libssl-dev", "libudunits2-dev", "libxxhash-dev", "libyaml-dev",
                     "libzstd-dev", "zlib1g-dev"}
    for name in ("libssl-dev", "libyaml-dev", "tzdata", "ca-certificates"):
        said = subprocess.run(["dpkg-query", "-W", "-f", "${Version}\n", name], capture_output=True, text=True, timeout=60).stdout
        assert packages[name]["versionInfo"] == said.split()[0]
    assert all(it["licenseDeclared"] not in ("", "NOASSERTION") for it in sbom["packages"])


def test_with_the_image_as_its_root_a_folder_is_served_behind_its_entry_point(image, program, server, tmp_path):
    """docker run IMAGE serve /pipelines --host 0.0.0.0"""
    if os.getuid():
        pytest.skip("the program has to leave a root that is its own")
    root = image.unpack(tmp_path / "root")
    (root / "pipelines").mkdir()
    file = program.pipeline(server.url(), schedule={"expression": "cron(0 0 1 1 ? *)"}, sink={"to": "/tmp/lake"})
    shutil.copy(file, root / "pipelines")
    env = {"PATH": os.environ["PATH"], "OPENWEATHER_API_KEY": SECRET}
    entry = image.config["config"]["Entrypoint"][1:]
    done = subprocess.run(inside(root, *entry, "run", "/pipelines/weather.yaml", "--slot", SLOT), capture_output=True, text=True,
                          timeout=60, env=env)
    assert done.returncode == 0, done.stderr  # and the last slot, which has no record, was missed
    with open(tmp_path / "log", "w+") as log:
        it = subprocess.Popen(inside(root, *entry, "serve", "/pipelines", "--host", "0.0.0.0", "--port", "0"), stderr=log, env=env)
        try:
            until = time.monotonic() + 20
            while not re.search(r"5 rows in", said := (tmp_path / "log").read_text()):
                assert time.monotonic() < until and it.poll() is None, said
                time.sleep(0.05)
            port = re.search(r"the page is at http://0\.0\.0\.0:(\d+)", said).group(1)
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10) as answer:
                assert answer.read() == b"ok\n"
            it.terminate()
            assert it.wait(timeout=20) == 0
        finally:
            it.kill()
    assert len(list((root / "tmp/lake/_runs/weather").glob("*.json"))) == 2


def test_with_the_image_as_its_root_names_certificates_and_cities_are_found(image, program, make_server, authority, tmp_path):
    if os.getuid():
        pytest.skip("a name server has to listen on port 53")
    server = make_server(tls=authority.context("aws"))
    root = image.unpack(tmp_path / "root")
    hashed = subprocess.run(["openssl", "x509", "-noout", "-hash", "-in", authority.bundle], capture_output=True, text=True,
                            timeout=60).stdout.strip()
    shutil.copy(authority.bundle, root / f"etc/ssl/certs/{hashed}.0")
    shutil.copy(program.pipeline(f"https://weather.amazonaws.com:{server.port}/data/2.5/weather", sink={"to": "/tmp/lake"}), root / "w.yaml")
    with NameServer(weather_amazonaws_com="127.0.0.1") as names:
        (root / "etc/resolv.conf").write_text(f"nameserver {names.address}\noptions timeout:1 attempts:2\n")
        done = subprocess.run(inside(root, "run", "/w.yaml", "--slot", SLOT), capture_output=True, text=True, timeout=60,
                              env={"PATH": os.environ["PATH"], "OPENWEATHER_API_KEY": SECRET})
        asked = set(names.asked)
    assert done.returncode == 0, done.stderr
    assert "weather.amazonaws.com" in asked
    rows = (root / f"tmp/lake/weather/dt=2012-10-01/{SLOT_NAME}.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows[1:]] == CITIES
