"""docs/serve.md: the log, the limits, the metrics and the rules that it shows are those of the service."""

import re
import shutil

import pytest
import yaml

from harness.runner import OK, ROOT, is_sanitized
from harness.service import Service

TEXT = (ROOT / "docs" / "serve.md").read_text(encoding="utf-8")
SERVE, PAGE = ROOT / "src" / "serve", ROOT / "src" / "page"


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.M | re.S)


def section(name):
    return re.search(rf"^## {name}\n(.*?)(?=^## |\Z)", TEXT, re.M | re.S).group(1)


@pytest.mark.skipif(is_sanitized(), reason="the sanitizer and the faked clock do not go together")
def test_the_log_that_is_shown_is_what_it_says(program):
    shown = blocks("text")[0]
    command = re.search(r"`serve (examples/\S+ --replay [^`]+)`", TEXT).group(1)
    shutil.copytree(ROOT / "examples", program.folder / "examples")
    it = Service(program, *command.split(), begin=shown[:10] + " " + shown[11:19], speed=10, env={"LAKE": None})
    it.wait_for("records written.*\n")
    said = it.log
    it.kill()

    def without_times(text):
        text = re.sub(r"^\S+Z  ", "", text, flags=re.M)
        return re.sub(r"in [\d.]+ m?s\b|127.0.0.1:\d+", "…", text)
    assert without_times(said) == without_times(shown)


def test_each_line_of_the_log_that_is_explained_is_one_that_it_has():
    sources = "".join(re.sub(r'"\s*\n\s*"', "", path.read_text()) for path in sorted(SERVE.glob("*.[ch]")))
    lines = re.findall(r"^\| `(.+?)` \|", TEXT.split("## The page")[0], re.M)
    assert len(lines) >= 8
    for line in lines:
        for part in re.split(r"…|[,;] |5 rows|[\d.]+ (?:ms|min|s)\b", line):
            assert part.strip(" :;()") in sources, (line, part)


def test_the_limits_are_those_of_the_headers():
    n = {}
    for path in [*SERVE.glob("*.h"), *PAGE.glob("*.h")]:
        for name, value in re.findall(r"^#define (LP_\w+)\s+(?:INT64_C\()?(\d+)", path.read_text(), re.M):
            n[name] = int(value)
    at_once = re.search(r"c->at_once <= (\d+)\)", (ROOT / "src/cli/options.c").read_text()).group(1)
    assert dict(re.findall(r"^\| (\w.*?) \| (.+?) \|$", section("Limits"), re.M)) == {
        "pipeline files": f"{n['LP_ROSTER_FILES']:,}",
        "late, not yet missed": f"{n['LP_LATE_US'] // 60_000_000} minutes",
        "slots that wait, per pipeline": f"{n['LP_AGENDA_WAITING']:,}",
        "slots in the strip": str(n["LP_BOARD_BARS"]),
        "runs at the same time": at_once,
        "grace after the time limit": f"{n['LP_FIRE_GRACE_MS'] // 1000} s",
        "lease of the lock": f"{n['LP_KEEPER_LEASE_S']} s",
        "connections to the page": str(n["LP_WEB_CONNECTIONS"]),
        "pages written from the lake at the same time":
            f"{n['LP_WEB_AT_WORK']}, and {n['LP_WEB_WAITING']} that wait; {n['LP_WEB_MOST_MS'] // 1000} s each"}
    stop_ms = int(re.search(r"#define STOP_MS (\d+)", (ROOT / "src/cli/cmd_serve.c").read_text()).group(1))
    for sentence in (f"`--at-once N` (at most {at_once})", f"killed {n['LP_FIRE_GRACE_MS'] // 1000} seconds",
                     f"go on for {stop_ms // 1000} seconds", f"a lease of {n['LP_KEEPER_LEASE_S']} seconds"):
        assert sentence in TEXT


def test_a_pipeline_takes_the_schedule_that_is_shown(program, server, run):
    schedule = yaml.safe_load(blocks("yaml")[0])["schedule"]
    assert run("check", program.pipeline(server.url(), schedule=schedule)).status == OK


def test_prometheus_finds_the_metrics_that_the_document_names():
    scrape, rules = (yaml.safe_load(it) for it in blocks("yaml")[1:])
    assert scrape["scrape_configs"][0]["static_configs"] == [{"targets": ["localhost:8080"]}]
    metrics = (PAGE / "metrics.c").read_text()
    named = {name for rule in rules["groups"][0]["rules"] for name in re.findall(r"lambda_pipeline_\w+", rule["expr"])}
    assert len(named) >= 3
    for name in named | {"lambda_pipeline_" + it for it in re.findall(r"`(\w+_total|leader)`", section("Prometheus"))}:
        assert f'"{name}"' in metrics, name
