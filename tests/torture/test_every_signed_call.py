"""The process is killed at every signed call of a run to a bucket in turn: when the call arrives, and when it is done and
its answer is not yet out. Each call is refused in turn, and each answer is lost in turn.

Whatever happens, each object is as it was before or as it will be, the next run gives the same objects as if nothing had
happened, and no unfinished upload stays behind.
"""

import json
import os
import shutil
import signal
import threading

import pytest

from harness import aws_faults, behaviours
from harness.runner import FAILED, OK, SLOT

MIB = 1 << 20


def normal(objects):
    """Of the record what does not depend on the clock."""
    result = {}
    for name, data in objects.items():
        if "/_runs/" in "/" + name and name.endswith(".json"):
            record = json.loads(data)
            data = {key: record[key] for key in ("status", "rows", "files", "failures")}
        result[name] = data
    return result


class Ground:
    """One run to be disturbed: `before` is what the server said to an earlier one, `disturbed` what it says to this."""

    def __init__(self, program, server, aws, before, disturbed, **sections):
        self.program, self.server, self.aws = program, server, aws
        self.file = program.pipeline(server.url(), sink={"to": "s3://lake", **sections.pop("sink", {})}, **sections)
        self.before = {}
        self.bucket = aws.bucket("lake")
        if before:
            self.answer(before)
            assert program.run(self.file, env=aws.env).status == OK
            self.before = aws.objects(self.bucket)
            self.forget_tables()
        self.answer(disturbed)
        first = len(aws.proxy.calls)
        result = program.run(self.file, env=aws.env)
        assert result.status == OK, result.stderr
        self.calls = [call for call in aws.proxy.calls[first:] if call.number]
        self.after, self.tables = aws.objects(self.bucket), self.tables_now()

    def tables_now(self):
        """What Glue knows: {table: (TableInput, values of its partitions)}."""
        glue, result = self.aws.client("glue"), {}
        kept = ("StorageDescriptor", "PartitionKeys", "Parameters", "TableType")
        for database in glue.get_databases()["DatabaseList"]:
            for table in glue.get_tables(DatabaseName=database["Name"])["TableList"]:
                parts = glue.get_partitions(DatabaseName=database["Name"], TableName=table["Name"])["Partitions"]
                result[table["Name"]] = {key: table[key] for key in kept}, sorted(part["Values"] for part in parts)
        return result

    def answer(self, replies):
        for city, step in replies.items():
            self.server.script(city, step)

    def start_over(self):
        """The bucket as it was before the disturbed run, and a catalogue that knows nothing."""
        s3 = self.aws.client("s3")
        for key in self.aws.keys_of(self.bucket):
            s3.delete_object(Bucket=self.bucket, Key=key)
        for key, content in self.before.items():
            s3.put_object(Bucket=self.bucket, Key=key, Body=content)
        self.forget_tables()

    def forget_tables(self):
        glue = self.aws.client("glue")
        for database in glue.get_databases()["DatabaseList"]:
            for table in glue.get_tables(DatabaseName=database["Name"])["TableList"]:
                glue.delete_table(DatabaseName=database["Name"], Name=table["Name"])
            glue.delete_database(Name=database["Name"])

    def run_and_kill_at(self, number, done):
        started, running = threading.Event(), []

        def kill():
            assert started.wait(10)
            os.kill(running[0].pid, signal.SIGKILL)
        self.aws.proxy.at_call(number, kill, done=done)
        running.append(self.program.start("run", self.file, "--slot", SLOT, "--quiet", env=self.aws.env))
        started.set()
        status = running[0].finish().status
        self.aws.proxy.at_call(0, None)
        return status

    def assert_whole(self):
        now, before, after = normal(self.aws.objects(self.bucket)), normal(self.before), normal(self.after)
        for name, data in now.items():
            if name.endswith((".lock", ".keys")) or "_runs/" in name and data["status"] == "failed":
                continue  # the record of a run that failed tells of itself
            assert data in (before.get(name), after.get(name)), f"{name} is neither old nor new"

    def assert_converges(self):
        again = self.program.run(self.file, env=self.aws.env)
        assert again.status == OK, again.stderr
        assert normal(self.aws.objects(self.bucket)) == normal(self.after)
        assert self.tables_now() == self.tables
        assert self.aws.unfinished(self.bucket) == []
        for folder in self.program.folder.glob("call-*"):
            shutil.rmtree(folder)


def assert_survives(ground, done, operations=None):
    """At every call, or at the first of each of these operations."""
    all_of_them = [call.operation for call in ground.calls]
    numbers = range(1, len(all_of_them) + 1) if operations is None \
        else [all_of_them.index(operation) + 1 for operation in operations]
    for number in numbers:
        ground.start_over()
        status = ground.run_and_kill_at(number, done)
        # Behind the last answer there is nothing left to kill: the lock is gone, the run has ended.
        assert status == -signal.SIGKILL, (number, ground.calls[number - 1], status)
        ground.assert_whole()
        ground.assert_converges()


def three_cities(program, server, aws, earlier):
    """A file for each; one is refused by its check, and it is another one than before."""
    checked = {"city": {"value": "{city}", "type": "string"},
               "temperature": {"from": "main.temp", "type": "double", "in_range": [-90, 60]}}
    before = {"A": behaviours.ok(), "B": behaviours.ok(main__temp=99), "C": behaviours.ok()}
    after = {"A": behaviours.ok(main__temp=99), "B": behaviours.ok(main__temp=2), "C": behaviours.ok(main__temp=3)}
    ground = Ground(program, server, aws, before if earlier else {}, after, source={"each": {"city": ["A", "B", "C"]}},
                    columns=checked, quality={"unique": ["city"], "max_bad": "50%"}, sink={"partition": {"place": "city"}})
    assert len(ground.calls) >= 8
    return ground


LAKES = pytest.mark.parametrize("earlier", [False, True], ids=["an empty bucket", "an earlier run's bucket"])
MOMENTS = pytest.mark.parametrize("done", [False, True], ids=["before it is carried out", "when it is done"])


# Killed when a call is done is all but killed before the next is carried out: both lakes see one of the two.
@pytest.mark.parametrize("earlier, done", [(False, True), (True, False)],
                         ids=["an empty bucket, when it is done", "an earlier run's bucket, before it is carried out"])
def test_killed_at_any_call_each_object_is_old_or_new_and_the_next_run_repairs_all(program, server, aws, earlier, done):
    assert_survives(three_cities(program, server, aws, earlier), done)


@pytest.mark.parametrize("sink", [{"to": "s3://lake/weather_data.csv", "partition": None, "catalog": None},
                                  {"format": "parquet"}],
                         ids=["one object that is replaced", "Parquet"])
def test_killed_with_other_forms_of_a_sink_the_next_run_repairs_all(program, server, aws, sink):
    cities = ["A", "B"]
    before = {city: behaviours.ok() for city in cities}
    after = {city: behaviours.ok(main__temp=number) for number, city in enumerate(cities)}
    ground = Ground(program, server, aws, before, after, source={"each": {"city": cities}}, sink=sink)
    assert_survives(ground, True)


@LAKES
def test_the_answer_to_any_call_may_be_lost(program, server, aws, earlier):
    """It is made again, whether or not it was carried out; the run goes on as if nothing had happened."""
    ground = three_cities(program, server, aws, earlier)
    for number, call in enumerate(ground.calls, 1):
        for fault in (aws_faults.cut_before_answer(), aws_faults.cut_after_done()):
            ground.start_over()
            aws.proxy.fault(fault, number=aws.proxy.count + number)
            result = program.run(ground.file, env=aws.env)
            assert result.status == OK, (call, result.stderr)
            assert normal(aws.objects(ground.bucket)) == normal(ground.after), call
            assert not aws.proxy.faults_left(), call


@pytest.mark.parametrize("earlier, status, code", [(False, 403, "AccessDenied"), (True, 500, "InternalError")])
def test_when_any_call_is_refused_the_run_says_so_or_does_not_need_it(program, server, aws, earlier, status, code):
    ground, told = three_cities(program, server, aws, earlier), 0
    for number, call in enumerate(ground.calls, 1):
        ground.start_over()
        aws.proxy.fault(aws_faults.refuse(status, code), number=aws.proxy.count + number)
        result = program.run(ground.file, env={**aws.env, "AWS_MAX_ATTEMPTS": 1})
        assert result.status in (OK, FAILED), (call, result)
        told += result.status == FAILED
        assert not aws.proxy.faults_left(), call
        assert result.status == OK or code in result.stderr, (call, result.stderr)
        if result.status == OK:
            now = {key: data for key, data in aws.objects(ground.bucket).items() if not key.endswith((".lock", ".keys"))}
            assert normal(now) == normal(ground.after), call
        ground.assert_whole()
        ground.assert_converges()
    assert told >= len(ground.calls) // 2


@MOMENTS
def test_killed_while_a_large_object_goes_up_no_unfinished_upload_stays(program, server, aws, done):
    text = json.dumps("x" * (MIB // 2)).encode()
    big = behaviours.body(b'{"list": [' + b",".join([b'{"text": %s}' % text] * 5) + b"]}")
    cities = [f"c{number}" for number in range(7)]
    ground = Ground(program, server, aws, {}, {city: big for city in cities},
                    source={"each": {"city": cities}, "rows": "list", "limit": {"at_once": 1}},
                    columns={"city": {"value": "{city}", "type": "string"}, "text": {"from": "text", "type": "string"}},
                    quality=None)
    assert [call.operation for call in ground.calls].count("UploadPart") >= 2
    few = ["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"]  # make test-more takes all of them
    assert_survives(ground, done, None if os.environ.get("LP_MORE") else few)
