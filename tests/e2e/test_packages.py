"""What is installed beside the program: systemd's units, Debian's package, Kubernetes' objects."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from harness.making import make
from harness.runner import OK
from harness.service import Service, records

ROOT = Path(__file__).resolve().parents[2]
WEATHER = ROOT / "examples" / "weather"


def call(*words, **options):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=300, **options)
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def units(tmp_path_factory):
    """The folder of the units, installed below a prefix of this test."""
    prefix = tmp_path_factory.mktemp("prefix")
    make("install", f"PREFIX={prefix}")
    folder = prefix / "lib" / "systemd" / "system"
    shutil.copy(folder / "lambda-pipeline@.service", folder / "lambda-pipeline@weather.service")
    return folder


UNITS = ["lambda-pipeline@weather.timer", "lambda-pipeline@weather.service", "lambda-pipeline.service"]


def test_systemd_finds_nothing_wrong_with_the_units(units):
    said = call("systemd-analyze", "verify", "--man=no", *(units / it for it in UNITS), env={**os.environ, "SYSTEMD_UNIT_PATH": f"{units}:"})
    assert "lambda-pipeline" not in said
    for name, command in (("lambda-pipeline@.service", " run"), ("lambda-pipeline.service", " serve")):
        assert str(units.parents[2] / "bin" / "lambda-pipeline") + command in (units / name).read_text()


@pytest.mark.parametrize("name", UNITS[1:])
def test_the_service_is_hardened(units, name):
    said = call("systemd-analyze", "security", "--offline=true", "--threshold=15", units / name)
    assert float(re.search(r"Overall exposure level.*service: ([\d.]+)", said).group(1)) <= 1.4


def setting(unit, key):
    """All that a unit says of it."""
    return re.findall(rf"^{key}=(.*)$", unit.read_text(), re.M)


def command_of(unit, folder, root=""):
    """The words that systemd would run, over a folder of the test's and at a port that is free."""
    values = dict(it.split("=", 1) for it in setting(unit, "Environment")[0].split()) | {"PAGE_PORT": "0"}
    [command] = setting(unit, "ExecStart")
    words = re.sub(r"\$\{(\w+)\}", lambda it: values[it[1]], command).replace("/etc/lambda-pipeline", str(folder)).split()
    return [root + words[0], *words[1:]]


class Manager:
    """What systemd is to a service that it started: the socket it is told at, and the one who stops it."""

    def __init__(self, unit, command, cwd, env):
        self.unit, self.heard, self.log = unit, b"", cwd / "log"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(cwd / "notify"))
        self._socket.settimeout(20)
        watchdog = {"WATCHDOG_USEC": str(int(setting(unit, "WatchdogSec")[0]) * 1_000_000)}
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([*map(str, command)], cwd=cwd, stderr=log,
                                            env={**env, **watchdog, "NOTIFY_SOCKET": str(cwd / "notify")})

    def wait_for(self, word):
        while word not in self.heard:
            self.heard += self._socket.recv(4096) + b"\n"

    def wait_for_log(self, pattern):
        until = time.monotonic() + 20
        while not (found := re.search(pattern, self.log.read_text())):
            assert time.monotonic() < until and self.process.poll() is None, self.log.read_text()
            time.sleep(0.02)
        return found

    def close(self):
        self._socket.close()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def test_the_service_is_started_reloaded_and_stopped_as_its_unit_says(units, program, server):
    unit = units / "lambda-pipeline.service"
    program.pipeline(server.url(), schedule={"expression": "cron(0 18 * * ? *)"})
    assert setting(unit, "Type") == ["notify"] and setting(unit, "NotifyAccess") == ["main"] and setting(unit, "KillMode") == ["mixed"]
    assert setting(unit, "ExecReload") == ["kill -HUP $MAINPID"]
    # Runs may go on for 60 seconds, and have 30 more for their records.
    assert int(setting(unit, "TimeoutStopSec")[0]) > 90
    with contextlib.closing(Manager(unit, command_of(unit, program.folder), program.folder, program.environment())) as it:
        it.wait_for(b"READY=1")
        it.wait_for(b"STATUS=1 pipeline served\n")
        it.wait_for(b"WATCHDOG=1")
        url = it.wait_for_log(r"the page is at (http://127\.0\.0\.1:\d+)").group(1)
        assert urllib.request.urlopen(url + "/readyz", timeout=10).read() == b"ok\n"
        it.process.send_signal(signal.SIGHUP)
        it.wait_for(b"RELOADING=1")
        it.process.send_signal(signal.SIGTERM)
        it.wait_for(b"STOPPING=1")
        assert re.findall(rb"STATUS=(.*)", it.heard)[-1] == b"1 pipeline served"  # what `systemctl status` shows, all the time
        assert it.process.wait(timeout=20) == 0


def test_the_service_calls_nothing_that_its_unit_forbids(units, program, server):
    unit = units / "lambda-pipeline.service"
    sets = {line[1:]: set() for line in call("systemd-analyze", "syscall-filter", "--no-pager").splitlines() if line.startswith("@")}
    for name in sets:
        listed = call("systemd-analyze", "syscall-filter", "--no-pager", f"@{name}").splitlines()[1:]
        sets[name] = {it.strip() for it in listed if it.strip() and not it.strip().startswith("#")}

    def calls_of(words):
        found = set()
        for word in words.split():
            found |= set().union(*(calls_of(it) for it in sets[word[1:]])) if word.startswith("@") else {word}
        return found
    allowed = set()
    for words in setting(unit, "SystemCallFilter"):
        allowed = allowed - calls_of(words[1:]) if words.startswith("~") else allowed | calls_of(words)
    file = program.pipeline(server.url(), schedule={"expression": "cron(0 0 1 1 ? *)"})
    assert program.run(file).status == OK  # so that the last slot, which has no record, was missed
    trace = program.folder / "trace"
    command = ["strace", "-D", "-f", "-o", trace, *command_of(unit, program.folder)]
    with contextlib.closing(Manager(unit, command, program.folder, program.environment())) as it:
        url = it.wait_for_log(r"the page is at (http\S+)").group(1)
        it.wait_for_log(r"5 rows in")
        for path in ("/", "/metrics", "/pipelines/weather"):
            with contextlib.suppress(urllib.error.HTTPError):
                urllib.request.urlopen(url + path, timeout=20).read()
        it.process.send_signal(signal.SIGTERM)
        assert it.process.wait(timeout=20) == 0
    made = set(re.findall(r"^\d+ +(\w+)\(", trace.read_text(), re.M))
    assert len(records(program)) == 2 and {"clone", "timerfd_settime", "signalfd4", "renameat", "rename"} & made
    assert made - allowed == set()


def test_the_timer_fires_when_its_comment_says(units):
    calendar = re.search(r"^OnCalendar=(.+)$", (units / "lambda-pipeline@.timer").read_text(), re.M).group(1)
    said = call("systemd-analyze", "calendar", "--base-time=2026-11-23 00:00:00 UTC", calendar, env={**os.environ, "TZ": "UTC"})
    assert re.search(r"Next elapse: \w+ 2026-11-23 18:00:00 UTC", said)


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """Made by each worker into a folder of its own."""
    folder = tmp_path_factory.mktemp("deb")
    said = make("deb", f"DEB={folder}")
    [package] = folder.glob("*.deb")
    assert said == f"{package}\n"
    return package


def test_the_package_installs_runs_serves_and_leaves_cleanly(package, tmp_path, program, server):
    root, admin = tmp_path / "root", tmp_path / "admin"
    for folder in (root, admin / "info", admin / "updates", admin / "triggers"):
        folder.mkdir(parents=True)
    for name in ("status", "available"):
        (admin / name).write_text("")
    dpkg = ["dpkg", f"--instdir={root}", f"--admindir={admin}", "--force-script-chrootless", "--force-depends", "--force-not-root",
            "--force-bad-path", f"--log={tmp_path}/log"]
    call(*dpkg, "-i", package)
    installed = root / "usr" / "bin" / "lambda-pipeline"
    call(installed, "run", WEATHER / "weather.yaml", "--replay", WEATHER / "replies", "--slot", "2012-10-01T18:00:00Z", "--to", tmp_path / "lake")
    said = call(installed, "query", "select count(*) as cities from weather", "--to", tmp_path / "lake", "--format", "csv")
    assert said.split() == ["cities", "5"]
    assert "@BINDIR@" not in (root / "usr/lib/systemd/system/lambda-pipeline@.service").read_text()
    assert "ExecStart=/usr/bin/lambda-pipeline run" in (root / "usr/lib/systemd/system/lambda-pipeline@.service").read_text()
    unit = root / "usr/lib/systemd/system/lambda-pipeline.service"
    program.pipeline(server.url(), schedule={"expression": "cron(0 18 * * ? *)"})
    command = command_of(unit, program.folder, root=str(root))
    assert command[0] == str(installed)
    with contextlib.closing(Manager(unit, command, tmp_path, program.environment())) as it:
        it.wait_for(b"READY=1")
    enabled = root / "etc/systemd/system/multi-user.target.wants/lambda-pipeline.service"
    assert not list(root.rglob("*.wants"))  # installing it starts nothing
    timer = root / "etc/systemd/system/timers.target.wants/lambda-pipeline@weather.timer"
    mine = root / "etc/lambda-pipeline/weather.yaml"
    for path in (enabled, timer, mine):
        path.parent.mkdir(parents=True)
    enabled.symlink_to("/usr/lib/systemd/system/lambda-pipeline.service")
    timer.symlink_to("/usr/lib/systemd/system/lambda-pipeline@.timer")
    mine.write_text("mine")
    call(*dpkg, "-r", "lambda-pipeline")
    assert enabled.is_symlink() and timer.is_symlink() and not unit.exists()
    call(*dpkg, "-P", "lambda-pipeline")
    assert [it for it in root.rglob("*") if not it.is_dir()] == [mine]


def test_the_package_names_what_the_program_is_linked_with(package):
    fields = call("dpkg-deb", "-f", package)
    assert re.search(r"^Depends: .*libc6 \(>= ", fields, re.M)
    assert "Recommends: ca-certificates, tzdata" in fields


LINKED = ("carquet", "curl", "libdeflate", "expat", "jansson", "libmicrohttpd", "libyaml", "libzstd", "lz4", "nghttp2", "openssl", "pcre2",
          "udunits", "xxhash", "zlib")
MADE_EARLIER = [it for it in ("carquet", "curl", "duckdb", "microhttpd") if not (ROOT / "build/deps" / it / "copyright").exists()]


@pytest.mark.skipif(bool(MADE_EARLIER), reason=f"scripts/deps has to make {', '.join(MADE_EARLIER)} anew")
def test_what_is_installed_has_the_licence_of_all_that_is_in_it(units, package, tmp_path):
    installed = (units.parents[2] / "share/doc/lambda-pipeline/copyright").read_text(encoding="utf-8")
    call("dpkg-deb", "-x", package, tmp_path)
    assert (tmp_path / "usr/share/doc/lambda-pipeline/copyright").read_text(encoding="utf-8") == installed
    head, *texts = re.split(r"^={20,}\n(?=\S+ \S+.*\n={20,}$)", installed, flags=re.M)
    named = dict(zip([text.split()[0] for text in texts], texts, strict=True))
    assert set(named) == {*LINKED, "duckdb"}
    assert all(re.search(f"^  {re.escape(name)} ", head, re.M) for name in named)
    assert all(re.search(r"copyright", text, re.I) and len(text) > 700 for text in named.values())
    assert "Stichting DuckDB Foundation" in named["duckdb"] and "Permission is hereby granted, free of charge" in named["duckdb"]
    assert "third_party/re2/LICENSE" in named["duckdb"] and "GNU LESSER GENERAL PUBLIC LICENSE" in named["libmicrohttpd"]
    assert "Apache License" in named["openssl"] and "Daniel Stenberg" in named["curl"]
    assert str(ROOT) not in installed


def objects(name):
    """What a file asks Kubernetes for, by kind and name."""
    found = yaml.safe_load_all((ROOT / "deploy" / "kubernetes" / f"{name}.yaml").read_text())
    return {f"{it['kind']} {it['metadata']['name']}": it for it in found}


def container(it):
    spec = it["spec"].get("jobTemplate", it)["spec"]["template"]["spec"]
    return spec["containers"][0]


def command_in(it, env, **paths):
    """The words that a container is started with, variables filled in as Kubernetes does, paths of the image replaced."""
    words = [re.sub(r"\$\((\w+)\)", lambda name: env[name[1]], word) for word in container(it)["command"]]
    assert words[0] == "/lambda-pipeline"
    return [paths.get(word.strip("/"), word) for word in words[1:]]


def environment_in(it, **changes):
    return {each["name"]: each["value"] for each in container(it)["env"] if "value" in each} | changes


@pytest.mark.parametrize("name", ["cronjob", "deployment", "job"])
def test_kubernetes_takes_its_objects(name):
    for it in objects(name).values():
        kubernetes_validate.validate(it, "1.31", strict=True)
        with pytest.raises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate({**it, "sepc": {}}, "1.31", strict=True)
        if "spec" in it:
            with pytest.raises(kubernetes_validate.ValidationError):
                kubernetes_validate.validate({**it, "spec": {**it["spec"], "timezone": "UTC"}}, "1.31", strict=True)


@pytest.mark.parametrize("name", ["cronjob", "deployment", "job"])
def test_no_container_may_do_more_than_it_has_to(name):
    working = [it for it in objects(name).values() if it["kind"] in ("CronJob", "Deployment", "Job")]
    assert working
    for it in working:
        pod = it["spec"].get("jobTemplate", it)["spec"]["template"]["spec"]
        assert pod["automountServiceAccountToken"] is False and pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container(it)["securityContext"] == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                                                    "capabilities": {"drop": ["ALL"]}}
        assert "memory" in container(it)["resources"]["limits"] and "@sha256:" in container(it)["image"]


def test_the_indexed_job_runs_all_shards_and_merge_makes_them_one(program, server):
    program.pipeline(server.url(), sink={"to": "${LAKE}"})
    jobs = objects("job")
    shards, merge = jobs["Job weather-shards"], jobs["Job weather-merge"]
    count = shards["spec"]["completions"]
    assert shards["spec"]["parallelism"] == count and merge["spec"]["suspend"] is True
    for index in range(count):
        env = environment_in(shards, LAKE="./lake", JOB_COMPLETION_INDEX=str(index))
        result = program.call(*command_in(shards, env), env=env)
        assert result.status == OK, result.stderr
    env = environment_in(merge, LAKE="./lake", OPENWEATHER_API_KEY=None)
    result = program.call(*command_in(merge, env), env=env)
    assert result.status == OK and f"5 rows of {count} shards" in result.stdout, result.stderr
    assert program.record(slot="20261123T180000Z")["shards"] == count


def lay_config_map(folder, data, version):
    """As the kubelet does it: the files in a folder of their own, a link that is turned to it, and links through that."""
    (folder / version).mkdir(parents=True)
    for name, text in data.items():
        (folder / version / name).write_text(text)
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    (folder / "..data_tmp").symlink_to(version)
    (folder / "..data_tmp").rename(folder / "..data")


def test_the_deployment_serves_its_config_map_and_notices_when_that_changes(program, server):
    found = objects("deployment")
    deployment, data = found["Deployment lambda-pipeline"], found["ConfigMap pipelines"]["data"]
    pod, port = deployment["spec"]["template"]["spec"], container(deployment)["ports"][0]["containerPort"]
    assert pod["terminationGracePeriodSeconds"] > 90
    [mount] = [it for it in container(deployment)["volumeMounts"] if it["name"] == "pipelines"]
    folder = program.folder / "mounted"
    lay_config_map(folder, data, "..1")
    env = environment_in(deployment, LAKE=str(program.lake))
    words = command_in(deployment, env, **{mount["mountPath"].strip("/"): str(folder)})
    at = words.index("--port")
    assert words[at + 1] == str(port) and words[0] == "serve" and str(folder) in words and words[words.index("--host") + 1] == "0.0.0.0"
    it = Service(program, *words[1:at], *words[at + 2:], begin=None, env=env)
    try:
        it.wait_for("1 pipeline served, the next is weather in")
        it.wait_for("this service fires")
        for probe, said in (("livenessProbe", "ok\n"), ("readinessProbe", "ok\n")):
            assert it.get(container(deployment)[probe]["httpGet"]["path"]) == said
        annotations = found["Service lambda-pipeline"]["metadata"]["annotations"]
        assert 'lambda_pipeline_next_fire_timestamp_seconds{pipeline="weather"}' in it.get(annotations["prometheus.io/path"])
        assert annotations["prometheus.io/port"] == str(port)
        lay_config_map(folder, {**data, "more.yaml": data["weather.yaml"].replace("pipeline: weather", "pipeline: more")}, "..2")
        it.wait_for("2 pipelines served")
        assert it.stop().status == OK
    finally:
        it.kill()


def test_the_selectors_of_kubernetes_find_the_pods():
    found = objects("deployment")
    deployment, service = found["Deployment lambda-pipeline"]["spec"], found["Service lambda-pipeline"]["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    assert deployment["selector"]["matchLabels"] == labels == service["selector"]
    [port] = service["ports"]
    assert port["targetPort"] == container(found["Deployment lambda-pipeline"])["ports"][0]["name"]
    assert f"ServiceAccount {deployment['template']['spec']['serviceAccountName']}" in found
