"""Lambda for `aws lambda invoke`, as moto runs no images: the program itself, started as Lambda starts it.

    roles = Roles(aws)                        whoever has a role's keys may do what its policies allow, judged as AWS does
    functions = Functions(aws, owner, task_root, env)
    functions.serve("daily-weather")

What a function is comes from moto: its environment, time limit and handler; its keys are those of its role. The role must let
Lambda be it; `owner`, who asks for the keys here, too. Where the function's image is not in ECR it cannot be called.
"""

import dataclasses
import os
import signal
import subprocess
import threading

import boto3
from botocore.exceptions import ClientError

from . import signatures
from .behaviours import Reply, Wire
from .iam import Judge
from .runner import program_path
from .runtime_api import Event, RuntimeApi


class Roles(Judge):
    """moto lets a role do nothing but S3 on named resources; so its sessions act as the account, after this has judged."""

    def __init__(self, aws):
        super().__init__(aws, [])
        self._deciding, self._role = threading.Lock(), {}

    def decide(self, exchange):
        proxy, call = self.aws.proxy, exchange.call
        scope = signatures.read_authorization(call.request.headers.get("authorization", ""))
        keys = proxy.known.get(scope.access_key) if scope else None
        if call.operation == "AssumeRole":
            known = set(proxy.known)
            kept = proxy.pass_on(exchange)
            self._role.update({key: call.request.form["RoleArn"].rsplit("/", 1)[1] for key in set(proxy.known) - known})
            return kept
        if keys is None or keys.access_key not in self._role:
            return proxy.pass_on(exchange)
        with self._deciding:
            mine = dataclasses.replace(keys, upstream=(keys.access_key, keys.secret_key, keys.token))
            proxy.known[scope.access_key] = mine if call.service == "sts" else dataclasses.replace(mine, upstream=proxy.admin.upstream)
            self.policies = self._policies_of(self._role[scope.access_key])
            return super().decide(exchange)

    def _policies_of(self, role):
        iam = self.aws.client("iam")
        return [iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
                for name in iam.list_role_policies(RoleName=role)["PolicyNames"]]


class Functions:
    def __init__(self, aws, owner, task_root, env):
        self.aws, self.owner, self.task_root, self.env = aws, owner, task_root, env
        self.calls = []       # (name, event, whether it is an error, answer)
        self.logs = []

    def serve(self, name):
        self.aws.proxy.script(f"/2015-03-31/functions/{name}/invocations", Wire(lambda exchange: self._invoke(name, exchange)))

    def _invoke(self, name, exchange):
        signatures.check(exchange.request, self.aws.proxy.known, self.aws.proxy.now(), False)
        try:
            answer = self._run(name, exchange.request.body)
        except ClientError as error:
            return Reply(400, str(error).encode(), {"x-amzn-ErrorType": "InvalidParameterValueException"}).play(exchange)
        self.calls.append((name, exchange.request.body, answer.kind == "error", answer.body))
        failed = {"X-Amz-Function-Error": "Unhandled"} if answer.kind == "error" else {}
        return Reply(200, answer.body, {"X-Amz-Executed-Version": "$LATEST", **failed}).play(exchange)

    def _run(self, name, event):
        function = self.aws.client("lambda", judged=True).get_function(FunctionName=name)
        config, image = function["Configuration"], function["Code"]["ImageUri"]
        repository, digest = image.split("/", 1)[1].split("@")
        self.aws.client("ecr").describe_images(repositoryName=repository, imageIds=[{"imageDigest": digest}])
        handler, = config["ImageConfigResponse"]["ImageConfig"]["Command"]
        with RuntimeApi() as api:
            api.events(Event(event, timeout=config["Timeout"]))
            env = {**self.env, **config["Environment"]["Variables"], **self._keys(config["Role"]), **api.env,
                   "AWS_LAMBDA_FUNCTION_NAME": name, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(config["MemorySize"]),
                   "LAMBDA_TASK_ROOT": str(self.task_root), "AWS_REGION": self.aws.region,
                   "_HANDLER": handler}
            process = subprocess.Popen([program_path(), "lambda", handler], env=env, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
            try:
                answer = api.answer(0)
                api.asked_again(2)
            finally:
                process.send_signal(signal.SIGTERM)
                self.logs.append(process.communicate(timeout=30)[0].decode())
        return answer

    def _keys(self, role):
        trust = self.aws.client("iam").get_role(RoleName=role.rsplit("/", 1)[1])["Role"]["AssumeRolePolicyDocument"]
        assert any("lambda.amazonaws.com" in str(statement["Principal"].get("Service")) for statement in trust["Statement"])
        sts = boto3.client("sts", endpoint_url=self.aws.endpoint, region_name=self.aws.region,
                           aws_access_key_id=self.owner.access_key, aws_secret_access_key=self.owner.secret_key)
        keys = sts.assume_role(RoleArn=role, RoleSessionName=os.path.basename(role))["Credentials"]
        return {"AWS_ACCESS_KEY_ID": keys["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
                "AWS_SESSION_TOKEN": keys["SessionToken"]}
