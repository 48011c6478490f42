"""The story of a run, told three times — exit status, record, files — has to be the same one."""

from .runner import FAILED, GATE, OK, PARTIAL

STATUS_OF_EXIT = {OK: "ok", PARTIAL: "partial", FAILED: "failed", GATE: "failed"}


def failed_items(record):
    return [failure["item"] for failure in record["failures"]]


def assert_told(program, result, exit_status, *, ok=0, failed=0, retried=0, written=None, quarantined=0, table="weather"):
    """requests.total is the items asked for, retried the further attempts; written defaults to one row an item."""
    written = ok - quarantined if written is None else written
    assert result.status == exit_status, result.stderr
    record = program.record()
    assert record["status"] == STATUS_OF_EXIT[exit_status]
    requests = record["requests"]
    assert (requests["total"], requests["ok"], requests["failed"]) == (ok + failed, ok, failed), record
    assert requests["retried"] == retried, record
    assert len(record["failures"]) == failed, record
    assert all(failure["error"] for failure in record["failures"]), record
    assert record["rows"]["written"] == written, record
    assert record["rows"]["quarantined"] == quarantined, record
    assert len(program.rows(table=table)) == written
    assert len(program.quarantine(table=table)) == quarantined
    return record
