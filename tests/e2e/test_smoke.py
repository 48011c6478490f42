"""scripts/smoke: a deployed pipeline is run once, as a call of the function or by its state machine, and has to go well.

The stack is moto's. What moto cannot do stands in: the function is the program itself, and the state machine that the stack
has made is taken step by step (harness/states.py) with it.
"""

import datetime
import json
import math
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness import behaviours as b
from harness.behaviours import Reply, Wire
from harness.hiding import SECRET
from harness.runner import OK, ROOT
from harness.stacks import Stack
from harness.states import Failed, walk


class FunctionError(Exception):
    pass


class Deployed:
    """A stack of one pipeline, its function, and its state machine if it has one."""

    def __init__(self, aws, program, server, *options):
        sink = {"to": "${OUTPUT_BUCKET:-./lake}", "catalog": None}
        self.aws, self.program, self.events, self.came = aws, program, [], {}
        self.file = program.pipeline(server.url(), sink=sink, schedule={"expression": "rate(1 hour)"}, source={"on_status": {"401": "stop"}})
        result = program.call("template", self.file, *options)
        assert result.status == OK, result.stderr
        aws.client("ssm").put_parameter(Name="/lambda-pipeline/OPENWEATHER_API_KEY", Value=SECRET, Type="SecureString")
        self.env = Stack(aws, result.stdout, "staging").environment()
        aws.proxy.script("/2015-03-31/functions/weather-staging%3Alive/invocations", Wire(self._invoke))
        aws.proxy.fault(Wire(self._start), operation="StartExecution", times=math.inf)
        aws.proxy.fault(Wire(self._describe), operation="DescribeExecution", times=math.inf)

    def call(self, event):
        self.events.append(event)
        result = self.program.call("invoke", self.file, "--event", json.dumps(event), env=self.env)
        if "errorType" in result.json():
            raise FunctionError(result.stdout)
        return result.json()

    def _invoke(self, exchange):
        try:
            return Reply(200, json.dumps(self.call(json.loads(exchange.request.body or "null"))).encode()).play(exchange)
        except FunctionError as error:
            return Reply(200, str(error).encode(), {"X-Amz-Function-Error": "Unhandled"}).play(exchange)

    def _start(self, exchange):
        asked = json.loads(exchange.request.body)
        made = self.aws.client("stepfunctions").describe_state_machine(stateMachineArn=asked["stateMachineArn"])
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.118Z")
        try:
            output = walk(json.loads(made["definition"]), json.loads(asked["input"]), self.call, started=now)
            self.came = {"status": "SUCCEEDED", "output": json.dumps(output)}
        except FunctionError as error:
            told = json.loads(str(error))
            self.came = {"status": "FAILED", "error": told["errorType"], "cause": str(error)}
        except Failed as failed:
            self.came = {"status": "FAILED", "error": failed.args[0], "cause": failed.args[1]}
        self.waits = 1
        arn = asked["stateMachineArn"].replace(":stateMachine:", ":execution:") + ":one"
        return Reply(200, json.dumps({"executionArn": arn, "startDate": 1}).encode()).play(exchange)

    def _describe(self, exchange):
        arn = json.loads(exchange.request.body)["executionArn"]
        told = {"status": "RUNNING"} if self.waits else self.came
        self.waits = 0
        machine = re.sub(":execution:(.*):one", r":stateMachine:\1", arn)
        return Reply(200, json.dumps({"executionArn": arn, "stateMachineArn": machine, "startDate": 1, **told}).encode()).play(exchange)


def smoke(aws, *arguments, **changes):
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    return subprocess.run([ROOT / "scripts" / "smoke", *arguments], capture_output=True, text=True, timeout=120,
                          env={"PATH": path, "SMOKE_SECONDS": "0", "AWS_DEFAULT_REGION": aws.region, **aws.env, **changes})


def test_a_function_is_called_by_its_alias_and_its_record_printed(program, server, aws):
    deployed = Deployed(aws, program, server)
    result = smoke(aws, "staging")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["rows"]["written"] == 5 and deployed.events == [None]


def test_a_pipeline_in_shards_is_run_by_its_machine_and_the_record_of_the_slot_printed(program, server, aws):
    deployed = Deployed(aws, program, server, "--shards", 3)
    result = smoke(aws, "staging")
    assert result.returncode == 0, result.stderr
    record = json.loads(result.stdout)
    assert (record["status"], record["rows"]["written"], record["shards"]) == ("ok", 5, 3)
    assert [it.get("shard") for it in deployed.events] == ["1/3", "2/3", "3/3", None] and deployed.events[3]["merge"] == 3
    assert {it["scheduled"] for it in deployed.events} == {record["slot"]} and record["slot"].endswith(":00Z")


@pytest.mark.parametrize("options", [[], ["--shards", 3]], ids=["a function", "a machine"])
def test_a_run_that_failed_is_a_failure_that_says_why(program, server, aws, options):
    server.default = b.status(401, "no such key")
    Deployed(aws, program, server, *options)
    result = smoke(aws, "staging")
    assert result.returncode == 1 and "no such key" in result.stdout and "scripts/smoke: weather-staging failed (" in result.stderr


@pytest.mark.parametrize("options", [[], ["--shards", 3]], ids=["a function", "a machine"])
def test_a_run_of_which_a_part_failed_is_a_failure(program, server, aws, options):
    server.script("Dallas", b.status(404))
    Deployed(aws, program, server, *options)
    result = smoke(aws, "staging")
    assert result.returncode == 1 and result.stderr == "scripts/smoke: the run of weather-staging is not ok\n"


def test_a_stack_that_is_not_there_is_a_failure_before_anything_is_called(aws):
    result = smoke(aws, "production")
    assert result.returncode not in (0, 2) and "weather-production" in result.stderr
    assert aws.proxy.operations() == ["DescribeStacks"]


@pytest.mark.parametrize("arguments", [[], ["somewhere"]])
def test_what_names_no_stage_is_a_mistake(aws, arguments):
    result = smoke(aws, *arguments)
    assert (result.returncode, result.stderr) == (2, "usage: scripts/smoke staging|production [PIPELINE]\n")
