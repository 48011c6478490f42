"""The image in the hands of others: a registry, skopeo, umoci, podman with runc, buildah; the other processor under qemu."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from harness.containers import Podman, Registry, call, need
from harness.hiding import SECRET
from harness.image import Image, make_image
from harness.rie import invoke
from harness.runner import ROOT, SLOT
from harness.weather import CITIES

PUSH = ROOT / "scripts/push"
EVENT = json.dumps({"slot": SLOT}).encode()


@pytest.fixture(scope="module")
def made():
    it = make_image("--pipelines", ROOT / "examples/weather")
    assert it.status == 0, it.stderr
    return it


@pytest.fixture
def registry(tmp_path):
    with Registry(tmp_path / "registry") as it:
        yield it


@pytest.fixture
def podman():
    it = Podman()
    yield it
    it.close()


def test_pushed_pulled_and_unpacked_it_is_the_same(made, registry, tmp_path):
    need("skopeo", "umoci")
    where = call(PUSH, made.path, f"{registry.name}/weather")
    assert where == f"{registry.name}/weather@{made.digest}"
    call("skopeo", "--insecure-policy", "copy", "--src-tls-verify=false", f"docker://{where}", f"oci:{tmp_path}/pulled:it")
    assert json.loads((tmp_path / "pulled/index.json").read_text())["manifests"][0]["digest"] == made.digest
    call("umoci", "unpack", "--image", f"{tmp_path}/pulled:it", tmp_path / "bundle")
    image, root = Image(made.path), tmp_path / "bundle/rootfs"
    assert {path.relative_to(root).as_posix() for path in root.rglob("*")} == set(image.files)
    for name, member in image.files.items():
        state = (root / name).lstat()
        assert stat.S_IMODE(state.st_mode) == member.mode and (state.st_uid, state.st_gid) == (0, 0), name
        if member.isfile():
            assert (root / name).read_bytes() == image.read(name)


def test_pushing_again_changes_nothing_and_a_tag_is_set_when_asked_for(made, registry):
    need("skopeo")
    first = call(PUSH, made.path, f"{registry.name}/a/weather")
    assert call("skopeo", "--insecure-policy", "inspect", "--no-tags", "--tls-verify=false", "--format", "{{.Digest}}", f"docker://{first}") == made.digest
    assert "tags" not in call("curl", "-sS", f"http://{registry.name}/v2/a/weather/tags/list") or not json.loads(
        call("curl", "-sS", f"http://{registry.name}/v2/a/weather/tags/list"))["tags"]
    for _ in range(2):
        assert call(PUSH, made.path, f"{registry.name}/a/weather:abc123") == first
    written = [line for line in registry.log().splitlines() if '"PUT /v2/a/weather/manifests/abc123' in line]
    assert len(written) == 1
    told = json.loads(call("curl", "-sS", f"http://{registry.name}/v2/a/weather/tags/list"))
    assert told["tags"] == ["abc123"]


@pytest.mark.parametrize("words, sentence", [
    ((), "usage: scripts/push"), (("one",), "usage: scripts/push"),
    (("{image}", "weather"), "a repository starts with its registry"),
    (("{image}", "https://127.0.0.1:1/weather"), "write the repository without https://"),
    (("{image}", "127.0.0.1:1/weather@sha256:0"), "a repository has no digest"),
    (("{image}", "127.0.0.1:1/weather"), "could not be pushed to 127.0.0.1:1/weather"),
    (("/none.tar", "127.0.0.1:1/weather"), "/none.tar is neither a file of scripts/image nor an image")])
def test_what_cannot_be_pushed_says_why(made, words, sentence):
    need("skopeo")
    done = subprocess.run([PUSH, *(word.format(image=made.path) for word in words)], capture_output=True, text=True, timeout=120)
    assert done.returncode in (1, 2) and sentence in done.stderr and not done.stdout


DOCKER = """#!/bin/bash
# What docker does and says, as far as scripts/push is concerned, on podman's storage.
case $1 in
info) exit 0 ;;
push)
    {podman} push --tls-verify=false --digestfile {folder}/digest "$2" >/dev/null 2>&1 || exit 1
    echo "The push refers to repository [${{2%:*}}]"
    echo "${{2##*:}}: digest: $(cat {folder}/digest) size: 1"
    ;;
*) exec {podman} "$@" ;;
esac
"""


@pytest.mark.parametrize("tool", ["podman", "docker"])
def test_without_skopeo_another_tool_pushes_and_says_the_digest_it_made(made, registry, podman, tmp_path, tool):
    need("skopeo")
    there = tmp_path / "bin"
    there.mkdir()
    for name in ("bash", "env", "sed", "cut", "tail", "mktemp", "rm", "tar", "cat", "timeout", "runc", "curl"):
        (there / name).symlink_to(shutil.which(name, path="/usr/bin:/bin:/usr/sbin"))
    words = " ".join([shutil.which("podman"), *podman.words[1:]])
    script = DOCKER.format(podman=words, folder=tmp_path) if tool == "docker" else f'#!/bin/bash\nexec {words} "$@"\n'
    (there / tool).write_text(script)
    (there / tool).chmod(0o755)
    where = call(PUSH, made.path, f"{registry.name}/weather", env={"PATH": str(there), "HOME": str(tmp_path)})
    assert re.fullmatch(rf"{re.escape(registry.name)}/weather@sha256:[0-9a-f]{{64}}", where)
    told = json.loads(call("skopeo", "--insecure-policy", "inspect", "--no-tags", "--config", "--tls-verify=false", f"docker://{where}"))
    mine = Image(made.path).config
    assert told["rootfs"] == mine["rootfs"] and told["config"]["Entrypoint"] == mine["config"]["Entrypoint"]


ECR = "123456789012.dkr.ecr.us-west-2.amazonaws.com"


def test_ecr_is_logged_in_to_by_the_aws_cli_and_no_process_is_told_the_password(made, aws, authority, tmp_path):
    need("skopeo", "strace", "perl")
    # moto's password for ECR; the registry takes it and nothing else.
    password = aws_password(aws)
    crypted = call("perl", "-e", 'print crypt($ARGV[0], q($2b$05$abcdefghijklmnopqrstuv))', password)
    passwords = tmp_path / "passwords"
    passwords.write_text(f"AWS:{crypted}\n")
    authority.context("ecr")
    address = f"127.{os.getpid() % 250 + 2}.7.9"
    hosts = tmp_path / "hosts"
    hosts.write_text(f"127.0.0.1 localhost\n{address} {ECR}\n")
    env = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(tmp_path), **aws.env}
    with Registry(tmp_path / "registry", address, 443, authority.folder / "ecr.pem", passwords) as registry:
        words = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', hosts,
                 "strace", "-f", "-qq", "-s", "100000", "-e", "trace=execve", "-o", tmp_path / "calls", PUSH, made.path]
        env["SSL_CERT_FILE"] = str(authority.bundle)
        where = call(*words, f"{ECR}/weather:v1", env=env)
        assert where == f"{ECR}/weather@{made.digest}", registry.log()
        assert '"PUT /v2/weather/manifests/v1' in registry.log()
        # Whose keys AWS does not know gets no password, and says so.
        refused = subprocess.run([*map(str, words), f"{ECR}/weather"], env={**env, "AWS_SECRET_ACCESS_KEY": "wrong"},
                                 capture_output=True, text=True, timeout=120)
    assert refused.returncode == 1 and f"push: cannot log in to {ECR}" in refused.stderr and not refused.stdout
    calls = (tmp_path / "calls").read_text()
    assert "get-login-password" in calls and "--password-stdin" in calls and password not in calls
    assert not (tmp_path / ".docker").exists() and not list(tmp_path.rglob("auth.json"))


def aws_password(aws):
    import base64
    token = aws.client("ecr").get_authorization_token()["authorizationData"][0]["authorizationToken"]
    return base64.b64decode(token).decode().split(":", 1)[1]


def home_of_a_person(folder, aws):
    """~/.aws as the AWS CLI makes it, readable by its owner alone."""
    it = folder / "person/.aws"
    it.mkdir(parents=True)
    (it / "credentials").write_text(f"[work]\naws_access_key_id = {aws.env['AWS_ACCESS_KEY_ID']}\n"
                                    f"aws_secret_access_key = {aws.env['AWS_SECRET_ACCESS_KEY']}\n")
    (it / "config").write_text("[profile work]\nregion = us-west-2\n")
    for path in (*it.iterdir(), it):
        os.chown(path, 1000, 1000)
        path.chmod(0o700 if path.is_dir() else 0o600)
    return it


def test_podman_runs_the_tutorials_command_five_cities_into_a_bucket_with_a_persons_keys(made, registry, podman, program, server,
                                                                                         aws, tmp_path):
    bucket = aws.bucket()
    where = call(PUSH, made.path, f"{registry.name}/weather")
    podman("pull", "--quiet", "--tls-verify=false", where)
    task = tmp_path / "task"
    task.mkdir()
    shutil.copy(program.pipeline(server.url(), sink={"to": f"s3://{bucket}"}), task)
    endpoint = [f"{name}={value}" for name, value in aws.env.items() if "ENDPOINT" in name]
    options = ["-v", f"{home_of_a_person(tmp_path, aws)}:/root/.aws:ro", "-v", f"{task}:/var/task:ro", "-e", "AWS_PROFILE=work",
               "-e", f"OPENWEATHER_API_KEY={SECRET}"]
    for it in endpoint:
        options += ["-e", it]
    container = podman.run(where, "weather", "--port", "0", options=options)
    port = container.url_port()
    for _ in range(3):
        answer = invoke(port, EVENT)
        record = json.loads(answer.body)
        assert answer.status == 200 and record["status"] == "ok" and record["rows"]["written"] == 5, container.log()
    assert [line.split(",")[0] for line in aws.objects(bucket)["weather/dt=2012-10-01/20121001T180000Z.csv"].decode().splitlines()[1:]] == CITIES
    process = container.state()["State"]["Pid"]
    told = Path(f"/proc/{process}/status").read_text()
    assert re.search(r"^Uid:\s+1000\s+1000\s", told, re.M) and re.search(r"^CapEff:\s+0+$", told, re.M)
    assert not container.state()["State"]["OOMKilled"]
    container.remove()
    shutil.rmtree(tmp_path / "person")  # the suite's search for secrets expects its keys nowhere


def test_an_unknown_pipeline_ends_the_container_with_the_names_of_those_it_has(made, podman):
    podman("load", "--quiet", "--input", made.path)
    container = podman.run("docker.io/library/lambda-pipeline:0.1.0", "wether", "--port", "0")
    assert podman("wait", container.name, timeout=60) == "1"
    assert 'did you mean "weather"?' in container.log()


@pytest.fixture(scope="module")
def made_arm64():
    need("qemu-aarch64-static")
    it = make_image("--arch", "arm64", "--pipelines", ROOT / "examples/weather")
    assert it.status == 0, it.stderr
    return it


def test_the_image_for_arm64_is_small_the_same_each_time_and_says_what_it_is(made_arm64):
    image = Image(made_arm64.path)
    assert image.config["architecture"] == image.named["platform"]["architecture"] == "arm64"
    assert image.size <= 5_000_000
    program = image.read("lambda-pipeline")
    assert program[:5] == b"\x7fELF\x02" and int.from_bytes(program[18:20], "little") == 183  # AArch64
    assert str(ROOT).encode() not in program
    again = make_image("--arch", "arm64", "--pipelines", ROOT / "examples/weather")
    assert again.digest == made_arm64.digest
    from spdx_tools.spdx.parser.parse_anything import parse_file
    from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document
    assert validate_full_spdx_document(parse_file(str(made_arm64.sbom))) == []


def test_the_program_for_arm64_collects_five_cities_over_tls(made_arm64, program, make_server, authority, tmp_path):
    server = make_server(tls=authority.context("good"))
    path = Image(made_arm64.path).unpack(tmp_path / "root") / "lambda-pipeline"
    file = program.pipeline(f"https://localhost:{server.port}/data/2.5/weather",
                            source={"limit": {"at_once": 8, "connect": "30s", "total": "60s"},
                                    "retry": {"attempts": 1, "deadline": "2m"}},
                            columns={"city": {"value": "{city}", "type": "string"},
                                     "temperature": {"from": "main.temp", "type": "double", "unit": "celsius -> fahrenheit"},
                                     "observed_at": {"from": "dt", "type": "timestamp", "parse": "unix"}},
                            sink={"format": "parquet"})
    env = program.environment({"SSL_CERT_FILE": str(authority.bundle)})
    call("qemu-aarch64-static", path, "run", file, "--slot", SLOT, env=env, cwd=tmp_path, timeout=180)
    import pyarrow.parquet
    table = pyarrow.parquet.read_table(next(program.lake.rglob("*.parquet")), partitioning=None)
    assert table["city"].to_pylist() == CITIES
    assert abs(table["temperature"][0].as_py() - 58.82) < 0.01


def test_another_folder_gives_the_same_image(made, tmp_path):
    """A clone elsewhere, built from nothing."""
    clone = tmp_path / "somewhere else" / "clone"
    call("git", "clone", "--quiet", ROOT, clone)
    for path in call("git", "ls-files", "--modified", "--others", "--exclude-standard", cwd=ROOT).splitlines():
        (clone / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, clone / path)
    told = call(clone / "scripts/image", "--pipelines", ROOT / "examples/weather", timeout=1200)
    assert made.digest in told
    sbom = (clone / made.sbom.relative_to(ROOT)).read_bytes()
    shutil.rmtree(clone)  # with the harness's own secrets, which the suite's search expects nowhere
    assert sbom == made.sbom.read_bytes()


def modes(image):
    """Some tools write the kind of a file into its mode as well."""
    return {name: (stat.S_IMODE(it.mode), it.isdir()) for name, it in image.files.items()}


def test_buildah_makes_of_the_dockerfile_what_scripts_image_makes(made, podman, tmp_path, program, server):
    need("buildah", "mmdebstrap")
    base = tmp_path / "base.tar"
    codename = call("sh", "-c", ". /etc/os-release && echo $VERSION_CODENAME")
    # This machine's own authorities, so that packages are reached from within as from without.
    hook = ("mkdir -p \"$1/usr/local/share/ca-certificates\" && "
            "for it in /usr/local/share/ca-certificates/*.crt; do [ ! -f \"$it\" ] || cp \"$it\" \"$1/usr/local/share/ca-certificates/\"; done; "
            "chroot \"$1\" update-ca-certificates")
    call("mmdebstrap", "--variant=apt", "--include=ca-certificates", f"--customize-hook={hook}", codename, base, timeout=900)
    buildah = ["buildah", *podman.storage]
    name = call(*buildah, "from", "--quiet", "scratch")
    call(*buildah, "add", name, base, "/")
    call(*buildah, "config", "--env", "PIP_CERT=/etc/ssl/certs/ca-certificates.crt", name)
    call(*buildah, "commit", "--quiet", name, "localhost/base:it", timeout=600)
    base.unlink()
    # scripts/image --with buildah, with the base image of this test.
    there = tmp_path / "bin"
    there.mkdir()
    (there / "buildah").write_text(f'#!/bin/bash\nshift\nexec {shutil.which("buildah")} {" ".join(podman.storage)} bud --network host '
                                   '--build-arg DEBIAN=localhost/base:it "$@"\n')
    (there / "buildah").chmod(0o755)
    told = call(ROOT / "scripts/image", "--with", "buildah", env={**os.environ, "PATH": f"{there}:{os.environ['PATH']}"}, timeout=2400)
    assert told.endswith("lambda-pipeline:0.1.0 in buildah's storage")
    podman("save", "--format", "oci-archive", "--output", tmp_path / "image.tar", "localhost/lambda-pipeline:0.1.0", timeout=300)
    theirs, mine = Image(tmp_path / "image.tar"), Image(made.path)
    # Which certificates and zones there are is up to the base image's packages; all else is the same.
    data = ("etc/ssl/certs/", "usr/share/zoneinfo/")
    files = {name: it for name, it in modes(mine).items() if not name.startswith(data)}
    assert {name: it for name, it in modes(theirs).items() if name in files} == files
    for folder in data:
        assert len([name for name in theirs.files if name.startswith(folder)]) > 100
    assert {name.split("/")[0] for name in theirs.files} == {name.split("/")[0] for name in files}
    for key in ("User", "Env", "WorkingDir", "Entrypoint", "Cmd", "ExposedPorts"):
        want, got = mine.config["config"][key], theirs.config["config"][key]
        assert set(want) <= set(got) if key == "Env" else want == got
    task = tmp_path / "task"
    task.mkdir()
    shutil.copy(program.pipeline(server.url(), sink={"to": "/tmp/lake"}), task)
    container = podman.run("localhost/lambda-pipeline:0.1.0", "weather", "--port", "0",
                           options=["-v", f"{task}:/var/task:ro", "-e", f"OPENWEATHER_API_KEY={SECRET}"])
    assert json.loads(invoke(container.url_port(), EVENT).body)["rows"]["written"] == 5, container.log()
    container.remove()
