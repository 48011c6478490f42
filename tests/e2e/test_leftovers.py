"""What a run leaves behind: names, bytes, order, and that nothing is ever half there."""

import csv
import datetime
import json
import os
import re
import shutil
import signal
import subprocess
import time

import duckdb
import pandas
import pytest

from harness import behaviours as b
from harness.runner import FAILED, GATE, LOCKED, OK, PARTIAL, SLOT, SLOT_NAME, USAGE, program_path
from harness.told import assert_told
from harness.weather import OBSERVED_AT, weather

CITIES = ["New York", "Portland", "Chicago", "Seattle", "Dallas"]
DATA = f"weather/dt=2012-10-01/{SLOT_NAME}.csv"
BAD = f"_quarantine/weather/dt=2012-10-01/{SLOT_NAME}.jsonl"
RECORD = f"_runs/weather/{SLOT_NAME}.json"
CATALOG = "_catalog/weather/weather.json"


def test_a_run_leaves_the_documented_files_and_no_other(program, server):
    assert program.run(program.pipeline(server.url())).status == OK
    assert set(program.tree()) == {DATA, RECORD, CATALOG}
    server.script("Portland", b.weather_text("temp", b'"x"'))
    assert program.run(program.pipeline(server.url())).status == OK
    assert set(program.tree()) == {DATA, BAD, RECORD, CATALOG}


def test_the_record_tells_the_whole_story(program, server):
    before = datetime.datetime.now(datetime.timezone.utc)
    server.script("Portland", b.status(500), b.ok())
    server.script("Dallas", b.status(404, "city not found"))
    server.script("Seattle", b.weather_text("temp", b'"x"'))
    assert program.run(program.pipeline(server.url())).status == PARTIAL
    record = program.record()
    assert record["pipeline"] == "weather" and record["slot"] == SLOT and record["status"] == "partial"
    assert record["run_id"].startswith(SLOT_NAME + "-")
    started, finished = (datetime.datetime.fromisoformat(record[key].replace("Z", "+00:00")) for key in ("started_at", "finished_at"))
    assert before - datetime.timedelta(seconds=1) <= started <= finished <= datetime.datetime.now(datetime.timezone.utc)
    assert abs((finished - started).total_seconds() * 1000 - record["duration_ms"]) <= 1
    assert record["requests"] == {"total": 5, "ok": 4, "failed": 1, "retried": 1, "waited_ms": record["requests"]["waited_ms"]}
    assert record["rows"] == {"read": 4, "written": 3, "quarantined": 1}
    path = program.lake / DATA
    assert record["files"] == [{"url": str(path), "rows": 3, "bytes": path.stat().st_size}]
    failure, = record["failures"]
    assert failure["item"] == {"city": "Dallas"} and "city not found" in failure["error"]
    assert record["version"] in program.call("--version").stdout


def test_a_quarantined_row_has_its_failure_cases_its_item_and_its_source(program, server):
    server.script("Portland", b.ok(main__temp="warm", main__humidity=107))
    columns = {"city": {"value": "{city}", "type": "string"}, "temperature": {"from": "main.temp", "type": "double"},
               "humidity": {"from": "main.humidity", "type": "bigint", "in_range": [0, 100]}}
    assert program.run(program.pipeline(server.url(), columns=columns, quality=None)).status == OK
    line, = program.quarantine()
    assert line["item"] == {"city": "Portland"}
    assert line["failures"] == [
        {"column": "temperature", "check": "coerce_dtype('float64')", "failure_case": "warm"},
        {"column": "humidity", "check": "in_range(0, 100)", "failure_case": 107}]
    assert line["source"] == json.loads(json.dumps(weather("Portland", main__temp="warm", main__humidity=107)))
    assert line["row"] == {"city": "Portland", "temperature": None, "humidity": 107}


def test_the_catalogue_describes_the_table(program, server):
    columns = {"city": {"value": "{city}", "type": "string", "description": "Where"},
               "temperature": {"from": "main.temp", "type": "double", "unit": "celsius -> fahrenheit"}}
    assert program.run(program.pipeline(server.url(), columns=columns, quality=None)).status == OK
    table = json.loads((program.lake / CATALOG).read_text())
    text = json.dumps(table)
    assert table["table"] == "weather" and table["database"] == "weather"
    assert "fahrenheit" in text and "Where" in text and "dt" in text
    before = (program.lake / CATALOG).stat().st_mtime_ns
    assert program.run(program.pipeline(server.url(), columns=columns, quality=None)).status == OK
    assert (program.lake / CATALOG).stat().st_mtime_ns == before  # nothing changed, nothing written


def test_the_same_slot_again_gives_the_same_bytes(program, server):
    server.script("Portland", b.weather_text("temp", b'"x"'))
    file = program.pipeline(server.url())
    assert program.run(file).status == OK
    first = program.tree()
    assert program.run(file).status == OK
    second = program.tree()
    assert set(first) == set(second)
    assert all(first[name] == second[name] for name in first if name != RECORD)


def test_another_slot_lies_beside(program, server):
    file = program.pipeline(server.url())
    for slot in ("2012-10-01T18:00:00Z", "2012-10-01T19:00:00Z", "2012-10-02T18:00:00Z"):
        assert program.run(file, slot=slot).status == OK
    assert len(list((program.lake / "weather").rglob("*.csv"))) == 3
    assert len(list((program.lake / "_runs").rglob("*.json"))) == 3


def test_what_is_good_now_is_not_in_quarantine_any_more(program, server):
    server.script("Portland", b.weather_text("temp", b'"x"'))
    file = program.pipeline(server.url())
    program.run(file)
    assert len(program.quarantine()) == 1
    server.script("Portland", b.ok())
    program.run(file)
    assert BAD not in program.tree() and len(program.rows()) == 5


def by_column(program, server, **changes):
    sink = {"to": str(program.lake), "partition": {"place": "city"}, "catalog": {"database": "weather", "table": "weather"}}
    return program.pipeline(server.url(), sink={**sink, "format": "csv"}, **changes)


def test_a_column_may_choose_the_partition(program, server):
    assert program.run(by_column(program, server)).status == OK
    names = {name for name in program.tree() if name.endswith(".csv")}
    assert names == {f"weather/place={city}/{SLOT_NAME}.csv" for city in CITIES}
    assert len(program.record()["files"]) == 5
    read = duckdb.sql(f"select place, city from read_csv('{program.lake}/weather/*/*.csv', hive_partitioning=true)").fetchall()
    assert sorted(read) == sorted((city, city) for city in CITIES)


def test_odd_partition_values_are_escaped_as_hive_does(program, server):
    odd = ["a/b", "..", "x=y", "50%", "", "ä ö", "a:b"]
    file = by_column(program, server, source={"each": {"city": odd}}, quality=None,
                     columns={"city": {"value": "{city}", "type": "string"}})
    assert program.run(file).status == OK
    files = [path for path in program.folder.rglob("*.csv")]
    assert len(files) == len(odd) and all((program.lake / "weather") in path.parents for path in files)
    read = duckdb.sql(f"select place, city from read_csv('{program.lake}/weather/*/*.csv', hive_partitioning=true, "
                      "hive_types_autocast=false, all_varchar=true, header=true, quote='\"', escape='\"', delim=',')").fetchall()
    assert sorted(city or "" for _, city in read) == sorted(odd)
    assert all(place == city for place, city in read if city)


def test_a_partition_that_is_empty_now_goes_away(program, server):
    assert program.run(by_column(program, server)).status == OK
    assert program.run(by_column(program, server, source={"each": {"city": ["Dallas"]}})).status == OK
    assert {name for name in program.tree() if name.endswith(".csv")} == {f"weather/place=Dallas/{SLOT_NAME}.csv"}


def test_it_goes_away_also_when_a_run_failed_in_between(program, server):
    assert program.run(by_column(program, server)).status == OK
    server.default = b.status(404)
    assert program.run(by_column(program, server)).status == FAILED
    assert sorted(program.record()["kept"]) == sorted(f"weather/place={city}/{SLOT_NAME}.csv" for city in CITIES)
    server.default = b.ok()
    assert program.run(by_column(program, server, source={"each": {"city": ["Dallas"]}})).status == OK
    assert {name for name in program.tree() if name.endswith(".csv")} == {f"weather/place=Dallas/{SLOT_NAME}.csv"}
    assert "kept" not in program.record()


def test_it_goes_away_also_when_a_run_could_not_even_begin_in_between(program, server):
    assert program.run(by_column(program, server)).status == OK
    assert program.run(by_column(program, server), env={"OPENWEATHER_API_KEY": None}).status == USAGE
    assert program.run(by_column(program, server, source={"each": {"city": ["Dallas"]}})).status == OK
    assert {name for name in program.tree() if name.endswith(".csv")} == {f"weather/place=Dallas/{SLOT_NAME}.csv"}


def test_below_the_gate_the_rows_are_published_above_it_none(program, server):
    server.script("Portland", b.weather_text("temp", b'"x"'))
    file = program.pipeline(server.url(), quality={"max_bad": "20%"})
    assert_told(program, program.run(file), OK, ok=5, quarantined=1)
    before = (program.lake / DATA).read_bytes()
    server.script("Dallas", b.weather_text("temp", b'"x"'))
    result = program.run(file)
    assert result.status == GATE
    assert "2 of 5 rows are bad" in result.stderr and "20%" in result.stderr
    assert (program.lake / DATA).read_bytes() == before  # an earlier run's rows stand as they were
    assert len(program.quarantine()) == 2
    assert program.record()["status"] == "failed" and program.record()["rows"]["written"] == 0


def test_too_few_rows_are_refused(program, server):
    result = program.run(program.pipeline(server.url(), quality={"min_rows": 6}))
    assert_told(program, result, GATE, ok=5)
    assert "min_rows" in result.stderr


def test_of_two_rows_with_one_key_the_first_stays(program, server):
    file = program.pipeline(server.url(), source={"each": {"city": ["A", "B"], "n": [1, 2]}},
                            columns={"city": {"value": "{city}", "type": "string"}, "n": {"value": "{n}", "type": "bigint"}},
                            quality={"unique": ["city"]})
    assert_told(program, program.run(file), OK, ok=4, written=2, quarantined=2)
    assert program.rows() == [{"city": "A", "n": "1"}, {"city": "B", "n": "1"}]
    assert {line["failures"][0]["check"] for line in program.quarantine()} == {"field_uniqueness"}


# Readers that no one here wrote.

def typed(server):
    columns = {
        "name": {"from": "name", "type": "string", "nullable": True},
        "whole": {"from": "whole", "type": "bigint", "nullable": True},
        "real": {"from": "real", "type": "double", "nullable": True},
        "flag": {"from": "flag", "type": "boolean", "nullable": True},
        "at": {"from": "at", "type": "timestamp", "nullable": True},
        "day": {"from": "day", "type": "date", "nullable": True},
    }
    rows = [
        {"name": 'quote " comma , line\r\nend', "whole": 2**63 - 1, "real": 0.1, "flag": True, "at": "2012-10-01T18:00:00.123456Z",
         "day": "2012-02-29"},
        {"name": "", "whole": -2**63, "real": -1.5e-300, "flag": False, "at": "1969-12-31T23:59:59+02:00", "day": "1900-01-01"},
        {"name": None, "whole": None, "real": None, "flag": None, "at": None, "day": None},
        {"name": "日本 🌧️", "whole": 9007199254740993, "real": 1.7976931348623157e308, "flag": True, "at": "2400-01-01T00:00:00Z",
         "day": "9999-12-31"},
        {"name": " NULL ", "whole": 0, "real": 3.0, "flag": False, "at": "2012-10-01T18:00:00Z", "day": "2012-10-01"},
    ]
    server.default = b.json_body({"list": rows})
    return columns, rows


def stamp(text):
    if text is None:
        return None
    parsed = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return parsed.astimezone(datetime.timezone.utc).replace(tzinfo=None)


@pytest.fixture
def typed_file(program, server):
    columns, rows = typed(server)
    file = program.pipeline(server.url(), source={"each": None, "query": None, "rows": "list"}, columns=columns, quality=None)
    assert program.run(file).status == OK
    return program.lake / DATA, rows


def test_pythons_csv_reads_every_value_back(typed_file):
    path, rows = typed_file
    with path.open(newline="", encoding="utf-8") as file:
        read = list(csv.DictReader(file))
    for got, want in zip(read, rows, strict=True):
        assert got["name"] == (want["name"] or "")
        assert got["whole"] == ("" if want["whole"] is None else str(want["whole"]))
        assert (got["real"] == "") if want["real"] is None else float(got["real"]) == want["real"]
        assert got["flag"] == {True: "true", False: "false", None: ""}[want["flag"]]
        assert (got["at"] == "") if want["at"] is None else stamp(got["at"]) == stamp(want["at"])
        assert got["day"] == (want["day"] or "")


def test_duckdb_reads_every_value_back_with_null_apart_from_the_empty_text(typed_file):
    path, rows = typed_file
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    read = connection.execute(
        f"select * from read_csv('{path}', header=true, quote='\"', escape='\"', delim=',', nullstr='', allow_quoted_nulls=false, hive_partitioning=false, "
        "columns={'name':'VARCHAR','whole':'BIGINT','real':'DOUBLE','flag':'BOOLEAN','at':'TIMESTAMP','day':'DATE'})").fetchall()
    wanted = [(row["name"], row["whole"], row["real"], row["flag"], stamp(row["at"]),
               row["day"] and datetime.date.fromisoformat(row["day"])) for row in rows]
    assert read == wanted


def test_pandas_reads_every_value_back(typed_file):
    path, rows = typed_file
    frame = pandas.read_csv(path, dtype={"name": "string", "whole": "Int64", "real": "float64", "flag": "boolean"},
                            keep_default_na=False, na_values={"whole": [""], "real": [""], "flag": [""]}, float_precision="round_trip")
    for got, want in zip(frame.itertuples(index=False), rows, strict=True):
        assert got.name == (want["name"] or "")
        assert (got.whole is pandas.NA) if want["whole"] is None else int(got.whole) == want["whole"]
        assert (got.real != got.real) if want["real"] is None else got.real == want["real"]
        assert (got.flag is pandas.NA) if want["flag"] is None else bool(got.flag) == want["flag"]
        assert (got.at == "") if want["at"] is None else stamp(got.at) == stamp(want["at"])


def test_a_thousand_random_replies_are_read_back_value_by_value(program, server):
    import random
    seed = random.Random(20121001)
    letters = ['"', ",", "\n", "\r", "'", " ", "a", "Z", "é", "😀", "\\", "\t", ";", "="]
    rows = [{"name": "".join(seed.choice(letters) for _ in range(seed.randrange(12))),
             "whole": seed.choice([None, seed.randrange(-2**63, 2**63), seed.randrange(100)]),
             "real": seed.choice([None, seed.uniform(-1e3, 1e3), seed.gauss(0, 1) * 10.0 ** seed.randrange(-300, 300),
                                  float(seed.randrange(1000))])} for _ in range(1000)]
    server.default = b.json_body({"list": rows})
    columns = {name: {"from": name, "type": kind, "nullable": True} for name, kind in
               [("name", "string"), ("whole", "bigint"), ("real", "double")]}
    file = program.pipeline(server.url(), source={"each": None, "query": None, "rows": "list"}, columns=columns, quality=None)
    assert program.run(file).status == OK
    with (program.lake / DATA).open(newline="", encoding="utf-8") as data:
        read = list(csv.DictReader(data))
    assert [(row["name"], row["whole"], row["real"] and float(row["real"])) for row in read] == \
        [(row["name"], "" if row["whole"] is None else str(row["whole"]), "" if row["real"] is None else row["real"]) for row in rows]
    assert all(row["real"] == "" or float(row["real"]) == want["real"] and len(row["real"]) <= len(repr(want["real"])) + 2
               for row, want in zip(read, rows))


# Several runs, and runs that are stopped.

def wait_until(condition, seconds=5):
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.01)
    assert condition()


def test_of_two_runs_of_one_slot_the_second_exits_5_and_changes_nothing(program, server):
    server.default = b.ok(delay=1.0)
    file = program.pipeline(server.url())
    first = program.start("run", file, "--slot", SLOT)
    wait_until(lambda: server.requests)
    second = program.run(file)
    assert second.status == LOCKED and "being run already" in second.stderr and second.seconds < 0.9
    assert first.finish().status == OK
    assert set(program.tree()) == {DATA, RECORD, CATALOG}
    assert program.record()["status"] == "ok"


def test_ten_runs_of_one_slot_at_once_leave_one_whole_lake(program, server):
    server.default = b.ok(delay=0.05)
    file = program.pipeline(server.url())
    runs = [program.start("run", file, "--slot", SLOT) for _ in range(10)]
    statuses = [run.finish().status for run in runs]
    assert set(statuses) <= {OK, LOCKED} and OK in statuses
    assert set(program.tree()) == {DATA, RECORD, CATALOG} and len(program.rows()) == 5


def test_runs_of_different_slots_do_not_wait_for_each_other(program, server):
    server.default = b.ok(delay=0.3)
    file = program.pipeline(server.url())
    runs = [program.start("run", file, "--slot", f"2012-10-01T{hour:02}:00:00Z") for hour in range(4)]
    assert [run.finish().status for run in runs] == [OK] * 4


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("how", ["waiting for an answer", "waiting for a retry", "waiting for the rate"])
def test_a_signal_ends_the_run_within_a_second_and_leaves_the_lake_as_it_was(program, server, number, how):
    file = program.pipeline(server.url())
    assert program.run(file).status == OK
    before = program.tree()
    server.requests.clear()
    if how == "waiting for an answer":
        server.script("Dallas", b.stall_before_header())
        changes = {"limit": {"total": "30s"}}
    elif how == "waiting for a retry":
        server.script("Dallas", b.too_many(20))
        changes = {"retry": {"attempts": 5, "deadline": "60s"}}
    else:
        changes = {"limit": {"rate": "1/min", "at_once": 1}}
    running = program.start("run", program.pipeline(server.url(), source=changes), "--slot", SLOT)
    wait_until(lambda: len(server.requests) >= (1 if "rate" in how else 5))
    time.sleep(0.1)
    asked = time.monotonic()
    running.signal(number)
    result = running.finish()
    assert time.monotonic() - asked < 1.0
    assert result.status == -number
    after = program.tree()
    assert {name: data for name, data in after.items() if name != RECORD} == {
        name: data for name, data in before.items() if name != RECORD}
    assert program.record()["status"] == "failed"
    assert any(failure["item"] is None for failure in program.record()["failures"])


def test_nohup_keeps_a_run_alive(program, server):
    server.default = b.ok(delay=0.5)
    process = subprocess.Popen(["nohup", str(program_path()), "run", str(program.pipeline(server.url())), "--slot", SLOT],
                               env=program.environment(), cwd=program.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: server.requests)
    process.send_signal(signal.SIGHUP)
    assert process.wait(timeout=20) == OK


def test_shards_and_slots_side_by_side_do_not_meet(program, server):
    file = program.pipeline(server.url(), quality=None)
    for _ in range(5):
        runs = [program.start("run", file, "--slot", SLOT, "--shard", f"{shard}/5") for shard in range(1, 6)]
        runs += [program.start("run", file, "--slot", f"2012-10-01T{hour:02}:00:00Z") for hour in range(5)]
        results = [run.finish() for run in runs]
        assert [result.status for result in results] == [OK] * 10, [result.stderr for result in results]
    assert not [path for path in program.lake.rglob("*") if ".part" in path.name or path.name.startswith(".")]


def test_two_slots_into_one_file_leave_one_of_them_whole(program, server):
    columns = {"slot": {"value": "{slot}", "type": "timestamp"}, "n": {"from": "n", "type": "bigint"}}
    server.default = b.json_body({"list": [{"n": n} for n in range(20000)]})
    file = program.pipeline(server.url(), source={"each": None, "query": None, "rows": "list"}, columns=columns, quality=None,
                            sink={"to": str(program.lake / "out.csv"), "partition": None})
    runs = [program.start("run", file, "--slot", f"2012-10-01T{hour:02}:00:00Z") for hour in range(4)]
    assert [run.finish().status for run in runs] == [OK] * 4
    with (program.lake / "out.csv").open() as data:
        rows = list(csv.DictReader(data))
    assert len(rows) == 20000 and len({row["slot"] for row in rows}) == 1
    assert [int(row["n"]) for row in rows] == list(range(20000))


def test_shards_of_one_file_are_refused(program, server):
    file = program.pipeline(server.url(), sink={"to": str(program.lake / "out.csv"), "partition": None})
    result = program.run(file, "--shard", "1/2")
    assert result.status == USAGE and "name a directory" in result.stderr and server.requests == []


def test_one_file_is_there_after_every_run_without_rows_as_well(program, server):
    columns = {"a": {"from": "a", "type": "string"}}
    file = program.pipeline(server.url(), source={"each": None, "query": None, "rows": "list"}, columns=columns,
                            quality={"unique": None, "min_rows": 0}, sink={"to": str(program.lake / "out.csv"), "partition": None})
    server.default = b.json_body({"list": [{"a": "x"}]})
    assert program.run(file).status == OK
    assert (program.lake / "out.csv").read_text() == "a\nx\n"
    server.default = b.json_body({"list": []})
    assert program.run(file).status == OK
    assert (program.lake / "out.csv").read_text() == "a\n"


def test_what_a_killed_run_published_goes_away_when_the_next_one_does_not_bring_it(program, server):
    strace = shutil.which("strace")
    assert strace, "strace is missing; scripts/deps --test installs it"
    columns = {"b": {"from": "b", "type": "string"}}
    file = program.pipeline(server.url(), source={"each": None, "query": None, "rows": "list"}, columns=columns, quality=None,
                            sink={"partition": {"place": "b"}})
    for kill_at in range(1, 7):
        server.default = b.json_body({"list": [{"b": "x"}, {"b": "wait..."}, {"b": "z"}]})
        subprocess.run([strace, "-o", "/dev/null", "-e", f"inject=rename:signal=KILL:when={kill_at}", str(program_path()), "run", file,
                        "--slot", SLOT], env=program.environment({"ASAN_OPTIONS": "detect_leaks=0"}), cwd=program.folder,
                       capture_output=True, timeout=30)
        server.default = b.json_body({"list": [{"b": "x"}]})
        assert program.run(file).status == OK
        assert set(program.tree()) == {f"weather/place=x/{SLOT_NAME}.csv", RECORD, CATALOG}, kill_at


def test_a_run_that_cannot_begin_says_why_in_its_record_too(program, server):
    server.default = b.ok(delay=1.0)
    file = program.pipeline(server.url())
    first = program.start("run", file, "--slot", SLOT)
    wait_until(lambda: server.requests)
    second = program.run(file, "--json")
    assert second.status == LOCKED
    record = second.json()
    assert record["status"] == "failed" and record["finished_at"] >= record["started_at"] > "2020"
    assert "being run already" in record["failures"][0]["error"]
    assert first.finish().status == OK


def test_a_record_stays_small_whatever_items_fail(program, server):
    server.default = b.status(404)
    server.script("good", b.ok())
    with (program.folder / "items.jsonl").open("w") as out:
        for number in range(400):
            out.write(json.dumps({"city": f"{number}" + "x" * 60_000, "n": number}) + "\n")
        out.write('{"city": "good", "n": 400}\n')
    file = program.pipeline(server.url(), source={"query": {"q": "{n}"}, "each": {"file": "items.jsonl"}}, quality=None)
    server.script("400", b.ok())
    result = program.run(file, timeout=60)
    assert result.status == PARTIAL, result.stderr[-500:]
    record = program.record()
    assert record["requests"]["failed"] == 400 and 0 < len(record["failures"]) < 400
    assert (program.lake / RECORD).stat().st_size < 16 << 20


def test_with_two_keys_a_row_that_is_bad_for_one_stands_in_nobodys_way(program, server):
    columns = {"a": {"from": "a", "type": "bigint"}, "b": {"from": "b", "type": "string"}}
    server.default = b.json_body({"list": [{"a": 1, "b": "x"}, {"a": 2, "b": "x"}, {"a": 2, "b": "y"}]})
    file = program.pipeline(server.url(), source={"each": None, "query": None, "rows": "list"}, columns=columns,
                            quality={"unique": [["a"], ["b"]]})
    assert program.run(file).status == OK
    assert program.rows() == [{"a": "1", "b": "x"}, {"a": "2", "b": "y"}]
    assert len(program.quarantine()) == 1


def test_long_cells_are_written_whatever_a_batch_of_them_weighs(program, server):
    columns = {"n": {"from": "n", "type": "bigint"}, "text": {"from": "text", "type": "string"}}
    server.default = b.json_body({"list": [{"n": n, "text": "x" * 100_000} for n in range(800)]})
    file = program.pipeline(server.url(), source={"each": None, "query": None, "rows": "list", "limit": {"body": "100MB", "total": "30s"}},
                            columns=columns, quality=None)
    result = program.run(file, timeout=60)
    assert result.status == OK, result.stderr
    assert program.data_file().stat().st_size > 80_000_000


# Places that cannot be written to.

def test_a_lake_that_cannot_be_made_fails_with_its_place(program, server):
    (program.folder / "lake").write_text("a file")
    result = program.run(program.pipeline(server.url()))
    assert result.status == FAILED and str(program.lake) in result.stderr
    assert (program.folder / "lake").read_text() == "a file" and server.requests == []


def test_a_folder_in_the_way_of_a_file_fails_with_its_place(program, server):
    (program.lake / DATA).mkdir(parents=True)
    result = program.run(program.pipeline(server.url()))
    assert result.status == FAILED and SLOT_NAME in result.stderr
    assert (program.lake / DATA).is_dir()
    assert program.record()["status"] == "failed"


def test_a_file_limit_is_an_error_with_a_place(program, server):
    import resource
    server.default = b.ok(weather=[{"description": "x" * 10_000}])
    result = program.run(program.pipeline(server.url()), limits={resource.RLIMIT_FSIZE: 8192})
    assert result.status == FAILED, result
    assert "File too large" in result.stderr and SLOT_NAME in result.stderr
    assert not (program.lake / DATA).exists() and not list(program.lake.rglob("*.part"))


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system wants root")
def test_a_full_disk_is_an_error_with_a_place_and_the_next_run_repairs_it(program, server):
    small = program.folder / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", small], capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        file = program.pipeline(server.url(), sink={"to": str(small)})
        assert program.run(file).status == OK
        path = small / DATA
        before = path.read_bytes()
        server.default = b.ok(weather=[{"description": "x" * 30_000}])
        result = program.run(file)
        assert result.status == FAILED and "No space left" in result.stderr and SLOT_NAME in result.stderr
        assert path.read_bytes() == before and not list(small.rglob("*.part"))
        server.default = b.ok()
        assert program.run(file).status == OK and path.read_bytes() == before
    finally:
        subprocess.run(["umount", "-l", small], check=True)


def test_links_in_the_place_of_files_are_replaced_not_followed(program, server):
    target = program.folder / "precious"
    target.write_text("mine")
    (program.lake / DATA).parent.mkdir(parents=True)
    (program.lake / DATA).symlink_to(target)
    assert program.run(program.pipeline(server.url())).status == OK
    assert target.read_text() == "mine" and not (program.lake / DATA).is_symlink()


def test_leftovers_of_a_killed_run_are_cleared_away(program, server):
    server.script("Dallas", b.stall_before_header())
    running = program.start("run", program.pipeline(server.url(), source={"limit": {"total": "30s"}}), "--slot", SLOT)
    wait_until(lambda: list(program.lake.rglob("*.part")))
    running.signal(signal.SIGKILL)
    assert running.finish().status == -signal.SIGKILL
    assert not (program.lake / DATA).exists()
    server.script("Dallas", b.ok())
    assert program.run(program.pipeline(server.url())).status == OK
    assert set(program.tree()) == {DATA, RECORD, CATALOG}


def test_observed_at_is_utc_whatever_the_time_zone(program, server):
    for zone in ("Pacific/Chatham", "America/New_York", "UTC"):
        assert program.run(program.pipeline(server.url()), env={"TZ": zone}).status == OK
        assert {row["observed_at"] for row in program.rows()} == {
            datetime.datetime.fromtimestamp(OBSERVED_AT, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")}
        assert re.search(r"2012-10-01T18:00:00Z", json.dumps(program.record()))
