"""Filling the past: one run per slot, each once, whatever comes in between."""

import calendar
import json
import os
import pty
import random
import resource
import signal
import subprocess
import termios
import threading
import time
from pathlib import Path

import pytest

from harness import aws_faults, behaviours
from harness.runner import FAILED, OK, PARTIAL, USAGE, is_sanitized

DAYS = [f"2026-10-{day:02d}" for day in range(1, 31)]
RANGE = ("--from", "2026-10-01", "--to", "2026-10-30")


def archive(program, server, name="weather", expression="cron(0 18 * * ? *)", timezone="UTC", **sections):
    """A pipeline whose path says the day, so that a test can script each day."""
    source = {"get": server.url("/days/{slot:%Y-%m-%d}"), "each": {"city": ["Chicago", "Dallas"]}, **sections.pop("source", {})}
    return program.pipeline(source.pop("get"), name=name, source=source, schedule={"expression": expression, "timezone": timezone}, **sections)


def records(lake, name="weather"):
    return {path.stem: json.loads(path.read_text()) for path in sorted((lake / "_runs" / name).glob("*.json"))}


def data_of(lake):
    return {str(path.relative_to(lake)): path.read_bytes() for path in sorted(lake.rglob("*")) if path.is_file() and "_runs" not in path.parts}


def asked_days(server):
    """How often each day was asked for."""
    days = [request.path.rsplit("/", 1)[1] for request in server.requests]
    return {day: days.count(day) for day in sorted(set(days))}


def test_each_slot_of_the_time_is_run_once_both_ends_included(program, server):
    file = archive(program, server)
    done = program.call("backfill", file, *RANGE)
    assert done.status == OK and done.stdout.startswith("✓ weather: 30 slots run in "), done.stderr
    assert list(records(program.lake)) == [f"{day.replace('-', '')}T180000Z" for day in DAYS]
    assert asked_days(server) == {day: 2 for day in DAYS}
    assert [record["rows"]["written"] for record in records(program.lake).values()] == [2] * 30
    again = program.call("backfill", file, *RANGE)
    assert again.status == OK and "all 30 slots are ok already" in again.stdout and len(server.requests) == 60
    forced = program.call("backfill", file, "--from", "2026-10-02", "--to", "2026-10-03T18:00:00Z", "--force", "--json")
    assert forced.status == OK and len(server.requests) == 64
    assert {key: forced.json()[key] for key in ("slots", "ok", "skipped", "left", "rows")} == {
        "slots": 2, "ok": 2, "skipped": 0, "left": 0, "rows": 4}
    part = program.call("backfill", file, "--from", "2026-10-02T18:00:01Z", "--to", "2026-10-03T17:59:59Z")
    assert part.status == OK and "no slot lies in that time" in part.stdout


def test_four_at_once_leave_byte_for_byte_what_one_after_another_leaves(program, server):
    file = archive(program, server)
    server.default = behaviours.ok(delay=0.02)
    one, four = program.folder / "one", program.folder / "four"
    assert program.call("backfill", file, *RANGE, "--lake", one).status == OK
    assert server.most_at_once <= 2
    assert program.call("backfill", file, *RANGE, "--lake", four, "--at-once", "4").status == OK
    assert server.most_at_once > 2
    assert data_of(one) == data_of(four) and len(data_of(one)) == 31
    assert list(records(one)) == list(records(four))


def children_of(pid):
    try:
        return [int(it) for it in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def is_there(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition, seconds=10):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.005)


def wait_until_quiet(server):
    """What a killed client had sent may be read only now."""
    seen = -1
    while seen != len(server.requests):
        seen = len(server.requests)
        time.sleep(0.4)


@pytest.mark.parametrize("at_once", ["1", "4"])
def test_killed_in_the_middle_and_started_again_no_slot_is_doubled_and_each_is_done(program, server, at_once):
    undisturbed = program.folder / "undisturbed"
    file = archive(program, server)
    assert program.call("backfill", file, *RANGE, "--lake", undisturbed).status == OK
    server.requests.clear()
    server.default = behaviours.ok(delay=0.03)
    running = program.start("backfill", file, *RANGE, "--at-once", at_once)
    wait_until(lambda: len(server.requests) > 25)
    children = children_of(running.pid)
    running.kill()
    wait_until(lambda: not any(is_there(it) for it in children))
    wait_until_quiet(server)
    before = records(program.lake)
    done_before = {record["slot"][:10] for record in before.values() if record["status"] == "ok"}
    assert 5 <= len(done_before) < 30
    server.requests.clear()
    again = program.call("backfill", file, *RANGE, "--at-once", at_once, "--json")
    assert again.status == OK and again.json()["skipped"] == len(done_before)
    assert asked_days(server) == {day: 2 for day in DAYS if day not in done_before}
    assert {record["status"] for record in records(program.lake).values()} == {"ok"} and len(records(program.lake)) == 30
    assert data_of(program.lake) == data_of(undisturbed)
    kept = {name: record for name, record in records(program.lake).items() if record["slot"][:10] in done_before}
    assert kept == {name: before[name] for name in kept}


def test_killed_again_and_again_at_any_moment_it_comes_to_the_same(program, server):
    undisturbed = program.folder / "undisturbed"
    file = archive(program, server)
    assert program.call("backfill", file, *RANGE, "--lake", undisturbed).status == OK
    server.default = behaviours.ok(delay=0.015)
    rng, kills = random.Random(6), 0
    for turn in range(200):
        running = program.start("backfill", file, *RANGE, "--at-once", "2")
        time.sleep(rng.uniform(0.005, 0.06) * (1 + turn / 10))
        children = children_of(running.pid)
        if not is_there(running.pid):
            break
        running.kill()
        kills += 1
        wait_until(lambda: not any(is_there(it) for it in children))
    assert running.finish().status == OK and kills >= 3
    assert data_of(program.lake) == data_of(undisturbed)
    assert {it["status"] for it in records(program.lake).values()} == {"ok"} and len(records(program.lake)) == 30


def test_ctrl_c_lets_the_runs_wind_up_and_says_how_to_go_on(program, server):
    file = archive(program, server)
    server.script("/days/2026-10-04", behaviours.stall_before_header())
    server.script("/days/2026-10-05", behaviours.stall_before_header())
    running = program.start("backfill", file, *RANGE, "--at-once", "2")
    wait_until(lambda: len(server.asked("/days/2026-10-04")) + len(server.asked("/days/2026-10-05")) == 4)
    running.signal(signal.SIGINT)
    done = running.finish()
    assert done.status == -signal.SIGINT and done.seconds < 10
    assert "stopped with 27 of 30 slots still to do" in done.stdout and "the same command again" in done.stdout
    assert {name: it["status"] for name, it in records(program.lake).items()} == {
        "20261001T180000Z": "ok", "20261002T180000Z": "ok", "20261003T180000Z": "ok", "20261004T180000Z": "failed", "20261005T180000Z": "failed"}
    assert not list(program.lake.rglob("*.lock"))
    for day in ("04", "05"):
        server.script(f"/days/2026-10-{day}", behaviours.ok())
    assert program.call("backfill", file, *RANGE).status == OK
    assert {it["status"] for it in records(program.lake).values()} == {"ok"} and len(records(program.lake)) == 30


def test_a_slot_that_fails_is_told_with_its_reason_and_run_again_by_the_next_call(program, server):
    file = archive(program, server)
    server.script("/days/2026-10-03", behaviours.status(404, "no such day"))
    server.script("/days/2026-10-05", behaviours.ok(), behaviours.status(404, "only half of it"))
    done = program.call("backfill", file, *RANGE)
    assert done.status == PARTIAL
    assert done.stdout.startswith("! weather: 1 of 30 slots failed, 1 partial in ")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["ok", "28", "56"] in [line[:3] for line in lines] and ["partial", "1", "1"] in [line[:3] for line in lines]
    assert "✗ 2026-10-03T18:00:00Z  " in done.stdout and "no such day" in done.stdout
    assert "! 2026-10-05T18:00:00Z  partial: " in done.stdout and "only half of it" in done.stdout
    server.requests.clear()
    server.script("/days/2026-10-03", behaviours.ok())
    server.script("/days/2026-10-05", behaviours.ok())
    assert program.call("backfill", file, *RANGE, "--quiet").status == OK
    assert asked_days(server) == {"2026-10-03": 2, "2026-10-05": 2}


def test_what_went_wrong_is_told_in_the_order_of_slots_and_fits_the_terminal(program, server):
    file = archive(program, server)
    server.script("/days/2026-10-03", behaviours.Reply(status=404, body=b"no", delay=0.3))
    server.script("/days/2026-10-04", behaviours.status(404, "a long story " * 30))
    few = ("--from", "2026-10-01", "--to", "2026-10-05", "--at-once", "4")
    assert [it["slot"][:10] for it in program.call("backfill", file, *few, "--json").json()["troubles"]] == ["2026-10-03", "2026-10-04"]
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (40, 60))
    done = subprocess.run([program.path, "backfill", file, *few], stdin=subprocess.DEVNULL, stdout=slave, stderr=subprocess.DEVNULL,
                          env=program.environment({"TERM": "xterm", "NO_COLOR": "1"}), cwd=program.folder, timeout=60)
    os.close(slave)
    lines = os.read(master, 65536).decode().splitlines()
    os.close(master)
    line = next(it for it in lines if "2026-10-04" in it)
    assert done.returncode == PARTIAL and len(line) == 60 and line.endswith("…") and max(map(len, lines)) <= 60, lines


def test_when_no_slot_works_it_says_so(program, server):
    file = archive(program, server)
    server.default = behaviours.status(404, "gone")
    done = program.call("backfill", file, "--from", "2026-10-01", "--to", "2026-10-25", "--json")
    assert done.status == FAILED and done.json()["failed"] == 25 and done.json()["left"] == 0
    assert [it["slot"] for it in done.json()["troubles"]][:2] == ["2026-10-01T18:00:00Z", "2026-10-02T18:00:00Z"]
    assert "✗ weather: 25 of 25 slots failed" in done.stderr and "and 5 more" in done.stderr


def test_a_refused_key_ends_it_at_once(program, server):
    file = archive(program, server, source={"on_status": {"401": "stop"}})
    server.default = behaviours.status(401, "Invalid API key")
    done = program.call("backfill", file, *RANGE)
    assert done.status == FAILED and len(records(program.lake)) == 1
    assert "given up with 29 of 30 slots still to do" in done.stdout and "Invalid API key" in done.stdout
    done = program.call("backfill", file, *RANGE, env={"OPENWEATHER_API_KEY": None})
    assert done.status == FAILED and "OPENWEATHER_API_KEY" in done.stdout and "still to do" in done.stdout


def test_two_at_once_share_the_work_and_neither_calls_a_slot_of_the_other_failed(program, server):
    file = archive(program, server)
    both = [program.start("backfill", file, *RANGE, "--at-once", "3", "--json") for _ in range(2)]
    told = [json.loads(it.finish().stdout) for it in both]
    for it in told:
        assert it["failed"] == it["left"] == 0 and it["ok"] + it["skipped"] + it["elsewhere"] == 30
    assert len([it for it in records(program.lake).values() if it["status"] == "ok"]) == 30


def test_a_slot_that_another_run_is_at_work_on_is_not_a_failure(program, server):
    file = archive(program, server)
    server.script("/days/2026-10-04", behaviours.stall_before_header())
    other = program.start("run", file, "--slot", "2026-10-04T18:00:00Z")
    wait_until(lambda: server.asked("/days/2026-10-04"))
    done = program.call("backfill", file, *RANGE)
    assert done.status == PARTIAL and "1 of 30 slots was being run by another process" in done.stdout
    assert "run elsewhere      1" in done.stdout and "failed" not in done.stdout
    other.kill()


@pytest.mark.parametrize("number, said", [(signal.SIGKILL, "ended by signal 9"), (signal.SIGABRT, "ended by signal 6")])
def test_a_run_that_crashes_is_a_failed_slot_and_harms_no_other(program, server, number, said):
    file = archive(program, server)
    server.script("/days/2026-10-04", behaviours.stall_before_header())
    running = program.start("backfill", file, *RANGE, "--at-once", "3")
    wait_until(lambda: len(server.asked("/days/2026-10-04")) == 2)
    wait_until(lambda: len(children_of(running.pid)) == 1)
    os.kill(children_of(running.pid)[0], number)
    done = running.finish()
    assert done.status == PARTIAL and "1 of 30 slots failed" in done.stdout and said in done.stdout
    assert "2026-10-04T18:00:00Z" in done.stdout and len([it for it in records(program.lake).values() if it["status"] == "ok"]) == 29


@pytest.mark.parametrize("zone, expression, ends, slots", [
    # A night in which 02:30 is skipped, and the days as the place has them.
    ("Europe/Berlin", "cron(30 2 * * ? *)", ("2026-03-28", "2026-03-30"), ["2026-03-28T01:30:00Z", "2026-03-30T00:30:00Z"]),
    # One in which 02:30 comes twice and counts once.
    ("Europe/Berlin", "cron(30 2 * * ? *)", ("2026-10-24", "2026-10-26"), ["2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]),
    # A day of 25 hours is whole, and so is one whose midnight is skipped.
    ("Europe/Berlin", "cron(0 0/12 * * ? *)", ("2026-10-25", "2026-10-25"), ["2026-10-24T22:00:00Z", "2026-10-25T11:00:00Z"]),
    ("Europe/Berlin", "cron(30 23 * * ? *)", ("2026-10-25", "2026-10-25"), ["2026-10-25T22:30:00Z"]),
    ("Africa/Cairo", "cron(0 0/1 * * ? *)", ("2025-04-25", "2025-04-25T00:00:00Z"), ["2025-04-24T22:00:00Z", "2025-04-24T23:00:00Z",
                                                                                       "2025-04-25T00:00:00Z"]),
    ("Pacific/Apia", "cron(0 12 * * ? *)", ("2011-12-29", "2011-12-31"), ["2011-12-29T22:00:00Z", "2011-12-30T22:00:00Z"]),
])
def test_a_day_is_a_day_of_the_schedules_own_clock(program, server, zone, expression, ends, slots):
    file = archive(program, server, expression=expression, timezone=zone)
    done = program.call("backfill", file, "--from", ends[0], "--to", ends[1])
    assert done.status == OK, done.stderr
    assert [record["slot"] for record in records(program.lake).values()] == slots


def test_what_is_not_due_yet_is_left_out(program, server):
    file = archive(program, server, expression="cron(0 * * * ? *)")
    now = time.time()
    done = program.call("backfill", file, "--from", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now - 7200)), "--to", "2190-01-01")
    assert done.status == OK and "not due yet is left out" in done.stderr
    assert 2 <= len(records(program.lake)) <= 3
    done = program.call("backfill", file, "--from", "2190-01-01", "--to", "2190-01-02")
    assert done.status == USAGE and "future" in done.stderr


def test_an_interval_is_taken_as_it_counts_from_1970(program, server):
    file = archive(program, server, expression="rate(7 hours)")
    assert program.call("backfill", file, "--from", "2026-10-01", "--to", "2026-10-01").status == OK
    seconds = [calendar.timegm(time.strptime(record["slot"], "%Y-%m-%dT%H:%M:%SZ")) for record in records(program.lake).values()]
    assert len(seconds) in (3, 4) and all(it % 25200 == 0 for it in seconds)


def test_a_source_that_only_knows_now_is_refused_unless_the_file_says_that_it_can(program, server):
    file = program.pipeline(server.url(), schedule={"expression": "cron(0 18 * * ? *)"})
    done = program.call("backfill", file, *RANGE)
    assert done.status == USAGE and "source: { history: true }" in done.stderr and not server.requests
    file = program.pipeline(server.url(), schedule={"expression": "cron(0 18 * * ? *)"}, source={"history": True})
    assert program.call("backfill", file, "--from", "2026-10-01", "--to", "2026-10-02").status == OK
    for source in ({"get": server.url("/{slot:%Y}")}, {"query": {"q": "{city}", "day": "{slot}"}}, {"headers": {"X-Day": "{slot}"}}):
        file = program.pipeline(source.get("get", server.url()), schedule={"expression": "cron(0 18 * * ? *)"}, source=source)
        assert program.call("backfill", file, "--from", "2026-10-01", "--to", "2026-10-01").status == OK, source


@pytest.mark.parametrize("options, said", [
    ((), "--from 2026-10-01 --to 2026-10-31"), (("--from", "2026-10-01"), "--to"), (("--from", "2026-10-01", "--to", "yesterday"), "--to yesterday"),
    (("--from", "2026-10-02", "--to", "2026-10-01"), "lies before"), ((*RANGE, "--at-once", "0"), "--at-once"), ((*RANGE, "--at-once", "65"), "--at-once"),
    (("--from", "2026-02-30", "--to", "2026-10-01"), "--from 2026-02-30"), ((*RANGE, "--slot", "2026-10-01"), "--slot"),
    ((*RANGE, "--lake", "out.csv"), "the lake out.csv")])
def test_what_makes_no_sense_is_refused(program, server, options, said):
    done = program.call("backfill", archive(program, server), *options)
    assert done.status == USAGE and said in done.stderr and not server.requests, done.stderr


def test_without_a_schedule_there_are_no_slots(program, server):
    done = program.call("backfill", program.pipeline(server.url("/{slot}")), *RANGE)
    assert done.status == USAGE and "has no schedule" in done.stderr and "schedule: { expression:" in done.stderr


def test_nobody_is_told_of_each_slot(program, server, make_server):
    told = make_server()
    file = archive(program, server, notify={"when": ["success", "failure"], "to": [told.url("/hook")]})
    assert program.run(file, slot="2026-10-09T18:00:00Z").status == OK and len(told.requests) == 1
    server.script("/days/2026-10-02", behaviours.status(404, "no"))
    assert program.call("backfill", file, "--from", "2026-10-01", "--to", "2026-10-03").status == PARTIAL
    assert len(told.requests) == 1


def test_progress_is_a_bar_with_the_time_left_on_a_terminal(program, server):
    file = archive(program, server)
    server.default = behaviours.ok(delay=0.08)
    master, slave = pty.openpty()
    seen = []

    def read():
        try:
            while piece := os.read(master, 4096):
                seen.append(piece)
        except OSError:
            pass
    reader = threading.Thread(target=read)
    reader.start()
    env = program.environment({"TERM": "xterm", "COLUMNS": "100"})
    done = subprocess.run([program.path, "backfill", file, *RANGE], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=slave, env=env,
                          cwd=program.folder, timeout=60)
    os.close(slave)
    reader.join(10)
    os.close(master)
    text = b"".join(seen).decode()
    assert done.returncode == OK, text
    assert "━" in text and "/30 slots" in text and " left" in text
    frames = [frame for frame in text.split("\r\x1b[K") if "slots" in frame and "/30" in frame]
    assert len(frames) > 5 and text.endswith("\r\x1b[K")


def test_in_a_bucket_it_goes_on_where_it_was_stopped_too(program, server, aws):
    bucket = aws.bucket()
    file = archive(program, server, sink={"to": f"s3://{bucket}/lake"})
    few = ("--from", "2026-10-01", "--to", "2026-10-06")
    server.script("/days/2026-10-03", behaviours.status(404, "no"))
    assert program.call("backfill", file, *few, "--at-once", "3", env=aws.env, timeout=60).status == PARTIAL
    server.requests.clear()
    server.script("/days/2026-10-03", behaviours.ok())
    done = program.call("backfill", file, *few, "--json", env=aws.env, timeout=60)
    assert done.status == OK and done.json()["skipped"] == 5 and asked_days(server) == {"2026-10-03": 2}
    assert len([key for key in aws.objects(bucket) if key.endswith(".csv")]) == 6


def test_records_that_cannot_be_listed_end_it_before_anything_is_run(program, server, aws):
    bucket = aws.bucket()
    file = archive(program, server, sink={"to": f"s3://{bucket}/lake"})
    aws.proxy.fault(aws_faults.refuse(403, "AccessDenied"), operation="ListObjectsV2")
    done = program.call("backfill", file, *RANGE, env=aws.env)
    assert done.status == FAILED and "s3:ListBucket" in done.stderr and not server.requests
    assert "30 of 30 slots still to do" in done.stdout


def test_the_archive_example_is_filled_from_its_replies(program, repo):
    example = repo / "examples" / "open-meteo"
    done = program.call("backfill", example / "archive.yaml", "--from", "2012-10-01", "--to", "2012-10-02", "--lake", program.lake,
                        "--replay", example / "replies")
    assert done.status == OK, done.stderr
    assert len(program.rows(table="archive", slot="20121001T000000Z")) == 120
    assert len(program.rows(table="archive", partition="dt=2012-10-02", slot="20121002T000000Z")) == 120


def test_memory_does_not_grow_with_the_time_to_fill(program, server):
    """Half a million slots that are not there to be run: the count alone, and a stop at the first one."""
    file = archive(program, server, expression="cron(* * * * ? *)", source={"on_status": {"401": "stop"}})
    server.default = behaviours.status(401, "no")
    limits = {} if is_sanitized() else {resource.RLIMIT_AS: 100 << 20}
    done = program.call("backfill", file, "--from", "2025-01-01", "--to", "2025-12-31", "--json", limits=limits)
    assert done.status == FAILED and done.json()["slots"] == 365 * 1440 and done.json()["left"] == 365 * 1440 - 1
