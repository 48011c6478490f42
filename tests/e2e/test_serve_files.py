"""serve while its files are renamed, exchanged, turned by a link, changed in the middle of a run, or are no files at all."""

import os
import re
import signal
import time

import pytest

from harness import behaviours
from harness.runner import is_sanitized
from harness.service import records

pytestmark = pytest.mark.skipif(is_sanitized(), reason="the sanitizer and the faked clock do not go together")

EVERY_MINUTE = {"expression": "cron(* * * * ? *)", "retries": 0}
ONE_CITY = {"each": {"city": ["Dallas"]}, "limit": {"total": "900s"}, "retry": {"attempts": 1, "deadline": "900s"}}


def put(program, server, folder, name, file=None, schedule=EVERY_MINUTE, **more):
    folder.mkdir(exist_ok=True)
    path = program.pipeline(server.url(), name=name, schedule=schedule,
                            source=ONE_CITY, sink={"catalog": {"database": "weather", "table": name}, **more})
    return path.rename(folder / (file or path.name))


def test_a_pipeline_whose_file_is_renamed_goes_on(program, server, serve):
    folder = program.folder / "pipelines"
    for name in ("a.yaml", "z.yaml"):  # read before the old name, and behind it
        path = put(program, server, folder, "one", "m.yaml")
        it = serve(folder, speed=20)
        it.wait_for("✓ one, slot", count=2)
        path.rename(folder / name)
        count = it.log.count("✓ one, slot")
        it.wait_for("✓ one, slot", count=count + 3)
        assert "✗" not in it.log and "is not there" not in it.get("/")
        it.kill()
        (folder / name).unlink()
        done = re.findall(r"✓ one, slot (\S+):", it.log)
        assert len(done) == len(set(done))


def test_two_pipelines_exchange_their_files(program, server, serve):
    folder = program.folder / "pipelines"
    a, b = (put(program, server, folder, name) for name in ("one", "two"))
    it = serve(folder, speed=20)
    it.wait_for("✓ one, slot")
    it.wait_for("✓ two, slot")
    first, second = a.read_text(), b.read_text()
    a.write_text(second)
    b.write_text(first.replace("Dallas", "Chicago"))
    time.sleep(0.6)
    for name in ("one", "two"):
        it.wait_for(f"✓ {name}, slot", count=it.log.count(f"✓ {name}, slot") + 2)
    it.stop()
    assert "name it differently" not in it.log
    assert "Chicago" in sorted((program.lake / "one").rglob("*.csv"))[-1].read_text()
    assert "Dallas" in sorted((program.lake / "two").rglob("*.csv"))[-1].read_text()


def test_a_folder_that_is_a_link_is_read_anew_when_the_link_is_turned(program, server, serve):
    old, new, link = (program.folder / name for name in ("old", "new", "link"))
    put(program, server, old, "one")
    put(program, server, new, "two")
    link.symlink_to(old)
    it = serve(link, speed=20)
    it.wait_for("✓ one, slot")
    turned = program.folder / "turned"
    turned.symlink_to(new)
    turned.rename(link)
    it.wait_for("✓ two, slot", seconds=8)
    it.stop()


def test_a_config_map_that_is_turned_is_read_anew(program, server, serve):
    folder = program.folder / "map"
    folder.mkdir()
    put(program, server, folder / "..1", "one")
    put(program, server, folder / "..2", "one", schedule={**EVERY_MINUTE, "expression": "cron(0 0 1 1 ? 2199)"})
    (folder / "..data").symlink_to("..1")
    (folder / "one.yaml").symlink_to("..data/one.yaml")
    it = serve(folder, speed=20)
    it.wait_for("✓ one, slot")
    (folder / "..data_tmp").symlink_to("..2")
    (folder / "..data_tmp").rename(folder / "..data")
    it.wait_for("1 pipeline served", count=2)
    count = len(records(program, "one"))
    time.sleep(8)
    assert len(records(program, "one")) <= count + 1
    it.stop()


def test_a_schedule_that_is_taken_away_in_the_middle_of_a_run_harms_nothing(program, server, serve):
    folder = program.folder / "pipelines"
    path = put(program, server, folder, "one")
    server.script("Dallas", behaviours.stall_before_header(), behaviours.ok())
    it = serve(folder, speed=20)
    until = time.monotonic() + 10
    while not server.requests:
        assert time.monotonic() < until
        time.sleep(0.02)
    text = path.read_text()
    path.write_text("\n".join(line for line in text.split("\n") if "expression" not in line and "retries" not in line)
                    .replace("schedule:\n", ""))
    it.wait_for("has no schedule, so it is never due")
    child = int(os.popen(f"pgrep -P {it.running.pid} -x one").read().split()[0])
    os.kill(child, signal.SIGKILL)
    it.wait_for("✗ one, slot .*: failed")
    path.write_text(text)
    it.wait_for("✓ one, slot", count=2)
    it.stop()


@pytest.mark.parametrize("change", ["expression", "name"])
def test_a_schedule_that_is_changed_counts_from_then_on(program, server, serve, change):
    rules = {"catch_up": "all", "catch_up_limit": 1000, "retries": 0, "overlap": "queue"}
    folder = program.folder / "pipelines"
    path = put(program, server, folder, "one", schedule={**rules, "expression": "cron(0 18 * * ? *)"})
    it = serve(folder)
    it.wait_for("✓ one, slot 2012-10-01T18:00:00Z")
    it.set_clock("2012-10-01 23:30:20", 30)
    time.sleep(0.5)
    text = path.read_text().replace("cron(0 18 * * ? *)", "cron(* * * * ? *)")
    path.write_text(text if change == "expression" else text.replace("pipeline: one", "pipeline: two"))
    it.wait_for(r"✓ \w+, slot 2012-10-01T23:3\d:00Z", count=3)
    it.stop()
    assert "caught up" not in it.log
    assert not re.search("slot 2012-10-01T2[0-2]", it.log)


def test_what_is_no_file_and_what_has_a_strange_name_is_told_once_on_one_line(program, server, serve):
    folder = program.folder / "pipelines"
    put(program, server, folder, "one")
    os.mkfifo(folder / "pipe.yaml")
    held = os.open(folder / "pipe.yaml", os.O_RDWR)  # somebody writes to it, one day
    (folder / "folder.yaml").mkdir()
    (folder / "device.yaml").symlink_to("/dev/zero")
    (folder / "big.yaml").write_text("#" + "x" * (2 << 20))
    strange = os.fsencode(folder) + b"/a\xff\n2012-10-01T18:00:00Z  \xe2\x9c\x93 one, slot forged\x1b[31m.yaml"
    with open(strange, "w") as file:
        file.write("pipeline: x\n")
    it = serve(folder)
    it.wait_for("✓ one, slot", count=2)
    it.signal(signal.SIGHUP)
    it.wait_for("1 pipeline served", count=2)
    log = it.stop().stderr
    os.close(held)
    assert not [line for line in log.splitlines() if line.endswith("forged") or "\x1b" in line]
    assert not re.search("^2012-10-01T18:00:00Z  ✓ one, slot forged", log, re.M)
    for name in ("pipe.yaml", "folder.yaml", "device.yaml", "big.yaml", "forged"):
        assert len([line for line in log.splitlines() if name in line]) == 1, (name, log)


def test_a_folder_that_was_away_leaves_nothing_of_itself_behind(program, server, serve):
    folder = program.folder / "pipelines"
    put(program, server, folder, "one")
    it = serve(folder, speed=20)
    it.wait_for("✓ one, slot")
    folder.rename(program.folder / "away")
    it.wait_for("one.yaml is not there")
    assert "pipelines is not there" in it.get("/")
    (program.folder / "away").rename(folder)
    it.wait_for("one.yaml is in order again")
    it.wait_for("✓ one, slot", count=it.log.count("✓ one, slot") + 1)
    assert "is not there" not in it.get("/")
    it.stop()


def test_children_that_have_ended_do_not_stay_zombies(program, server, serve):
    folder = program.folder / "pipelines"
    for n in range(20):
        put(program, server, folder, f"p{n}", schedule={"expression": "cron(0 18 * * ? *)"})
    it = serve(folder, "--at-once", "20", speed=60)
    it.wait_for(r"✓ p\d+, slot", count=20)
    until = time.monotonic() + 3
    while "Z" in os.popen(f"ps -o stat= --ppid {it.running.pid}").read():
        assert time.monotonic() < until
        time.sleep(0.05)
    it.stop()
