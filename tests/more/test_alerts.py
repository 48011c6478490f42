"""The rules for Prometheus that docs/serve.md shows, as promtool reads them: they fire when they should, and not else."""

import os
import re
import shutil
import subprocess

import pytest
import yaml

from harness.runner import ROOT
from harness.service import Service

PROMTOOL = shutil.which("promtool") or ROOT / "build/more/bin/promtool"

pytestmark = pytest.mark.skipif(not os.access(PROMTOOL, os.X_OK), reason="promtool is not there (scripts/test-more)")

SCRAPE, RULES = re.findall(r"^```yaml\n(.*?)^```$", (ROOT / "docs/serve.md").read_text(encoding="utf-8"), re.M | re.S)[1:]
WEATHER = '{pipeline="weather"}'


@pytest.fixture
def check(tmp_path):
    """What promtool says of the rules, and of what alerts they raise."""
    (tmp_path / "lambda-pipeline.rules.yaml").write_text(RULES)
    (tmp_path / "prometheus.yaml").write_text(SCRAPE)

    def tool(*words, **tests):
        if tests:
            (tmp_path / "tests.yaml").write_text(yaml.safe_dump({"rule_files": ["lambda-pipeline.rules.yaml"], "tests": [tests]}))
        done = subprocess.run([PROMTOOL, *words], cwd=tmp_path, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout + done.stderr
    return tool


def test_promtool_takes_the_configuration_and_its_rules(check):
    status, said = check("check", "config", "prometheus.yaml")
    assert status == 0 and "4 rules found" in said, said


def test_promtool_finds_nothing_wrong_with_the_metrics(program, server):
    program.pipeline(server.url(), schedule={"expression": "cron(* * * * ? *)"})
    it = Service(program, program.folder / "weather.yaml")
    try:
        it.wait_for(r"5 rows in")
        done = subprocess.run([PROMTOOL, "check", "metrics"], input=it.get("/metrics"), capture_output=True, text=True, timeout=60)
    finally:
        it.kill()
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


# Values by the minute, when it is looked, and for which pipeline it is raised then: None: not at all.
@pytest.mark.parametrize("alert, series, at, raised", [
    ("NobodyFires", {'lambda_pipeline_leader{instance="a"}': "1x30", 'lambda_pipeline_leader{instance="b"}': "0x30"}, "20m", None),
    ("NobodyFires", {'lambda_pipeline_leader{instance="a"}': "1x5 _x30", 'lambda_pipeline_leader{instance="b"}': "0x30"}, "20m", {}),
    ("PipelineFault", {f"lambda_pipeline_fault{WEATHER}": "0x5 1x30"}, "10m", None),
    ("PipelineFault", {f"lambda_pipeline_fault{WEATHER}": "0x5 1x30"}, "20m", {"pipeline": "weather"}),
    ("PipelineFails", {'lambda_pipeline_runs_total{pipeline="weather",status="failed"}': "0x5 1x30",
                       'lambda_pipeline_runs_total{pipeline="weather",status="ok"}': "3x35"}, "20m", {"pipeline": "weather"}),
    ("PipelineFails", {'lambda_pipeline_runs_total{pipeline="weather",status="failed"}': "0x5 1x30",
                       'lambda_pipeline_runs_total{pipeline="weather",status="ok"}': "3x10 4x25"}, "20m", None),
    ("WeatherIsOld", {f"lambda_pipeline_last_success_timestamp_seconds{WEATHER}": "0x2000"}, "25h", None),
    ("WeatherIsOld", {f"lambda_pipeline_last_success_timestamp_seconds{WEATHER}": "0x2000"}, "27h", {"pipeline": "weather"})])
def test_an_alert_is_raised_when_it_should_be(check, alert, series, at, raised):
    annotations = next(it for it in yaml.safe_load(RULES)["groups"][0]["rules"] if it["alert"] == alert)["annotations"]
    said = {key: text.replace("{{ $labels.pipeline }}", "weather").replace("{{ $value | humanizeDuration }}", "1d 3h 0m 0s")
            for key, text in annotations.items()}
    values = [{"series": name, "values": re.sub(r"(\d)x", r"\1+0x", text)} for name, text in series.items()]
    wanted = [] if raised is None else [{"exp_labels": raised, "exp_annotations": said}]
    status, said = check("test", "rules", "tests.yaml", interval="1m", input_series=values,
                         alert_rule_test=[{"eval_time": at, "alertname": alert, "exp_alerts": wanted}])
    assert status == 0, said
