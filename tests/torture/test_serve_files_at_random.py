"""Files of serve written, renamed, exchanged, broken and removed at random, under the sanitizers as well: in the end what is
served is what the files say."""

import random
import re
import signal
import time

import pytest

from harness.service import Service

RULES = ({"expression": "cron(* * * * ? *)", "retries": 0}, {"expression": "rate(1 minute)", "retries": 0}, None)
FILES, PIPELINES, SECONDS = 14, 12, 12


def disturb(dice, folder, texts):
    there = sorted(folder.glob("*.yaml"))
    target = folder / f"{dice.randrange(FILES)}.yaml"
    what = dice.choices(["write", "rename", "remove", "exchange", "break", "none"], [8, 5, 3, 3, 1, 2])[0]
    if what == "write":
        target.write_text(dice.choice(texts))
    elif what == "break":
        target.write_text("pipeline: [\n")
    elif what == "rename" and there:
        dice.choice(there).rename(target)
    elif what == "remove" and there:
        dice.choice(there).unlink()
    elif what == "exchange" and len(there) > 1:
        one, other = dice.sample(there, 2)
        text = one.read_text()
        one.write_text(other.read_text())
        other.write_text(text)


@pytest.mark.parametrize("seed", [1, 2])
def test_in_the_end_what_is_served_is_what_the_files_say(program, server, seed):
    dice, texts = random.Random(seed), {}
    folder = program.folder / "pipelines"
    folder.mkdir()
    for n in range(PIPELINES):
        for which, rules in enumerate(RULES):
            path = program.pipeline(server.url(), name=f"p{n}", schedule=rules, source={"each": {"city": ["Dallas"]}},
                                    sink={"to": str(program.folder / f"lake{n % 3}"), "catalog": None})
            texts[n, which] = path.read_text()
            path.unlink()
    (folder / "0.yaml").write_text(texts[0, 0])
    it = Service(program, folder, begin=None)
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        disturb(dice, folder, list(texts.values()))
        if dice.random() < 0.03:
            it.signal(signal.SIGHUP)
        time.sleep(dice.choice([0.05, 0.35, 0.8]))
    for path in folder.glob("*.yaml"):
        path.unlink()
    for n in range(PIPELINES):
        (folder / f"z{PIPELINES - n}.yaml").write_text(texts[n, 0])
    until = time.monotonic() + 10
    while "lambda_pipeline_served 12" not in (metrics := it.get("/metrics")):
        assert time.monotonic() < until, (metrics, it.log)
        time.sleep(0.2)
    due = re.findall(r'^lambda_pipeline_next\w*\{pipeline="p(\d+)"\} (\S+)', metrics, re.M)
    assert sorted(int(n) for n, _ in due) == list(range(PIPELINES)), metrics
    assert max(float(at) for _, at in due) < time.time() + 61
    assert it.stop().status == 0
