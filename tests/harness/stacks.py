"""Stacks of CloudFormation on moto: a template translated as AWS's Serverless transform does it, then created."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("AWS_DEFAULT_REGION", "us-west-2")
from samtranslator.parser.parser import Parser  # noqa: E402
from samtranslator.translator.translator import Translator  # noqa: E402
from samtranslator.yaml_helper import yaml_parse  # noqa: E402

IMAGE = "123456789012.dkr.ecr.us-west-2.amazonaws.com/lambda-weather-img@sha256:" + "ab" * 32


def read(text):
    """The template as CloudFormation reads it: !Sub is {"Fn::Sub": …}."""
    return yaml_parse(text)


def translate(text, **parameters):
    return Translator({}, Parser()).translate(read(text), parameters)


def lint(folder, text):
    """What cfn-lint says of it, down to its remarks; "" for nothing."""
    path = folder / "template.yaml"
    path.write_text(text, encoding="utf-8")
    program = Path(sys.executable).with_name("cfn-lint")
    return subprocess.run([program, "--include-checks", "I", "--", path], capture_output=True, text=True, timeout=120,
                          env={**os.environ, "AWS_DEFAULT_REGION": "us-west-2"}).stdout


class Stack:
    """One stage of a template, made on moto."""

    def __init__(self, aws, text, stage, **parameters):
        self.aws, self.name = aws, f"weather-{stage}"
        parameters = {"Stage": stage, "ImageUri": IMAGE, "AlertEmail": "ops@example.org", **parameters}
        self.template = translate(text, **parameters)
        aws.believe()
        self._cloudformation = aws.client("cloudformation")
        self._cloudformation.create_stack(
            StackName=self.name, TemplateBody=json.dumps(self.template), Capabilities=["CAPABILITY_IAM"],
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()])
        stack = self._cloudformation.describe_stacks(StackName=self.name)["Stacks"][0]
        assert stack["StackStatus"] == "CREATE_COMPLETE", stack
        for it in self.template["Resources"].values():      # which moto does not make
            if it["Type"] == "AWS::Glue::Database":
                name = it["Properties"]["DatabaseInput"]["Name"]
                name = name["Fn::Sub"].replace("${Stage}", stage) if isinstance(name, dict) else name
                aws.client("glue").create_database(DatabaseInput={"Name": name})
        self.outputs = {it["OutputKey"]: it["OutputValue"] for it in stack["Outputs"]}

    def physical(self, logical):
        listed = self._cloudformation.list_stack_resources(StackName=self.name)["StackResourceSummaries"]
        return next(it["PhysicalResourceId"] for it in listed if it["LogicalResourceId"] == logical)

    def policy(self, role="WeatherRole"):
        """The role's own, as IAM keeps it."""
        found = self.aws.client("iam").get_role_policy(RoleName=self.physical(role), PolicyName="run")["PolicyDocument"]
        return found if isinstance(found, dict) else ast.literal_eval(found)    # as moto keeps what a stack made

    def function(self, name="weather"):
        return self.aws.client("lambda").get_function_configuration(
            FunctionName=f"{name}-{self.name.removeprefix('weather-')}")

    def environment(self, name="weather"):
        """What a call of the function has in its environment, for a run by hand."""
        return {**self.aws.env, "OPENWEATHER_API_KEY": None, **self.function(name)["Environment"]["Variables"]}
