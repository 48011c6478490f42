"""serve: pipelines fire at their slots, each slot once, whatever happens to the service, the files, the lake and the clock."""

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import replace

import pytest

from harness import behaviours
from harness.runner import OK, SLOT, USAGE, is_sanitized
from harness.service import records, slot_name, slots, wait_for_record
from harness.weather import CITIES

pytestmark = pytest.mark.skipif(is_sanitized(), reason="the sanitizer and the faked clock do not go together")

EVERY_MINUTE = {"expression": "cron(* * * * ? *)"}


def every_minute(**rules):
    return {**EVERY_MINUTE, **rules}


def test_each_slot_is_run_when_it_is_due_and_is_said_and_recorded(program, server, serve):
    program.pipeline(server.url(), schedule=every_minute())
    it = serve()
    it.wait_for(r"✓ weather, slot 2012-10-01T18:01:00Z: 5 rows in")
    assert "1 pipeline served, the next is weather in" in it.log
    result = it.stop()
    assert set(slots("2012-10-01 17:59", 3)) <= set(records(program))
    assert [row["city"] for row in program.rows()] == CITIES
    assert all(record["status"] == "ok" for record in records(program).values())
    assert result.stdout == "" and "stopped" in result.stderr


def test_a_folder_is_served_whole_and_pipelines_come_and_go_with_their_files(program, server, serve):
    folder = program.folder / "pipelines"
    folder.mkdir()

    def put(name, **rules):
        path = program.pipeline(server.url(), name=name, schedule=every_minute(**rules),
                                sink={"catalog": {"database": "weather", "table": name}})
        path.rename(folder / path.name)
    put("one")
    (folder / "notes.txt").write_text("no pipeline")
    it = serve(folder, speed=20)
    wait_for_record(program, slot_name("2012-10-01 17:59"), "one")
    put("two")
    it.wait_for(r"✓ two, slot")
    (folder / "one.yaml").unlink()
    it.wait_for(r"one: .*one.yaml is not there; its pipeline is fired again when it is back")
    count = len(records(program, "one"))
    it.wait_for(r"✓ two, slot", count=3)
    assert len(records(program, "one")) <= count + 1
    page = it.get("/")
    assert "is not there" in page and "one" in page
    put("one")
    it.wait_for(r"one.yaml is in order again")
    it.wait_for(r"✓ one, slot", count=len(re.findall("✓ one, slot", it.log)) + 1)
    it.stop()


def test_a_broken_file_keeps_what_it_said_before_and_is_told_once(program, server, serve):
    path = program.pipeline(server.url(), schedule=every_minute())
    it = serve(speed=20)
    wait_for_record(program, slot_name("2012-10-01 17:59"))
    good = path.read_text()
    path.write_text(good.replace("schedule:", "shedule:"))
    it.wait_for(r"✗ weather: .*weather.yaml:\d+:1: unknown key \"shedule\".*what it said before is kept")
    it.signal(signal.SIGHUP)
    before = len(records(program))
    it.wait_for(r"✓ weather, slot", count=before + 2)
    assert it.log.count("unknown key") == 1
    assert "unknown key" in it.get("/")
    path.write_text(good)
    it.wait_for(r"weather.yaml is in order again")
    it.stop()


def test_what_was_missed_while_it_was_down_is_run_by_the_rule_and_once(program, server, serve):
    program.pipeline(server.url(), schedule={"expression": "cron(0/10 * * * ? *)", "catch_up": "all", "catch_up_limit": 4})
    it = serve()
    wait_for_record(program, slot_name("2012-10-01 18:00"))
    it.kill()
    it = serve(begin="2012-10-01 19:05:00")  # 18:10 to 19:00 are six
    wait_for_record(program, slot_name("2012-10-01 19:00"))
    it.wait_for(r"\(caught up\)", count=4)
    it.stop()
    assert list(records(program)) == [slot_name("2012-10-01 18:00"), *slots("2012-10-01 18:30", 4, 10)]
    it = serve(begin="2012-10-01 19:06:00", speed=20)
    time.sleep(1)
    it.stop()
    assert len(records(program)) == 5


@pytest.mark.parametrize("rule, caught", [("none", []), ("latest", ["2012-10-01 19:00"])])
def test_of_missed_slots_none_or_the_latest_is_run(program, server, serve, rule, caught):
    program.pipeline(server.url(), schedule={"expression": "cron(0/10 * * * ? *)", "catch_up": rule})
    it = serve()
    wait_for_record(program, slot_name("2012-10-01 18:00"))
    it.kill()
    it = serve(begin="2012-10-01 19:05:00")
    wait_for_record(program, slot_name("2012-10-01 19:10"))
    it.stop()
    found = list(records(program))
    assert found[:2 + len(caught)] == [slot_name(t) for t in ["2012-10-01 18:00", *caught, "2012-10-01 19:10"]]


def test_a_slot_that_was_cut_off_by_a_kill_is_run_by_the_next_service(program, server, serve):
    program.pipeline(server.url(), schedule={"expression": "cron(0 * * * ? *)"},
                     source={"limit": {"total": "600s"}, "retry": {"deadline": "900s"}})
    program.run(program.folder / "weather.yaml", slot="2012-10-01T17:00:00Z")
    for city in CITIES:
        server.script(city, behaviours.stall_before_header(), behaviours.ok())
    it = serve(speed=30)
    until = time.monotonic() + 15
    while len(server.requests) < 10:
        assert time.monotonic() < until
        time.sleep(0.02)
    it.kill()
    time.sleep(0.2)
    assert not program.has_record(slot=slot_name("2012-10-01 18:00"))
    it = serve(begin="2012-10-01 18:20:00", speed=1)
    wait_for_record(program, slot_name("2012-10-01 18:00"))
    it.stop()
    assert len(program.rows()) == 5 and not [p for p in program.lake.rglob(".*.parts") if any(p.iterdir())]


def test_a_failed_slot_is_tried_again_before_the_next(program, server, serve):
    program.pipeline(server.url(), schedule={"expression": "cron(0 * * * ? *)", "retries": 2, "retry_after": "2m"},
                     source={"each": {"city": ["Dallas"]}, "retry": {"attempts": 1}})
    server.script("Dallas", behaviours.status(503), behaviours.status(503), behaviours.ok())
    it = serve()
    it.wait_for(r"✗ weather, slot 2012-10-01T18:00:00Z: failed .*; it is tried again in 2 min")
    it.wait_for(r"✗ weather, slot 2012-10-01T18:00:00Z: failed .*; it is tried again in 4 min \(try 2\)")
    it.wait_for(r"✓ weather, slot 2012-10-01T18:00:00Z: 1 row in .* \(try 3\)")
    it.stop()
    assert program.record()["status"] == "ok" and len(server.requests) == 3


def test_a_run_past_its_time_limit_is_stopped_with_its_record(program, server, serve):
    program.pipeline(server.url(), schedule={"expression": "cron(0 * * * ? *)", "time_limit": "20s", "retries": 0},
                     source={"limit": {"at_once": 1, "total": "300s"}, "retry": {"deadline": "600s"}})
    for city in CITIES:
        server.script(city, behaviours.stall_before_header())
    it = serve()
    it.wait_for(r"✗ weather, slot 2012-10-01T18:00:00Z: failed after .*: it was stopped at its time limit of 20.* time_limit")
    it.stop()
    assert program.record()["status"] == "failed"


def test_runs_that_meet_are_left_out_by_default_and_said(program, server, serve):
    program.pipeline(server.url(), schedule=every_minute(), source={"each": {"city": ["Dallas"]}, "limit": {"total": "600s"},
                                                                                           "retry": {"deadline": "900s"}})
    server.script("Dallas", behaviours.stall_before_header(), behaviours.ok())
    it = serve(speed=30)
    it.wait_for(r"! weather: a slot came due while another one is run; it is left out \(overlap: skip\)")
    assert re.search(r'slots_skipped_total\{pipeline="weather"\} [1-9]', it.get("/metrics"))
    it.kill()


def test_a_run_that_crashes_harms_nothing_else(program, server, serve):
    for name in ("good", "bad"):
        program.pipeline(server.url(), name=name, schedule=every_minute(retries=0), source={"each": {"city": ["Dallas"]}})
    server.script("Dallas", *[behaviours.stall_before_header()] * 2, behaviours.ok())
    it = serve(program.folder / "good.yaml", program.folder / "bad.yaml", speed=10)
    until = time.monotonic() + 20
    while True:
        children = subprocess.run(["pgrep", "-P", str(it.running.pid), "-x", "bad"], capture_output=True, text=True).stdout.split()
        if children:
            break
        assert time.monotonic() < until
        time.sleep(0.02)
    os.kill(int(children[0]), signal.SIGSEGV)
    it.wait_for(r"✗ bad, slot .*: failed after .*: the process at work on it was ended by signal 11")
    it.wait_for(r"✓ bad, slot")
    it.kill()


def test_of_two_services_over_one_lake_one_fires_and_the_other_takes_over_when_it_is_killed(program, server, serve):
    program.pipeline(server.url(), schedule=every_minute())
    first = serve(speed=10)
    first.wait_for("this service fires")
    second = serve(begin=first.now(), speed=10)
    second.wait_for("standing by, another service over this lake fires these pipelines")
    assert second.get("/readyz").strip() == "standing by"
    first.wait_for(r"✓ weather, slot", count=2)
    assert "✓ weather" not in second.log
    first.kill()
    second.wait_for("this service fires")
    second.wait_for(r"✓ weather, slot", count=3)
    second.stop()
    assert second.log.count("✓ weather") + first.log.count("✓ weather") == len(records(program))


def test_one_that_stands_by_shows_what_the_other_has_done(program, server, serve):
    program.pipeline(server.url(), schedule={"expression": "cron(0 18 * * ? *)"})
    first = serve(begin="2012-10-01 17:59:00", speed=20)
    first.wait_for("this service fires")
    second = serve(begin=first.now(), speed=20)
    second.wait_for("standing by")
    assert "never ran" in second.get("/")
    first.wait_for("5 rows in")
    until = time.monotonic() + 20
    while 'lambda_pipeline_last_success_timestamp_seconds{pipeline="weather"} 1349114400' not in (said := second.get("/metrics")):
        assert time.monotonic() < until, said
        time.sleep(0.2)
    assert 'lambda_pipeline_next_fire_timestamp_seconds{pipeline="weather"} 1349200800' in said and "lambda_pipeline_leader 0" in said
    assert "never ran" not in second.get("/") and "5 rows" in second.get("/")
    assert not re.search("weather, slot", second.log)


def test_a_service_that_is_stopped_by_a_signal_is_taken_over_from_and_steps_back(program, server, serve):
    program.pipeline(server.url(), schedule=every_minute())
    first = serve(speed=10)
    first.wait_for("this service fires")
    second = serve(begin=first.now(), speed=10)
    second.wait_for("standing by")
    first.signal(signal.SIGSTOP)
    second.wait_for("this service fires")
    first.signal(signal.SIGCONT)
    first.wait_for("standing by")
    second.wait_for(r"✓ weather, slot", count=3)
    first.stop()
    second.stop()
    done = re.findall(r"✓ weather, slot (\S+):", first.log + second.log)
    assert len(done) == len(set(done)) == len(records(program))


def test_a_service_that_is_frozen_with_all_its_children_is_taken_over_from_when_its_lease_ends(program, server, serve):
    program.pipeline(server.url(), schedule=every_minute())
    first = serve(speed=10)
    first.wait_for("this service fires")
    second = serve(begin=first.now(), speed=10)
    second.wait_for("standing by")
    children = [int(pid) for pid in subprocess.run(["pgrep", "-P", str(first.running.pid)], capture_output=True, text=True).stdout.split()]
    assert children
    for pid in [first.running.pid, *children]:
        os.kill(pid, signal.SIGSTOP)
    second.wait_for("this service fires")
    second.wait_for(r"✓ weather, slot", count=2)
    for pid in [first.running.pid, *children]:
        os.kill(pid, signal.SIGCONT)
    first.wait_for("standing by")
    first.stop()
    second.stop()
    done = re.findall(r"✓ weather, slot (\S+):", first.log + second.log)
    assert len(done) == len(set(done)) == len(records(program))


def test_services_for_different_pipelines_do_not_wait_for_each_other(program, server, serve):
    for name in ("one", "two"):
        program.pipeline(server.url(), name=name, schedule=every_minute())
    first, second = serve(program.folder / "one.yaml"), serve(program.folder / "two.yaml")
    first.wait_for(r"✓ one, slot")
    second.wait_for(r"✓ two, slot")
    first.stop()
    second.stop()


def test_a_slot_that_was_run_by_hand_is_not_run_again(program, server, serve):
    program.pipeline(server.url(), schedule={"expression": "cron(0 * * * ? *)"})
    assert program.run(program.folder / "weather.yaml").status == OK
    asked = len(server.requests)
    it = serve()
    it.wait_for(r"weather, slot 2012-10-01T18:00:00Z: left to another: .*was written already")
    it.stop()
    assert len(server.requests) == asked


def test_a_slot_whose_other_runner_dies_is_run_all_the_same(program, server, serve):
    path = program.pipeline(server.url(), schedule={"expression": "cron(0 * * * ? *)"},
                            source={"limit": {"total": "600s"}, "retry": {"deadline": "900s"}})
    for city in CITIES:
        server.script(city, behaviours.stall_before_header(), behaviours.ok())
    by_hand = program.start("run", path, "--slot", SLOT)
    until = time.monotonic() + 10
    while len(server.requests) < 5:
        assert time.monotonic() < until
        time.sleep(0.02)
    it = serve()
    it.wait_for(r"weather, slot 2012-10-01T18:00:00Z: left to another: .*is being run already")
    by_hand.kill()
    it.wait_for(r"✓ weather, slot 2012-10-01T18:00:00Z: 5 rows")
    it.stop()
    assert it.log.count("left to another") == 1


def test_a_clock_that_is_set_back_and_forth_makes_no_slot_run_twice_or_not_at_all(program, server, serve):
    program.pipeline(server.url(), schedule={"expression": "cron(0/10 * * * ? *)", "catch_up": "all", "catch_up_limit": 100})
    it = serve()
    wait_for_record(program, slot_name("2012-10-01 18:00"))
    it.set_clock("2012-10-01 17:45:00")
    time.sleep(1)
    it.set_clock("2012-10-01 18:55:00")
    wait_for_record(program, slot_name("2012-10-01 19:00"))
    it.set_clock("2012-10-01 18:57:00")
    wait_for_record(program, slot_name("2012-10-01 19:10"))
    it.stop()
    found = list(records(program))
    assert found[-8:] == slots("2012-10-01 18:00", 8, 10)
    done = re.findall(r"✓ weather, slot (\S+):", it.log)
    assert len(done) == len(set(done))


def test_a_lake_that_is_away_is_told_once_and_shown_and_its_slots_are_run_when_it_is_back(program, server, serve):
    (program.folder / "mount").mkdir()
    program.lake = program.folder / "mount" / "lake"
    program.pipeline(server.url(), schedule={"expression": "cron(0/10 * * * ? *)", "catch_up": "all"})
    it = serve(speed=120)
    wait_for_record(program, slot_name("2012-10-01 18:00"))
    shutil.move(program.folder / "mount", program.folder / "away")
    (program.folder / "mount").write_text("a file where the folder was")
    it.wait_for(r"nothing is fired until it is back", seconds=30)
    time.sleep(7)  # 14 minutes of its clock
    assert it.log.count("nothing is fired until it is back") == 1
    assert "cannot" in it.get("/") or "lake" in it.get("/")
    (program.folder / "mount").unlink()
    shutil.move(program.folder / "away", program.folder / "mount")
    it.wait_for(r"this service fires", count=2)
    it.wait_for(r"\(caught up\)")
    it.stop()
    found = list(records(program))
    assert found == slots("2012-10-01 18:00", len(found), 10) and len(found) >= 2


def test_asked_to_stop_it_lets_what_is_at_work_end(program, server, serve):
    program.pipeline(server.url(), schedule={"expression": "cron(0 * * * ? *)"},
                     source={"limit": {"total": "600s"}, "retry": {"deadline": "900s"}})
    server.script("Dallas", replace(behaviours.ok(), delay=1.5))
    it = serve(speed=30)
    until = time.monotonic() + 15
    while len(server.requests) < 5:
        assert time.monotonic() < until
        time.sleep(0.02)
    it.signal(signal.SIGTERM)
    it.wait_for("asked to stop; 1 at work may end first")
    result = it.running.finish()
    assert result.status == 0 and "✓ weather, slot 2012-10-01T18:00:00Z: 5 rows in" in result.stderr


def test_asked_twice_it_stops_what_is_at_work_and_the_next_start_takes_it_up(program, server, serve):
    program.pipeline(server.url(), schedule={"expression": "cron(0 * * * ? *)"}, source={"limit": {"total": "600s"}, "retry": {"deadline": "900s"}})
    program.run(program.folder / "weather.yaml", slot="2012-10-01T17:00:00Z")
    for city in CITIES:
        server.script(city, behaviours.stall_before_header(), behaviours.ok())
    it = serve(speed=60)
    until = time.monotonic() + 15
    while len(server.requests) < 10:
        assert time.monotonic() < until
        time.sleep(0.02)
    it.signal(signal.SIGTERM)
    it.wait_for("asked to stop; 1 at work may end first")
    it.signal(signal.SIGTERM)
    result = it.running.finish()
    assert result.status == 0 and "stopped with the service; the next start takes it up" in result.stderr
    it = serve(begin="2012-10-01 18:01:30")
    it.wait_for(r"✓ weather, slot 2012-10-01T18:00:00Z: 5 rows")
    it.stop()


def test_what_cannot_be_served_at_all_is_an_error_at_the_start(program, server, serve):
    broken = program.folder / "broken.yaml"
    broken.write_text("pipeline: x\n")
    for arguments, words in [((broken,), "broken.yaml:1:1"), (("nowhere.yaml",), "nowhere.yaml: there is no such file or folder")]:
        result = program.call("serve", *arguments, "--port", "0")
        assert result.status == USAGE and words in result.stderr, result
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        program.pipeline(server.url(), schedule=EVERY_MINUTE)
        result = program.call("serve", "weather.yaml", "--port", str(taken.getsockname()[1]))
        assert result.status != OK and "--port" in result.stderr and "in use" in result.stderr.lower(), result


def test_two_files_of_one_name_are_a_fault_of_the_second(program, server, serve):
    path = program.pipeline(server.url(), schedule=EVERY_MINUTE)
    shutil.copy(path, program.folder / "copy.yaml")
    it = serve(path, program.folder / "copy.yaml")
    it.wait_for(r'copy.yaml: its pipeline is named "weather", as that of .*weather.yaml is; name it differently')
    it.wait_for("✓ weather, slot")
    it.stop()


def test_the_log_can_be_json(program, server, serve):
    import json
    program.pipeline(server.url(), schedule=every_minute())
    it = serve(program.folder / "weather.yaml", "--json", wait=False)
    it.wait_for(r'"slot": ?"2012-10-01T18:00:00Z"')
    it.running.signal(signal.SIGTERM)
    lines = [json.loads(line) for line in it.running.finish().stderr.splitlines()]
    done = [line for line in lines if line.get("slot") == SLOT]
    assert done and done[0]["pipeline"] == "weather" and done[0]["level"] == "info" and "5 rows in" in done[0]["message"]


def test_who_wants_to_be_told_on_standard_error_reads_it_in_the_log(program, server, serve):
    program.pipeline(server.url(), schedule=every_minute(retries=0), source={"retry": {"attempts": 1}, "each": {"city": ["Dallas"]}},
                     notify={"when": ["failure", "recovery"], "to": ["stderr"]})
    server.script("Dallas", behaviours.status(503), behaviours.ok())
    it = serve()
    it.wait_for(r"✗ weather, slot \S+: notify: weather FAILED: .*503")
    it.wait_for(r"✓ weather, slot \S+: notify: weather: .*1 row|✓ weather, slot \S+: notify: weather")
    it.stop()


def test_the_schedule_stays_on_time_while_a_thousand_clients_hold_on_to_the_page(program, server, serve):
    program.pipeline(server.url(), schedule=every_minute())
    it = serve(speed=10)
    clients = []
    for i in range(1000):
        client = socket.socket()
        client.setblocking(False)
        client.connect_ex(("127.0.0.1", it.port))
        clients.append(client)
    for client in clients:
        try:
            client.send(b"GET / HTTP/1.1\r\nHost: local")  # and no more
        except OSError:
            pass
    wait_for_record(program, slot_name("2012-10-01 18:00"))
    for client in clients:
        client.close()
    late = re.search(r'lateness_seconds\{pipeline="weather"\} (\S+)', it.get("/metrics"))
    assert float(late.group(1)) < 5  # of its clock: half a second
    it.stop()


def test_systemd_hears_that_it_is_ready_alive_reloading_and_stopping(program, server, serve):
    program.pipeline(server.url(), schedule=every_minute())
    path = program.folder / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(10)
        it = serve(begin=None, env={"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "400000"})
        heard = b""
        while heard.count(b"WATCHDOG=1") < 3:
            heard += manager.recv(4096) + b"\n"
        assert b"READY=1" in heard and b"STATUS=1 pipeline served" in heard
        it.signal(signal.SIGHUP)
        while b"RELOADING=1\nMONOTONIC_USEC=" not in heard:
            heard += manager.recv(4096) + b"\n"
        it.running.signal(signal.SIGTERM)
        while b"STOPPING=1" not in heard:
            heard += manager.recv(4096) + b"\n"
        assert it.running.finish().status == 0


def test_it_sleeps_between_slots(program, server, serve):
    program.pipeline(server.url(), schedule={"expression": "cron(0 0 1 1 ? 2199)"})
    it = serve(begin=None)
    it.wait_for("this service fires")
    time.sleep(0.5)

    def woken():
        fields = dict(line.split(":", 1) for line in open(f"/proc/{it.running.pid}/status"))
        return int(fields["voluntary_ctxt_switches"])
    before = woken()
    time.sleep(2)
    assert woken() == before
    it.stop()


def test_the_secret_is_in_no_line_and_on_no_page(program, server, serve):
    program.pipeline(server.url(), schedule=every_minute(retries=0), source={"retry": {"attempts": 1}})
    from harness.hiding import SECRET
    for city in CITIES:
        server.script(city, behaviours.echo(SECRET, 401))
    it = serve()
    it.wait_for(r"✗ weather, slot")
    pages = it.get("/") + it.get("/metrics")
    it.stop()
    assert SECRET not in it.log and SECRET not in pages


def test_a_signal_that_comes_while_the_files_are_read_stops_it_all_the_same(program, server):
    folder = program.folder / "pipelines"
    folder.mkdir()
    text = program.pipeline(server.url(), schedule={"expression": "cron(0 0 1 1 ? 2099)"}).read_text()
    for n in range(1000):
        (folder / f"{n}.yaml").write_text(text.replace("pipeline: weather", f"pipeline: weather-{n}").replace('"weather"', f'"weather-{n}"', 1))
    running = program.start("serve", folder, "--port", "0")
    until = time.monotonic() + 10
    while not catches_sigterm(running.pid):
        assert time.monotonic() < until
    running.signal(signal.SIGTERM)
    result = running.finish()
    assert result.status in (0, -signal.SIGTERM), result.stderr  # in the few microseconds before it listens, as any command


def catches_sigterm(pid):
    if os.path.basename(os.readlink(f"/proc/{pid}/exe")) != "lambda-pipeline":
        return False  # still the test's own process, about to become the program
    status = open(f"/proc/{pid}/status").read()
    return any(int(mask, 16) >> signal.SIGTERM - 1 & 1 for mask in re.findall(r"^Sig(?:Cgt|Blk):\s+(\w+)", status, re.M))
