"""The workflows of GitHub Actions: no keys, no names that can be moved, no more rights than a job needs."""
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

REPO = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((REPO / ".github" / "workflows").glob("*.yml"))
NAMES = [it.name for it in WORKFLOWS]


def read(name):
    return yaml.safe_load((REPO / ".github" / "workflows" / name).read_text(encoding="utf-8"))


def test_there_are_workflows_to_read():
    assert NAMES == ["ci.yml", "deploy.yml", "push-to-ecr.yml"]


def test_zizmor_finds_nothing():
    program = Path(sys.executable).with_name("zizmor")
    result = subprocess.run([program, "--offline", "--no-progress", *WORKFLOWS], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("name", NAMES)
def test_actions_are_named_by_commit(name):
    for used in re.findall(r"uses:\s*(\S+)", (REPO / ".github" / "workflows" / name).read_text(encoding="utf-8")):
        assert used.startswith("./") or re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", used), used


@pytest.mark.parametrize("name", NAMES)
def test_no_key_is_stored(name):
    text = (REPO / ".github" / "workflows" / name).read_text(encoding="utf-8")
    assert "secrets." not in text and not re.search("access.key", text, re.I)


@pytest.mark.parametrize("name", NAMES)
def test_a_job_has_the_rights_it_says_and_no_others(name):
    workflow = read(name)
    assert workflow["permissions"] == {} and "concurrency" in workflow
    for job in workflow["jobs"].values():
        assert set(job["permissions"].items()) <= {("contents", "read"), ("id-token", "write")}
        assert "uses" in job or job["timeout-minutes"] <= 60


def test_production_gets_the_digest_that_staging_ran_with_and_waits_for_approval():
    jobs = read("deploy.yml")["jobs"]
    assert jobs["production"]["environment"] == "production" and jobs["staging"]["environment"] == "staging"
    assert set(jobs["production"]["needs"]) == {"image", "staging"} and jobs["staging"]["needs"] == "image"
    for stage in ("staging", "production"):
        runs = [step.get("run", "") for step in jobs[stage]["steps"]]
        assert [f'scripts/deploy {stage} "$IMAGE"', f"scripts/smoke {stage}"] == [it for it in runs if it]
        assert jobs[stage]["steps"][2]["env"]["IMAGE"] == "${{ needs.image.outputs.image }}"


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash")
@pytest.mark.parametrize("arguments, says", [
    (["somewhere", "r@sha256:" + "a" * 64], "usage"), (["staging"], "usage"),
    (["staging", "repository:latest"], "names no digest")])
def test_deploying_refuses_what_names_no_stage_or_no_digest(arguments, says):
    result = subprocess.run([REPO / "scripts" / "deploy", *arguments], capture_output=True, text=True, timeout=20,
                            env={"PATH": "/usr/bin:/bin", "ALERT_EMAIL": "ops@example.org"})
    assert result.returncode == 2 and says in result.stderr
