"""A slot that is run in shares comes out as the slot that is run whole: judged once, told once, with the same record."""

import json
import re

import pytest

from harness import aws_faults, behaviours as b
from harness.mail import MailServer
from harness.runner import FAILED, GATE, LOCKED, OK, PARTIAL, SLOT, SLOT_NAME

BOUND = {"city": {"value": "{city}", "type": "string"},
         "temperature": {"from": "main.temp", "type": "double", "in_range": [-90, 60]},
         "observed_at": {"from": "dt", "type": "timestamp", "parse": "unix"}}


def hot(temperature=99):
    return b.json_body({"main": {"temp": temperature}, "dt": 1349100000})


def shares(program, file, count=3, only=None, **named):
    return [program.run(file, "--shard", f"{share}/{count}", **named) for share in only or range(1, count + 1)]


def merge(program, file, *options, count=3, **named):
    return program.call("merge", file, "--slot", SLOT, "--shards", count, *options, **named)


def files(program, below="weather"):
    return sorted(path.name for path in (program.lake / below).rglob("*") if path.is_file())


def come_out(program, file, count=0):
    """Exit status, record, rows and bad rows: what does not depend on how many shares there were."""
    if count:
        shares(program, file, count)
    result = merge(program, file, count=count) if count else program.run(file)
    record = program.record()
    rows = [line for path in (program.lake / "weather").rglob("*.csv") for line in path.read_text().splitlines()[1:]]
    bad = [line for path in (program.lake / "_quarantine").rglob("*.jsonl") for line in path.read_text().splitlines()]
    assert sum(it["rows"] for it in record["files"]) == len(rows) == record["rows"]["written"]
    checks = re.findall(r"checks: .* quarantined", result.stdout + result.stderr)
    return (result.status, record["status"], record["rows"], {**record["requests"], "waited_ms": 0},
            sorted((json.dumps(it["item"]), it["error"]) for it in record["failures"]), sorted(rows),
            sorted(re.sub(r'"run_id":"[^"]*"', "", line) for line in bad), checks)


CITIES = ["New York", "Portland", "Chicago", "Seattle", "Dallas"]
EVERY = {**BOUND, "city": {"value": "{city}", "type": "string", "unique_values_eq": CITIES}}
MORE = {**BOUND, "city": {"value": "{city}", "type": "string", "unique_values_eq": CITIES + ["Boston"], "ne": "x"}}


@pytest.mark.parametrize("count", [2, 3, 7])
@pytest.mark.parametrize("status, script, sections", [
    (OK, {}, {}),
    (OK, {}, {"quality": {"min_rows": 5}}),
    (GATE, {}, {"quality": {"min_rows": 6}}),
    (OK, {"Portland": hot()}, {"quality": {"max_bad": "20%"}, "columns": BOUND}),
    (GATE, {"Portland": hot()}, {"quality": {"max_bad": "19%"}, "columns": BOUND}),
    (GATE, {city: hot() for city in CITIES}, {"columns": BOUND}),
    (OK, {city: hot() for city in CITIES}, {"quality": {"min_rows": 0}, "columns": BOUND}),
    (OK, {}, {"columns": EVERY}),
    (GATE, {}, {"columns": MORE}),
    (PARTIAL, {"Portland": b.status(404), "Dallas": b.status(404)}, {"source": {"on_status": {"404": "skip"}}}),
    (GATE, {"Portland": b.status(404)}, {"source": {"on_status": {"404": "skip"}}, "quality": {"min_rows": 5}}),
    (FAILED, {city: b.status(404) for city in CITIES}, {"source": {"on_status": {"404": "skip"}}}),
], ids=["all well", "min_rows", "min_rows refuses", "max_bad", "max_bad refuses", "all bad", "all bad and none wanted",
        "every value", "not every value", "a share without an answer", "too few answers", "no answer"])
def test_shares_come_out_as_the_whole(program, server, count, status, script, sections):
    for city, step in script.items():
        server.script(city, step)
    whole = come_out(program, program.pipeline(server.url(), **sections))
    assert whole[0] == status
    program.lake = program.folder / "shares"
    file = program.pipeline(server.url(), **{**sections, "sink": {"to": str(program.lake)}})
    assert come_out(program, file, count) == whole


def test_a_share_says_what_it_was_judged_by_and_the_whole_of_how_many_it_is(program, server):
    server.script("Portland", hot())
    file = program.pipeline(server.url(), columns=EVERY)
    assert [it.status for it in shares(program, file)] == [OK] * 3
    rule = "city: unique_values_eq(['New York', 'Portland', 'Chicago', 'Seattle', 'Dallas'])"
    share = program.record(slot=f"{SLOT_NAME}-2of3")["share"]
    assert (share["number"], share["of"], share["broken"]) == (2, 3, [{"rule": "temperature: in_range(-90, 60)", "rows": 1}])
    assert [it["values"] for it in share["unseen"]] == [["New York", "Chicago", "Seattle"]], (share, rule)
    assert merge(program, file).status == OK
    assert program.record()["shards"] == 3 and "share" not in program.record()


def test_an_empty_share_is_no_failure(program, server):
    file = program.pipeline(server.url())
    result = program.run(file, "--shard", "7/7")
    assert result.status == OK, result.stderr
    record = program.record(slot=f"{SLOT_NAME}-7of7")
    assert (record["status"], record["rows"]["read"], record["requests"]["total"]) == ("ok", 0, 0)


# Refused.

def test_a_refused_slot_has_no_data_but_its_quarantine_and_its_record(program, server):
    server.script("Portland", hot())
    file = program.pipeline(server.url(), columns=BOUND, quality={"max_bad": "10%"})
    assert [it.status for it in shares(program, file)] == [OK] * 3
    result = merge(program, file)
    sentence = "1 of 5 rows are bad, max_bad allows 10%; nothing was published, the reasons are in _quarantine"
    assert result.status == GATE and result.stderr.startswith(f"✗ weather, slot {SLOT}: {sentence}\n"), result.stderr
    record = program.record()
    assert (record["status"], record["files"], record.get("kept")) == ("failed", [], None)
    assert record["rows"] == {"read": 5, "written": 0, "quarantined": 1}
    assert record["failures"] == [{"item": None, "error": sentence}]
    assert files(program) == [] and files(program, "_quarantine") == [f"{SLOT_NAME}-2of3.jsonl"]
    again = merge(program, file)
    assert (again.status, again.stderr) == (GATE, result.stderr)
    assert {**program.record(), "run_id": ""} == {**record, "run_id": ""}


def test_what_was_refused_stays_so_whatever_the_file_says_later(program, server):
    server.script("Portland", hot())
    shares(program, program.pipeline(server.url(), columns=BOUND, quality={"max_bad": "10%"}))
    assert merge(program, program.folder / "weather.yaml").status == GATE
    result = merge(program, program.pipeline(server.url(), columns=BOUND))
    assert result.status == GATE and "were refused before, and are gone; run the shards again" in result.stderr
    assert program.record()["files"] == []


def test_a_refused_share_counts_again_once_it_was_run_again(program, server):
    server.script("Portland", hot(), b.ok())
    file = program.pipeline(server.url(), columns=BOUND, quality={"max_bad": "10%"})
    shares(program, file)
    assert merge(program, file).status == GATE
    shares(program, file, only=[2])
    result = merge(program, file)
    assert result.status == PARTIAL and "  ✗ shard 1/3: its rows were refused with those of the others" in result.stderr
    assert files(program) == [f"{SLOT_NAME}-2of3.csv"] and program.record()["rows"]["written"] == 2
    shares(program, file, only=[1, 3])
    assert merge(program, file).status == OK
    assert len(files(program)) == 3 and program.record()["rows"]["written"] == 5


def test_a_whole_run_that_fails_in_between_does_not_bring_the_refused_shares_back(program, server):
    server.script("Portland", hot(), b.ok())
    file = program.pipeline(server.url(), columns=BOUND, quality={"max_bad": "10%"}, source={"on_status": {"401": "stop"}})
    shares(program, file)
    assert merge(program, file).status == GATE
    server.script("New York", b.status(401), b.ok())
    assert program.run(file).status == FAILED
    assert merge(program, file).status == GATE and program.record()["files"] == []


def test_the_data_of_an_earlier_whole_run_stays_when_the_shares_are_refused(program, server):
    file = program.pipeline(server.url(), columns=BOUND, quality={"max_bad": "10%"})
    assert program.run(file).status == OK
    server.script("Portland", hot(), b.ok())
    shares(program, file)
    assert merge(program, file).status == GATE
    assert files(program) == [f"{SLOT_NAME}.csv"]
    assert program.record()["kept"] == [f"weather/dt=2012-10-01/{SLOT_NAME}.csv"]
    assert program.run(file).status == OK and files(program) == [f"{SLOT_NAME}.csv"]


def test_a_share_that_is_being_run_again_keeps_its_files(program, server):
    server.script("Portland", hot(), b.ok())
    file = program.pipeline(server.url(), columns=BOUND, quality={"max_bad": "10%"})
    shares(program, file)
    server.script("New York", b.drip())
    running = program.start("run", file, "--slot", SLOT, "--shard", "1/3")
    while not (program.lake / "_runs" / "weather" / f".{SLOT_NAME}-1of3.lock").exists():
        pass
    assert merge(program, file).status == GATE
    assert files(program) == [f"{SLOT_NAME}-1of3.csv"]
    assert program.record()["kept"] == [f"weather/dt=2012-10-01/{SLOT_NAME}-1of3.csv"]
    running.kill()


def test_files_that_cannot_be_removed_are_kept_and_said_and_merging_again_removes_them(program, server, aws):
    server.script("Portland", hot(), b.ok())
    bucket = aws.bucket()
    file = program.pipeline(server.url(), columns=BOUND, quality={"max_bad": "10%"}, sink={"to": f"s3://{bucket}", "catalog": None})
    shares(program, file, env=aws.env)
    policy = [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
              {"Effect": "Deny", "Action": "s3:DeleteObject", "Resource": f"arn:aws:s3:::{bucket}/weather/*"}]
    result = merge(program, file, env=aws.env_of(aws.user(policy)))
    assert result.status == GATE and "✗ shard 1/3: its files could not be removed: " in result.stderr, result.stderr
    assert "nothing was published, the reasons are in _quarantine; but files of its shards may still stand: " in result.stderr
    record = json.loads(aws.objects(bucket)[f"_runs/weather/{SLOT_NAME}.json"])
    assert len(record["kept"]) == 3 and record["files"] == []
    assert merge(program, file, env=aws.env).status == GATE
    assert not [key for key in aws.keys_of(bucket) if key.startswith("weather/") or key.endswith(".lock")]
    assert "kept" not in json.loads(aws.objects(bucket)[f"_runs/weather/{SLOT_NAME}.json"])


# After something else.

def test_merged_shares_take_the_place_of_a_whole_run(program, server):
    file = program.pipeline(server.url(), columns=BOUND)
    server.script("Portland", hot(), b.ok())
    assert program.run(file).status == OK
    assert files(program, "_quarantine") == [f"{SLOT_NAME}.jsonl"]
    shares(program, file)
    assert merge(program, file).status == OK
    assert files(program) == [f"{SLOT_NAME}-{share}of3.csv" for share in (1, 2, 3)] and files(program, "_quarantine") == []


def test_other_shares_take_the_place_of_earlier_ones(program, server):
    server.script("Portland", hot(), b.ok(), b.ok())
    file = program.pipeline(server.url(), columns=BOUND)
    for count in (5, 2):
        shares(program, file, count)
        assert merge(program, file, count=count).status == OK
        assert files(program) == [f"{SLOT_NAME}-{share}of{count}.csv" for share in range(1, count + 1) if (share, count) != (2, 5)]
        assert len(files(program, "_quarantine")) == (count == 5)
    server.script("Portland", hot(), b.ok())
    shares(program, file, 2)
    assert merge(program, file, count=2).status == OK and len(files(program, "_quarantine")) == 1
    assert program.run(file).status == OK and files(program, "_quarantine") == []


def test_a_whole_run_takes_the_place_of_what_its_shares_have_now(program, server):
    """One of them was run again since they were merged, and has other files."""
    file = program.pipeline(server.url(), columns={**BOUND, "place": {"value": "{city}", "type": "string"}},
                            sink={"partition": {"degrees": "temperature"}})
    shares(program, file)
    assert merge(program, file).status == OK
    server.script("Portland", hot(-3))
    shares(program, file, only=[2])
    assert program.run(file).status == OK
    assert set(files(program)) == {f"{SLOT_NAME}.csv"}


def test_a_slot_that_was_run_whole_after_its_shares_stays_as_it_is(program, server):
    file = program.pipeline(server.url())
    shares(program, file)
    assert merge(program, file).status == OK and program.run(file).status == OK
    before = program.tree()
    result = merge(program, file)
    assert result.status == FAILED and "was run whole after its shards" in result.stderr and program.tree() == before
    shares(program, file, only=[1])
    result = merge(program, file)
    assert result.status == PARTIAL and "shard 2/3: the slot was run whole since; run this shard again" in result.stderr
    assert files(program) == [f"{SLOT_NAME}-1of3.csv"]


def test_what_a_failed_share_had_before_stays_and_is_named(program, server):
    file = program.pipeline(server.url(), source={"on_status": {"401": "stop"}})
    shares(program, file)
    assert merge(program, file).status == OK
    server.script("Portland", b.status(401), b.ok())
    assert shares(program, file, only=[2])[0].status == FAILED
    result = merge(program, file)
    assert result.status == PARTIAL and "✗ shard 2/3: " in result.stderr
    record = program.record()
    assert record["kept"] == [f"weather/dt=2012-10-01/{SLOT_NAME}-2of3.csv"] and len(record["files"]) == 2
    assert len(files(program)) == 3
    assert program.run(file).status == OK and files(program) == [f"{SLOT_NAME}.csv"]


def test_a_slot_that_is_being_run_is_not_merged(program, server):
    file = program.pipeline(server.url())
    shares(program, file)
    server.script("New York", b.drip())
    running = program.start("run", file, "--slot", SLOT)
    while not (program.lake / "_runs" / "weather" / f".{SLOT_NAME}.lock").exists():
        pass
    result = merge(program, file)
    assert result.status == LOCKED and f"slot {SLOT} of weather is being run already" in result.stderr
    running.kill()


# Who is told.

def notified(program, server, post, **sections):
    address = {"mail": "ops@example.org", "server": f"smtp://localhost:{post.port}", "from": "weather@example.org"}
    return program.pipeline(server.url(), notify={"when": ["success", "failure", "partial", "recovery"], "to": [address]}, **sections)


def test_the_whole_is_told_once_with_the_sum_and_no_share_is(program, server):
    with MailServer() as post:
        file = notified(program, server, post)
        shares(program, file)
        assert post.mails == [] and program.record(slot=f"{SLOT_NAME}-1of3")["notifications"] == []
        assert merge(program, file).status == OK
        told, = post.mails
    assert told.message["Subject"] == "weather: 5 records written (2012-10-01 18:00 UTC)"
    assert "\n  records     5 written, 0 quarantined, 0 requests failed\n" in told.part("plain")
    assert program.record()["notifications"] == [{"to": "o…@example.org", "event": "success", "ok": True, "error": None}]


def test_a_share_that_fails_is_told_with_the_whole(program, server):
    server.script("Portland", b.status(401))
    with MailServer() as post:
        file = notified(program, server, post, source={"on_status": {"401": "stop"}})
        assert [it.status for it in shares(program, file)] == [OK, FAILED, OK]
        assert merge(program, file).status == PARTIAL
        told, = post.mails
    assert "shard 2/3" in told.part("plain") and "401" in told.part("plain")
    assert told.message["Subject"] == "weather: 3 records written, 1 of 3 shards failed (2012-10-01 18:00 UTC)"


def test_a_refusal_and_the_recovery_from_it_are_told(program, server):
    server.script("Portland", hot(), b.ok())
    with MailServer() as post:
        file = notified(program, server, post, columns=BOUND, quality={"max_bad": "10%"})
        shares(program, file)
        assert merge(program, file).status == GATE
        shares(program, file)
        assert merge(program, file).status == OK
        refused, recovered = post.mails
    assert refused.message["Subject"].startswith("weather FAILED: 1 of 5 rows are bad")
    assert "\n  1 row  temperature: in_range(-90, 60)\n" in refused.part("plain")
    assert recovered.message["Subject"] == "weather works again: 5 records written (2012-10-01 18:00 UTC)"


def test_who_cannot_be_told_is_a_warning_as_after_a_run(program, server):
    file = program.pipeline(server.url(), notify={"when": ["success"], "to": ["arn:aws:sns:us-west-2:123456789012:weather"]})
    shares(program, file)
    result = merge(program, file)
    assert result.status == OK and "\n! notify: arn:aws:sns:us-west-2:…:weather: " in "\n" + result.stderr
    assert [it["ok"] for it in program.record()["notifications"]] == [False]
