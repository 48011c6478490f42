"""botocore, which no one here wrote, gets its keys from our fakes and signs with them."""

import json
import os
import subprocess
import sys

import pytest

from harness import behaviours
from harness.identities import Container, Metadata, SignOn, files, make_role, static, web_identity

ASK = """
import boto3, botocore.config, json, sys
try:
    sts = boto3.client("sts", config=botocore.config.Config(retries={"total_max_attempts": 1}))
    found = sts.get_caller_identity()
    print(json.dumps({"arn": found["Arn"], "method": boto3.Session().get_credentials().method}))
except Exception as error:
    print(json.dumps({"error": type(error).__name__ + ": " + str(error)}))
"""


@pytest.fixture
def ask(tmp_path, aws):
    """What boto3 finds in this environment: {"arn", "method"} or {"error"}."""
    class Folder:
        folder = tmp_path
    (tmp_path / "home").mkdir()

    def asked(env):
        all_of_it = {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "home"), "AWS_DEFAULT_REGION": aws.region,
                     **aws.env_of(None), **env}
        run = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, timeout=60,
                             env={name: value for name, value in all_of_it.items() if value is not None})
        return json.loads(run.stdout)
    asked.program = Folder()
    return asked


@pytest.mark.parametrize("tokens", [True, 403])
def test_metadata_gives_keys_with_tokens_or_where_they_are_refused_without(aws, ask, tokens):
    with Metadata(aws, tokens=tokens) as imds:
        assert ask(imds.env)["method"] == "iam-role"
        methods = [request.method for request in imds.asked("/latest/api/token")]
        assert methods and set(methods) == {"PUT"}


def test_metadata_refuses_who_has_no_token(aws, ask):
    with Metadata(aws) as imds:
        imds.script("/latest/api/token", behaviours.status(403))
        assert "NoCredentials" in ask(imds.env)["error"]


def test_a_container_gives_keys_to_who_has_its_token(aws, ask):
    with Container(aws) as tasks:
        assert ask(tasks.env)["method"] == "container-role"
        assert "error" in ask({**tasks.env, "AWS_CONTAINER_AUTHORIZATION_TOKEN": "other"})


@pytest.mark.parametrize("minutes", [60, -1])
def test_single_sign_on_gives_keys_and_refreshes_its_token(aws, ask, minutes):
    sign_on = SignOn(aws, ask.program, minutes=minutes)
    assert ask(sign_on.env)["method"] == "sso"
    assert len(aws.proxy.asked("/token")) == (0 if minutes > 0 else 1) * len(aws.proxy.asked("/federation/credentials"))


def test_an_expired_sign_on_that_cannot_be_refreshed_is_an_error(aws, ask):
    sign_on = SignOn(aws, ask.program, minutes=-1, refreshable=False)
    assert "expired" in ask(sign_on.env)["error"]


def test_a_role_is_taken_on_from_a_profile_with_keys(aws, ask):
    arn = make_role(aws, "collector")
    env = files(ask.program, config=f"[profile x]\nrole_arn = {arn}\nsource_profile = base\n",
                credentials="[base]\n" + static(aws.keys))
    assert ":assumed-role/collector/" in ask({**env, "AWS_PROFILE": "x"})["arn"]
    assert "AssumeRole" in aws.proxy.operations()


def test_a_token_of_a_web_identity_is_exchanged_for_keys_without_a_signature(aws, ask):
    env = web_identity(aws, ask.program)
    assert ask(env)["method"] == "assume-role-with-web-identity"
    (ask.program.folder / "web-identity-token").write_text("other")
    assert "InvalidIdentityToken" in ask(env)["error"]


def test_keys_in_files_are_found(aws, ask):
    env = files(ask.program, credentials="[default]\n" + static(aws.temporary()))
    assert ask(env)["method"] == "shared-credentials-file"
