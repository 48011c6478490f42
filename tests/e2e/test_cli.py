"""The command line: what it shows, where it shows it, and how it ends."""

import json
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import fcntl
import termios
import time

import pytest

from harness import behaviours as b
from harness.runner import FAILED, GATE, OK, PARTIAL, SLOT, SLOT_NAME, USAGE, program_path

RECORD_KEYS = ["pipeline", "run_id", "slot", "status", "started_at", "finished_at", "duration_ms", "requests", "rows", "files",
               "failures", "notifications", "version"]


def on_terminal(program, *arguments, columns=100, env=None, timeout=20):
    """What a terminal of that width is sent, standard output and standard error together."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    process = subprocess.Popen([str(program_path()), *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=slave, stderr=slave,
                               cwd=program.folder, env=program.environment({"TERM": "xterm-256color", **(env or {})}))
    os.close(slave)
    seen, until = b"", time.monotonic() + timeout
    while time.monotonic() < until:
        if not select.select([master], [], [], 0.2)[0]:
            if process.poll() is not None:
                break
            continue
        try:
            data = os.read(master, 65536)
        except OSError:
            break
        if not data:
            break
        seen += data
    os.close(master)
    return process.wait(timeout=5), seen.decode()


def plain(text):
    return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text)


# What a run says.

def test_a_run_ends_by_showing_rows_counts_file_and_time(program, server):
    result = program.run(program.pipeline(server.url()))
    assert result.status == OK
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["city", "temperature", "humidity", "description", "observed_at"]
    assert lines[1].startswith("New York") and "14.90" in lines[1] and "2012-10-01 18:00Z" in lines[1]
    assert re.fullmatch(rf"✓ 5 rows in \d+ ms → {re.escape(str(program.data_file()))}", lines[6])
    assert re.fullmatch(rf"  checks: \d+ passed, 0 rows quarantined · record: .*{SLOT_NAME}\.json", lines[7])
    assert len(lines) == 8
    assert "\x1b" not in result.stdout + result.stderr


def test_ten_rows_are_shown_and_the_others_counted(program, server):
    file = program.pipeline(server.url(), source={"each": {"city": [f"c{number}" for number in range(25)]}}, quality=None)
    result = program.run(file)
    assert sum(1 for line in result.stdout.splitlines() if re.match(r"c\d", line)) == 10
    assert "… and 15 more rows" in result.stdout


def test_with_json_the_record_and_nothing_else_is_on_standard_output(program, server):
    result = program.run(program.pipeline(server.url()), "--json")
    assert result.status == OK
    record = result.json()
    assert list(record) == RECORD_KEYS
    assert record == program.record()
    assert result.stdout.count("\n") == 1


@pytest.mark.parametrize("default, status, word", [(b.status(404), FAILED, "failed"), (b.weather_text("temp", b'"x"'), GATE, "failed")])
def test_with_json_a_failed_run_gives_its_record_too(program, server, default, status, word):
    server.default = default
    result = program.run(program.pipeline(server.url()), "--json")
    assert result.status == status
    assert result.json()["status"] == word and result.json() == program.record()
    assert result.json()["failures"][-1]["item"] is None
    assert result.stderr


def test_quiet_says_nothing_when_all_went_well(program, server):
    result = program.run(program.pipeline(server.url()), "--quiet")
    assert (result.status, result.stdout, result.stderr) == (OK, "", "")
    assert len(program.rows()) == 5


def test_quiet_still_tells_what_went_wrong(program, server):
    server.script("Portland", b.status(404, "city not found"))
    result = program.run(program.pipeline(server.url()), "-q")
    assert result.status == PARTIAL and result.stdout == "" and "city not found" in result.stderr


def test_verbose_tells_of_every_try_in_plain_lines(program, server):
    server.script("Portland", b.status(500, "we broke"), b.ok())
    result = program.run(program.pipeline(server.url()), "--verbose")
    assert result.status == OK
    lines = [line for line in result.stderr.splitlines() if re.match(r" +\d+\.\d{3} s  ", line)]
    assert len(lines) == 6
    assert any("Portland" in line and "we broke" in line for line in lines)
    assert sum("answered" in line for line in lines) == 5
    assert "\r" not in result.stderr


def test_a_partial_run_says_what_was_written_and_what_was_not(program, server):
    server.script("Portland", b.status(404, "city not found"))
    result = program.run(program.pipeline(server.url()))
    assert f"! weather, slot {SLOT}: 4 of 5 cities written" in result.stderr
    assert re.search(r'✗ Portland +404 "city not found"', result.stderr)
    assert "4 rows" in result.stdout


def test_a_quarantined_row_is_counted(program, server):
    server.script("Portland", b.weather_text("temp", b'"warm"'))
    result = program.run(program.pipeline(server.url()))
    assert result.status == OK
    assert "1 row quarantined" in result.stdout and "1 failed" in result.stdout


def test_a_check_that_only_warns_is_counted_and_its_row_is_kept(program, server):
    columns = {"city": {"value": "{city}", "type": "string"},
               "humidity": {"from": "main.humidity", "type": "bigint", "greater_than": {"min_value": 60, "raise_warning": True}}}
    result = program.run(program.pipeline(server.url(), columns=columns, quality=None))
    assert result.status == OK and len(program.rows()) == 5 and program.quarantine() == []
    assert "2 warnings" in result.stdout


# On a terminal.

def test_a_terminal_gets_a_progress_bar_that_is_gone_at_the_end(program, server):
    server.default = b.ok(delay=0.4)
    status, seen = on_terminal(program, "run", program.pipeline(server.url(), source={"limit": {"at_once": 1}}), "--slot", SLOT)
    assert status == OK
    assert "━" in seen and re.search(r"[1-4]/5 cities", plain(seen)) and "left" in seen
    assert "\x1b[32m✓\x1b[0m 5 rows" in seen
    # What stays: each redrawn line is wiped before the next begins.
    assert seen.count("\r\x1b[K") >= 3


@pytest.mark.parametrize("columns", [30, 50, 80, 120])
def test_the_progress_bar_keeps_within_the_terminal(program, server, columns):
    server.default = b.ok(delay=0.03)
    server.script("c3", b.status(404))
    server.script("c5", b.status(500), b.ok())
    file = program.pipeline(server.url(), source={"each": {"city": [f"c{n}" for n in range(120)]}, "limit": {"at_once": 2}}, quality=None)
    _, seen = on_terminal(program, "run", file, "--slot", SLOT, columns=columns)
    drawn = [plain(line).split("\r")[0].split("\n")[0] for line in seen.split("\r\x1b[K")[1:-1]]
    assert len(drawn) >= 5 and all(0 < len(line) < columns for line in drawn), drawn


def test_a_terminal_without_colour_gets_none(program, server):
    file = program.pipeline(server.url())
    for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        _, seen = on_terminal(program, "run", file, "--slot", SLOT, env=env)
        assert not re.search(r"\x1b\[[0-9;]*m", seen) and "✓ 5 rows" in seen


def test_color_always_and_never_overrule(program, server):
    file = program.pipeline(server.url())
    assert "\x1b[" in program.run(file, "--color", "always").stdout
    _, seen = on_terminal(program, "run", file, "--slot", SLOT, "--color=never")
    assert not re.search(r"\x1b\[[0-9;]*m", seen)


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_nothing_is_wider_than_the_terminal_but_names_of_files(program, server, columns):
    _, seen = on_terminal(program, "run", program.pipeline(server.url()), "--slot", SLOT, columns=columns)
    lines = [line.split("\r")[-1] for line in plain(seen).replace("\r\n", "\n").split("\n")]
    table = lines[next(i for i, line in enumerate(lines) if line.startswith("city")):]
    table = table[:next(i for i, line in enumerate(table) if line.startswith("✓"))]
    assert all(len(line) <= columns for line in table), table
    assert (columns >= 80) != any("more column" in line for line in table)


def test_ascii_stands_in_where_the_locale_lacks_marks(program, server):
    result = program.run(program.pipeline(server.url()), env={"LC_ALL": "C"})
    assert result.status == OK and result.stdout.isascii() and "ok 5 rows" in result.stdout


def test_faults_show_their_line_with_a_caret_on_a_terminal(program):
    file = program.pipeline("https://api.example.com/", quality={"unique": ["town"]})
    status, seen = on_terminal(program, "check", file)
    lines = plain(seen).replace("\r", "").split("\n")
    assert status == USAGE
    at = next(i for i, line in enumerate(lines) if "town" in line and "|" in line)
    start = lines[at].index('town')
    assert lines[at + 1][start:start + 4] == "^^^^"


# The other commands.

def test_plan_shows_requests_and_files_and_asks_nobody(program, server):
    result = program.call("plan", program.pipeline(server.url()), "--slot", SLOT)
    assert result.status == OK and server.requests == [] and not program.lake.exists()
    assert f"weather, slot {SLOT}" in result.stdout
    assert "asks    5 requests, 8 at once, 3 tries within 5 s" in result.stdout
    assert "q=New%20York&units=metric&appid=•••" in result.stdout
    assert str(program.data_file()) in result.stdout and f"_runs/weather/{SLOT_NAME}.json" in result.stdout


def test_plan_keeps_within_the_terminal(program):
    file = program.pipeline("https://api.example.com/" + "very/" * 30 + "long")
    _, seen = on_terminal(program, "plan", file, "--slot", SLOT, columns=70)
    lines = plain(seen).replace("\r", "").split("\n")
    assert any("…" in line for line in lines) and all(len(line) <= 70 for line in lines)
    assert "very/" * 30 in program.call("plan", file, "--slot", SLOT).stdout


def test_preview_shows_each_row_with_its_verdict_and_writes_nothing(program, server):
    server.script("Portland", b.weather_text("humidity", b"107"))
    columns = {"city": {"value": "{city}", "type": "string"},
               "humidity": {"from": "main.humidity", "type": "bigint", "in_range": [0, 100]}}
    result = program.call("preview", program.pipeline(server.url(), columns=columns, quality=None), "-n", "3")
    assert result.status == OK
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["city", "humidity", "verdict"]
    assert re.fullmatch(r"New York +58  ✓", lines[1])
    assert re.fullmatch(r"Portland +107  ✗ humidity: in_range\(0, 100\)", lines[2])
    assert lines[-1] == "1 of 3 rows would be quarantined; nothing was written"
    assert len(server.requests) == 3 and not program.lake.exists()


def test_preview_tells_of_items_that_failed(program, server):
    server.script("New York", b.status(404, "city not found"))
    result = program.call("preview", program.pipeline(server.url()), "-n", "2")
    assert result.status == PARTIAL
    assert "city not found" in result.stderr and "Portland" in result.stdout


def test_check_says_ok_in_one_line(program, server):
    result = program.call("check", program.pipeline(server.url()))
    assert result.status == OK and result.stdout.splitlines()[0].startswith("✓")
    assert program.call("check", "-q", program.pipeline(server.url())).stdout == ""


# Usage.

@pytest.mark.parametrize("arguments, words", [
    ([], "command"), (["rum"], "did you mean run?"), (["run"], "pipeline file"), (["run", "a", "b"], "b"),
    (["run", "--slott", "x", "f"], "--slot"), (["run", "f", "--slot"], "--slot"), (["run", "f", "--slot", "yesterday"], "yesterday"),
    (["run", "f", "--slot", "2012-10-01T00:00:00.5Z"], "whole second"),
    (["run", "f", "--slot", "2012-13-01T00:00:00Z"], "2012-13-01"), (["run", "f", "--shard", "4/3"], "4/3"),
    (["run", "f", "--shard", "0/3"], "0/3"), (["run", "f", "--shard=x"], "x"), (["preview", "f", "-n", "0"], "0"),
    (["check", "--slot", "2012-10-01T00:00:00Z", "f"], "check"), (["run", "f", "--replay", "a", "--record", "b"], "--record"),
    (["run", "f", "-q", "-v"], "--verbose"), (["run", "-x", "f"], "-x"), (["help", "rum"], "rum"), (["run", "f", "--json=1"], "--json"),
    (["run", "f", "--color", "pink"], "pink"), (["--nonsense"], "--nonsense"), (["run", ""], ""), (["run", "--to", "", "f"], "--to")])
def test_a_wrong_command_line_exits_2_and_says_what_is_wrong(run, arguments, words):
    result = run(*arguments)
    assert result.status == USAGE and result.stdout == ""
    assert words in result.stderr and result.stderr.count("\n") <= 2


def test_options_may_stand_anywhere_and_with_an_equals_sign(program, server):
    file = program.pipeline(server.url())
    for arguments in (["run", "--slot=" + SLOT, file], ["run", file, "--slot", SLOT], ["--slot", SLOT, "run", "--", file]):
        assert program.call(*arguments, "--json" if "--" not in arguments else file, timeout=20).status in (OK, USAGE)
    assert program.has_record()


@pytest.mark.parametrize("text, name", [("2012-10-01", "20121001T000000Z"), ("2012-10-01T18:00Z", SLOT_NAME),
                                        ("2012-10-01T20:00:00+02:00", SLOT_NAME), ("20121001T180000Z", SLOT_NAME)])
def test_a_slot_may_be_written_as_iso_8601_allows(program, server, text, name):
    assert program.run(program.pipeline(server.url()), slot=text).status == OK
    assert program.has_record(slot=name)


def test_without_a_slot_it_is_now_cut_to_the_minute(program, server):
    result = program.call("run", program.pipeline(server.url()), "--json")
    assert result.status == OK
    slot = result.json()["slot"]
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:00Z", slot)
    assert abs(time.time() - __import__("calendar").timegm(time.strptime(slot, "%Y-%m-%dT%H:%M:%SZ"))) < 120


def test_to_sends_the_lake_elsewhere(program, server):
    result = program.run(program.pipeline(server.url()), "--to", "other place")
    assert result.status == OK and not program.lake.exists()
    assert (program.folder / "other place" / "weather" / "dt=2012-10-01" / f"{SLOT_NAME}.csv").exists()


def test_shards_share_the_items_and_their_files_do_not_meet(program, server):
    file = program.pipeline(server.url())
    for shard in (1, 2, 3):
        assert program.run(file, "--shard", f"{shard}/3").status == OK
    names = sorted(path.name for path in (program.lake / "weather").rglob("*.csv"))
    assert names == [f"{SLOT_NAME}-{shard}of3.csv" for shard in (1, 2, 3)]
    cities = [path.read_text().splitlines()[1:] for path in sorted((program.lake / "weather").rglob("*.csv"))]
    assert sorted(line.split(",")[0] for part in cities for line in part) == ["Chicago", "Dallas", "New York", "Portland", "Seattle"]
    assert len(list((program.lake / "_runs").rglob("*.json"))) == 3


@pytest.mark.parametrize("variable", ["JOB_COMPLETION_INDEX", "AWS_BATCH_JOB_ARRAY_INDEX"])
def test_in_a_job_of_many_each_takes_the_shard_of_its_number(program, server, variable):
    file = program.pipeline(server.url())
    for index in range(3):
        assert program.run(file, "--shard", "auto/3", env={variable: str(index)}).status == OK
    names = sorted(path.name for path in (program.lake / "weather").rglob("*.csv"))
    assert names == [f"{SLOT_NAME}-{shard}of3.csv" for shard in (1, 2, 3)]
    rows = [line for path in (program.lake / "weather").rglob("*.csv") for line in path.read_text().splitlines()[1:]]
    assert len(rows) == len(set(rows)) == 5
    result = program.call("merge", file, "--slot", SLOT, "--shards", 3)
    assert result.status == OK and "5 rows of 3 shards" in result.stdout


@pytest.mark.parametrize("share, env, words", [
    ("auto/3", {}, "neither JOB_COMPLETION_INDEX nor AWS_BATCH_JOB_ARRAY_INDEX is set"),
    ("auto/3", {"JOB_COMPLETION_INDEX": ""}, "neither JOB_COMPLETION_INDEX nor"),
    ("auto/3", {"JOB_COMPLETION_INDEX": "3"}, "JOB_COMPLETION_INDEX is 3, and counts from 0, so the last shard is 2; let the job have 3 completions"),
    ("auto/3", {"AWS_BATCH_JOB_ARRAY_INDEX": "-1"}, 'AWS_BATCH_JOB_ARRAY_INDEX is "-1"'),
    ("auto/3", {"JOB_COMPLETION_INDEX": "two"}, 'JOB_COMPLETION_INDEX is "two"'),
    ("auto/0", {"JOB_COMPLETION_INDEX": "0"}, "write auto/N"), ("auto/", {"JOB_COMPLETION_INDEX": "0"}, "write auto/N"),
    ("auto/99999999", {"JOB_COMPLETION_INDEX": "0"}, "write auto/N"), ("auto", {"JOB_COMPLETION_INDEX": "0"}, "write I/N")])
def test_a_shard_that_cannot_be_known_exits_2_and_says_why(program, server, share, env, words):
    result = program.run(program.pipeline(server.url()), "--shard", share, env=env)
    assert result.status == USAGE and words in result.stderr and not program.lake.exists()


def test_behind_an_images_entry_point_a_command_is_that_command_but_not_for_lambda(program, server):
    file = program.pipeline(server.url())
    image = ("lambda", "--host", "0.0.0.0")
    assert program.call(*image, "run", file, "--slot", SLOT).status == OK and program.has_record()
    assert program.call(*image, "run", file, "--host", "0.0.0.0").status == USAGE
    pipeline = program.call(*image, "run", env={"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1"})
    assert 'no pipeline "run"' in pipeline.stdout + pipeline.stderr


@pytest.mark.parametrize("words", [["--help"], ["help"], ["-h"], ["help", "run"], ["run", "--help"], ["help", "check"],
                                   ["help", "plan"], ["help", "preview"], ["help", "help"], ["--version"], ["-V"]])
def test_help_goes_to_standard_output_and_exits_0(run, words):
    result = run(*words)
    assert result.status == OK and result.stdout and result.stderr == ""
    assert max(map(len, result.stdout.splitlines())) <= 120


def test_every_option_of_run_is_in_its_help_its_man_page_and_completions(run):
    options = set(re.findall(r"--[a-z]+", run("help", "run").stdout))
    assert {"--slot", "--to", "--shard", "--replay", "--record", "--json", "--quiet", "--verbose"} <= options
    for topic in ("man", "bash", "zsh", "fish"):
        text = run("help", topic).stdout.replace("\\-", "-")
        missing = {option for option in options if option not in text and f"-l {option[2:]}" not in text}
        assert not missing, (topic, missing)


def test_the_man_page_is_without_warnings(run, tmp_path):
    page = tmp_path / "lambda-pipeline.1"
    page.write_text(run("help", "man").stdout)
    groff = shutil.which("groff")
    assert groff, "groff is missing; scripts/deps --test installs it"
    done = subprocess.run([groff, "-man", "-Tutf8", "-wall", "-K", "utf8", page], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 and done.stderr == ""
    assert "EXIT STATUS" in plain(done.stdout) or "EXIT STATUS" in re.sub(".\b", "", done.stdout)


def test_the_bash_completion_completes(run, tmp_path):
    script = tmp_path / "completion"
    script.write_text(run("help", "bash").stdout)

    def complete(*words):
        return subprocess.run(["bash", "-c", f"""source {script}; COMP_WORDS=({' '.join(words)} ''); COMP_CWORD={len(words)}
            COMP_WORDS[$COMP_CWORD]="$0"; _lambda_pipeline; printf '%s\\n' "${{COMPREPLY[@]}}" """, complete.word],
                              capture_output=True, text=True, timeout=10, cwd=tmp_path).stdout.split()
    complete.word = "ru"
    assert complete("lambda-pipeline") == ["run", "runs"]
    complete.word = "--re"
    assert set(complete("lambda-pipeline", "run")) == {"--replay", "--record", "--region"}
    complete.word = "al"
    assert complete("lambda-pipeline", "run", "--color") == ["always"]
    (tmp_path / "weather.yaml").touch()
    complete.word = "we"
    assert complete("lambda-pipeline", "run") == ["weather.yaml"]


# Where output goes wrong.

PRINTING = [["help"], ["--version"], ["check", "FILE"], ["plan", "FILE"], ["run", "FILE", "--json"], ["template", "FILE"],
            ["template", "FILE", "--shards", "16"], ["invoke", "FILE", "--event", json.dumps({"slot": SLOT})]]


def call_with(stdout, program, server, arguments, **options):
    """The command with that standard output; FILE is a pipeline that a template can be made of as well."""
    file = program.pipeline(server.url(), sink={"to": "${OUTPUT_BUCKET:-%s}" % program.lake})
    return subprocess.run([str(program_path()), *[str(file) if word == "FILE" else word for word in arguments]], stdout=stdout,
                          stderr=subprocess.PIPE, env=program.environment(), cwd=program.folder, timeout=20, **options)


def whole_files(program, arguments):
    files = list(program.lake.rglob("*.csv"))
    assert all(path.read_text().startswith("city,") and path.read_text().endswith("\n") for path in files)
    return len(files) == (1 if arguments[0] in ("run", "invoke") else 0)


@pytest.mark.parametrize("arguments", PRINTING)
def test_a_full_standard_output_is_an_error_with_a_place(program, server, arguments):
    with open("/dev/full", "wb") as full:
        done = call_with(full, program, server, arguments)
    assert done.returncode == FAILED
    assert b"standard output" in done.stderr and b"No space left" in done.stderr and whole_files(program, arguments)


@pytest.mark.parametrize("arguments", PRINTING)
def test_a_closed_standard_output_is_an_error_and_harms_no_file(program, server, arguments):
    done = call_with(None, program, server, arguments, preexec_fn=lambda: os.close(1))
    assert done.returncode == FAILED and b"standard output" in done.stderr and whole_files(program, arguments)


@pytest.mark.parametrize("arguments", PRINTING)
def test_a_reader_that_goes_away_is_an_error_and_no_crash(program, server, arguments):
    reading, writing = os.pipe()
    os.close(reading)
    done = call_with(writing, program, server, arguments)
    os.close(writing)
    assert done.returncode == FAILED and b"standard output" in done.stderr and b"Broken pipe" in done.stderr
    assert whole_files(program, arguments)


@pytest.mark.parametrize("arguments", [["template", "FILE"], ["invoke", "FILE", "--event", json.dumps({"slot": SLOT})], ["run", "FILE"]])
def test_a_full_standard_error_changes_neither_answer_nor_status(program, server, arguments):
    file = program.pipeline(server.url(), sink={"to": "${OUTPUT_BUCKET:-%s}" % program.lake})
    words = [str(file) if word == "FILE" else word for word in arguments]
    with open("/dev/full", "wb") as full:
        done = subprocess.run([str(program_path()), *words], stdout=subprocess.PIPE, stderr=full, env=program.environment(),
                              cwd=program.folder, timeout=20)
    assert done.returncode == OK and done.stdout and whole_files(program, arguments)


def test_the_schema_is_json(run):
    assert json.loads(run("check", "--schema").stdout)["type"] == "object"
