"""The workflows of GitHub Actions: no keys, no names that can be moved, no more rights than a job needs."""
import json
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


def zizmor(*files):
    program = Path(sys.executable).with_name("zizmor")
    return subprocess.run([program, "--offline", "--no-progress", "--strict-collection", *files], capture_output=True, text=True,
                          timeout=120)


def test_zizmor_finds_nothing():
    result = zizmor(*WORKFLOWS)
    assert result.returncode == 0, result.stdout + result.stderr
    assert all(f"completed {path}" in result.stderr for path in WORKFLOWS) and "WARN" not in result.stderr, result.stderr


@pytest.mark.parametrize("planted, said", [
    ("persist-credentials: false: true", "failed to load"),
    ("persist-credentials: false\n      - uses: actions/checkout@v6\n        with:\n          persist-credentials: false", "unpinned-uses"),
    ("persist-credentials: false\n      - run: echo ${{ github.head_ref }}", "template-injection")],
    ids=["no YAML", "a tag", "a branch's name in a script"])
@pytest.mark.parametrize("name", NAMES)
def test_zizmor_would_say_what_is_wrong_in_any_of_them(tmp_path, name, planted, said):
    text = (REPO / ".github" / "workflows" / name).read_text(encoding="utf-8")
    damaged = tmp_path / ".github" / "workflows" / name
    damaged.parent.mkdir(parents=True)
    damaged.write_text(text.replace("persist-credentials: false", planted, 1), encoding="utf-8")
    result = zizmor(damaged)
    assert result.returncode != 0 and said in result.stdout + result.stderr, result.stdout + result.stderr


def in_containers():
    return [(name, title) for name in NAMES for title, job in read(name)["jobs"].items() if "container" in job]


@pytest.mark.parametrize("name, title", in_containers())
def test_a_checkout_into_a_bare_container_has_git_and_git_trusts_its_folder(name, title):
    steps = read(name)["jobs"][title]["steps"]
    checkout = next(i for i, step in enumerate(steps) if step.get("uses", "").startswith("actions/checkout@"))
    before = "\n".join(step.get("run", "") for step in steps[:checkout])
    assert re.search(r"apt-get install\b.*\bgit\b", before), "without git the checkout has no commit, and so no time"
    assert 'git config --global --add safe.directory "$GITHUB_WORKSPACE"' in steps[checkout + 1]["run"]


def test_the_image_that_is_pushed_has_its_commits_time_or_is_not_made():
    steps = read("push-to-ecr.yml")["jobs"]["push"]["steps"]
    made = next(step["run"] for step in steps if "make image" in step.get("run", ""))
    assert made.splitlines() == ["SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)", "export SOURCE_DATE_EPOCH", "make image"]


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
    assert workflow["permissions"] == {}
    assert "concurrency" in workflow or all("concurrency" in job or "uses" in job for job in workflow["jobs"].values())
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


@pytest.mark.parametrize("name", ["deploy.yml", "push-to-ecr.yml"])
def test_nothing_goes_to_aws_from_another_branch_than_main(name):
    for title, job in read(name)["jobs"].items():
        assert "github.ref == 'refs/heads/main'" in job["if"] and "||" not in job["if"], title


def test_an_approval_that_is_waited_for_holds_up_no_staging():
    workflow = read("deploy.yml")
    assert "concurrency" not in workflow
    for stage in ("staging", "production"):
        assert workflow["jobs"][stage]["concurrency"] == {"group": f"deploy-{stage}", "cancel-in-progress": False}


def test_the_trust_that_the_documents_ask_for_names_what_github_says_of_these_jobs():
    text = (REPO / "docs" / "deploying.md").read_text(encoding="utf-8")
    subjects = re.findall(r'"token.actions.githubusercontent.com:sub": "repo:OWNER@OWNER_ID/REPOSITORY@REPOSITORY_ID:(\S+)"', text)
    assert subjects == ["ref:refs/heads/main", "environment:staging", "environment:production"]
    statements = [it for block in re.findall(r"```json\n(.*?)```", text, re.S) for it in json.loads(block)["Statement"]]
    trust = [it for it in statements if "Principal" in it]
    assert len(trust) == 3
    for it in trust:
        assert list(it["Condition"]) == ["StringEquals"] and len(it["Condition"]["StringEquals"]) == 2
    assert "docs/deploying.md" in (REPO / ".github" / "workflows" / "deploy.yml").read_text(encoding="utf-8")


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash")
@pytest.mark.parametrize("arguments, says", [
    (["somewhere", "r@sha256:" + "a" * 64], "usage"), (["staging"], "usage"),
    (["staging", "repository:latest"], "names no digest")])
def test_deploying_refuses_what_names_no_stage_or_no_digest(arguments, says):
    result = subprocess.run([REPO / "scripts" / "deploy", *arguments], capture_output=True, text=True, timeout=20,
                            env={"PATH": "/usr/bin:/bin", "ALERT_EMAIL": "ops@example.org"})
    assert result.returncode == 2 and says in result.stderr
