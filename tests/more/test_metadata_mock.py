"""EC2's metadata as AWS's own mock gives it, by the second version of its protocol alone."""

import json
import socket
import subprocess
import time
import urllib.request

import pytest

from harness.runner import FAILED, OK, ROOT, SLOT_NAME
from harness.signatures import Keys

MOCK = ROOT / "build" / "more" / "bin" / "ec2-metadata-mock"
LIFE = 120


@pytest.fixture
def mock():
    """Its address."""
    if not MOCK.exists():
        pytest.skip("ec2-metadata-mock is not there: it needs a Go toolchain")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(["timeout", str(LIFE), str(MOCK), "--hostname", "127.0.0.1", "--port", str(port), "--imdsv2"],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except OSError:
            assert time.monotonic() < until and process.poll() is None, "the mock does not start"
            time.sleep(0.02)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(20)


def ask(method, url, **headers):
    request = urllib.request.Request(url, method=method, headers={name.replace("_", "-"): it for name, it in headers.items()})
    with urllib.request.urlopen(request, timeout=5) as answer:
        return answer.read().decode()


def test_its_keys_are_found_and_sign_although_they_ended_in_2020(program, server, aws, mock):
    """Whether keys of a machine have ended is for AWS to say: a machine that cannot renew them for a while works on."""
    token = ask("PUT", mock + "/latest/api/token", X_aws_ec2_metadata_token_ttl_seconds="60")
    base = mock + "/latest/meta-data/iam/security-credentials/"
    role = ask("GET", base, X_aws_ec2_metadata_token=token)
    given = json.loads(ask("GET", base + role, X_aws_ec2_metadata_token=token))
    assert given["Expiration"] < "2021"
    bucket = aws.bucket()
    env = {**aws.env_of(None), "AWS_EC2_METADATA_DISABLED": None, "AWS_EC2_METADATA_SERVICE_ENDPOINT": mock}
    file = program.pipeline(server.url(), sink={"to": f"s3://{bucket}"})
    refused = program.run(file, env=env)
    assert refused.status == FAILED and not server.requests, refused.stderr
    assert "InvalidAccessKeyId" in refused.stderr and f"the machine's role {role}" in refused.stderr, refused.stderr
    aws.proxy.make_known(Keys(given["AccessKeyId"], given["SecretAccessKey"], given["Token"], upstream=aws.keys.upstream))
    assert program.run(file, env=env).status == OK
    assert f"weather/dt=2012-10-01/{SLOT_NAME}.csv" in aws.keys_of(bucket)
