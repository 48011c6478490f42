"""A bucket as a lake: what a run leaves there, in what order, and under which names."""

import io
import json
import resource
import signal
import subprocess
import sys
import threading
import time

import pandas
import pytest

from harness import aws_faults, behaviours
from harness.runner import FAILED, GATE, LOCKED, OK, PARTIAL, SLOT_NAME, is_sanitized
from harness.weather import CITIES

DATA, RECORD = f"weather/dt=2012-10-01/{SLOT_NAME}.csv", f"_runs/weather/{SLOT_NAME}.json"
QUARANTINE = f"_quarantine/weather/dt=2012-10-01/{SLOT_NAME}.jsonl"
LOCK = f"_runs/weather/.{SLOT_NAME}.lock"
LIMITS = {"in_range": [-90, 60]}


def kept(tree):
    """A lake's files without its catalogue, which for a bucket is Glue; of a record what does not depend on clock and place."""
    result = {}
    for name, content in tree.items():
        if name.startswith("_catalog/"):
            continue
        if name.startswith("_runs/"):
            record = json.loads(content)
            content = {key: record[key] for key in ("pipeline", "slot", "status", "requests", "rows", "failures", "version")}
            content["requests"].pop("waited_ms")
            content["files"] = [{**file, "url": file["url"].rsplit("/", 1)[1]} for file in record["files"]]
        result[name] = content
    return result


def columns(**changes):
    return {"city": {"value": "{city}", "type": "string"},
            "temperature": {"from": "main.temp", "type": "double", "in_range": [-90, 60]},
            "humidity": {"from": "main.humidity", "type": "bigint"},
            "observed_at": {"from": "dt", "type": "timestamp", "parse": "unix"}, **changes}


def test_a_bucket_gets_what_a_directory_gets_byte_for_byte(program, server, aws):
    bucket = aws.bucket()
    server.script("Dallas", behaviours.ok(main__temp=99.5))  # a row that its check refuses
    file = program.pipeline(server.url(), columns=columns(), quality={"max_bad": "50%"})
    assert program.run(file).status == OK
    result = program.run(file, "--to", f"s3://{bucket}", env=aws.env)
    assert result.status == OK, result.stderr
    objects = aws.objects(bucket)
    assert kept(objects) == kept(program.tree())
    assert sorted(kept(objects)) == sorted([DATA, QUARANTINE, RECORD])
    record = json.loads(objects[RECORD])
    assert record["files"] == [{"url": f"s3://{bucket}/{DATA}", "rows": 4, "bytes": len(objects[DATA])}]
    assert f"s3://{bucket}/{DATA}" in result.stdout and aws.unfinished(bucket) == []


def test_boto3_and_pandas_read_what_was_written(program, server, aws):
    bucket = aws.bucket()
    assert program.run(program.pipeline(server.url(), sink={"to": f"s3://{bucket}/lake/"}), env=aws.env).status == OK
    found = aws.client("s3", judged=True).get_object(Bucket=bucket, Key="lake/" + DATA)
    table = pandas.read_csv(io.BytesIO(found["Body"].read()), parse_dates=["observed_at"])
    assert list(table["city"]) == CITIES and table["temperature"].mean() == 16.53
    assert str(table["observed_at"][0]) == "2012-10-01 18:00:00+00:00"
    assert found["ContentType"].startswith("text/csv")
    assert all("x-amz-checksum-crc32" in call.request.headers for call in aws.proxy.calls
               if call.operation == "PutObject" and not call.key.endswith(".lock"))


def table_bytes(aws, bucket, key):
    return aws.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()


def test_the_aws_cli_reads_object_and_table(program, server, aws):
    bucket = aws.bucket()
    assert program.run(program.pipeline(server.url(), sink={"to": f"s3://{bucket}"}), env=aws.env).status == OK

    def cli(*words):
        command = [sys.executable, "-m", "awscli", *words]
        result = subprocess.run(command, capture_output=True, timeout=60,
                                env={**program.environment(aws.env), "AWS_DEFAULT_REGION": aws.region})
        assert result.returncode == 0, result.stderr.decode()
        return result.stdout
    assert cli("s3", "cp", f"s3://{bucket}/{DATA}", "-") == table_bytes(aws, bucket, DATA)
    assert SLOT_NAME in cli("s3", "ls", "--recursive", f"s3://{bucket}/weather/").decode()
    table = json.loads(cli("glue", "get-table", "--database-name", "weather", "--name", "weather", "--output", "json"))["Table"]
    assert [column["Name"] for column in table["StorageDescriptor"]["Columns"]][:2] == ["city", "temperature"]


@pytest.mark.parametrize("prefix", ["", "a b+c/=%/ü 日本"])
def test_names_may_hold_anything(program, server, aws, prefix):
    places = ["New York", "a=b", "c+d", "São Paulo", "日本", "100%", "x?y#z&w", "(1)'~!*", "%41", '"quoted"']
    bucket = aws.bucket()
    file = program.pipeline(server.url(), source={"each": {"city": places}}, sink={"partition": {"place": "city"}})
    assert program.run(file).status == OK
    for _ in range(2):  # the second run finds what the first one named
        result = program.run(file, "--to", f"s3://{bucket}/{prefix}", env=aws.env)
        assert result.status == OK, result.stderr
    start = prefix + "/" if prefix else ""
    objects = aws.objects(bucket)
    assert all(key.startswith(start) for key in objects)
    assert kept({key.removeprefix(start): content for key, content in objects.items()}) == kept(program.tree())
    assert len([key for key in objects if key.endswith(".csv")]) == len(places)


def test_data_comes_first_then_quarantine_then_the_catalogue_and_the_record_last(program, server, aws):
    bucket = aws.bucket()
    server.script("Dallas", behaviours.ok(main__temp=99.5))
    file = program.pipeline(server.url(), columns=columns(), quality={"max_bad": "50%"}, sink={"to": f"s3://{bucket}"})
    assert program.run(file, env=aws.env).status == OK
    changes = [f"{call.operation} {call.key}".strip() for call in aws.proxy.calls
               if call.request.method in ("PUT", "DELETE") or call.service != "s3" and call.operation.startswith("Create")]
    assert changes[0] == f"PutObject {LOCK}" and changes[-1] == f"DeleteObject {LOCK}"
    assert changes[-2] == f"PutObject {RECORD}"
    data, quarantine = changes.index(f"PutObject {DATA}"), changes.index(f"PutObject {QUARANTINE}")
    catalogue = [at for at, change in enumerate(changes) if change.startswith("Create") or "_catalog/" in change]
    assert data < quarantine < len(changes) - 2
    assert all(quarantine < at < len(changes) - 2 for at in catalogue) and catalogue
    assert aws.proxy.calls[0].request.headers["if-none-match"] == "*"


def test_a_run_asks_no_more_of_the_bucket_than_it_must(program, server, aws):
    bucket = aws.bucket()
    file = program.pipeline(server.url(), columns=columns(), sink={"to": f"s3://{bucket}", "catalog": None})

    def calls(**named):
        aws.proxy.calls.clear()
        assert program.run(file, env=aws.env, **named).status == OK
        return [f"{call.operation} {call.key}" for call in aws.proxy.calls]

    catalogue, next_slot = "_catalog/weather/weather.json", "20121002T180000Z"
    assert calls() == [f"PutObject {LOCK}", f"GetObject {RECORD}", f"GetObject {catalogue}", f"PutObject {DATA}",
                       f"GetObject {catalogue}", f"PutObject {catalogue}", f"PutObject {RECORD}", f"DeleteObject {LOCK}"]
    assert calls() == [f"PutObject {LOCK}", f"GetObject {RECORD}", f"GetObject {catalogue}", f"PutObject {DATA}",
                       f"DeleteObject {QUARANTINE}", f"PutObject {RECORD}", f"DeleteObject {LOCK}"]
    assert calls(slot="2012-10-02T18:00:00Z") == [
        call.replace(SLOT_NAME, next_slot).replace("2012-10-01", "2012-10-02") for call in
        (f"PutObject {LOCK}", f"GetObject {RECORD}", f"GetObject {catalogue}", f"PutObject {DATA}", f"PutObject {RECORD}",
         f"DeleteObject {LOCK}")]


def test_what_no_record_names_goes_away_with_the_next_run(program, server, aws):
    bucket = aws.bucket()
    file = program.pipeline(server.url(), columns=columns(), quality={"max_bad": "50%"}, sink={"to": f"s3://{bucket}", "catalog": None})
    server.script("Dallas", behaviours.ok(main__temp=99.5), behaviours.ok())
    aws.proxy.fault(aws_faults.refuse(403, "AccessDenied"), operation="PutObject", key=RECORD)
    assert program.run(file, env=aws.env).status == FAILED
    assert QUARANTINE in aws.keys_of(bucket) and RECORD not in aws.keys_of(bucket)
    assert program.run(file, env=aws.env).status == OK
    assert sorted(key for key in aws.keys_of(bucket) if not key.startswith("_catalog/")) == sorted([DATA, RECORD])


def test_nothing_is_seen_before_the_commit(program, server, aws):
    bucket, seen = aws.bucket(), []
    server.script("Dallas", behaviours.ok(main__temp=99.5))
    file = program.pipeline(server.url(), columns=columns(), quality={"max_bad": "50%"}, sink={"to": f"s3://{bucket}"})
    aws.proxy.fault(aws_faults.then_do(lambda: seen.append((aws.keys_of(bucket), aws.proxy.calls[-1].key))),
                    times=float("inf"), service="s3")
    assert program.run(file, env=aws.env).status == OK
    expected = [DATA, QUARANTINE, RECORD]
    for keys, coming in seen:
        visible = [key for key in keys if not key.startswith("_catalog/") and key != LOCK]
        assert visible == sorted(expected[:len(visible)]), (keys, coming)
    assert len(seen) >= 5 and aws.keys_of(bucket) and LOCK not in aws.keys_of(bucket)


def test_a_run_that_fails_leaves_the_earlier_rows_and_tells_of_itself(program, server, aws):
    bucket = aws.bucket()
    file = program.pipeline(server.url(), columns=columns(), sink={"to": f"s3://{bucket}"}, quality={"max_bad": "0%"})
    assert program.run(file, env=aws.env).status == OK
    before = aws.objects(bucket)
    server.script("Dallas", behaviours.ok(main__temp=99.5))
    assert program.run(file, env=aws.env).status == GATE
    after = aws.objects(bucket)
    assert after[DATA] == before[DATA] and json.loads(after[RECORD])["status"] == "failed"
    assert QUARANTINE in after and LOCK not in after


def test_a_run_that_went_half_well_says_so_in_the_bucket(program, server, aws):
    bucket = aws.bucket()
    server.script("Portland", behaviours.status(404))
    file = program.pipeline(server.url(), sink={"to": f"s3://{bucket}"})
    assert program.run(file, env=aws.env).status == PARTIAL
    record = json.loads(aws.objects(bucket)[RECORD])
    assert (record["status"], record["rows"]["written"], len(record["failures"])) == ("partial", 4, 1)


def test_running_twice_changes_nothing(program, server, aws):
    bucket = aws.bucket()
    file = program.pipeline(server.url(), sink={"to": f"s3://{bucket}"})
    assert program.run(file, env=aws.env).status == OK
    first = aws.objects(bucket)
    assert program.run(file, env=aws.env).status == OK
    assert kept(aws.objects(bucket)) == kept(first)
    assert sorted(aws.objects(bucket)) == sorted(first)


def test_of_two_runs_for_one_slot_the_second_is_told_so(program, server, aws):
    bucket, arrived, go_on = aws.bucket(), threading.Event(), threading.Event()
    server.script("Dallas", behaviours.Wire(lambda exchange: (arrived.set(), go_on.wait(20),
                                                              behaviours.ok().play(exchange))[-1]))
    file = program.pipeline(server.url(), sink={"to": f"s3://{bucket}"}, source={"limit": {"total": "30s"}})
    first = program.start("run", file, "--slot", "2012-10-01T18:00:00Z", env=aws.env)
    try:
        assert arrived.wait(20)
        second = program.run(file, env=aws.env)
        other_slot = program.start("run", file, "--slot", "2012-10-02T18:00:00Z", env=aws.env)
    finally:
        go_on.set()
    assert second.status == LOCKED and "is being run already" in second.stderr, second.stderr
    assert first.finish().status == OK and other_slot.finish().status == OK
    assert not [key for key in aws.keys_of(bucket) if key.endswith(".lock")]


def test_stopped_by_a_signal_it_lets_go_of_the_slot(program, server, aws):
    bucket, arrived = aws.bucket(), threading.Event()
    server.script("Dallas", behaviours.Wire(lambda exchange: arrived.set() or exchange.stall()))
    file = program.pipeline(server.url(), sink={"to": f"s3://{bucket}"}, source={"limit": {"total": "30s"}})
    running = program.start("run", file, "--slot", "2012-10-01T18:00:00Z", env=aws.env)
    assert arrived.wait(20)
    running.signal(signal.SIGTERM)
    result = running.finish(10)
    assert result.status != OK and LOCK not in aws.keys_of(bucket), result
    assert DATA not in aws.keys_of(bucket)


# Large objects.

MIB = 1 << 20


@pytest.fixture
def large(program, server, aws, request):
    """A pipeline whose one file takes 26 MiB, so four parts; or as many MiB as the test's parameter says."""
    size = getattr(request, "param", 26)
    cities = [f"c{number}" for number in range(size // 3)]
    text = b'"%s"' % (b"x" * 8000)
    count = size * MIB // len(cities) // 8000 + 1

    def body(_):
        return b'{"list": [' + b",".join(b'{"n": %d, "text": %s}' % (n, text) for n in range(count)) + b"]}"
    for city in cities:
        server.script(city, behaviours.body(body))
    bucket = aws.bucket()
    return bucket, program.pipeline(
        server.url(), source={"each": {"city": cities}, "rows": "list",
                              "limit": {"at_once": 2, "total": "20s"}},
        columns={"city": {"value": "{city}", "type": "string"}, "n": {"from": "n", "type": "bigint"},
                 "text": {"from": "text", "type": "string"}}, quality=None, sink={"to": f"s3://{bucket}"})


def test_a_large_object_goes_up_in_parts(program, aws, large):
    bucket, file = large
    result = program.run(file, env=aws.env)
    assert result.status == OK, result.stderr
    key = next(key for key in aws.keys_of(bucket) if key.endswith(".csv"))
    assert program.run(file, "--to", program.lake).status == OK
    content = table_bytes(aws, bucket, key)
    assert len(content) > 25 * MIB and content == program.tree()[key]
    operations = [call.operation for call in aws.proxy.calls if call.key == key]
    assert operations.count("CreateMultipartUpload") == operations.count("CompleteMultipartUpload") == 1
    assert operations.count("UploadPart") == 4 and "AbortMultipartUpload" not in operations
    assert all("x-amz-checksum-crc32" in call.request.headers for call in aws.proxy.calls
               if call.operation in ("UploadPart", "CompleteMultipartUpload"))
    assert aws.unfinished(bucket) == []


def test_a_connection_cut_in_a_part_is_tried_again(program, aws, large):
    bucket, file = large
    aws.proxy.fault(aws_faults.cut_in_body(MIB), operation="UploadPart", part=3)
    aws.proxy.fault(aws_faults.slow_down(), operation="UploadPart", part=2)
    aws.proxy.fault(aws_faults.error_in_200(), operation="CompleteMultipartUpload")
    result = program.run(file, env=aws.env)
    assert result.status == OK, result.stderr
    assert [call.part for call in aws.proxy.calls if call.operation == "UploadPart"].count(3) == 2
    assert aws.unfinished(bucket) == []
    assert len(table_bytes(aws, bucket, next(key for key in aws.keys_of(bucket) if key.endswith(".csv")))) > 25 * MIB


@pytest.mark.parametrize("operation, part", [("UploadPart", 3), ("CompleteMultipartUpload", 0)])
def test_an_upload_that_cannot_be_finished_is_aborted(program, aws, large, operation, part):
    bucket, file = large
    wanted = {"operation": operation, **({"part": part} if part else {})}
    aws.proxy.fault(aws_faults.internal_error(), times=float("inf"), **wanted)
    result = program.run(file, env={**aws.env, "AWS_MAX_ATTEMPTS": 2})
    assert result.status == 1 and "InternalError" in result.stderr and f"s3://{bucket}/" in result.stderr, result.stderr
    assert not [key for key in aws.keys_of(bucket) if key.endswith((".csv", ".lock"))]
    assert aws.unfinished(bucket) == [] and "AbortMultipartUpload" in [call.operation for call in aws.proxy.calls]


@pytest.mark.skipif(is_sanitized(), reason="a sanitizer needs memory of its own")
@pytest.mark.parametrize("large", [96], indirect=True)
def test_memory_does_not_grow_with_the_object(program, aws, large):
    bucket, file = large
    result = program.run(file, env=aws.env, limits={resource.RLIMIT_DATA: 88 * MIB})
    assert result.status == OK, result.stderr
    assert [call.operation for call in aws.proxy.calls].count("UploadPart") >= 12


@pytest.mark.skipif(is_sanitized(), reason="a sanitizer needs memory of its own")
@pytest.mark.parametrize("large", [96], indirect=True)
def test_out_of_memory_in_the_middle_leaves_nothing_unfinished(program, aws, large):
    bucket, file = large
    result = program.run(file, env=aws.env, limits={resource.RLIMIT_DATA: 52 * MIB})
    # Which allocation is the one too many is up to the moment: one of the run's own fails it, one of a reply's fails the item.
    assert result.status in (FAILED, PARTIAL) and "out of memory" in result.stderr, result
    keys = aws.keys_of(bucket)
    assert aws.unfinished(bucket) == [] and not [key for key in keys if key.endswith(".lock")]
    files = [key for key in keys if key.endswith(".csv")]
    assert len(files) == (result.status == PARTIAL), keys
    if files:
        record, = [json.loads(content) for key, content in aws.objects(bucket).items() if key.startswith("_runs/")]
        assert record["status"] == "partial" and record["requests"]["failed"] == len(record["failures"]) > 0
        assert all("out of memory" in failure["error"] for failure in record["failures"])
        assert aws.client("s3").head_object(Bucket=bucket, Key=files[0])["ContentLength"] == record["files"][0]["bytes"]


def test_parts_go_up_while_the_source_is_slow(program, server, aws):
    """Nobody waits for a part then, and S3 would not wait long for its bytes either."""
    bucket, waited = aws.bucket(), []

    def parts_landed():
        return [call for call in aws.proxy.calls if call.operation == "UploadPart" and call.status == 200]

    def answer_when_parts_have_landed(exchange):
        until = time.monotonic() + 15
        while len(parts_landed()) < 2 and time.monotonic() < until:
            time.sleep(0.02)
        waited.append(len(parts_landed()))
        return behaviours.json_body({"list": [{"text": "the last"}]}).play(exchange)
    rows = b",".join([b'{"text": "%s"}' % (b"x" * MIB)] * 6)
    for city in ("A", "B", "C"):
        server.script(city, behaviours.body(b'{"list": [' + rows + b"]}"))
    server.script("D", behaviours.Wire(answer_when_parts_have_landed))
    file = program.pipeline(server.url(), source={"each": {"city": ["A", "B", "C", "D"]}, "rows": "list",
                                                  "limit": {"at_once": 4, "total": "60s"}, "retry": {"deadline": "60s"}},
                            columns={"text": {"from": "text", "type": "string"}}, quality=None, sink={"to": f"s3://{bucket}"})
    result = program.run(file, env=aws.env)
    assert result.status == OK, result.stderr
    assert waited == [2], aws.proxy.operations()


def test_rows_for_many_partitions_are_put_aside_once(program, server, aws):
    """The file for what waits holds no more than was written, however often its uploads are put aside."""
    bucket, places = aws.bucket(), 40
    rows = b",".join(b'{"place": "p%d", "text": "%s"}' % (n % places, b"x" * 2000) for n in range(400))
    cities = [f"c{number}" for number in range(20)]
    for city in cities:
        server.script(city, behaviours.body(b'{"list": [' + rows + b"]}"))
    file = program.pipeline(server.url(), source={"each": {"city": cities}, "rows": "list"},
                            columns={"place": {"from": "place", "type": "string"}, "text": {"from": "text", "type": "string"}},
                            quality=None, sink={"to": f"s3://{bucket}", "partition": {"at": "place"}, "catalog": None})
    result = program.run(file, env=aws.env, limits={resource.RLIMIT_FSIZE: 24 * MIB})
    assert result.status == OK, result.stderr
    sizes = [len(content) for key, content in aws.objects(bucket).items() if key.endswith(".csv")]
    assert len(sizes) == places and sum(sizes) > 15 * MIB


def test_completing_an_upload_counts_when_s3_says_that_it_is_complete(program, aws, large):
    """200 alone says nothing: it is sent before S3 has begun."""
    bucket, file = large
    nothing = behaviours.Reply(200, b"   \n   ", {"Content-Type": "application/xml"})
    aws.proxy.fault(nothing, times=float("inf"), operation="CompleteMultipartUpload")
    result = program.run(file, env={**aws.env, "AWS_MAX_ATTEMPTS": 2})
    assert result.status == 1 and f"s3://{bucket}/" in result.stderr and "complete" in result.stderr, result
    assert not [key for key in aws.keys_of(bucket) if key.endswith(".csv")] and aws.unfinished(bucket) == []


@pytest.mark.parametrize("fault", [aws_faults.cut_after_done(), aws_faults.cut_before_answer()], ids=["done", "lost"])
@pytest.mark.parametrize("operation", ["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"])
def test_an_answer_about_a_large_object_may_be_lost(program, aws, large, operation, fault):
    bucket, file = large
    aws.proxy.fault(fault, operation=operation)
    result = program.run(file, env=aws.env)
    assert result.status == OK, result.stderr
    assert aws.unfinished(bucket) == []
    assert len(table_bytes(aws, bucket, next(key for key in aws.keys_of(bucket) if key.endswith(".csv")))) > 25 * MIB


# At AWS's own names.

def test_without_an_endpoint_it_goes_to_the_buckets_own_name_over_tls(program, server, aws, authority):
    bucket = aws.bucket()
    env = aws.env_at_real_names(authority)
    result = program.run(program.pipeline(server.url(), sink={"to": f"s3://{bucket}"}),
                         env={**env, "NO_PROXY": "127.0.0.1"})
    assert result.status == OK, result.stderr
    assert DATA in aws.keys_of(bucket)
    assert {name for name in aws.tunnels if ".s3." in name} == {f"lake.s3.{aws.region}.amazonaws.com:443"}


def test_a_certificate_that_nobody_vouches_for_is_refused(program, server, aws, authority):
    bucket = aws.bucket()
    env = {**aws.env_at_real_names(authority), "NO_PROXY": "127.0.0.1", "AWS_CA_BUNDLE": None, "AWS_MAX_ATTEMPTS": 1}
    result = program.run(program.pipeline(server.url(), sink={"to": f"s3://{bucket}"}), env=env)
    assert result.status == 1 and "certificate" in result.stderr and aws.keys_of(bucket) == [], result.stderr


@pytest.mark.parametrize("how", [301, 307, 400])
def test_a_bucket_that_lives_elsewhere_is_found(program, server, aws, how):
    bucket = aws.bucket("far", region="eu-central-1")
    aws.proxy.elsewhere = how
    result = program.run(program.pipeline(server.url(), sink={"to": f"s3://{bucket}"}), env=aws.env)
    assert result.status == OK, result.stderr
    assert DATA in aws.keys_of(bucket)
    wrong = [call for call in aws.proxy.calls if call.service == "s3" and call.status == how]
    assert len(wrong) == 1, aws.proxy.calls  # learned once, not with each call
