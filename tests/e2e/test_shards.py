"""A pipeline run in shares: `template --shards N`, its state machine taken step by step, and the record of the whole."""

import datetime
import io
import json
import re
import time
import zipfile

import boto3
import pytest
from moto import mock_aws
from moto.stepfunctions.parser.asl.eval.states import ExecutionData
from moto.stepfunctions.parser.backend import execution_worker

from harness import behaviours as b
from harness.hiding import SECRET
from harness.iam import Judge
from harness.runner import FAILED, GATE, OK, PARTIAL, SLOT, SLOT_NAME, USAGE
from harness.stacks import IMAGE, Stack, lint, read, translate
from harness.states import Failed, TooLarge, walk

FUNCTION = "arn:aws:lambda:us-west-2:123456789012:function:sharded-staging:live"
CITIES = ["New York", "Portland", "Chicago", "Seattle", "Dallas"]


@pytest.fixture
def file(program, server):
    return program.pipeline(server.url(), source={"on_status": {"404": "skip"}})


@pytest.fixture
def sharded(program, server):
    of_stack = {"to": "${OUTPUT_BUCKET:-./lake}", "catalog": {"database": "${DATABASE:-weather}", "table": "weather"}}
    return program.pipeline(server.url(), name="sharded", sink=of_stack, schedule={"expression": "rate(1 hour)"})


@pytest.fixture
def machine(program, sharded):
    result = program.call("template", sharded, "--shards", 3)
    assert (result.status, result.stderr) == (OK, "")
    return result.stdout


def call_of(program, file):
    """One call of the function, as the machine makes it."""
    def call(event):
        result = program.call("invoke", file, "--event", json.dumps(event))
        answers.append(json.loads(result.stdout))
        return answers[-1]
    answers = []
    return call, answers


def test_the_machine_runs_each_share_once_and_then_writes_the_record_of_the_slot(program, server, file, machine):
    definition = definition_of(machine)
    call, answers = call_of(program, file)
    walk(definition, {"scheduled": SLOT}, call)
    assert sorted(it.city for it in server.requests) == sorted(CITIES)
    files = sorted(path.name for path in (program.lake / "weather").rglob("*.csv"))
    assert files == [f"{SLOT_NAME}-{i}of3.csv" for i in (1, 2, 3)]
    record = program.record()
    assert record == answers[-1] and len(answers) == 4
    assert (record["status"], record["rows"], record["failures"]) == (
        "ok", {"read": 5, "written": 5, "quarantined": 0}, [])
    assert record["requests"]["total"] == record["requests"]["ok"] == 5
    assert sorted(it["url"].rsplit("/")[-1] for it in record["files"]) == files


def test_a_share_that_failed_leaves_a_partial_slot_that_says_what_is_missing(program, server, file, machine):
    server.script("Portland", b.status(404))
    server.script("Dallas", b.status(404))                  # both of the second share
    definition = definition_of(machine)
    call, answers = call_of(program, file)
    walk(definition, {"scheduled": SLOT}, call)
    record = program.record()
    assert record["status"] == "partial" and record["rows"]["written"] == 3
    assert {it["item"]["city"] for it in record["failures"] if it["item"]} == {"Portland", "Dallas"}


def definition_of(text):
    return read(text)["Resources"]["ShardedMachine"]["Properties"]["Definition"]


@pytest.mark.parametrize("given, slot", [
    ({}, "2026-11-22T18:03:00Z"), ({"slot": "2012-10-01T18:00:00Z"}, "2012-10-01T18:00:00Z"),
    ({"scheduled": "2012-10-01T18:00:07Z"}, "2012-10-01T18:00:07Z")])
def test_the_machine_is_started_with_a_time_or_with_nothing_which_means_now(machine, given, slot):
    events = []
    walk(definition_of(machine), given, lambda event: events.append(event) or {}, started="2026-11-22T18:03:59.118Z")
    assert [it.get("shard", "merge") for it in events] == ["1/3", "2/3", "3/3", "merge"]
    assert {it["scheduled"] for it in events} == {slot}


@pytest.mark.parametrize("given", [{"slto": SLOT}, {"shard": "1/3"}, None, [], "now"])
def test_an_input_that_says_no_time_never_means_now(machine, given):
    with pytest.raises(Failed, match="neither {} nor does it say scheduled or slot"):
        walk(definition_of(machine), given, lambda event: pytest.fail("it was called"))


def test_a_thousand_shares_with_large_records_stay_within_what_a_state_may_hold(program, sharded):
    definition = definition_of(program.call("template", sharded, "--shards", 1000).stdout)
    events = []

    def call(event):
        events.append(event)
        return {"status": "ok", "failures": ["x" * (200 << 10)]}
    assert walk(definition, {"scheduled": SLOT}, call)["status"] == "ok" and len(events) == 1001
    definition["States"]["Run"]["ItemProcessor"]["States"]["Share"].pop("OutputPath")
    with pytest.raises(TooLarge, match="the result of a map"):
        walk(definition, {"scheduled": SLOT}, call)


@pytest.mark.parametrize("status", [404, 401], ids=["many failures", "an error"])
def test_what_a_share_and_a_merge_answer_fits_into_a_state(program, server, status):
    """Failures that would fill a record of several megabytes."""
    server.default = b.status(status)
    items = program.folder / "items.csv"
    items.write_text("city\n" + "".join(f"place {n} {'x' * 7000}\n" for n in range(150)), encoding="utf-8")
    server.script(f"place 2 {'x' * 7000}", b.ok())
    file = program.pipeline(server.url(), source={"each": {"file": "items.csv"}, "on_status": {"404": "skip", "401": "stop"},
                                                  "limit": {"at_once": 32}}, quality={"min_rows": 2})
    for event in ({"shard": "1/2"}, {"shard": "2/2"}, {"merge": 2}):
        result = program.call("invoke", file, "--event", json.dumps({"slot": SLOT, **event}), timeout=60)
        answer = result.json()
        failed = "errorType" in answer
        assert failed == (status == 401 or "merge" in event), answer
        assert len(result.stdout.encode()) < (32 if failed else 256) << 10
        assert (answer["record"] if failed else answer)["pipeline"] == "weather"
    if status == 404:
        assert answer["errorType"] == "Function.GateRefused" and answer["record"]["shortened"]
        assert len(program.record()["failures"]) == 150


@pytest.mark.parametrize("given, came_of", [({"scheduled": SLOT}, "SUCCEEDED"), ({"slot": SLOT}, "SUCCEEDED"), ({}, "SUCCEEDED"),
                                            ({"slto": SLOT}, "FAILED")], ids=["on time", "a slot", "now", "a misspelt word"])
@pytest.mark.filterwarnings("ignore")
def test_motos_interpreter_brings_the_machine_to_its_end(machine, monkeypatch, given, came_of):
    """Somebody else's reading of the language; its Lambda answers with the event, so the last answer is the last event."""
    def with_iso_time(StartTime, **more):           # moto has an object there, AWS a text
        return ExecutionData(StartTime=StartTime.isoformat(timespec="milliseconds").replace("+00:00", "Z"), **more)
    monkeypatch.setattr(execution_worker, "ExecutionData", with_iso_time)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "none")
    definition = json.dumps(definition_of(machine))
    # A number as moto's grammar knows it here, with a fraction.
    definition = definition.replace('"ToleratedFailurePercentage": 100', '"ToleratedFailurePercentage": 100.0')
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as it:
        it.writestr("it.py", "")
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}, "lambda": {"use_docker": False}}):
        client = {it: boto3.client(it, region_name="us-west-2") for it in ("iam", "lambda", "stepfunctions")}
        role = client["iam"].create_role(RoleName="machine", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        function = client["lambda"].create_function(FunctionName="sharded", Role=role, Runtime="python3.11", Handler="it.it",
                                                    Code={"ZipFile": archive.getvalue()})["FunctionArn"]
        made = client["stepfunctions"].create_state_machine(
            name="sharded", definition=definition.replace("${Function}", function), roleArn=role)["stateMachineArn"]
        run = client["stepfunctions"].start_execution(stateMachineArn=made, input=json.dumps(given))
        until = time.monotonic() + 30
        while True:
            came = client["stepfunctions"].describe_execution(executionArn=run["executionArn"])
            if came["status"] != "RUNNING" or time.monotonic() > until:
                break
            time.sleep(0.1)
        history = client["stepfunctions"].get_execution_history(executionArn=run["executionArn"])["events"][-3:]
    assert came["status"] == came_of, str(came.get("cause")) + str(came.get("error"))
    if came_of == "SUCCEEDED":
        now = run["startDate"].astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:00Z")
        assert json.loads(came["output"]) == {"scheduled": now if given == {} else SLOT, "merge": 3}


def merge(program, file, *options, shards=3, **named):
    return program.call("merge", file, "--slot", SLOT, "--shards", shards, *options, **named)


def test_merging_says_which_share_left_no_record(program, file):
    for share in ("1/3", "3/3"):
        assert program.run(file, "--shard", share).status == OK
    result = merge(program, file)
    assert result.status == PARTIAL and "  ✗ shard 2/3: it left no record" in result.stderr
    assert "3 of 3 cities written, 1 of 3 shards failed\n" in result.stderr
    assert program.record()["status"] == "partial"
    assert program.run(file, "--shard", "2/3").status == OK
    result = merge(program, file)
    assert result.status == OK and re.match(r"✓ 5 rows of 3 shards in \S+ m?s\n  → .*-1of3.csv  2 rows, ", result.stdout)
    assert merge(program, file, "--json").json() == program.record()


def test_where_no_share_left_anything_the_slot_has_failed(program, file):
    result = merge(program, file)
    assert result.status == FAILED and "none of the 3 shards wrote anything; shard 1/3: it left no record" in result.stderr
    record = program.record()
    assert (record["status"], len(record["failures"])) == ("failed", 4)


def test_a_whole_run_of_the_slot_takes_the_place_of_its_shares(program, file):
    for share in ("1/3", "2/3", "3/3"):
        assert program.run(file, "--shard", share).status == OK
    assert merge(program, file).status == OK
    assert program.run(file).status == OK
    assert [path.name for path in (program.lake / "weather").rglob("*.csv")] == [f"{SLOT_NAME}.csv"]


@pytest.mark.parametrize("event, says", [
    ({"merge": 1}, "from 2 to 10000"), ({"merge": "3"}, "merge"), ({"merge": 3, "shard": "1/3"}, "leave one out")])
def test_an_event_that_merges_nothing_is_an_error(program, file, event, says):
    result = program.call("invoke", file, "--event", json.dumps(event))
    assert "errorType" in result.json() and says in result.json()["errorMessage"]


@pytest.mark.parametrize("shards", ["1", "1001", "many", "-3"])
def test_a_number_of_shards_that_is_none_is_refused(program, file, shards):
    result = program.call("template", file, f"--shards={shards}")
    assert result.status == USAGE and "is not a number of shares from 2 to 1,000" in result.stderr


def test_merging_wants_to_know_of_how_many(program, file):
    result = program.call("merge", file, "--slot", SLOT)
    assert result.status == USAGE and "merge wants the number of shards: --shards N" in result.stderr


def test_a_key_that_shares_cannot_judge_is_said(program, server):
    sink = {"to": "${OUTPUT_BUCKET:-./lake}", "catalog": None}
    file = program.pipeline(server.url(), sink=sink, quality={"unique": [["city", "humidity"], ["observed_at", "humidity"]]})
    assert program.call("template", file).stderr == ""
    assert program.call("template", file, "--shards", 3).stderr == (
        f"{file}: unique: observed_at, humidity is compared within a shard alone; add a column that comes from the item\n")


def test_plan_says_that_a_share_tells_nobody_by_itself(program, server):
    file = program.pipeline(server.url(), notify={"when": ["failure"], "to": ["stderr"]})
    assert "tells   stderr on failure\n" in program.call("plan", file).stdout.replace("standard error", "stderr")
    assert " on failure, once the shards are merged\n" in program.call("plan", file, "--shard", "1/3").stdout


def test_cfn_lint_finds_nothing_in_the_machine(machine, tmp_path):
    assert lint(tmp_path, machine) == ""


@pytest.mark.parametrize("change, finds", [(None, ""), ("Mop", "E3601")], ids=["as it is", "with a fault"])
def test_the_definition_is_in_amazons_states_language(machine, tmp_path, change, finds):
    """Judged by itself: what the transform makes of it is a text, which cfn-lint does not read."""
    definition = definition_of(machine)
    definition["States"]["Run"]["ItemProcessor"]["States"]["Share"]["Resource"] = FUNCTION
    definition["States"]["Merge"]["Resource"] = FUNCTION
    definition["States"]["Run"]["Type"] = change or "Map"
    properties = {"RoleArn": "arn:aws:iam::123456789012:role/machine", "Definition": definition}
    found = lint(tmp_path, json.dumps({"Resources": {"M": {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}}}))
    assert finds in found if finds else found == "", found


def test_the_role_allows_the_shares_and_their_merging(program, aws, sharded, machine):
    aws.client("ssm").put_parameter(Name="/lambda-pipeline/OPENWEATHER_API_KEY", Value=SECRET, Type="SecureString")
    stack = Stack(aws, machine, "staging")
    judge = Judge(aws, [stack.policy("ShardedRole")])
    env = stack.environment("sharded")
    for share in ("1/3", "2/3", "3/3"):
        assert program.run(sharded, "--shard", share, env=env).status == OK
    result = merge(program, sharded, env=env)
    assert (result.status, judge.refused) == (OK, []), result.stderr


def test_the_role_allows_merging_to_refuse_and_to_tell(program, server, aws):
    """It removes data files, and publishes to the topic, once."""
    server.script("Portland", b.status(404), b.ok())
    sink = {"to": "${OUTPUT_BUCKET:-./lake}", "catalog": {"database": "${DATABASE:-weather}", "table": "weather"}}
    file = program.pipeline(server.url(), name="sharded", sink=sink, source={"on_status": {"404": "skip"}}, quality={"min_rows": 5},
                            notify={"when": ["failure", "recovery"], "to": ["${TOPIC_ARN:-stderr}"]})
    aws.client("ssm").put_parameter(Name="/lambda-pipeline/OPENWEATHER_API_KEY", Value=SECRET, Type="SecureString")
    stack = Stack(aws, program.call("template", file, "--shards", 3).stdout, "staging")
    judge, env = Judge(aws, [stack.policy("ShardedRole")]), stack.environment("sharded")
    bucket = env["OUTPUT_BUCKET"].removeprefix("s3://")
    for came_of, data, told in ((GATE, 0, "failure"), (OK, 3, "recovery")):
        for share in ("1/3", "2/3", "3/3"):
            assert program.run(file, "--shard", share, env=env).status in (OK, PARTIAL)
        assert "Publish" not in aws.proxy.operations("sns")
        result = merge(program, file, env=env)
        assert (result.status, judge.refused) == (came_of, []), result.stderr
        objects = aws.objects(bucket)
        assert len([key for key in objects if key.startswith("weather/")]) == data
        record = json.loads(objects[f"_runs/sharded/{SLOT_NAME}.json"])
        assert [(it["event"], it["ok"]) for it in record["notifications"]] == [(told, True)]
        assert aws.proxy.operations("sns") == ["Publish"]
        aws.proxy.calls.clear()


def test_what_runs_on_time_is_the_machine_which_may_call_the_alias_and_itself(machine):
    made = translate(machine, Stage="staging", ImageUri=IMAGE, AlertEmail="ops@example.org")["Resources"]
    kinds = {it["Type"]: it["Properties"] for it in made.values()}
    assert kinds["AWS::Scheduler::Schedule"]["Target"]["Arn"] == {"Ref": "ShardedMachine"}
    statements = made["ShardedMachineRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    assert statements[0]["Resource"] == {"Ref": "ShardedFunctionAliaslive"}
    assert kinds["AWS::StepFunctions::StateMachine"]["DefinitionSubstitutions"] == {
        "Function": {"Ref": "ShardedFunctionAliaslive"}}
