"""Signed calls: the room aws by itself (tests/probe) against our own AWS, which checks each signature, and against
servers that fail as AWS does; signatures compared with botocore's."""

import datetime
import random
import string
import threading
import time
from urllib.parse import quote

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials

from harness import behaviours
from harness.aws_faults import (cut_before_answer, cut_in_body, error_in_200, internal_error, json_answer, json_error,
                                late, query_error, s3_error, slow_down)
from harness.probe import Probe, ask
from harness.server import ClosedPort, ScriptedServer

AUTH = "not allowed"
FAST = {"AWS_NEW_RETRIES_2026": "true"}
KEYS = {"AWS_ACCESS_KEY_ID": "AKIAOFTHETESTS", "AWS_SECRET_ACCESS_KEY": "secret of the tests"}
GET_TABLE = {"service": "glue", "target": "AWSGlue.GetTable", "body": "{}"}


def at(server, **more):
    return {**KEYS, **FAST, "AWS_REGION": "us-west-2", "AWS_ENDPOINT_URL": server.url(""), **more}


# ---- signatures ----

def random_request(rng):
    """A request as our rooms make them: path percent-encoded once, query with all that a query may hold."""
    letters = string.ascii_letters + string.digits + "-_.~"
    odd = letters + " +=:,/@!$&'()*;?#[]%\"<>\\^`{|}äöü€😀"
    s3 = rng.random() < 0.5

    def text(alphabet, most):
        return "".join(rng.choice(alphabet) for _ in range(rng.randrange(most)))
    path = "/" + quote(text(odd, 30), safe="/-_.~")
    if not s3:
        path += rng.choice(["", "/./a", "/../b", "//c//", "/.", "/.."])
    query = "&".join(quote(text(odd, 8) or "k", safe="-_.~") + rng.choice(["", "=", "=" + quote(text(odd, 9), safe="-_.~")])
                     for _ in range(rng.randrange(5)))
    headers = [f"Host: {rng.choice(['host.example.com', 'host.example.com:8443', '127.0.0.1:9000'])}",
               "X-Amz-Date: 20261125T123456Z"]
    for name in rng.sample(["Content-Type", "If-None-Match", "x-amz-meta-name", "X-Amz-Target", "Range", "User-Agent"],
                           rng.randrange(5)):
        headers.append(f"{name}: {text(letters + '  ;=/', 25).strip() or 'x'}")
    rng.shuffle(headers)
    return {"method": rng.choice(["GET", "PUT", "POST", "DELETE", "HEAD"]), "path": path, "query": query, "headers": headers,
            "payload_hash": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "time": "20261125T123456Z", "region": rng.choice(["us-east-1", "eu-central-1"]),
            "service": "s3" if s3 else rng.choice(["glue", "lambda", "sns"]), "access_key": "AKIDEXAMPLE",
            "secret_key": text(letters + "/+", 200), "s3": s3}


def botocores(q):
    """The Authorization header that botocore signs the same request with."""
    keys = Credentials(q["access_key"], q["secret_key"])
    signer = (S3SigV4Auth if q["s3"] else SigV4Auth)(keys, q["service"], q["region"])
    headers = HTTPHeaders()
    for line in q["headers"]:
        name, value = line.split(": ", 1)
        headers.add_header(name, value)
    host = headers["Host"]
    url = f"https://{host}{q['path']}" + (f"?{q['query']}" if q["query"] else "")
    request = AWSRequest(method=q["method"], url=url, headers=headers)
    request.context["timestamp"] = q["time"]
    signer.payload = lambda _: q["payload_hash"]
    canonical = signer.canonical_request(request)
    to_sign = signer.string_to_sign(request, canonical)
    names = signer.signed_headers(signer.headers_to_sign(request))
    return canonical, (f"AWS4-HMAC-SHA256 Credential={signer.scope(request)}, SignedHeaders={names}, "
                       f"Signature={signer.signature(to_sign, request)}")


def test_six_hundred_random_requests_are_signed_as_botocore_signs_them():
    rng = random.Random(20261125)
    with Probe({}) as probe:
        for _ in range(600):
            q = random_request(rng)
            canonical, authorization = botocores(q)
            ours = probe("sign", **q)
            assert (ours["canonical"], ours["authorization"]) == (canonical, authorization), q


# ---- calls that go well ----

def test_objects_go_to_a_bucket_and_come_back_with_every_kind_of_key(aws):
    bucket = aws.bucket()
    keys = ["plain", "dt=2026-01-01/a b+c.csv", "ünï/€", "a//b", "../up", "q?x#y&z=%41", "~:@!$'()*,;[]"]
    with Probe(aws.env) as probe:
        for key in keys:
            path = "/" + quote(key, safe="/-_.~")
            put = probe("call", service="s3", bucket=bucket, method="PUT", path=path, body="of " + key,
                        headers=["Content-Type: text/csv"])
            assert put["code"] == "ok" and '"' in put["headers"] and "etag" in put["headers"].lower(), put["error"]
            assert probe("call", service="s3", bucket=bucket, method="GET", path=path)["body"] == "of " + key
        empty = probe("call", service="s3", bucket=bucket, method="PUT", path="/empty")
        assert empty["code"] == "ok" and "content-type" not in aws.proxy.asked(f"/{bucket}/empty")[0].headers
        listing = probe("call", service="s3", bucket=bucket, method="GET", query="list-type=2&prefix=dt%3D2026&delimiter=%2F")
        assert "dt=2026-01-01/" in listing["body"]
        assert probe("call", service="s3", bucket=bucket, method="DELETE", path="/plain")["status"] == 204
        head = probe("call", service="s3", bucket=bucket, method="HEAD", path="/plain")
        assert (head["code"], head["error_code"], head["status"]) == ("not found", "404", 404)
    assert sorted(aws.objects(bucket)) == sorted([*keys[1:], "empty"])


def test_a_large_body_goes_at_once_and_a_head_tells_of_an_object_larger_than_a_reply_may_be(aws, server):
    bucket = aws.bucket()
    with Probe(aws.env) as probe:
        got = probe("call", service="s3", bucket=bucket, method="PUT", path="/large", body_bytes=8 << 20)
        assert got["code"] == "ok" and "expect" not in aws.proxy.asked(f"/{bucket}/large")[0].headers
    assert len(aws.objects(bucket)["large"]) == 8 << 20
    server.script("/lake/huge", behaviours.Wire(lambda exchange: exchange.send_head(200, [("Content-Length", "5000000000000")])))
    got = ask(at(server), "call", service="s3", bucket="lake", method="HEAD", path="/huge")
    assert got["code"] == "ok" and "5000000000000" in got["headers"]


def test_each_protocol_is_spoken(aws):
    with Probe(aws.env) as probe:
        assert probe("call", service="glue", target="AWSGlue.CreateDatabase",
                     body='{"DatabaseInput":{"Name":"weather"}}')["code"] == "ok"
        assert "arn:aws:sns" in probe("call", service="sns", body="Action=CreateTopic&Version=2010-03-31&Name=t")["body"]
        missing = probe("call", service="iam", body="Action=GetUser&Version=2010-05-08&UserName=nobody")
        assert (missing["code"], missing["error_code"]) == ("not found", "NoSuchEntity"), missing["error"]
        assert "Account" in probe("call", service="sts", body="Action=GetCallerIdentity&Version=2011-06-15")["body"]
    assert not aws.proxy.leaks


def test_a_path_outside_s3_is_signed_encoded_once_more_and_sent_as_it_is(server):
    server.script("/2015-03-31/functions/arn%3Aaws%3Alambda", json_answer({}))
    with Probe(at(server)) as probe:
        got = probe("call", service="lambda", method="GET", path="/2015-03-31/functions/arn%3Aaws%3Alambda")
        asked = server.requests[0]
        signed = probe("sign", method="GET", path="/2015-03-31/functions/arn%3Aaws%3Alambda", query="",
                       headers=[f"Host: {asked.headers['host']}", f"X-Amz-Date: {asked.headers['x-amz-date']}"],
                       payload_hash="e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                       time=asked.headers["x-amz-date"], region="us-west-2", service="lambda",
                       access_key=KEYS["AWS_ACCESS_KEY_ID"], secret_key=KEYS["AWS_SECRET_ACCESS_KEY"])
    assert got["code"] == "ok" and "arn%253Aaws%253Alambda" in signed["canonical"]
    assert asked.headers["authorization"] == signed["authorization"]


def test_real_names_are_reached_over_tls_with_the_bundle_that_is_named(aws, authority):
    bucket = aws.bucket("lake-one")
    aws.bucket("lake.two")
    env = aws.env_at_real_names(authority)
    with Probe(env) as probe:
        for name in (bucket, "lake.two"):
            got = probe("call", service="s3", bucket=name, method="PUT", path="/x", body="x", unsigned_payload=True)
            assert got["code"] == "ok", got["error"]
        assert probe("call", **{**GET_TABLE, "body": '{"DatabaseName":"d","Name":"t"}'})["error_code"] == \
            "EntityNotFoundException"
    names = [str(tunnel) for tunnel in aws.tunnels]
    for name in ("lake-one.s3.us-west-2.amazonaws.com", "s3.us-west-2.amazonaws.com", "glue.us-west-2.amazonaws.com"):
        assert any(name in tunnel for tunnel in names), names
    got = ask({**env, "AWS_CA_BUNDLE": None}, "call", **GET_TABLE)
    assert got["code"] == "remote" and "certificate" in got["error"]


def test_a_body_is_left_unsigned_over_tls_alone(aws):
    bucket = aws.bucket()
    got = ask(aws.env, "call", service="s3", bucket=bucket, method="PUT", path="/x", body="x", unsigned_payload=True)
    assert got["code"] == "ok"
    assert aws.proxy.asked(f"/{bucket}/x")[0].headers["x-amz-content-sha256"] != "UNSIGNED-PAYLOAD"


def test_plain_http_never_goes_through_a_proxy(server):
    with ClosedPort() as closed:
        proxy = f"http://127.0.0.1:{closed.port}"
        server.script("AWSGlue.GetTable", json_answer({"Table": {}}))
        env = {**at(server), "http_proxy": proxy, "HTTP_PROXY": proxy, "ALL_PROXY": proxy}
        assert ask(env, "call", **GET_TABLE)["code"] == "ok"


# ---- many at a time ----

def test_calls_are_under_way_together_and_end_in_any_order(server):
    server.script("AWSGlue.GetTable", behaviours.Wire(lambda exchange: (exchange.pause(0.3),
                                                                         json_answer({}).play(exchange))))
    began = time.monotonic()
    with Probe(at(server), "--at-once", "8") as probe:
        replies = probe("calls", calls=[GET_TABLE] * 8)
    assert [reply["code"] for reply in replies] == ["ok"] * 8 and time.monotonic() - began < 1.8
    assert server.most_at_once == 8


def test_more_calls_than_may_be_at_once_take_turns(server):
    server.script("AWSGlue.GetTable", json_answer({}))
    with Probe(at(server), "--at-once", "2") as probe:
        assert [reply["code"] for reply in probe("calls", calls=[GET_TABLE] * 20)] == ["ok"] * 20
    assert server.most_at_once <= 2


def test_a_call_that_is_given_up_ends_at_once_and_harms_no_other(server):
    server.script("AWSGlue.GetTable", behaviours.Wire(lambda exchange: exchange.stall()))
    server.script("AWSGlue.GetTables", json_answer({}))
    began = time.monotonic()
    with Probe(at(server)) as probe:
        good = {**GET_TABLE, "target": "AWSGlue.GetTables"}
        replies = probe("calls", calls=[good, {**GET_TABLE, "cancel": True}, good])
    assert [reply and reply["code"] for reply in replies] == ["ok", None, "ok"] and time.monotonic() - began < 5


# ---- what is tried again ----

PASSING = {"500": internal_error(), "503 SlowDown": slow_down(), "cut before the answer": cut_before_answer(),
           "a reset": behaviours.reset(), "a body cut short": behaviours.short_body(), "garbage": behaviours.garbage(),
           "an error in 200": error_in_200()}


@pytest.mark.parametrize("name", PASSING)
def test_what_may_pass_is_tried_again(aws, name):
    bucket = aws.bucket()
    aws.proxy.fault(PASSING[name], operation="PutObject")
    got = ask({**aws.env, **FAST}, "call", service="s3", bucket=bucket, method="PUT", path="/x", body="x")
    assert got["code"] == "ok" and got["attempts"] == 2 and aws.objects(bucket) == {"x": b"x"}, got["error"]


@pytest.mark.parametrize("kind", ["ThrottlingException", "TooManyRequestsException", "LimitExceededException"])
def test_throttling_is_tried_three_times_in_all_and_then_told(server, kind):
    server.script("AWSGlue.GetTable", json_error(400, kind, "Rate exceeded"))
    got = ask(at(server), "call", **GET_TABLE)
    assert (got["code"], got["attempts"], got["error_code"]) == ("busy", 3, kind)
    assert "Rate exceeded" in got["error"] and "tried 3 times" in got["error"] and "TESTREQUEST0001" in got["error"]
    assert len(server.requests) == 3


def test_what_must_not_happen_twice_is_tried_once(server):
    server.script("AWSGlue.GetTable", internal_error())
    assert ask(at(server), "call", **GET_TABLE, once=True)["attempts"] == 1 and len(server.requests) == 1


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_as_many_attempts_are_made_as_the_setting_says(server, attempts):
    server.script("AWSGlue.GetTable", internal_error())
    got = ask(at(server, AWS_MAX_ATTEMPTS=attempts), "call", **GET_TABLE)
    assert got["attempts"] == len(server.requests) == attempts


def test_a_service_that_is_down_is_not_asked_again_without_end(server):
    """Fourteen of five hundred tokens each: after thirty-five retries a failure is told at once."""
    server.script("AWSGlue.GetTable", internal_error())
    with Probe(at(server)) as probe:
        attempts = [probe("call", **GET_TABLE)["attempts"] for _ in range(25)]
        assert sum(attempts) - len(attempts) == 500 // 14 and attempts[0] == 3 and attempts[-1] == 1
        server.script("AWSGlue.GetTable", json_answer({}))
        for _ in range(14):
            assert probe("call", **GET_TABLE)["code"] == "ok"
        server.script("AWSGlue.GetTable", internal_error())
        assert probe("call", **GET_TABLE)["attempts"] == 2


def test_the_wait_is_at_most_a_second_in_the_mode_of_today_and_a_servers_hint_counts_in_that_of_2026(server):
    server.script("AWSGlue.GetTable", internal_error(), json_answer({}))
    env = at(server)
    del env["AWS_NEW_RETRIES_2026"]
    assert ask(env, "call", **GET_TABLE)["ms"] < 1500
    hint = behaviours.Reply(500, b"{}", {"x-amz-retry-after": "700"})
    server.script("AWSGlue.GetTable", hint, json_answer({}))
    assert 700 <= ask(at(server), "call", **GET_TABLE)["ms"] < 1500


def test_a_server_that_does_not_answer_is_given_up_in_time(server):
    server.script("AWSGlue.GetTable", behaviours.Wire(lambda exchange: exchange.stall()))
    got = ask(at(server), "call", **GET_TABLE, total_ms=300)
    assert got["code"] == "busy" and got["attempts"] == 3 and 900 <= got["ms"] < 3000 and "glue GetTable" in got["error"]


def test_a_server_that_is_not_there_is_named_by_what_was_asked(server):
    with ClosedPort() as closed:
        got = ask({**at(server), "AWS_ENDPOINT_URL": f"http://127.0.0.1:{closed.port}"}, "call", **GET_TABLE)
    assert got["code"] == "busy" and "glue GetTable in us-west-2" in got["error"] and got["status"] == 0


def test_a_redirect_is_never_followed(server):
    server.script("/lake/x", behaviours.redirect("http://127.0.0.1:1/elsewhere", 302))
    got = ask(at(server), "call", service="s3", bucket="lake", method="GET", path="/x")
    assert got["status"] == 302 and got["code"] == "remote" and len(server.requests) == 1


# ---- what is corrected ----

@pytest.mark.parametrize("hours", [-3, 3])
def test_a_clock_that_is_wrong_is_corrected_once_for_all_calls(server, hours):
    def judge(request):
        said = datetime.datetime.strptime(request.headers["x-amz-date"], "%Y%m%dT%H%M%SZ")
        theirs = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None) + datetime.timedelta(hours=hours)
        date = {"Date": theirs.strftime("%a, %d %b %Y %H:%M:%S GMT")}
        if abs((said - theirs).total_seconds()) > 300:
            reply = s3_error(403, "RequestTimeTooSkewed", "The difference is too large", date)
        else:
            reply = behaviours.Reply(200, b"fine", date)
        return reply
    server.script("/lake/x", behaviours.Wire(lambda exchange: judge(exchange.request).play(exchange)))
    with Probe(at(server)) as probe:
        x = {"service": "s3", "bucket": "lake", "method": "GET", "path": "/x", "once": True}
        assert [probe("call", **x)["attempts"] for _ in range(3)] == [2, 1, 1]


def test_a_clock_that_is_wrong_is_corrected_for_calls_that_were_under_way_together(server):
    hours, together = datetime.timedelta(hours=3), threading.Barrier(4)

    def play(exchange):
        said = datetime.datetime.strptime(exchange.request.headers["x-amz-date"], "%Y%m%dT%H%M%SZ")
        theirs = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None) + hours
        date = {"Date": theirs.strftime("%a, %d %b %Y %H:%M:%S GMT")}
        if abs((said - theirs).total_seconds()) < 300:
            return json_answer({}).play(exchange)
        together.wait(10)
        return behaviours.Reply(400, b'{"__type": "RequestExpired"}', date).play(exchange)
    server.script("AWSGlue.GetTable", behaviours.Wire(play))
    with Probe(at(server)) as probe:
        assert [reply["code"] for reply in probe("calls", calls=[{**GET_TABLE, "once": True}] * 4)] == ["ok"] * 4


def test_a_signature_that_is_wrong_with_a_clock_that_is_right_is_told_at_once(aws):
    env = {**aws.env, "AWS_SECRET_ACCESS_KEY": "another secret"}
    got = ask(env, "call", service="sts", body="Action=GetCallerIdentity&Version=2011-06-15")
    assert (got["code"], got["error_code"], got["attempts"]) == (AUTH, "SignatureDoesNotMatch", 1)
    assert "the environment" in got["error"] and "another secret" not in got["error"]


@pytest.mark.parametrize("method", ["PUT", "HEAD"])
def test_a_bucket_of_another_region_is_found_once_and_remembered(aws, method):
    bucket = aws.bucket("far", region="eu-central-1")
    with Probe(aws.env) as probe:
        first = probe("call", service="s3", bucket=bucket, method=method, path="/x", body=None if method == "HEAD" else "x")
        assert first["attempts"] == 2 and first["code"] == ("ok" if method == "PUT" else "not found"), first["error"]
        assert probe("call", service="s3", bucket=bucket, method="PUT", path="/y", body="y")["attempts"] == 1


def test_a_region_that_leads_elsewhere_is_not_believed(server):
    server.script("/lake/x", s3_error(301, "PermanentRedirect", "elsewhere", {"x-amz-bucket-region": "evil.example.com/"}))
    got = ask(at(server), "call", service="s3", bucket="lake", method="GET", path="/x")
    assert got["code"] == "remote" and len(server.requests) == 1
    server.script("/lake/x", s3_error(301, "PermanentRedirect", "elsewhere", {"x-amz-bucket-region": "eu-west-1"}))
    got = ask(at(server), "call", service="s3", bucket="lake", method="GET", path="/x")
    assert got["attempts"] == 2 and "another region" in got["error"]


# ---- what errors say ----

ERRORS = {
    "JSON": (json_error(400, "com.amazonaws.glue#EntityNotFoundException:http://x", "Table t not found."), "glue",
             "not found", "EntityNotFoundException", "Table t not found."),
    "JSON denied": (json_error(400, "AccessDeniedException", "User: me is not authorized"), "glue", AUTH,
                    "AccessDeniedException", "User: me is not authorized"),
    "JSON with the query's code": (behaviours.Reply(400, b'{"__type":"a#B","Message":"m"}',
                                                    {"x-amzn-query-error": "Sender.NotThere;Sender"}), "glue", "remote",
                                   "Sender.NotThere", "m"),
    "the header's type": (behaviours.Reply(404, b'{"Type":"User","Message":"Function not found"}',
                                           {"x-amzn-ErrorType": "ResourceNotFoundException:http://x/"}), "glue", "not found",
                          "ResourceNotFoundException", "Function not found"),
    "the query protocol": (query_error(403, "AuthorizationError", "no <publish> & more"), "sns", AUTH, "AuthorizationError",
                           "no <publish> & more"),
    "S3": (s3_error(404, "NoSuchKey", "The specified key does not exist."), "s3", "not found", "NoSuchKey",
           "The specified key does not exist."),
    "S3 denied": (s3_error(403, "AccessDenied", "Access Denied"), "s3", AUTH, "AccessDenied", "Access Denied"),
    "an object of another class": (s3_error(403, "InvalidObjectState", "archived"), "s3", "remote", "InvalidObjectState",
                                   "archived"),
    "a page": (behaviours.Reply(418, b"<html><body>teapot</body>", {}), "s3", "remote", "418", ""),
    "plain text": (behaviours.Reply(418, b"I am a teapot\x1b[31m", {}), "glue", "remote", "418", "I am a teapot\\u001b[31m"),
    "nothing": (behaviours.Reply(400, b"", {}), "glue", "remote", "400", ""),
    "broken JSON": (behaviours.Reply(400, b'{"__type":', {}), "glue", "remote", "400", '{"__type":'),
    "an entity of its own": (behaviours.Reply(400, b'<!DOCTYPE a [<!ENTITY b "c">]><Error><Code>&b;</Code></Error>', {}), "s3",
                             "remote", "400", ""),
}


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_tells_its_code_and_amazons_own_words(server, name):
    reply, service, code, error_code, message = ERRORS[name]
    server.script("/", reply)
    server.script("AWSGlue.GetTable", reply)
    call = GET_TABLE if service == "glue" else {"service": service, "method": "POST", "body": "x"}
    got = ask(at(server), "call", **call)
    assert (got["code"], got["error_code"], got["message"]) == (code, error_code, message)
    assert message in got["error"] or not message


# ---- secrets ----

def test_secrets_of_both_services_are_read_once(aws):
    aws.client("ssm").put_parameter(Name="/weather/key", Value="parameter of ours", Type="SecureString")
    manager = aws.client("secretsmanager")
    manager.create_secret(Name="plain", SecretString="plain secret of ours")
    arn = manager.create_secret(Name="structured", SecretString='{"key": "member of ours", "port": 5432, "deep": {}}')["ARN"]
    manager.create_secret(Name="binary", SecretBinary="binary of öurs".encode())
    expected = {"ssm:/weather/key": "parameter of ours", "secretsmanager:plain": "plain secret of ours",
                "secretsmanager:structured#key": "member of ours", "secretsmanager:structured#port": "5432",
                f"secretsmanager:{arn}#key": "member of ours", "secretsmanager:binary": "binary of öurs"}
    with Probe(aws.env) as probe:
        for place, value in expected.items():
            for _ in range(2):
                assert probe("secret", place=place)["value"] == value
    assert len([name for name in aws.proxy.operations() if name in ("GetParameter", "GetSecretValue")]) == len(expected)


@pytest.mark.parametrize("place, code, words", [
    ("ssm:/none", "config", "none of that name"), ("secretsmanager:none", "config", "none of that name"),
    ("secretsmanager:structured#none", "config", '"none"'), ("secretsmanager:structured#deep", "config", '"deep"'),
    ("secretsmanager:plain#key", "config", '"key"'), ("secretsmanager:#key", "config", "names no secret"),
    ("secretsmanager:plain#", "config", "names no secret"), ("ssm:", "config", "names no secret")])
def test_a_secret_that_is_not_there_is_an_error_that_names_the_place(aws, place, code, words):
    manager = aws.client("secretsmanager")
    manager.create_secret(Name="plain", SecretString="plain secret of ours")
    manager.create_secret(Name="structured", SecretString='{"key": "member of ours", "deep": {}}')
    got = ask(aws.env, "secret", place=place)
    assert got["code"] == code and words in got["error"] and place in got["error"] and "of ours" not in got["error"]


def test_a_secret_that_is_denied_is_told_with_the_action_that_is_missing(aws):
    aws.client("ssm").put_parameter(Name="/weather/key", Value="parameter of ours", Type="SecureString")
    keys = aws.user([{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}])
    got = ask(aws.env_of(keys), "secret", place="ssm:/weather/key")
    assert got["code"] == AUTH and "ssm:GetParameter" in got["error"]


def test_a_pipeline_takes_its_key_from_parameter_store(aws, program, server):
    aws.client("ssm").put_parameter(Name="/weather/key", Value="key-from-parameter-store", Type="SecureString")
    file = program.pipeline(server.url(), source={"auth": {"query": "appid", "secret": "ssm:/weather/key"}})
    result = program.run(file, env=aws.env)
    assert result.status == 0, result.stderr
    assert {request.query["appid"] for request in server.requests} == {"key-from-parameter-store"}
    assert aws.proxy.operations() == ["GetParameter"]
    assert "key-from-parameter-store" not in result.stdout + result.stderr + str(program.tree())
    result = program.run(file, env={**aws.env_of(aws.user([{"Effect": "Deny", "Action": "*", "Resource": "*"}]))})
    assert result.status == 1 and "ssm:/weather/key" in result.stderr and "AccessDenied" in result.stderr
