"""serve by the machine's own clock, so that the sanitizers see it as well; it takes a minute."""

import json
import signal
import time
from datetime import datetime, timezone

from harness.service import Service, records


def test_a_real_minute_with_two_services_a_reload_and_a_broken_file(program, server):
    good = program.pipeline(server.url(), schedule={"expression": "cron(* * * * ? *)"})
    bad = program.folder / "bad.yaml"
    bad.write_text("pipeline: x\n")
    first = Service(program, good, bad, begin=None)
    second = Service(program, good, bad, begin=None)
    try:
        first.wait_for("this service fires")
        second.wait_for("standing by")
        first.signal(signal.SIGHUP)
        first.wait_for("1 pipeline served", count=2)
        began = datetime.now(timezone.utc)
        first.wait_for(r"✓ weather, slot", seconds=70)
        for path in ("/", "/metrics", "/healthz", "/readyz"):
            assert first.get(path)
        first.kill()
        second.wait_for("this service fires", seconds=20)
        second.get("/")
        time.sleep(0.2)
    finally:
        first.kill()
    assert second.stop().status == 0
    assert len(records(program)) >= 1 and (datetime.now(timezone.utc) - began).total_seconds() < 100




def test_in_a_bucket_one_fires_and_a_service_of_another_machine_that_is_gone_is_replaced_within_a_minute(program, server, aws):
    bucket = aws.bucket()
    program.pipeline(server.url(), schedule={"expression": "cron(0 0 1 1 ? 2199)"},
                     sink={"to": f"s3://{bucket}/lake", "catalog": None})
    first = Service(program, program.folder / "weather.yaml", begin=None, env=aws.env)
    first.wait_for(f"s3://{bucket}/lake: this service fires")
    aws_prefix = [key for key in aws.keys_of(bucket) if "_serve/." in key]
    assert len(aws_prefix) == 1
    assert first.stop().status == 0
    assert not [key for key in aws.keys_of(bucket) if "_serve/." in key]  # it gave its lock back
    aws.client("s3").put_object(Bucket=bucket, Key=aws_prefix[0], Body=json.dumps(
        {"host": "elsewhere", "machine": "another start of another machine", "token": "0123456789abcdef", "pid": 1, "started": 12,
         "written_at": "2012-10-01T18:00:00Z", "lease_s": 40}))
    began = time.monotonic()
    second = Service(program, program.folder / "weather.yaml", begin=None, env=aws.env)
    try:
        second.wait_for("standing by, another service over this lake fires these pipelines")
        second.wait_for("this service fires", seconds=60)
        assert time.monotonic() - began > 30
    finally:
        second.stop()
