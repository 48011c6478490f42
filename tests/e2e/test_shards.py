"""A pipeline run in shares: `template --shards N`, its state machine taken step by step, and the record of the whole."""

import io
import json
import re
import time
import zipfile

import boto3
import pytest
from moto import mock_aws

from harness import behaviours as b
from harness.hiding import SECRET
from harness.iam import Judge
from harness.runner import FAILED, OK, PARTIAL, SLOT, SLOT_NAME, USAGE
from harness.stacks import IMAGE, Stack, lint, read, translate

FUNCTION = "arn:aws:lambda:us-west-2:123456789012:function:sharded-staging:live"
CITIES = ["New York", "Portland", "Chicago", "Seattle", "Dallas"]


def value(path, state, item=None):
    """What a field that ends in .$ means; only what the machine here says."""
    if path == "$$.Map.Item.Value":
        return item
    if path.startswith("$."):
        return state[path[2:]]
    numbers = re.fullmatch(r"States\.ArrayRange\((\d+), (\d+), (\d+)\)", path)
    if numbers:
        first, last, step = map(int, numbers.groups())
        return list(range(first, last + 1, step))
    made = re.fullmatch(r"States\.Format\('([^']*)', (\S+)\)", path)
    assert made, path
    return made[1].replace("{}", str(value(made[2], state, item)))


def fill(parameters, state, item=None):
    return {key.removesuffix(".$"): value(it, state, item) if key.endswith(".$") else it for key, it in parameters.items()}


def walk(machine, state, call):
    """Amazon's States Language, as far as the machine goes: Pass, Map, Task."""
    name = machine["StartAt"]
    while True:
        step = machine["States"][name]
        given = fill(step["Parameters"], state) if "Parameters" in step else state
        if step["Type"] == "Pass":
            state = given
        elif step["Type"] == "Task":
            state = call(given)
        else:
            assert step["Type"] == "Map" and step["ToleratedFailurePercentage"] == 100 and step["ResultPath"] is None
            for item in state[step["ItemsPath"][2:]]:
                walk(step["ItemProcessor"], fill(step["ItemSelector"], state, item), call)
        if step.get("End"):
            return state
        name = step["Next"]


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
    definition = read(machine)["Resources"]["ShardedMachine"]["Properties"]["Definition"]
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
    definition = read(machine)["Resources"]["ShardedMachine"]["Properties"]["Definition"]
    call, answers = call_of(program, file)
    walk(definition, {"scheduled": SLOT}, call)
    record = program.record()
    assert record["status"] == "partial" and record["rows"]["written"] == 3
    assert {it["item"]["city"] for it in record["failures"] if it["item"]} == {"Portland", "Dallas"}


@pytest.mark.filterwarnings("ignore")
def test_motos_interpreter_brings_the_machine_to_its_end(machine, monkeypatch):
    """Somebody else's reading of the language; its Lambda answers with the event, so the last answer is the last event."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "none")
    definition = json.dumps(read(machine)["Resources"]["ShardedMachine"]["Properties"]["Definition"])
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
        run = client["stepfunctions"].start_execution(stateMachineArn=made, input=json.dumps({"scheduled": SLOT}))
        until = time.monotonic() + 30
        while True:
            came = client["stepfunctions"].describe_execution(executionArn=run["executionArn"])
            if came["status"] != "RUNNING" or time.monotonic() > until:
                break
            time.sleep(0.1)
    assert came["status"] == "SUCCEEDED", came
    assert json.loads(came["output"]) == {"scheduled": SLOT, "merge": 3}


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


def test_cfn_lint_finds_nothing_in_the_machine(machine, tmp_path):
    assert lint(tmp_path, machine) == ""


@pytest.mark.parametrize("change, finds", [(None, ""), ("Mop", "E3601")], ids=["as it is", "with a fault"])
def test_the_definition_is_in_amazons_states_language(machine, tmp_path, change, finds):
    """Judged by itself: what the transform makes of it is a text, which cfn-lint does not read."""
    definition = read(machine)["Resources"]["ShardedMachine"]["Properties"]["Definition"]
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


def test_what_runs_on_time_is_the_machine_which_may_call_the_alias_and_itself(machine):
    made = translate(machine, Stage="staging", ImageUri=IMAGE, AlertEmail="ops@example.org")["Resources"]
    kinds = {it["Type"]: it["Properties"] for it in made.values()}
    assert kinds["AWS::Scheduler::Schedule"]["Target"]["Arn"] == {"Ref": "ShardedMachine"}
    statements = made["ShardedMachineRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    assert statements[0]["Resource"] == {"Ref": "ShardedFunctionAliaslive"}
    assert kinds["AWS::StepFunctions::StateMachine"]["DefinitionSubstitutions"] == {
        "Function": {"Ref": "ShardedFunctionAliaslive"}}
