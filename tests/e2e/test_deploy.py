"""scripts/deploy: a stage is made from a template by the AWS command line, and what it cannot be made of is said first.

moto does not know the Serverless transform, so that the templates here are what the transform makes of ours.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.runner import OK, ROOT
from harness.stacks import IMAGE, read, translate

COMMANDS = ("bash", "dirname", "wc", "mktemp", "rm")


def call(script, *arguments, aws=None, path=None, cwd="/", **changes):
    env = {"PATH": path or f"{Path(sys.executable).parent}:/usr/bin:/bin", "ALERT_EMAIL": "ops@example.org"}
    if aws:
        env |= {**aws.env, "AWS_DEFAULT_REGION": aws.region}
    env = {name: value for name, value in (env | changes).items() if value is not None}
    return subprocess.run([ROOT / "scripts" / script, *arguments], capture_output=True, text=True, timeout=120, cwd=cwd, env=env)


def made(folder, text, stage="staging"):
    """What CloudFormation makes of a template, as a file of this name in the folder."""
    stack = translate(text, Stage=stage, ImageUri=IMAGE, AlertEmail="ops@example.org")
    (folder / "stack.json").write_text(json.dumps(stack), encoding="utf-8")
    return "stack.json"


@pytest.fixture
def template(program, server):
    sink = {"to": "${OUTPUT_BUCKET:-./lake}", "catalog": None}
    result = program.call("template", program.pipeline(server.url(), sink=sink, schedule={"expression": "rate(1 hour)"}))
    assert result.status == OK, result.stderr
    return result.stdout


def test_a_stage_is_made_from_a_template_beside_the_caller_and_can_be_changed(template, aws, tmp_path):
    name = made(tmp_path, template)
    for state in ("ENABLED", "DISABLED"):
        result = call("deploy", "staging", IMAGE, f"ScheduleState={state}", aws=aws, cwd=tmp_path, TEMPLATE=name, STACK="air")
        assert result.returncode == 0, result.stderr
        stack, = aws.client("cloudformation").describe_stacks(StackName="air-staging")["Stacks"]
        given = {it["ParameterKey"]: it["ParameterValue"] for it in stack["Parameters"]}
        assert (given["Stage"], given["ImageUri"], given["AlertEmail"]) == ("staging", IMAGE, "ops@example.org")
        assert given["ScheduleState"] == state and {"Key": "stage", "Value": "staging"} in stack["Tags"]


def test_a_template_too_large_for_a_call_goes_through_a_bucket(template, aws, tmp_path):
    """As far as CloudFormation's call: moto does not find what the address of it names."""
    name = made(tmp_path, template)
    (tmp_path / name).write_text((tmp_path / name).read_text() + " " * 51200, encoding="utf-8")
    refused = call("deploy", "staging", IMAGE, aws=aws, cwd=tmp_path, TEMPLATE=name)
    assert refused.returncode == 2 and "set TEMPLATE_BUCKET to one of yours" in refused.stderr
    bucket = aws.bucket()
    call("deploy", "staging", IMAGE, aws=aws, cwd=tmp_path, TEMPLATE=name, TEMPLATE_BUCKET=bucket)
    key, = aws.keys_of(bucket)
    asked = [it.request.body for it in aws.proxy.calls if it.operation == "CreateChangeSet"]
    assert len(asked) == 1 and b"TemplateURL=" in asked[0] and bucket.encode() in asked[0] and key.encode() in asked[0]


@pytest.mark.parametrize("arguments, changes, says", [
    (("staging",), {}, "usage: "), (("test", IMAGE), {}, "usage: "),
    (("staging", "lambda-weather-img:latest"), {}, "names no digest; write repository@sha256:…"),
    (("staging", IMAGE), {"ALERT_EMAIL": None}, "set ALERT_EMAIL to who is mailed"),
    (("staging", IMAGE, "--force"), {}, "--force is no parameter of the template; write NAME=VALUE"),
    (("staging", IMAGE), {"TEMPLATE": "none.yaml"}, "there is no template none.yaml to read; lambda-pipeline template FILE > none.yaml")])
def test_what_no_stage_can_be_made_of_is_a_mistake_that_says_so(arguments, changes, says):
    result = call("deploy", *arguments, **changes)
    assert result.returncode == 2 and says in result.stderr and not result.stdout


@pytest.mark.parametrize("script, arguments", [("deploy", ("staging", IMAGE)), ("smoke", ("staging",))])
def test_without_the_aws_command_line_it_says_what_to_install(tmp_path, script, arguments):
    for name in COMMANDS:
        (tmp_path / name).symlink_to(shutil.which(name))
    result = call(script, *arguments, path=str(tmp_path))
    assert result.returncode == 1 and result.stderr.startswith(f"scripts/{script}: the AWS command line is needed"), result.stderr


def test_keys_that_aws_does_not_take_make_nothing(template, aws, tmp_path):
    name = made(tmp_path, template)
    result = call("deploy", "staging", IMAGE, aws=aws, cwd=tmp_path, TEMPLATE=name, AWS_SECRET_ACCESS_KEY="wrong")
    assert result.returncode not in (0, 2) and "SignatureDoesNotMatch" in result.stderr
    assert not aws.client("cloudformation").describe_stacks()["Stacks"]


# What docs/deploying.md asks for.

@pytest.fixture
def text():
    return (ROOT / "docs" / "deploying.md").read_text(encoding="utf-8")


def test_the_commands_for_the_account_are_such_as_aws_takes_and_make_what_the_rest_names(aws, template, text):
    blocks = "".join(re.findall(r"```console\n(.*?)```", text, re.S)).replace("\\\n", " ").splitlines()
    commands = [it for it in blocks if it.startswith("aws ")]
    env = {**aws.env, "AWS_DEFAULT_REGION": aws.region, "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "OPENWEATHER_API_KEY": "of-the-weather"}
    for command in commands:
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120, env=env)
        assert done.returncode == 0, (command, done.stderr)
    repository, = aws.client("ecr").describe_repositories()["repositories"]
    assert f"repository/{repository['repositoryName']}\"" in text and repository["imageTagMutability"] == "IMMUTABLE"
    secret, = aws.client("ssm").describe_parameters()["Parameters"]
    assert (secret["Name"], secret["Type"]) == (read(template)["Parameters"]["OpenweatherApiKeyParameter"]["Default"], "SecureString")
    assert len(aws.client("iam").list_open_id_connect_providers()["OpenIDConnectProviderList"]) == 1


def rights_of_a_deployer(text, without=None):
    """For all resources, as moto does not say which one a call to CloudFormation is for."""
    block, = [it for it in re.findall(r"```json\n(.*?)```", text, re.S) if "cloudformation:" in it]
    statements = json.loads(block)["Statement"]
    for it in statements:
        actions = it["Action"] if isinstance(it["Action"], list) else [it["Action"]]
        it["Action"], it["Resource"] = [action for action in actions if action != without], "*"
    return [it for it in statements if it["Action"]]


def deploy_as(aws, rights, folder, name):
    return call("deploy", "staging", IMAGE, aws=aws, cwd=folder, TEMPLATE=name, **aws.env_of(aws.user(rights)))


def test_the_role_that_the_documents_ask_for_can_deploy(template, aws, tmp_path, text):
    result = deploy_as(aws, rights_of_a_deployer(text), tmp_path, made(tmp_path, template))
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("action", ["CreateChangeSet", "DescribeChangeSet", "DescribeStacks", "ExecuteChangeSet"])
def test_and_needs_each_of_its_rights(template, aws, tmp_path, text, action):
    result = deploy_as(aws, rights_of_a_deployer(text, without=f"cloudformation:{action}"), tmp_path, made(tmp_path, template))
    # Of a change set that it may not look at the AWS command line says only 'Status'.
    said = "'Status'" if action == "DescribeChangeSet" else f"cloudformation:{action}"
    assert result.returncode != 0 and said in result.stderr, result.stderr
