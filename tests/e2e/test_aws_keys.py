"""Where keys come from: the room aws by itself (tests/probe), with botocore as the judge of which keys are found."""

import json
import os
import random
import stat
import textwrap
import time

import botocore.session
import pytest
from botocore.exceptions import BotoCoreError

from harness import behaviours
from harness.aws_faults import query_error
from harness.identities import Container, Metadata, SignOn, files, make_role, static, web_identity
from harness.probe import Probe, ask
from harness.server import ScriptedServer

AUTH = "not allowed"
WHO = {"service": "sts", "body": "Action=GetCallerIdentity&Version=2011-06-15"}


def env_of(program, aws=None, **more):
    return {"HOME": str(program.folder / "home"), "AWS_REGION": "us-west-2", **(aws.env_of(None) if aws else {}), **more}


def found_by_botocore(env, monkeypatch):
    """(access key, secret key, token), None when there are none, "error" when a source applies and fails."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in env.items():
        monkeypatch.setenv(name, str(value))
    try:
        keys = botocore.session.Session().get_credentials()
        return tuple(keys.get_frozen_credentials())[:3] if keys else None
    except BotoCoreError:
        return "error"


def found_by_us(env, *options):
    got = ask(env, "keys", *options)
    if got["code"] == "ok":
        return got["access_key"], got["secret_key"], got["session_token"]
    return None if "no AWS credentials were found" in got["error"] else "error"


# ---- which source wins ----

def some_section(rng, name):
    """The lines of a profile with some of what may give keys."""
    lines = []
    if rng.random() < 0.6:
        lines.append(f"aws_access_key_id = AKIA{name.upper()}{rng.randrange(10 ** 6)}")
        if rng.random() < 0.85:
            lines.append(f"aws_secret_access_key = {name}-secret/{rng.randrange(10 ** 6)}+=")
        if rng.random() < 0.4:
            lines.append(f"aws_session_token = {name}-token-{rng.randrange(10 ** 6)}==")
    if rng.random() < 0.25:
        keys = {"Version": rng.choice([1, 1, 1, 2]), "AccessKeyId": "AKIAPROCESS", "SecretAccessKey": "of a process"}
        lines.append(f"credential_process = /bin/echo '{json.dumps(keys)}'")
    if rng.random() < 0.3:
        lines.append(rng.choice(["region = eu-west-1", "output = json", "s3 =\n  max_concurrent_requests = 2", "# a comment"]))
    rng.shuffle(lines)
    return "\n".join(lines) + "\n"


def test_in_four_hundred_environments_the_keys_are_those_that_botocore_finds(program, monkeypatch):
    rng, seen = random.Random(20260101), set()
    for _ in range(400):
        names = ["default", "work", "other"]
        config = "".join(f"[{'default' if name == 'default' else 'profile ' + name}]\n{some_section(rng, name)}"
                         for name in names if rng.random() < 0.6)
        credentials = "".join(f"[{name}]\n{some_section(rng, 'c' + name)}" for name in names if rng.random() < 0.6)
        files(program, config=config, credentials=credentials)
        env = {"HOME": program.folder / "home", "AWS_EC2_METADATA_DISABLED": "true", "PATH": "/usr/bin:/bin"}
        if rng.random() < 0.6:
            env["AWS_PROFILE"] = rng.choice([*names, "missing"])
        for name, value in (("AWS_ACCESS_KEY_ID", "AKIAENV"), ("AWS_SECRET_ACCESS_KEY", "env secret"),
                            ("AWS_SESSION_TOKEN", "env token"), ("AWS_CREDENTIAL_EXPIRATION", "2999-01-01T00:00:00Z")):
            if rng.random() < 0.3:
                env[name] = rng.choice([value, value, value, ""])
        theirs, ours = found_by_botocore(env, monkeypatch), found_by_us(env)
        assert ours == theirs, (env, config, credentials)
        seen.add(theirs if isinstance(theirs, str) or not theirs else theirs[0][:8])
    assert {"error", None, "AKIAENV", "AKIAPROC"} <= seen and len(seen) >= 8


def test_a_profile_asked_for_on_the_command_line_comes_before_keys_in_the_environment(program):
    files(program, credentials="[work]\naws_access_key_id = AKIAWORK\naws_secret_access_key = work secret\n")
    env = env_of(program, AWS_ACCESS_KEY_ID="AKIAENV", AWS_SECRET_ACCESS_KEY="env secret")
    assert found_by_us({**env, "AWS_PROFILE": "work"})[0] == "AKIAENV"
    assert found_by_us(env, "--profile", "work")[0] == "AKIAWORK"


def test_a_key_without_its_secret_is_an_error_that_names_what_is_missing(program):
    got = ask(env_of(program, AWS_ACCESS_KEY_ID="AKIAENV"), "keys")
    assert got["code"] == AUTH and "AWS_SECRET_ACCESS_KEY" in got["error"]
    files(program, credentials="[default]\naws_access_key_id = AKIAWORK\n")
    got = ask(env_of(program), "keys")
    assert got["code"] == AUTH and "aws_secret_access_key" in got["error"] and "default" in got["error"]


def test_without_any_keys_the_error_says_where_was_looked_and_what_to_set(program):
    got = ask(env_of(program), "call", **WHO)
    assert got["code"] == AUTH and "AWS_ACCESS_KEY_ID" in got["error"] and "AWS_PROFILE" in got["error"]


def test_a_missing_profile_is_named_with_both_files(program):
    got = ask(env_of(program, AWS_PROFILE="nowhere"), "keys")
    assert got["code"] == "config" and '"nowhere"' in got["error"] and ".aws/credentials" in got["error"]


def test_who_we_are_is_told_with_the_key_hidden_but_for_its_end(program):
    files(program, credentials="[work]\naws_access_key_id = AKIAWORKWORKWORK1234\naws_secret_access_key = work secret\n")
    got = ask(env_of(program, AWS_PROFILE="work"), "identify")
    assert (got["access_key"], got["source"]) == ("…1234", "profile work in ~/.aws/credentials")


def test_a_login_of_the_newest_kind_gets_the_sentence_that_helps(program):
    files(program, config="[profile work]\nlogin_session = arn:aws:iam::123456789012:user/me\n")
    got = ask(env_of(program, AWS_PROFILE="work"), "keys")
    assert got["code"] == AUTH and "credential_process = aws configure export-credentials" in got["error"]


# ---- roles ----

def test_a_role_is_taken_on_with_the_keys_of_another_profile(aws, program):
    arn = make_role(aws, "collector")
    files(program, config=f"[profile x]\nrole_arn = {arn}\nsource_profile = base\nrole_session_name = nightly\n"
                          "external_id = of theirs\nduration_seconds = 900\n", credentials="[base]\n" + static(aws.keys))
    with Probe(env_of(program, aws, AWS_PROFILE="x")) as probe:
        first = probe("call", **WHO)
        assert "assumed-role/collector/nightly" in first["body"], first["error"]
        assert probe("call", **WHO)["code"] == "ok"
        who = probe("identify")
        assert arn in who["source"] and 800e6 < who["expires_us"] - time.time() * 1e6 < 900e6 + 5e6
    assert aws.proxy.operations() == ["AssumeRole", "GetCallerIdentity", "GetCallerIdentity"]
    asked = aws.proxy.asked("AssumeRole")[0].form
    assert (asked["ExternalId"], asked["DurationSeconds"]) == ("of theirs", "900")


def test_roles_form_a_chain(aws, program):
    first, second = make_role(aws, "first"), make_role(aws, "second")
    files(program, config=f"[profile x]\nrole_arn = {second}\nsource_profile = y\n[profile y]\nrole_arn = {first}\n"
                          "source_profile = base\n", credentials="[base]\n" + static(aws.keys))
    got = ask(env_of(program, aws, AWS_PROFILE="x"), "call", **WHO)
    assert "assumed-role/second/" in got["body"]
    assert aws.proxy.operations() == ["AssumeRole", "AssumeRole", "GetCallerIdentity"]


def test_a_profile_with_keys_may_name_itself_and_the_environment_may_be_the_source(aws, program):
    arn = make_role(aws, "collector")
    files(program, config=f"[profile x]\nrole_arn = {arn}\nsource_profile = x\n{static(aws.keys)}"
                          f"[profile y]\nrole_arn = {arn}\ncredential_source = environment\n")
    for profile, keys in (("x", {}), ("y", aws.keys.env)):
        env = env_of(program, aws, AWS_PROFILE=profile, **keys)
        if profile == "y":
            assert "assumed-role/collector/" not in ask(env, "call", **WHO)["body"]  # the environment's own keys
            assert "assumed-role/collector/" in ask(env, "call", "--profile", "y", **WHO)["body"]
        else:
            assert "assumed-role/collector/" in ask(env, "call", **WHO)["body"]


WRONG_ROLES = {
    "itself without keys": ("source_profile = x", "", "config", "leads back"),
    "a circle": ("source_profile = y", "[profile y]\nrole_arn = r\nsource_profile = x\n", "config", "leads back"),
    "a profile that is not there": ("source_profile = y", "", "config", "source_profile = y"),
    "a profile without keys": ("source_profile = y", "[profile y]\nregion = r\n", AUTH, "no keys"),
    "no source": ("region = eu-west-1", "", "config", "neither"),
    "two sources": ("source_profile = y\ncredential_source = Environment", "", "config", "both"),
    "an unknown source": ("credential_source = Wallet", "", "config", "Ec2InstanceMetadata"),
    "a source without keys": ("credential_source = Environment", "", AUTH, "Environment"),
    "a device and nobody to ask": ("source_profile = y\nmfa_serial = arn:aws:iam::1:mfa/me",
                                   "[profile y]\naws_access_key_id = AKIAY\naws_secret_access_key = y secret\n", AUTH,
                                   "mfa_serial"),
}


@pytest.mark.parametrize("name", WRONG_ROLES)
def test_a_role_whose_source_is_wrong_is_an_error(program, name, monkeypatch):
    lines, more, code, words = WRONG_ROLES[name]
    files(program, config=f"[profile x]\nrole_arn = arn:aws:iam::123456789012:role/r\n{lines}\n{more}")
    env = env_of(program, AWS_PROFILE="x", AWS_ENDPOINT_URL="http://127.0.0.1:1", AWS_EC2_METADATA_DISABLED="true")
    if "device" not in name:  # botocore would ask on the terminal
        assert found_by_botocore(env, monkeypatch) == "error"
    got = ask(env, "keys")
    assert got["code"] == code and words in got["error"] and '"x"' in got["error"]


def test_a_role_that_is_denied_says_so_with_amazons_words(aws, program):
    keys = aws.user([{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}])
    files(program, config=f"[profile x]\nrole_arn = {make_role(aws, 'r')}\nsource_profile = base\n",
          credentials="[base]\n" + static(keys))
    got = ask(env_of(program, aws, AWS_PROFILE="x"), "keys")
    assert got["code"] == AUTH and "AccessDenied" in got["error"] and '"x"' in got["error"] and "request" in got["error"]


def test_a_token_of_a_web_identity_is_exchanged_and_read_again_for_each_renewal(aws, program):
    env = {**env_of(program, aws), **web_identity(aws, program), "AWS_ROLE_SESSION_NAME": "pod"}
    assert ask(env, "call", **WHO)["code"] == "ok"
    request = aws.proxy.asked("AssumeRoleWithWebIdentity")[0]
    assert "authorization" not in request.headers and request.form["RoleSessionName"] == "pod"
    (program.folder / "web-identity-token").write_text("other\n")
    got = ask(env, "call", **WHO)
    assert got["code"] == AUTH and "InvalidIdentityToken" in got["error"] and "other" not in got["error"].split("web")[0]
    (program.folder / "web-identity-token").unlink()
    assert "web-identity-token" in ask(env, "call", **WHO)["error"]
    del env["AWS_ROLE_ARN"]
    assert ask(env, "call", **WHO)["code"] == "config"


# ---- single sign-on ----

@pytest.mark.parametrize("minutes", [60, 5, -1])
def test_single_sign_on_gives_keys_and_its_token_is_renewed_in_place_and_privately(aws, program, minutes):
    sign_on = SignOn(aws, program, minutes=minutes)
    env = {**env_of(program, aws), **sign_on.env}
    assert ask(env, "call", **WHO)["code"] == "ok"
    kept = json.loads(sign_on.cache.read_text())
    renewed = minutes < 15
    assert len(aws.proxy.asked("/token")) == renewed and kept["clientId"] == "client" and kept["startUrl"] == sign_on.START
    assert (kept["accessToken"], kept["refreshToken"]) == (
        ("sso-renewed-token", "refresh-2") if renewed else ("sso-access-token", "refresh"))
    if renewed:
        assert stat.S_IMODE(sign_on.cache.stat().st_mode) == 0o600 and os.listdir(sign_on.cache.parent) == [sign_on.cache.name]
        assert ask(env, "call", **WHO)["code"] == "ok" and len(aws.proxy.asked("/token")) == 1


def test_a_sign_on_that_is_over_asks_for_a_login(aws, program):
    sign_on = SignOn(aws, program, minutes=-1, refreshable=False)
    env = {**env_of(program, aws), **sign_on.env}
    got = ask(env, "keys")
    assert got["code"] == AUTH and "aws sso login --profile work" in got["error"]
    sign_on.cache.unlink()
    assert "aws sso login --profile work" in ask(env, "keys")["error"]
    sign_on.cache.write_text("{")
    assert "aws sso login --profile work" in ask(env, "keys")["error"]


def test_a_token_that_no_longer_counts_asks_for_a_login_and_is_not_shown(aws, program):
    sign_on = SignOn(aws, program)
    sign_on.access = "another"
    got = ask({**env_of(program, aws), **sign_on.env}, "keys")
    assert got["code"] == AUTH and "aws sso login --profile work" in got["error"]
    assert "sso-access-token" not in got["error"]


def test_a_sign_on_whose_parts_disagree_is_an_error(program):
    files(program, config="[sso-session s]\nsso_region = us-east-1\nsso_start_url = https://a\n"
                          "[profile x]\nsso_session = s\nsso_account_id = 1\nsso_role_name = r\nsso_region = us-west-2\n"
                          "[profile y]\nsso_session = none\nsso_account_id = 1\nsso_role_name = r\n"
                          "[profile z]\nsso_session = s\nsso_account_id = 1\n")
    for profile, words in (("x", "sso_region"), ("y", "[sso-session none]"), ("z", "sso_role_name")):
        got = ask(env_of(program, AWS_PROFILE=profile), "keys")
        assert got["code"] == "config" and words in got["error"]


# ---- a program that prints keys ----

def with_process(program, command):
    files(program, config=f"[profile x]\ncredential_process = {command}\n")
    return env_of(program, AWS_PROFILE="x")


def test_a_process_is_started_without_a_shell_with_its_words_as_quoted(program):
    script = program.folder / "keys of mine.py"
    script.write_text(textwrap.dedent("""\
        #!/usr/bin/env python3
        import json, sys
        print(json.dumps({"Version": 1, "AccessKeyId": "|".join(sys.argv[1:]), "SecretAccessKey": "printed secret",
                          "SessionToken": "printed token", "Expiration": "2999-01-01T00:00:00Z"}))
        """))
    script.chmod(0o755)
    env = with_process(program, f"'{script}' a \"b c\" d\\ e '$HOME' ; $(id)")
    assert found_by_us(env) == ("a|b c|d e|$HOME", "printed secret", "printed token")
    env = with_process(program, f"'{script}' a \"b c\" d\\ e '$HOME'#x * $(id)")
    assert found_by_us(env) == ("a|b c|d e|$HOME#x|*|$(id)", "printed secret", "printed token")


WRONG_PROCESSES = {
    "it is not there": ("/nowhere/at/all", "cannot be started"),
    "it fails": ("/bin/sh -c 'echo no vault here >&2; exit 7'", "status 7: no vault here"),
    "it is killed": ("/bin/sh -c 'kill -9 $$'", "signal 9"),
    "it prints no JSON": ("/bin/echo hello", "JSON"),
    "another version": ("/bin/echo '{\"Version\": 2, \"AccessKeyId\": \"a\", \"SecretAccessKey\": \"b\"}'", "Version"),
    "half of the keys": ("/bin/echo '{\"Version\": 1, \"AccessKeyId\": \"a\"}'", "SecretAccessKey"),
    "keys that are over": ("/bin/echo '{\"Version\": 1, \"AccessKeyId\": \"a\", \"SecretAccessKey\": \"b key\", "
                           "\"Expiration\": \"2020-01-01T00:00:00Z\"}'", "expired"),
    "too much": ("/usr/bin/head -c 1000000 /dev/zero", "longer than"),
    "a quote without an end": ("/bin/echo 'a", "quotes"),
}


@pytest.mark.parametrize("name", WRONG_PROCESSES)
def test_a_process_that_gives_no_keys_is_an_error_that_names_its_profile(program, name):
    command, words = WRONG_PROCESSES[name]
    got = ask(with_process(program, command), "keys")
    assert got["code"] in (AUTH, "config", "limit") and words in got["error"]
    assert "quotes" in words or '"x"' in got["error"] or "expired" in words


# ---- machines ----

@pytest.mark.parametrize("tokens", [True, 403, 404, 405])
def test_the_metadata_of_a_machine_is_asked_with_a_token_or_where_that_is_refused_without(aws, program, tokens):
    with Metadata(aws, tokens=tokens) as imds:
        got = ask({**env_of(program, aws), **imds.env}, "call", **WHO)
        assert got["code"] == "ok", got["error"]
        assert [request.method for request in imds.asked("/latest/api/token")] == ["PUT"]
        got = ask({**env_of(program, aws), **imds.env, "AWS_EC2_METADATA_V1_DISABLED": "true"}, "call", **WHO)
        assert got["code"] == ("ok" if tokens is True else AUTH)


def test_metadata_that_gives_no_token_in_time_is_asked_the_old_way(aws, program):
    with Metadata(aws, tokens=None) as imds:
        began = time.monotonic()
        env = {**env_of(program, aws), **imds.env, "AWS_METADATA_SERVICE_TIMEOUT": "0.3"}
        assert ask(env, "keys")["code"] == "ok"
        assert 0.3 <= time.monotonic() - began < 3


@pytest.mark.parametrize("status", [400, 500])
def test_metadata_that_refuses_otherwise_is_left_alone(aws, program, status):
    with Metadata(aws, tokens=status) as imds:
        got = ask({**env_of(program, aws), **imds.env}, "keys")
        assert got["code"] == AUTH and "no AWS credentials were found" in got["error"]
        assert not imds.asked("/latest/meta-data/iam/security-credentials/")


def test_metadata_that_is_switched_off_is_not_asked(aws, program):
    with Metadata(aws) as imds:
        env = {**env_of(program, aws), **imds.env, "AWS_EC2_METADATA_DISABLED": "TRUE"}
        assert ask(env, "keys")["code"] == AUTH
        assert not imds.asked("/latest/api/token")


def test_metadata_may_say_that_the_role_is_broken(aws, program):
    with Metadata(aws, wrong={"Code": "AssumeRoleUnauthorizedAccess", "Message": "EC2 cannot assume the role"}) as imds:
        assert "no AWS credentials were found" in ask({**env_of(program, aws), **imds.env}, "keys")["error"]


def test_a_container_gives_keys_to_who_has_its_token(aws, program):
    with Container(aws) as tasks:
        env = {**env_of(program, aws), **tasks.env}
        assert ask(env, "call", **WHO)["code"] == "ok"
        path = program.folder / "container-token"
        path.write_text(tasks.TOKEN)
        assert ask({**env, "AWS_CONTAINER_AUTHORIZATION_TOKEN": "wrong",
                    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": path}, "keys")["code"] == "ok"
        tasks.script("/v2/credentials/task", behaviours.status(500), behaviours.status(500), tasks.default)
        assert ask(env, "keys")["code"] == "ok"  # asked three times


@pytest.mark.parametrize("token", ["a\r\nX-Other: b", "a\nb"])
def test_a_containers_token_with_a_line_break_is_refused(aws, program, token):
    path = program.folder / "container-token"
    path.write_bytes(token.encode())
    with Container(aws) as tasks:
        env = {**env_of(program, aws), **tasks.env, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": path}
        got = ask(env, "keys")
        assert got["code"] == AUTH and "line break" in got["error"] and not tasks.asked("/v2/credentials/task")


@pytest.mark.parametrize("url", ["http://example.com/keys", "http://127.0.0.1.example.com/", "http://169.254.170.2.evil/",
                                 "ftp://localhost/", "http://127.0.0.1@example.com/", "http://localhost.example.com:80/x"])
def test_keys_of_a_container_come_in_the_clear_from_near_by_alone(program, url):
    got = ask(env_of(program, AWS_CONTAINER_CREDENTIALS_FULL_URI=url), "keys")
    assert got["code"] == "config" and "AWS_CONTAINER_CREDENTIALS_FULL_URI" in got["error"]


# ---- renewing ----

def test_keys_are_asked_for_once_while_they_are_good(aws, program):
    with Container(aws, minutes=60) as tasks, Probe({**env_of(program, aws), **tasks.env}) as probe:
        for _ in range(3):
            assert probe("call", **WHO)["code"] == "ok"
        assert len(tasks.asked("/v2/credentials/task")) == 1


def test_keys_are_renewed_in_the_second_half_of_a_short_life(aws, program):
    with Container(aws, minutes=0.1) as tasks, Probe({**env_of(program, aws), **tasks.env}) as probe:
        old = probe("keys")["access_key"]
        tasks.keys = aws.temporary(60)
        assert probe("keys")["access_key"] == old
        time.sleep(3.2)
        assert probe("keys")["access_key"] == tasks.keys.access_key != old
        probe("keys")
        assert len(tasks.asked("/v2/credentials/task")) == 2


def test_keys_that_can_still_be_used_are_used_where_they_cannot_be_renewed(aws, program):
    with Container(aws, minutes=0.2) as tasks, Probe({**env_of(program, aws), **tasks.env}) as probe:
        old = probe("keys")["access_key"]
        tasks.wrong = {"code": "broken"}
        time.sleep(6.2)
        assert probe("keys")["access_key"] == old
        time.sleep(2.5)
        got = probe("keys")
        assert got["code"] == AUTH and "cannot be renewed" in got["error"]


def test_keys_that_amazon_calls_expired_are_asked_for_anew_once(aws, program):
    with Container(aws, minutes=60) as tasks, Probe({**env_of(program, aws), **tasks.env}) as probe:
        aws.proxy.fault(query_error(403, "ExpiredToken", "The security token is expired"), operation="GetCallerIdentity")
        got = probe("call", **WHO)
        assert got["code"] == "ok" and got["attempts"] == 2 and len(tasks.asked("/v2/credentials/task")) == 2
        aws.proxy.fault(query_error(403, "ExpiredToken", "The security token is expired"), operation="GetCallerIdentity",
                        times=2)
        got = probe("call", **WHO)
        assert got["code"] == AUTH and "ExpiredToken" in got["error"]


# ---- region and endpoints ----

def test_the_region_is_the_machines_own_where_nobody_says_one(aws, program):
    with Metadata(aws) as imds:
        env = {**env_of(program, aws), **imds.env, "AWS_REGION": None}
        assert ask(env, "region")["value"] == aws.region
    got = ask({**env_of(program), "AWS_REGION": None}, "region")
    assert got["code"] == "config" and "AWS_REGION" in got["error"]


def test_the_region_is_found_in_order(program):
    files(program, config="[default]\nregion = eu-west-1\n[profile x]\nregion = eu-west-3\n")
    env = {**env_of(program), "AWS_REGION": None}
    assert ask(env, "region")["value"] == "eu-west-1"
    assert ask({**env, "AWS_PROFILE": "x"}, "region")["value"] == "eu-west-3"
    assert ask({**env, "AWS_PROFILE": "x", "AWS_DEFAULT_REGION": "eu-west-2"}, "region")["value"] == "eu-west-2"
    env = {**env, "AWS_DEFAULT_REGION": "eu-west-2", "AWS_REGION": "ap-south-1"}
    assert ask(env, "region")["value"] == "ap-south-1"
    assert ask(env, "region", "--region", "sa-east-1")["value"] == "sa-east-1"
    for bad in ("us west", "a/b", "evil.example.com#", "-x", "x" * 70):
        got = ask(env, "endpoint", "--region", bad, service="glue")
        assert got["code"] == "config" and "region" in got["error"]


SERVICES = {"s3": "s3", "sns": "sns", "sts": "sts", "glue": "glue", "athena": "athena", "events": "events",
            "scheduler": "scheduler", "lambda": "lambda", "ecr": "ecr", "ssm": "ssm", "secretsmanager": "secretsmanager",
            "logs": "logs", "iam": "iam"}


@pytest.mark.parametrize("fips", [False, True])
@pytest.mark.parametrize("dual", [False, True])
def test_services_are_where_botocores_rules_say(program, monkeypatch, fips, dual):
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    session, wrong = botocore.session.Session(), []
    session.set_credentials("a", "b")
    config = botocore.config.Config(use_fips_endpoint=fips, use_dualstack_endpoint=dual, s3={"us_east_1_regional_endpoint":
                                                                                              "regional"})
    for region in ("us-east-1", "us-west-2", "eu-central-1", "cn-north-1", "us-gov-west-1", "us-gov-east-1", "eusc-de-east-1"):
        with Probe({**env_of(program), "AWS_REGION": region, "AWS_USE_FIPS_ENDPOINT": str(fips).lower(),
                    "AWS_USE_DUALSTACK_ENDPOINT": str(dual).lower()}) as probe:
            for service in SERVICES:
                if fips and (region.startswith(("cn-", "eusc-")) or (service == "ecr" and not dual)):
                    continue  # not offered there; ecr's is documented as ecr-fips
                try:
                    theirs = session.create_client(service, region_name=region, config=config)
                    resolved = theirs._ruleset_resolver.construct_endpoint(
                        theirs.meta.service_model.operation_model(theirs.meta.service_model.operation_names[0]),
                        {"Bucket": None} if service == "s3" else {}, {"client_region": region})
                except Exception as error:
                    if "FIPS" in str(error) or "DualStack" in str(error):
                        continue  # not offered there
                    raise
                ours = probe("endpoint", service=service)["value"]
                if ours != resolved.url:
                    wrong.append((service, region, ours, resolved.url))
    assert not wrong, wrong


def test_configured_endpoints_count_in_order(program):
    files(program, config=textwrap.dedent("""\
        [default]
        endpoint_url = http://profile:1
        services = mine
        [services mine]
        glue =
          endpoint_url = http://section:2/base/
        secrets_manager =
          endpoint_url = https://section:443
        [profile broken]
        services = nowhere
        [profile off]
        ignore_configured_endpoint_urls = true
        endpoint_url = http://profile:1
        """))
    env = env_of(program)

    def endpoint(service, *options, **more):
        return ask({**env, **more}, "endpoint", *options, service=service)["value"]
    assert endpoint("glue") == "http://section:2/base" and endpoint("sns") == "http://profile:1"
    assert endpoint("secretsmanager") == "https://section"
    assert endpoint("glue", AWS_ENDPOINT_URL="http://all:3") == "http://all:3"
    assert endpoint("glue", AWS_ENDPOINT_URL="http://all:3", AWS_ENDPOINT_URL_GLUE="http://one:4") == "http://one:4"
    assert endpoint("events", AWS_ENDPOINT_URL_EVENTBRIDGE="http://one:4") == "http://one:4"
    assert endpoint("logs", AWS_ENDPOINT_URL_CLOUDWATCH_LOGS="http://one:4") == "http://one:4"
    assert endpoint("glue", "--endpoint-url", "http://flag:5", AWS_ENDPOINT_URL_GLUE="http://one:4") == "http://flag:5"
    assert endpoint("glue", AWS_ENDPOINT_URL="http://all:3",
                    AWS_IGNORE_CONFIGURED_ENDPOINT_URLS="true") == "https://glue.us-west-2.amazonaws.com"
    assert endpoint("sns", AWS_PROFILE="off") == "https://sns.us-west-2.amazonaws.com"
    got = ask({**env, "AWS_PROFILE": "broken"}, "endpoint", service="glue")
    assert got["code"] == "config" and "[services nowhere]" in got["error"]


@pytest.mark.parametrize("url", ["localhost:4566", "ftp://x", "http://", "http://user@host/", "http://host/?a", "http://h /"])
def test_an_endpoint_that_is_no_address_is_an_error(program, url):
    got = ask(env_of(program, AWS_ENDPOINT_URL=url), "endpoint", service="glue")
    assert got["code"] == "config" and "AWS_ENDPOINT_URL" in got["error"]


@pytest.mark.parametrize("name, value", [("AWS_MAX_ATTEMPTS", "none"), ("AWS_MAX_ATTEMPTS", "0"), ("AWS_RETRY_MODE", "often")])
def test_a_setting_without_meaning_is_an_error_that_names_it(program, name, value):
    got = ask(env_of(program, **{name: value}), "region")
    assert got["code"] == "config" and name in got["error"] and value in got["error"]
