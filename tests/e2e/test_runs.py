"""The history of a pipeline, as its records tell it: `runs`."""

import datetime
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios

import pytest

from harness import behaviours as b
from harness.runner import FAILED, OK, PARTIAL, USAGE

HOURS = [f"2012-10-01T{hour}:00:00Z" for hour in range(10, 20)]


@pytest.fixture
def file(program, server):
    return program.pipeline(server.url(), source={"on_status": {"404": "skip"}, "retry": {"attempts": 2, "base": "1ms", "cap": "2ms"}})


def records(program, name="weather"):
    return program.lake / "_runs" / name


def put(program, name, content):
    records(program).mkdir(parents=True, exist_ok=True)
    (records(program) / name).write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")


def made(status, error=None, **more):
    failures = [{"item": None, "error": error}] if error else []
    return {"status": status, "duration_ms": 1200, "failures": failures, **more}


def told(program, file, *options, **named):
    result = program.call("runs", file, "--json", *options, **named)
    assert (result.status, result.stderr) == (OK, "")
    return result.json()


def table(program, file, *options, **named):
    result = program.call("runs", file, *options, **named)
    assert (result.status, result.stderr) == (OK, "")
    first, blank, *lines = result.stdout.splitlines()
    assert blank == ""
    return first, lines


def test_it_lists_what_runs_left_the_newest_first(program, server, file):
    assert program.run(file, slot=HOURS[0]).status == OK
    server.script("Portland", b.status(404, "city not found"))
    assert program.run(file, slot=HOURS[1]).status == PARTIAL
    for city in ("New York", "Portland", "Chicago", "Seattle", "Dallas"):
        server.script(city, b.status(500))
    assert program.run(file, slot=HOURS[2]).status == FAILED
    first, (heading, units, *lines, remedy) = table(program, file)
    assert remedy == f"lambda-pipeline retry {file} --slot {HOURS[1]}   asks again for what failed then"
    assert first.startswith("✗ weather: 1 of 3 runs ok, last ")
    assert first.endswith(" ago; failed 2012-10-01 12:00Z; partial 2012-10-01 11:00Z")
    assert heading.split() == ["slot", "status", "ran", "took", "rows", "failed", "retries", "first", "failure"]
    assert units.split() == ["items"]
    assert [line[:28].rstrip() for line in lines] == [
        "2012-10-01 12:00Z  ✗ failed", "2012-10-01 11:00Z  ! partial", "2012-10-01 10:00Z  ✓ ok"]
    assert "HTTP 500" in lines[0] or "500" in lines[0]
    assert "Portland: 404" in lines[1] and " 4 " in lines[1]
    failed, partial, ok = told(program, file)
    record = program.record(slot="20121001T110000Z")
    assert partial == {"slot": HOURS[1], "shard": None, "status": "partial", "started_at": record["started_at"],
                       "finished_at": record["finished_at"], "duration_ms": record["duration_ms"], "rows": record["rows"],
                       "requests": {key: record["requests"][key] for key in ("total", "ok", "failed", "retried")},
                       "error": f"Portland: {record['failures'][0]['error']}", "record": str(records(program) / "20121001T110000Z.json")}
    assert failed["requests"]["failed"] == 5 and failed["requests"]["retried"] == 5
    assert ok["error"] is None and list(ok) == list(partial) == list(failed)
    assert [it["status"] for it in told(program, file, "--failed")] == ["failed", "partial"]
    first, _ = table(program, file, "--failed", "--last", "1")
    assert first.startswith("✗ weather: 1 run not ok, last ") and first.endswith("; failed 2012-10-01 12:00Z")


def test_columns_in_which_nothing_happened_are_left_out(program, file):
    assert program.run(file).status == OK
    _, (heading, line) = table(program, file)
    assert heading.split() == ["slot", "status", "ran", "took", "rows"]
    assert line.split()[:4] == ["2012-10-01", "18:00Z", "✓", "ok"] and line.endswith(" 5")


def test_last_says_how_many_and_a_word_tells_of_older_ones(program, file):
    for hour in HOURS:
        put(program, hour.replace("-", "").replace(":", "") + ".json", made("ok"))
    assert [it["slot"] for it in told(program, file, "--last", 3)] == HOURS[:6:-1]
    first, lines = table(program, file, "--last", "3")
    assert first.startswith("✓ weather: 3 of 3 runs ok") and lines[-1] == "… and older ones; --last 6 shows more"
    _, lines = table(program, file, "--last", "10")
    assert "older" not in lines[-1]


def test_an_empty_history_says_so_and_what_to_do(program, file):
    result = program.call("runs", file)
    assert (result.status, result.stderr) == (OK, "")
    assert result.stdout.splitlines() == [f"weather: no runs yet in {program.lake}/_runs/weather/",
                                          f"  lambda-pipeline run {file} makes the first; --to names another lake"]
    assert told(program, file) == told(program, file, "--failed") == []
    put(program, "20121001T180000Z.json", made("ok"))
    assert "no record tells of a failure" in program.call("runs", file, "--failed").stdout
    assert "--to elsewhere" in program.call("runs", file, "--to", "elsewhere").stdout


def test_slots_that_were_due_and_have_no_record_are_missed(program, server):
    file = program.pipeline(server.url(), schedule={"expression": "rate(10 minutes)"})
    for name in ("100000", "101000", "103000", "120000"):
        put(program, f"20121001T{name}Z.json", made("ok"))
    first, (_, *lines) = table(program, file)
    assert first.endswith("; 9 missed")
    assert [line.split()[1:4:2] for line in lines] == [[at, word] for at, word in (
        ("12:00Z", "ok"), ("11:50Z", "missed"), ("10:30Z", "ok"), ("10:20Z", "missed"), ("10:10Z", "ok"), ("10:00Z", "ok"))]
    assert "8 in a row, from 2012-10-01 10:40Z on" in lines[1]
    entries = told(program, file)
    assert [it["slot"][11:16] for it in entries if it["status"] == "missed"] == [
        "11:50", "11:40", "11:30", "11:20", "11:10", "11:00", "10:50", "10:40", "10:20"]
    missed = next(it for it in entries if it["status"] == "missed")
    assert list(missed) == list(entries[0]) and {missed[key] for key in missed if key not in ("slot", "status")} == {None}
    assert [it["status"] for it in told(program, file, "--failed")] == []


def test_slots_that_were_due_since_the_last_run_are_told_first(program, server):
    file = program.pipeline(server.url(), schedule={"expression": "rate(1 hour)"})
    hours = [datetime.datetime.now(datetime.timezone.utc).replace(minute=0, second=0, microsecond=0) - datetime.timedelta(hours=n)
             for n in range(6)]

    def say(hour, late):
        return made("ok", finished_at=(hour + late).strftime("%Y-%m-%dT%H:%M:%SZ"))
    name = hours[4].strftime("%Y%m%dT%H0000Z.json")
    put(program, name, say(hours[4], datetime.timedelta(seconds=2)))
    first, _ = table(program, file)  # the newest is due since less than five minutes, or more
    assert first.startswith("! weather: 1 of 1 run ok") and re.search("; [34] missed since then$", first)
    assert len(told(program, file)) == 1
    put(program, name, say(hours[4], datetime.timedelta(days=2)))  # filled in later: nobody runs it on time
    first, _ = table(program, file)
    assert first.startswith("✓ weather: 1 of 1 run ok") and "missed" not in first


def test_years_of_missed_minutes_are_counted_up_to_a_limit(program, server):
    file = program.pipeline(server.url(), schedule={"expression": "rate(1 minute)"})
    put(program, "19800101T000000Z.json", made("ok"))
    put(program, "20121001T180000Z.json", made("ok"))
    first, lines = table(program, file)
    assert first.endswith("; more than 10,000 missed") and len(lines) < 10 and "2 of 2 runs ok" in first
    assert len(told(program, file)) == 10002


def test_thousands_of_runs_are_counted_as_people_write_numbers(program, file):
    for n in range(1200):
        put(program, f"201210{1 + n // 60 % 20:02d}T{n // 1200:02d}{n % 60:02d}00Z.json", made("ok" if n < 100 else "failed", "no"))
    first, _ = table(program, file, "--last", "2000")
    assert "100 of 1,200 runs ok" in first and "1,100 failed, the last" in first


def test_a_daily_pipeline_in_a_zone_misses_what_its_clock_says(program, server):
    file = program.pipeline(server.url(), schedule={"expression": "cron(0 12 * * ? *)", "timezone": "America/New_York"})
    put(program, "20251101T160000Z.json", made("ok"))
    put(program, "20251103T170000Z.json", made("ok"))
    assert [it["slot"] for it in told(program, file)] == [
        "2025-11-03T17:00:00Z", "2025-11-02T17:00:00Z", "2025-11-01T16:00:00Z"]


def test_records_that_cannot_be_read_are_lines_of_their_own(program, file):
    put(program, "20121001T100000Z.json", made("ok"))
    put(program, "20121001T110000Z.json", "{")
    put(program, "20121001T120000Z.json", "")
    put(program, "20121001T130000Z.json", "[]")
    put(program, "notes.json", "{")
    first, (_, *lines) = table(program, file)
    assert "1 of 4 runs ok" in first and first.endswith("3 unreadable, the last 2012-10-01 13:00Z")
    assert ["not a JSON object" in lines[0], "it is empty" in lines[1], "line 1" in lines[2]] == [True] * 3
    entries = told(program, file, "--failed")
    assert [it["status"] for it in entries] == ["unreadable"] * 3
    assert entries[0]["rows"] is None and entries[0]["record"].endswith("20121001T130000Z.json")


def test_shards_say_which_they_are(program, file):
    for shard in (1, 2):
        assert program.run(file, "--shard", f"{shard}/2").status == OK
    assert program.call("merge", file, "--shards", 2, "--slot", "2012-10-01T18:00:00Z").status == OK
    assert [it["shard"] for it in told(program, file)] == [None, "2/2", "1/2"]
    _, (_, *lines) = table(program, file)
    assert [line.split("Z", 1)[1].split()[0] for line in lines] == ["✓", "2/2", "1/2"]


def test_what_a_server_said_moves_no_terminal(program, file):
    put(program, "20121001T180000Z.json", made("failed", "bad \x1b[31m\nnews \u202e"))
    result = program.call("runs", file)
    assert "\x1b" not in result.stdout and "\u202e" not in result.stdout and "\\u001b[31m\\u000anews" in result.stdout
    assert len(result.stdout.splitlines()) == 4


def on_a_terminal(program, columns, *arguments):
    """What the program writes to a terminal of so many columns."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    process = subprocess.Popen([program.path, *arguments], stdout=slave, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                               env=program.environment({"TERM": "xterm"}))
    os.close(slave)
    said = b""
    while True:
        try:
            said += os.read(master, 65536)
        except OSError:
            break
    os.close(master)
    assert (process.wait(30), process.stderr.read()) == (OK, b"")
    return said.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_a_table_fits_the_terminal_and_colours_say_what_words_say_too(program, file, columns):
    put(program, "20121001T100000Z.json", made("ok"))
    put(program, "20121001T110000Z.json", made("failed", "a long story " * 20))
    put(program, "20121001T120000Z.json", made("partial", "short"))
    said = on_a_terminal(program, columns, "runs", str(file))
    assert "\x1b[31m✗ failed\x1b[0m" in said and "\x1b[33m! partial\x1b[0m" in said and "\x1b[32m✓ ok\x1b[0m" in said
    lines = said
    for code in ("31", "32", "33", "90", "1", "0"):
        lines = lines.replace(f"\x1b[{code}m", "")
    widths = [len(line) for line in lines.splitlines() if not line.startswith("lambda-pipeline")]  # to be copied whole
    assert max(widths) <= columns and "a long story" in lines and "…" in lines
    assert max(widths) == columns or columns == 60
    plain = program.call("runs", file).stdout
    assert "a long story " * 19 in plain and "\x1b" not in plain


def test_a_narrow_terminal_shows_how_runs_ended_before_why(program, file):
    put(program, "20121001T110000Z.json", made("failed", "a long story " * 20))
    said = on_a_terminal(program, 40, "runs", str(file))
    assert "failed" in said.split("slot", 1)[1] and "a long story" not in said


def test_ascii_does_where_the_locale_has_no_more(program, file):
    put(program, "20121001T100000Z.json", made("ok"))
    put(program, "20121001T110000Z.json", made("failed", "no"))
    result = program.call("runs", file, env={"LC_ALL": "C"})
    assert result.stdout.isascii() and " x failed " in result.stdout and "  ok  " in result.stdout


def test_the_history_of_a_bucket_is_read_as_that_of_a_directory(program, server, file, aws):
    bucket = aws.bucket()
    server.script("Portland", b.status(404))
    for hour in HOURS[:2]:
        assert program.run(file, "--to", f"s3://{bucket}/lake", slot=hour, env=aws.env).status == PARTIAL
    entries = told(program, file, "--to", f"s3://{bucket}/lake", env=aws.env)
    assert [it["slot"] for it in entries] == HOURS[1::-1]
    assert entries[0]["record"] == f"s3://{bucket}/lake/_runs/weather/20121001T110000Z.json"
    asked = [call.operation for call in aws.proxy.calls if call.operation.startswith(("Put", "Delete"))]
    before = len(asked)
    assert told(program, file, "--last", 1, "--to", f"s3://{bucket}/lake", env=aws.env) == entries[:1]
    assert len([call for call in aws.proxy.calls if call.operation.startswith(("Put", "Delete"))]) == before


def test_a_lake_that_cannot_be_read_is_an_error(program, file, aws):
    result = program.call("runs", file, "--to", "s3://there-is-no-such-bucket", env=aws.env)
    assert result.status == FAILED and "there-is-no-such-bucket" in result.stderr and result.stdout == ""


@pytest.mark.parametrize("options, says", [
    (["--last", "0"], "--last 0 is not a number of runs"), (["--last", "x"], "--last x"), (["--last", "10001"], "10,000"),
    (["--slot", "2012-10-01"], "runs has no option --slot")])
def test_what_makes_no_sense_is_refused(program, file, options, says):
    result = program.call("runs", file, *options)
    assert result.status == USAGE and says in result.stderr


def test_a_broken_pipeline_file_is_told(program):
    (program.folder / "x.yaml").write_text("pipeline: x\n")
    result = program.call("runs", "x.yaml")
    assert result.status == USAGE and "source" in result.stderr
