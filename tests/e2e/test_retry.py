"""A slot taken up again: `retry` asks for the items that failed and leaves the slot as one whole run would have."""

import fcntl
import json
import os
import random
import re
import shutil
import subprocess

import pytest

from harness import behaviours as b
from harness.runner import FAILED, GATE, LOCKED, OK, PARTIAL, SLOT, SLOT_NAME, USAGE, is_sanitized

ITEMS = ["A", "B", "C", "D", "E", "F"]
COLUMNS = {"city": {"value": "{city}", "type": "string"},
           "n": {"from": "n", "type": "bigint"},
           "temperature": {"from": "t", "type": "double", "in_range": [-90, 60]},
           "note": {"from": "note", "type": "string", "nullable": "true"},
           "at": {"from": "at", "type": "timestamp", "parse": "unix", "nullable": "true"},
           "sunny": {"from": "sunny", "type": "boolean", "nullable": "true"}}
BY_CITY = {"dt": "{slot:%Y-%m-%d}", "place": "{city}"}
NOTES = [None, "", "a", "with, comma", 'a "quote"', "two\nlines", " space ", "東京", "#", "null", "\r", "'"]


def rows_of(dice, count):
    return [{"n": dice.randrange(-1 << 62, 1 << 62), "t": dice.choice([dice.uniform(-90, 60), 99.5, 0.1, -0.0, 1e-300, 20]),
             "note": dice.choice(NOTES), "at": dice.choice([None, 1349114400, 1349114400.25, -1, dice.randrange(1 << 31)]),
             "sunny": dice.choice([None, True, False])} for _ in range(count)]


def reply(folder, city, rows):
    folder.mkdir(exist_ok=True)
    (folder / f"{city}.http").write_bytes(b"HTTP/1.1 200 OK\r\n\r\n" + json.dumps({"list": rows}).encode())


def replies(program, name, cities, seed=1, counts=(0, 1, 2, 3, 5, 40)):
    """A folder of recorded replies for these cities; who is not among them fails."""
    for city in cities:
        dice = random.Random(f"{seed}{city}")
        reply(program.folder / name, city, rows_of(dice, dice.choice(counts)))
    return program.folder / name


def pipeline(program, name="weather", *, items=ITEMS, columns=COLUMNS, quality=None, **sections):
    return program.pipeline("https://api.example.com/list", name=name, columns=columns, quality={"unique": None, "min_rows": "0", **(quality or {})},
                            **{"source": {"each": {"city": list(items)}, "rows": "list"}, **sections})


def retry(program, file, *options, slot=SLOT, **named):
    return program.call("retry", file, "--slot", slot, *options, **named)


def normal(tree):
    """A lake's files; of a record what does not depend on the clock, on the place, and on how often it was asked for."""
    result = {}
    for name, data in tree.items():
        if "/." in name:  # names that a killed one was about to publish
            continue
        if name.startswith("_runs/"):
            record = json.loads(data)
            data = {key: record[key] for key in ("pipeline", "slot", "status", "rows", "failures")}
            data["files"] = sorted((file["url"].rsplit("/lake", 1)[-1].split("/", 1)[-1], file["rows"], file["bytes"])
                                   for file in record["files"])
            data["requests"] = {key: record["requests"][key] for key in ("total", "ok", "failed")}
        result[name] = data
    return result


def whole(program, file, folder, name="lake-of-one-run"):
    """The lake that one run with all replies leaves."""
    place = program.folder / name
    shutil.rmtree(place, ignore_errors=True)
    assert program.run(file, "--replay", folder, "--to", place).status in (OK, PARTIAL)
    return normal({str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*") if path.is_file()})


def test_only_what_failed_is_asked_and_the_slot_is_as_of_one_run(program, server):
    file = program.pipeline(server.url(), source={"on_status": {"404": "skip"}})
    server.script("Portland", b.status(404), b.ok())
    server.script("Dallas", b.status(404), b.ok())
    assert program.run(file).status == PARTIAL
    first = program.record()
    result = retry(program, file)
    assert result.status == OK and result.stderr.count("\n") == 1, result.stderr
    assert "5 rows in" in result.stdout and "retried 2 items that had failed: 2 answered now" in result.stdout
    assert [len(server.asked(city)) for city in ("New York", "Portland", "Chicago", "Seattle", "Dallas")] == [1, 2, 1, 1, 2]
    assert [row["city"] for row in program.rows()] == ["New York", "Portland", "Chicago", "Seattle", "Dallas"]
    record = program.record()
    assert record["status"] == "ok" and record["failures"] == [] and record["rows"]["written"] == 5
    assert {key: record["requests"][key] for key in ("total", "ok", "failed")} == {"total": 5, "ok": 5, "failed": 0}
    assert record["retry"] == {"of": first["run_id"], "whole": False} and record["run_id"] != first["run_id"]
    tree = normal(program.tree())
    assert program.run(file, "--to", program.folder / "again").status == OK
    program.lake = program.folder / "again"
    assert {name: data for name, data in normal(program.tree()).items() if not name.startswith("_runs")} == {
        name: data for name, data in tree.items() if not name.startswith("_runs")}


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("partition", [{"dt": "{slot:%Y-%m-%d}"}, BY_CITY, {"half": "{n_of}"}, None], ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_whatever_failed_and_in_whatever_order_it_heals_the_bytes_are_those_of_one_run(program, form, partition, seed):
    dice = random.Random(seed)
    each = {"city": ITEMS, "n_of": ["1", "2"]} if partition and "half" in partition else {"city": ITEMS}
    names = [f"{city}_{half}" for city in ITEMS for half in "12"] if "n_of" in each else ITEMS
    file = pipeline(program, source={"each": each, "rows": "list"},
                    sink={"to": str(program.lake), "format": form, "partition": partition,
                          "catalog": {"database": "weather", "table": "weather"}})
    every = program.folder / "every"
    for name in names:
        more = random.Random(f"{seed}{name}")
        reply(every, name.replace("_", ", "), rows_of(more, more.choice([0, 1, 1, 3, 50, 2500])))
    found = sorted(path.name for path in every.iterdir())
    expected = whole(program, file, every)
    left = set(dice.sample(found, 3 * len(found) // 4))
    some = program.folder / "some"
    shutil.copytree(every, some)
    for name in left:
        (some / name).unlink()
    assert program.run(file, "--replay", some).status == PARTIAL
    while left:
        healed = set(dice.sample(sorted(left), min(2, len(left))))
        left -= healed
        part = program.folder / f"part-{len(left)}"
        part.mkdir()
        for name in healed:
            shutil.copy(every / name, part / name)  # nothing else is answered any more
        result = retry(program, file, "--replay", part)
        assert (result.status, "whole slot" in result.stderr) == (PARTIAL if left else OK, False), result.stderr
        assert program.record()["requests"]["failed"] == len(left)
    assert normal(program.tree()) == expected


def test_what_fails_again_stays_failed_with_its_new_reason_and_heals_later(program):
    file = pipeline(program)
    every = replies(program, "every", ITEMS)
    assert program.run(file, "--replay", replies(program, "some", "ACDE")).status == PARTIAL
    before = normal(program.tree())
    (program.folder / "none").mkdir()
    result = retry(program, file, "--replay", program.folder / "none")
    assert result.status == PARTIAL and "4 of 6 cities written" in result.stderr
    now = normal(program.tree())
    record = f"_runs/weather/{SLOT_NAME}.json"
    for it in (before, now):
        for failure in it[record]["failures"]:
            failure.pop("error")
    assert now == before
    assert retry(program, file, "--replay", every, "--quiet").stdout == ""
    assert normal(program.tree()) == whole(program, file, every)


def test_where_nothing_failed_there_is_nothing_to_do(program):
    file = pipeline(program)
    every = replies(program, "every", ITEMS)
    assert program.run(file, "--replay", every).status == OK
    before = program.tree()
    result = retry(program, file)
    assert (result.status, result.stderr.count("\n")) == (OK, 1)
    assert result.stdout == f"✓ weather, slot {SLOT}: nothing to retry; its last run went well\n"
    assert retry(program, file, "--quiet").stdout == ""
    assert retry(program, file, "--json").json() == program.record()
    assert program.tree() == before


def test_a_slot_without_a_record_is_an_error_that_says_run(program):
    file = pipeline(program)
    result = retry(program, file)
    assert result.status == FAILED and f"lambda-pipeline run {file} --slot {SLOT}" in result.stderr and result.stdout == ""
    assert not program.has_record()
    assert retry(program, file, "--shard", "2/3").stderr.endswith(f"lambda-pipeline run {file} --slot {SLOT} --shard 2/3\n")
    result = program.call("retry", file)
    assert result.status == USAGE and "--slot" in result.stderr


def test_checks_and_gates_count_all_rows(program):
    rows = {"A": [{"n": 1, "t": 1}, {"n": 2, "t": 99}], "B": [{"n": 3, "t": 3}, {"n": 4, "t": 4}], "C": [{"n": 5, "t": 99}]}
    for city in "ABC":
        reply(program.folder / "every", city, rows[city])
        if city != "C":
            reply(program.folder / "some", city, rows[city])
    file = pipeline(program, items="ABC", quality={"max_bad": "30%"})
    assert program.run(file, "--replay", program.folder / "some").status == PARTIAL
    data = program.data_file().read_bytes()
    result = retry(program, file, "--replay", program.folder / "every")
    assert result.status == GATE and "2 of 5 rows are bad" in result.stderr
    assert program.data_file().read_bytes() == data and len(program.quarantine()) == 2
    record = program.record()
    assert record["status"] == "failed" and len(record["kept"]) == 1
    file = pipeline(program, items="ABC", quality={"max_bad": "40%"})
    result = retry(program, file, "--replay", program.folder / "every")
    assert result.status == OK and "the whole slot was run again, since that run failed as a whole" in result.stderr
    assert normal(program.tree()) == whole(program, file, program.folder / "every")


def test_of_two_rows_with_one_key_the_one_that_stands_stays(program):
    for folder, cities in (("some", "BC"), ("every", "ABC")):
        for city in cities:
            reply(program.folder / folder, city, [{"n": 7 if city in "AC" else 1, "t": 1}, {"n": ord(city), "t": 2}])
    file = pipeline(program, items="ABC", quality={"unique": ["n"]})
    assert program.run(file, "--replay", program.folder / "some").status == PARTIAL
    assert retry(program, file, "--replay", program.folder / "every").status == OK
    assert [(row["city"], row["n"]) for row in program.rows()] == [("A", "65"), ("B", "1"), ("B", "66"), ("C", "7"), ("C", "67")]
    assert [(line["item"]["city"], line["failures"][0]["check"]) for line in program.quarantine()] == [("A", "field_uniqueness")]
    assert program.record()["rows"] == {"read": 6, "written": 5, "quarantined": 1}


def damaged(program, what):
    record = program.lake / "_runs" / "weather" / f"{SLOT_NAME}.json"
    content = program.record()
    if what == "a row more":
        program.data_file().write_bytes(program.data_file().read_bytes() + b"A,1,1.0,,,\n")
    elif what == "another value":
        program.data_file().write_bytes(program.data_file().read_bytes()[:-2] + b"\n\n")
    elif what == "no file":
        program.data_file().unlink()
    elif what == "no place":
        del content["failures"][0]["before"]
    elif what == "fewer failures":
        content["failures"].pop()
    elif what == "no quarantine":
        next(program.lake.glob("_quarantine/*/*/*")).unlink()
    elif what == "no record":
        record.write_text("{")
        return
    record.write_text(json.dumps(content))


@pytest.mark.parametrize("what, says", [
    ("a row more", "is not as the record has it"), ("no file", "is not there any more"),
    ("another value", "is not a"), ("no place", "where the rows of the failed items belong"),
    ("fewer failures", "names 1 of the 2 items that failed"), ("no quarantine", "is not there any more"),
    ("no record", "its record: ")])
def test_what_is_not_as_it_was_left_is_run_again_whole(program, what, says):
    columns = {**COLUMNS, "note": {"from": "t", "type": "double"}}
    del columns["at"], columns["sunny"]
    file = pipeline(program, columns=columns)
    every = program.folder / "every"
    for city in ITEMS:
        reply(every, city, [{"n": 1, "t": 5}, {"n": 2, "t": 99}])
    for city in "ABCD":
        reply(program.folder / "some", city, [{"n": 1, "t": 5}, {"n": 2, "t": 99}])
    assert program.run(file, "--replay", program.folder / "some").status == PARTIAL
    damaged(program, what)
    result = retry(program, file, "--replay", every)
    assert result.status == OK and "the whole slot was run again, since " in result.stderr and says in result.stderr, result.stderr
    assert normal(program.tree()) == whole(program, file, every)
    assert program.record()["retry"]["whole"] is True


def test_other_items_columns_or_checks_than_those_of_that_run_mean_the_whole_slot(program):
    every = replies(program, "every", ITEMS, counts=[3])
    some = replies(program, "some", "ABC", counts=[3])
    fewer = {key: value for key, value in COLUMNS.items() if key != "sunny"}
    stricter = {**COLUMNS, "n": {"from": "n", "type": "bigint", "in_range": [0, 1]}}
    for changes, says in (({"items": "ABCDE"}, "items are not those of that run"), ({"columns": fewer}, "other columns"),
                          ({"columns": stricter}, "its checks would refuse now"),
                          ({"source": {"each": {"city": ITEMS[::-1]}, "rows": "list"}}, "items are not those of that run")):
        shutil.rmtree(program.lake, ignore_errors=True)
        assert program.run(pipeline(program), "--replay", some).status == PARTIAL
        shutil.rmtree(program.lake / "_catalog")  # which would refuse other columns
        file = pipeline(program, **changes)
        result = retry(program, file, "--replay", every)
        assert result.status == OK and says in result.stderr, result.stderr
        assert normal(program.tree()) == whole(program, file, every)


@pytest.mark.parametrize("sink, says", [
    ({"partition": {"weather": "sunny"}}, "rows choose their partitions"), ({"to": "out/weather.csv", "partition": None}, "its one file may")])
def test_sinks_whose_rows_cannot_be_found_again_mean_the_whole_slot(program, sink, says):
    file = pipeline(program, sink={"to": str(program.lake), "catalog": {"database": "weather", "table": "weather"}, **sink})
    every = replies(program, "every", ITEMS)
    assert program.run(file, "--replay", replies(program, "some", "ABC")).status == PARTIAL
    result = retry(program, file, "--replay", every)
    assert result.status == OK and says in result.stderr


def test_more_failures_than_a_record_lists_mean_the_whole_slot(program):
    items = [f"i{number}" for number in range(1100)]
    file = pipeline(program, items=items)
    for city in items:
        reply(program.folder / "every", city, [{"n": 1, "t": 1}])
    reply(program.folder / "some", "i7", [{"n": 1, "t": 1}])
    assert program.run(file, "--replay", program.folder / "some").status == PARTIAL
    result = retry(program, file, "--replay", program.folder / "every")
    assert result.status == OK and "names 1000 of the 1099 items that failed" in result.stderr
    assert len(program.rows()) == 1100


def test_a_retry_that_fails_leaves_the_slot_and_its_record_as_they_were(program, server):
    file = program.pipeline(server.url(), source={"on_status": {"404": "skip", "401": "stop"}})
    server.script("Portland", b.status(404), b.status(401), b.ok())
    assert program.run(file).status == PARTIAL
    before = program.tree()
    result = retry(program, file)
    assert result.status == FAILED and "401" in result.stderr
    assert program.tree() == before
    assert retry(program, file).status == OK and len(program.rows()) == 5


def test_a_slot_that_is_being_run_is_left_alone(program):
    file = pipeline(program)
    assert program.run(file, "--replay", replies(program, "some", "ABC")).status == PARTIAL
    before = program.tree()
    with open(program.lake / "_runs" / "weather" / f".{SLOT_NAME}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert retry(program, file, "--replay", program.folder / "some").status == LOCKED
        os.unlink(lock.name)
    assert program.tree() == before


def test_who_is_told_of_runs_is_told_of_a_retry(program, make_server):
    hook = make_server()
    file = pipeline(program, notify={"to": hook.url("/hook"), "when": ["success", "partial"]})
    assert program.run(file, "--replay", replies(program, "some", "ABC")).status == PARTIAL
    assert [it["event"] for it in program.record()["notifications"]] == ["partial"]
    result = retry(program, file, "--replay", replies(program, "every", ITEMS), "--json")
    assert (result.status, result.stderr) == (OK, "")
    assert [(it["event"], it["ok"]) for it in program.record()["notifications"]] == [("success", True)]
    assert result.json()["retry"]["whole"] is False and len(hook.requests) == 2


def test_shards_are_retried_one_by_one_and_merged(program):
    file = pipeline(program)
    every, some = replies(program, "every", ITEMS), replies(program, "some", "ABC")
    for shard in ("1/2", "2/2"):
        assert program.run(file, "--shard", shard, "--replay", some).status == PARTIAL
    result = retry(program, file, "--replay", every)
    assert result.status == USAGE and "run in 2 shards" in result.stderr and "--shard I/2" in result.stderr
    assert program.call("merge", file, "--shards", 2, "--slot", SLOT).status == PARTIAL
    assert program.record()["shards"] == 2
    assert "run in 2 shards" in retry(program, file, "--replay", every).stderr
    for shard in ("1/2", "2/2"):
        result = retry(program, file, "--shard", shard, "--replay", every)
        assert result.status == OK and "whole slot" not in result.stderr, result.stderr
    assert program.call("merge", file, "--shards", 2, "--slot", SLOT).status == OK
    assert retry(program, file).stdout.endswith("nothing to retry; its last run went well\n")
    rows = [row["city"] for shard in "12" for row in program.rows(slot=f"{SLOT_NAME}-{shard}of2")]
    assert sorted(rows) == sorted(row for row in rows) and program.record()["requests"]["ok"] == 6


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_bucket_is_healed_as_a_directory_is(program, aws, form):
    bucket = aws.bucket()
    file = pipeline(program, sink={"to": str(program.lake), "format": form, "catalog": {"database": "weather", "table": "weather"}})
    every, some = replies(program, "every", ITEMS), replies(program, "some", "BDE")
    to = ("--to", f"s3://{bucket}")
    assert program.run(file, "--replay", some, *to, env=aws.env).status == PARTIAL
    result = retry(program, file, "--replay", every, *to, env=aws.env)
    assert result.status == OK and "whole slot" not in result.stderr, result.stderr
    healed = {name: data for name, data in aws.objects(bucket).items() if not name.startswith("_runs")}
    assert json.loads(aws.objects(bucket)[f"_runs/weather/{SLOT_NAME}.json"])["status"] == "ok"
    assert program.run(file, "--replay", every, *to, env=aws.env).status == OK
    assert healed == {name: data for name, data in aws.objects(bucket).items() if not name.startswith("_runs")} and len(healed) == 3


STRACE = shutil.which("strace")
CALLS = ["write", "fsync", "rename", "unlink", "mkdir", "flock"]


@pytest.mark.skipif(is_sanitized(), reason="the release build is traced")
@pytest.mark.parametrize("partition", [{"dt": "{slot:%Y-%m-%d}"}, BY_CITY], ids=["one", "by city"])
@pytest.mark.parametrize("call", CALLS)
def test_killed_at_any_call_no_row_is_lost_or_doubled_and_the_next_retry_ends_it(program, call, partition):
    file = pipeline(program, sink={"to": str(program.lake), "partition": partition, "catalog": {"database": "weather", "table": "weather"}})
    every, some = replies(program, "every", ITEMS, counts=[3, 7]), replies(program, "some", "BDE", counts=[3, 7])
    start = program.folder / "start"
    assert program.run(file, "--replay", some, "--to", start).status == PARTIAL
    expected = whole(program, file, every)
    place = program.lake

    def attempt(*strace):
        return subprocess.run([*strace, program.path, "retry", file, "--slot", SLOT, "--replay", every, "--to", place, "--quiet"],
                              cwd=program.folder, env=program.environment(), capture_output=True, text=True, timeout=60)

    def prepare():
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(start, place)
        for record in place.glob("_runs/*/*.json"):  # which names its lake
            record.write_text(record.read_text().replace(str(start), str(place)))

    prepare()
    assert attempt(STRACE, "-o", program.folder / "log", "-e", f"trace={call}").returncode == OK
    count = len(re.findall(rf"^{call}\(", (program.folder / "log").read_text(), re.M))
    assert count > 0
    for at in range(1, count + 1):
        prepare()
        killed = attempt(STRACE, "-o", "/dev/null", "-e", f"inject={call}:signal=KILL:when={at}")
        assert killed.returncode in (-9, 137), killed
        done = attempt()
        assert done.returncode == OK, done.stderr
        assert normal(program.tree()) == expected, (call, at)
