"""serve by the machine's own clock, so that the sanitizers see it as well; it takes a minute."""

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
