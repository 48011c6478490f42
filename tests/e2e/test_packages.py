"""What is installed beside the program: systemd's units, Debian's package, Kubernetes' objects."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from harness.making import make

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


def test_systemd_finds_nothing_wrong_with_the_units(units):
    said = call("systemd-analyze", "verify", "--man=no", units / "lambda-pipeline@weather.timer", units / "lambda-pipeline@weather.service",
                env={**os.environ, "SYSTEMD_UNIT_PATH": f"{units}:"})
    assert "lambda-pipeline" not in said
    assert str(units.parents[2] / "bin" / "lambda-pipeline") + " run" in (units / "lambda-pipeline@.service").read_text()


def test_the_service_is_hardened(units):
    said = call("systemd-analyze", "security", "--offline=true", "--threshold=15", units / "lambda-pipeline@weather.service")
    assert float(re.search(r"Overall exposure level.*service: ([\d.]+)", said).group(1)) <= 1.5


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


def test_the_package_installs_runs_and_leaves_cleanly(package, tmp_path):
    root, admin = tmp_path / "root", tmp_path / "admin"
    for folder in (root, admin / "info", admin / "updates", admin / "triggers"):
        folder.mkdir(parents=True)
    for name in ("status", "available"):
        (admin / name).write_text("")
    dpkg = ["dpkg", f"--instdir={root}", f"--admindir={admin}", "--force-script-chrootless", "--force-depends", "--force-not-root",
            "--force-bad-path", f"--log={tmp_path}/log"]
    call(*dpkg, "-i", package)
    program = root / "usr" / "bin" / "lambda-pipeline"
    call(program, "run", WEATHER / "weather.yaml", "--replay", WEATHER / "replies", "--slot", "2012-10-01T18:00:00Z", "--to", tmp_path / "lake")
    said = call(program, "query", "select count(*) as cities from weather", "--to", tmp_path / "lake", "--format", "csv")
    assert said.split() == ["cities", "5"]
    assert "@BINDIR@" not in (root / "usr/lib/systemd/system/lambda-pipeline@.service").read_text()
    assert "ExecStart=/usr/bin/lambda-pipeline run" in (root / "usr/lib/systemd/system/lambda-pipeline@.service").read_text()
    call(*dpkg, "-P", "lambda-pipeline")
    assert [str(it) for it in root.rglob("*") if not it.is_dir()] == []


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


def test_kubernetes_takes_the_cronjob():
    job = yaml.safe_load((ROOT / "deploy" / "kubernetes" / "cronjob.yaml").read_text())
    kubernetes_validate.validate(job, "1.31", strict=True)
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate({**job, "spec": {**job["spec"], "timezone": "UTC"}}, "1.31", strict=True)
