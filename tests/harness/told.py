"""The story of a run, told three times — exit status, record, files — has to be the same one."""

from .runner import FAILED, GATE, OK, PARTIAL

STATUS_OF_EXIT = {OK: "ok", PARTIAL: "partial", FAILED: "failed", GATE: "failed"}


def failed_items(record):
    """{item's city: error} of the items; the failure of a run as a whole has no item."""
    return {failure["item"]["city"]: failure["error"] for failure in record["failures"] if failure["item"]}


def assert_told(program, result, exit_status, *, ok=0, failed=0, retried=0, written=None, quarantined=0):
    """requests.total counts items, retried the tries after an item's first. written: by default one row for each item
    that was answered, less those in quarantine, and none when the run failed."""
    if written is None:
        written = ok - quarantined if exit_status in (OK, PARTIAL) else 0
    assert result.status == exit_status, result.stderr
    record = program.record()
    assert record["status"] == STATUS_OF_EXIT[exit_status], record
    requests = record["requests"]
    assert requests == {"total": ok + failed, "ok": ok, "failed": failed, "retried": retried,
                        "waited_ms": requests["waited_ms"]}, record
    assert len([failure for failure in record["failures"] if failure["item"]]) == failed, record
    assert any(failure["item"] is None for failure in record["failures"]) == (record["status"] == "failed"), record
    assert all(failure["error"] for failure in record["failures"]), record
    assert record["rows"] == {"read": record["rows"]["read"], "written": written, "quarantined": quarantined}, record
    assert sum(file["rows"] for file in record["files"]) == written, record
    assert len(program.rows()) == written
    assert program.data_file().exists() == (exit_status in (OK, PARTIAL))
    assert len(program.quarantine()) == quarantined
    assert not list(program.lake.rglob("*.part")) and not list(program.lake.rglob("*.lock"))
    return record
