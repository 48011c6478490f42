"""An AWS of our own on loopback: moto, and before it a proxy that checks what moto lets pass.

    def test_…(program, aws):
        bucket = aws.bucket()
        program.run(file, "--to", f"s3://{bucket}", env=aws.env)
        assert aws.objects(bucket) == {…}
        assert aws.proxy.operations() == ["PutObject lake/…", …]

aws.env is what the program needs: endpoint, region, keys. aws.client("s3") is boto3 straight at moto, with every right;
aws.client("s3", judged=True) goes through the proxy with the suite's keys, as the program does. Identities, policies and
signatures count: aws.user(policy) gives keys with that policy and no more.

Also a command: `python tests/harness/aws.py [--bucket NAME]… COMMAND…` runs a command with such an AWS and ends with it.
"""

import http.client
import json
import os
import subprocess
import sys
from pathlib import Path

import boto3
import botocore.session
from botocore.config import Config

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    __package__ = "harness"
    import harness  # noqa: F401

from .hiding import AWS_SECRET, found_in_any  # noqa: E402
from .proxy import Proxy  # noqa: E402
from .server import ScriptedServer  # noqa: E402
from .signatures import Keys  # noqa: E402
from .verifying_proxy import ACCOUNT, VerifyingProxy  # noqa: E402

REGION = "us-west-2"
ALL = {"Effect": "Allow", "Action": "*", "Resource": "*"}


class _Boto:
    """boto3 clients whose keys may change below them: making a client costs more than most calls."""

    def __init__(self, endpoint):
        self._endpoint, self._clients = endpoint, {}
        self._core = botocore.session.Session()
        self._core.set_credentials("none", "none")
        self._session = boto3.Session(botocore_session=self._core, region_name=REGION)

    def use(self, access_key, secret_key, token=None):
        keys = self._core.get_credentials()
        keys.access_key, keys.secret_key, keys.token = access_key, secret_key, token

    def client(self, service, region=REGION):
        if (service, region) not in self._clients:
            config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, proxies={},
                            connect_timeout=5, read_timeout=30)
            self._clients[service, region] = self._session.client(service, region_name=region, config=config,
                                                                  endpoint_url=self._endpoint)
        return self._clients[service, region]


class Aws:
    """Started once for a session; reset() makes it new."""

    account, region = ACCOUNT, REGION

    def __enter__(self):
        env = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MOTO_"))}
        self._moto = subprocess.Popen([sys.executable, str(Path(__file__).with_name("moto_server.py"))], env=env,
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self._moto_port = int(self._moto.stdout.readline())
        self.proxy = VerifyingProxy(self._moto_port)
        self.proxy.__enter__()
        self.endpoint = f"http://127.0.0.1:{self.proxy.port}"
        self._direct, self._judged = _Boto(f"http://127.0.0.1:{self._moto_port}"), _Boto(self.endpoint)
        self._fronts = []
        self.reset()
        return self

    def __exit__(self, *_):
        self._close_fronts()
        self.proxy.close()
        self._moto.stdin.close()
        try:
            self._moto.wait(10)
        except subprocess.TimeoutExpired:
            self._moto.kill()
            self._moto.wait()
        self._moto.stdout.close()

    def _tell_moto(self, path, body=""):
        connection = http.client.HTTPConnection("127.0.0.1", self._moto_port, timeout=30)
        connection.request("POST", f"/moto-api/{path}", body)
        assert connection.getresponse().status in (200, 201)
        connection.close()

    def _close_fronts(self):
        for it in self._fronts:
            it.__exit__(None, None, None)
        self._fronts.clear()

    # A new AWS for each test.

    def reset(self):
        self._close_fronts()
        self._tell_moto("reset-auth", "inf")
        self._tell_moto("reset")
        self.proxy.forget()
        self._direct.use("setup", "setup")
        self._users = 0
        root = self._make_user([ALL])
        self._direct.use(*root)
        self._tell_moto("reset-auth", "0")
        self.proxy.admin = Keys("AKIAOFTHEPROXY000000", "", upstream=root)
        self.keys = self.user([ALL])
        self._judged.use(self.keys.access_key, self.keys.secret_key)
        self.proxy.calls.clear()

    def _make_user(self, statements):
        iam, self._users = self._direct.client("iam"), self._users + 1
        name = f"user-{self._users}"
        iam.create_user(UserName=name)
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_user_policy(UserName=name, PolicyName="it", PolicyDocument=document)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return key["AccessKeyId"], key["SecretAccessKey"]

    def user(self, statements, token=False, minutes=60):
        """Keys of a new user with this policy: [{"Effect": …, "Action": …, "Resource": …}, …]. With a token they end
        after so many minutes; less than 0: they have ended."""
        upstream = self._make_user(statements)
        if token:
            return self.proxy.issue(upstream, minutes)
        return self.proxy.make_known(Keys(f"AKIATESTUSER{self._users:08}", AWS_SECRET, upstream=upstream))

    def temporary(self, minutes=60):
        """Keys with a token, of a user who may do everything."""
        return self.user([ALL], token=True, minutes=minutes)

    def believe(self):
        """Until the next reset moto believes every signature: it refuses right ones where a path has encoded characters. The
        proxy checks them as before."""
        self._tell_moto("reset-auth", "inf")

    # For the program.

    @property
    def env(self):
        return self.env_of(self.keys)

    def env_of(self, keys):
        """keys None: none at all."""
        return {"AWS_ENDPOINT_URL": self.endpoint, "AWS_REGION": REGION, "AWS_EC2_METADATA_DISABLED": "true",
                **(keys.env if keys else {})}

    def env_at_real_names(self, authority):
        """No endpoint is configured: the program goes to https://….amazonaws.com, through a proxy that ends up here, and
        trusts our authority for those names; aws.tunnels tells to which it went."""
        front = ScriptedServer(tls=authority.context("aws"), default=self.proxy.default)
        front.takes_bodies_itself = True
        tunnel = Proxy(everything_to=front.port)
        self._fronts += [front.__enter__(), tunnel.__enter__()]
        return {**self.keys.env, "AWS_REGION": REGION, "AWS_EC2_METADATA_DISABLED": "true", "HTTPS_PROXY": tunnel.url,
                "AWS_CA_BUNDLE": str(authority.bundle)}

    @property
    def tunnels(self):
        """The names and ports that were asked for through env_at_real_names, in order."""
        return self._fronts[-1].tunnels

    # For the test.

    def client(self, service, judged=False, region=REGION):
        return (self._judged if judged else self._direct).client(service, region)

    def bucket(self, name="lake", region=REGION):
        where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        self.client("s3", region=region).create_bucket(Bucket=name, **where)
        return name

    def keys_of(self, bucket):
        pages = self.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def objects(self, bucket):
        """{key: bytes}."""
        s3 = self.client("s3")
        return {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in self.keys_of(bucket)}

    def unfinished(self, bucket):
        """Keys of multipart uploads that were neither completed nor aborted."""
        return [it["Key"] for it in self.client("s3").list_multipart_uploads(Bucket=bucket).get("Uploads", [])]

    def buckets(self):
        return [bucket["Name"] for bucket in self.client("s3").list_buckets()["Buckets"]]

    def leaks(self):
        """Secrets in requests, and in objects that were left."""
        if not self.proxy.calls:
            return []
        return self.proxy.leaks + [f"{bucket}/{key} holds {form}" for bucket in self.buckets()
                                   for key, content in self.objects(bucket).items() if len(content) < 1 << 20
                                   for form in found_in_any(content + b"\n" + key.encode())]


def main(arguments):
    buckets = []
    while arguments[:1] == ["--bucket"]:
        buckets, arguments = [*buckets, arguments[1]], arguments[2:]
    if not arguments:
        sys.exit("usage: aws.py [--bucket NAME]… COMMAND…")
    with Aws() as aws:
        for name in buckets:
            aws.bucket(name)
        status = subprocess.run(arguments, env={**os.environ, **aws.env}).returncode
        for leak in aws.leaks():
            print(f"aws.py: {leak}", file=sys.stderr)
            status = status or 1
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
