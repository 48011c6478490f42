"""Lambda's local URL, served by the program itself; one call from the command line."""

import base64
import contextlib
import json
import re
import signal
import socket
import subprocess
import threading
import time

import boto3
import pytest
from botocore.config import Config

from harness import behaviours
from harness.rie import PATH, invoke
from harness.runner import FAILED, GATE, OK, PARTIAL, ROOT, SLOT, USAGE
from harness.weather import CITIES

AT = json.dumps({"slot": SLOT}).encode()


class Local:
    """`invoke FILE --port 0`, once it listens."""

    def __init__(self, program, *arguments, **named):
        self.running = program.start(*arguments, **named)
        until = time.monotonic() + 10
        while not (found := re.search(r"serving at http://[^ ]*:(\d+)/", self.running.errors_so_far())):
            assert time.monotonic() < until and self.running.process.poll() is None, self.running.errors_so_far()
            time.sleep(0.01)
        self.port = int(found.group(1))

    def invoke(self, body=b"{}", **options):
        return invoke(self.port, body, **options)

    def stop(self):
        self.running.signal(signal.SIGTERM)
        result = self.running.finish()
        assert result.status == -signal.SIGTERM, result.stderr
        return result


@pytest.fixture
def local(program):
    def start(*options, **named):
        return Local(program, "invoke", program.folder / "weather.yaml", "--port", "0", *options, **named)
    return start


def test_curl_gets_the_record_of_a_run_as_from_lambda(program, server, local):
    program.pipeline(server.url())
    it = local()
    url = f"http://127.0.0.1:{it.port}{PATH}"
    said = subprocess.run(["curl", "-sS", "-i", "-d", AT.decode(), url], capture_output=True, text=True, timeout=30)
    head, body = said.stdout.split("\n\n", 1)
    assert head.startswith("HTTP/1.1 200") and json.loads(body) == program.record(), said
    assert [row["city"] for row in program.rows()] == CITIES
    result = it.stop()
    assert result.stdout == "" and "5 rows written" in result.stderr and "_aws" not in result.stderr


def test_boto3_knows_its_answers_and_its_errors(program, server, local):
    server.script("Portland", behaviours.ok(), behaviours.status(404))
    program.pipeline(server.url(), quality={"min_rows": 5})
    it = local()
    client = boto3.client("lambda", region_name="us-west-2", endpoint_url=f"http://127.0.0.1:{it.port}", aws_access_key_id="none",
                          aws_secret_access_key="none", config=Config(retries={"total_max_attempts": 1}))
    good = client.invoke(FunctionName="weather", Payload=AT, LogType="Tail")
    assert good["StatusCode"] == 200 and "FunctionError" not in good and good["ExecutedVersion"] == "$LATEST"
    assert json.load(good["Payload"])["rows"]["written"] == 5
    assert b"5 rows written" in base64.b64decode(good["LogResult"])
    bad = client.invoke(FunctionName="function", Payload=AT)
    assert bad["FunctionError"] == "Unhandled" and json.load(bad["Payload"])["errorType"] == "Function.GateRefused"
    assert client.invoke(FunctionName="function", InvocationType="DryRun")["StatusCode"] == 204
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.invoke(FunctionName="rivers", Payload=AT)
    with pytest.raises(client.exceptions.InvalidRequestContentException):
        client.invoke(FunctionName="function", Payload=b"{")
    it.stop()


def at(name, query=""):
    return f"/2015-03-31/functions/{name}/invocations{query}"


ARN = "arn:aws:lambda:us-west-2:123456789012:function:"


def test_the_function_answers_to_every_name_that_lambda_knows_it_by(program, server, local):
    program.pipeline(server.url())
    it = local()
    for path in [at(before + name + after) for name in ("weather", "function") for before in (
            "", "function:", "123456789012:function:", "us-west-2:123456789012:function:", ARN, ARN.replace("aws", "aws-us-gov", 1))
            for after in ("", ":live", ":$LATEST", ":7")]:
        assert it.invoke(b"[]", path=path).headers.get("x-amz-function-error") == "Unhandled", path
    for path in (at(f"{ARN}weather:live".replace(":", "%3A")), at("weather%3A%24LATEST"), at("weather", "?Qualifier=live"),
                 at("weather", "?Qualifier=%24LATEST"), at("weather:live", "?Qualifier=live"), at("weather", "?Qualifier="), at("weather", "?x=1")):
        assert it.invoke(b"[]", path=path).headers.get("x-amz-function-error") == "Unhandled", path
    client = boto3.client("lambda", region_name="us-west-2", endpoint_url=f"http://127.0.0.1:{it.port}", aws_access_key_id="none",
                          aws_secret_access_key="none", config=Config(retries={"total_max_attempts": 1}))
    for named in ({"FunctionName": ARN + "weather:live"}, {"FunctionName": "weather:$LATEST"}, {"FunctionName": "weather", "Qualifier": "7"}):
        assert client.invoke(Payload=b"[]", **named)["FunctionError"] == "Unhandled"
    it.stop()


@pytest.mark.parametrize("path, status, kind", [
    (at(ARN + "rivers"), 404, "ResourceNotFoundException"), (at("weather2"), 404, "ResourceNotFoundException"),
    (at("weathe"), 404, "ResourceNotFoundException"), (at(""), 404, "ResourceNotFoundException"), (at(":live"), 404, "ResourceNotFoundException"),
    (at("arn:aws:s3:us-west-2:123456789012:function:weather"), 404, "ResourceNotFoundException"),
    (at("arn:aws:lambda:weather"), 404, "ResourceNotFoundException"), (at("1234:function:weather"), 404, "ResourceNotFoundException"),
    (at("weather/live"), 404, "ResourceNotFoundException"), (at("x" * 3000), 404, "ResourceNotFoundException"),
    (at("%1b%5b31m" * 300), 404, "ResourceNotFoundException"), (at("rivers%00weather"), 404, "ResourceNotFoundException"),
    (at("weather:"), 400, "InvalidParameterValueException"), (at("weather:a:b"), 400, "InvalidParameterValueException"),
    (at("weather:a%20b"), 400, "InvalidParameterValueException"), (at("weather:" + "x" * 129), 400, "InvalidParameterValueException"),
    (at("weather", "?Qualifier=a%20b"), 400, "InvalidParameterValueException"),
    (at("weather:live", "?Qualifier=staging"), 400, "InvalidParameterValueException")])
def test_another_functions_name_is_not_found_and_what_it_quotes_is_short(program, server, local, path, status, kind):
    program.pipeline(server.url())
    it = local()
    refused = it.invoke(b"[]", path=path)
    assert (refused.status, refused.headers["x-amzn-errortype"]) == (status, kind)
    assert len(refused.json()["message"]) < 300 and "\x1b" not in refused.json()["message"]
    it.stop()


def says_pages_of_its_own():
    """libmicrohttpd has HTML for what it refuses by itself, unless it is the one that scripts/build-microhttpd makes now."""
    stamp, patches = ROOT / "build/deps/microhttpd/.stamp", sorted((ROOT / "scripts/patches").glob("microhttpd-*"))
    recipe = b"".join(path.read_bytes() for path in (ROOT / "scripts/build-microhttpd", *patches))
    made = subprocess.run(["cksum"], input=recipe, capture_output=True, timeout=20).stdout
    return not stamp.exists() or stamp.read_bytes() != b"static " + made


@pytest.mark.skipif(says_pages_of_its_own(), reason="the libmicrohttpd here is not that of scripts/build-microhttpd")
@pytest.mark.parametrize("header, status", [
    ("Content-Length: five", 400), ("Content-Length: -1", 400), ("Content-Length: 99999999999999999999999999", 413),
    ("X: " + "y" * 40000, 431), ("Content-Length: 5x", 400), ("nothing like a header", None)])
def test_what_is_no_http_gets_a_status_and_no_page(program, server, local, header, status):
    program.pipeline(server.url())
    it = local()
    answer = b""
    for _ in range(5):  # who still sends while it is refused may be cut off before it has read why
        with contextlib.suppress(ConnectionError, OSError), socket.create_connection(("127.0.0.1", it.port), 10) as one:
            one.sendall(f"POST {PATH} HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n".encode())
            one.shutdown(socket.SHUT_WR)
            while piece := one.recv(65536):
                answer += piece
        if answer or status is None:
            break
    head, _, body = answer.partition(b"\r\n\r\n")
    assert status is None or head.startswith(f"HTTP/1.1 {status} ".encode()), answer
    assert b"<html" not in answer and (not body or json.loads(body))
    assert it.invoke(AT).json()["status"] == "ok"
    it.stop()


def test_an_event_that_nobody_waits_for_is_run_afterwards(program, server, local):
    program.pipeline(server.url())
    it = local()
    answer = it.invoke(AT, headers={"X-Amz-Invocation-Type": "Event"})
    assert answer.status == 202 and answer.body == b""
    until = time.monotonic() + 10
    while not program.has_record() and time.monotonic() < until:
        time.sleep(0.01)
    assert program.record()["status"] == "ok"
    assert answer.headers["x-amzn-requestid"] in it.stop().stderr


@pytest.mark.parametrize("options, status, kind", [
    ({"path": "/"}, 404, "ResourceNotFoundException"), ({"path": PATH + "/x"}, 404, "ResourceNotFoundException"),
    ({"path": PATH.replace("/function/", "/rivers/")}, 404, "ResourceNotFoundException"),
    ({"method": "GET"}, 405, "MethodNotAllowedException"), ({"method": "PUT"}, 405, "MethodNotAllowedException"),
    ({"body": b"{"}, 400, "InvalidRequestContentException"), ({"body": b"\xff"}, 400, "InvalidRequestContentException"),
    ({"body": b"\0"}, 400, "InvalidRequestContentException"), ({"body": b"[" * 100000}, 400, "InvalidRequestContentException"),
    ({"body": b'"' + b"x" * (6 << 20) + b'"'}, 413, "RequestTooLargeException"),
    ({"body": b" " * (2 << 20), "headers": {"X-Amz-Invocation-Type": "Event"}}, 413, "RequestTooLargeException"),
    ({"headers": {"Origin": "https://example.com"}}, 403, "AccessDeniedException"), ({"headers": {"Origin": "null"}}, 403, "AccessDeniedException"),
    ({"headers": {"X-Amz-Invocation-Type": "Never"}}, 400, "InvalidParameterValueException")])
def test_what_is_no_call_gets_lambdas_own_errors_and_the_next_call_works(program, server, local, options, status, kind):
    program.pipeline(server.url())
    it = local()
    try:
        refused = it.invoke(**options)
        assert refused.status == status and refused.headers["x-amzn-errortype"] == kind
        assert refused.json()["Type"] == "User" and refused.json()["message"]
    except (BrokenPipeError, ConnectionResetError):
        assert status == 413  # it said so, and closed while the rest was still being sent
    assert it.invoke(AT).json()["status"] == "ok"
    it.stop()


def chunks(size):
    for _ in range(size // 65536):
        yield b" " * 65536


def test_a_body_without_a_length_is_bounded_as_well(program, server, local):
    program.pipeline(server.url())
    it = local()
    try:
        assert it.invoke(chunks(8 << 20)).status == 413
    except (BrokenPipeError, ConnectionResetError):
        pass
    assert it.invoke(chunks(1 << 17)).json()["status"] == "ok"  # nothing but white space is nothing
    assert it.invoke(AT).json()["status"] == "ok"
    it.stop()


def test_an_event_that_is_not_understood_is_a_function_error(program, server, local):
    program.pipeline(server.url())
    it = local()
    answer = it.invoke(b'{"slto": 1}')
    assert answer.status == 200 and answer.headers["x-amz-function-error"] == "Unhandled"
    assert answer.json()["errorType"] == "Function.EventInvalid" and "slto" in answer.json()["errorMessage"]
    assert answer.json()["requestId"] == answer.headers["x-amzn-requestid"]
    it.stop()


def test_callers_at_once_are_served_one_after_another(program, server, local):
    server.script("Dallas", behaviours.ok(delay=0.2))
    program.pipeline(server.url(), source={"each": {"city": ["Dallas"]}})
    it, answers = local(), []
    callers = [threading.Thread(target=lambda: answers.append(it.invoke(AT))) for _ in range(10)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(30)
    assert [answer.json()["status"] for answer in answers] == ["ok"] * 10
    assert server.most_at_once == 1 and len(server.requests) == 10
    it.stop()


def test_callers_who_send_nothing_hold_nobody_up(program, server, local):
    program.pipeline(server.url())
    it = local()
    idle = [socket.create_connection(("127.0.0.1", it.port)) for _ in range(30)]
    for one in idle[:10]:
        one.sendall(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Le".encode())
    assert it.invoke(AT).json()["status"] == "ok"
    for one in idle:
        one.close()
    it.stop()


def test_a_caller_who_goes_away_does_not_stop_the_run(program, server, local):
    server.script("Dallas", behaviours.ok(delay=0.5))
    program.pipeline(server.url())
    it = local()
    with socket.create_connection(("127.0.0.1", it.port)) as one:
        one.sendall(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(AT)}\r\n\r\n".encode() + AT)
        while not server.asked("Dallas"):
            time.sleep(0.01)
    assert it.invoke(b"[]").json()["errorType"] == "Function.EventInvalid"
    assert program.record()["status"] == "ok"
    it.stop()


def test_sigterm_in_mid_run_ends_it_and_its_caller_hears_why(program, server, local):
    server.script("Dallas", behaviours.stall_before_header())
    program.pipeline(server.url(), source={"limit": {"total": "60s"}})
    it, answers = local(), []
    caller = threading.Thread(target=lambda: answers.append(it.invoke(AT)))
    caller.start()
    while not server.asked("Dallas"):
        time.sleep(0.01)
    it.stop()
    caller.join(10)
    assert answers[0].json()["errorType"] == "Function.Stopped" and program.record()["status"] == "failed"


def test_the_time_limit_of_the_emulator_is_understood(program, server, local):
    server.script("Dallas", behaviours.stall_before_header())
    program.pipeline(server.url(), source={"limit": {"total": "60s"}})
    it = local(env={"AWS_LAMBDA_FUNCTION_TIMEOUT": "2"})
    assert it.invoke(AT).json()["status"] == "partial" and program.record()["duration_ms"] < 2000
    it.stop()
    refused = program.call("invoke", "weather.yaml", "--port", "0", env={"AWS_LAMBDA_FUNCTION_TIMEOUT": "soon"})
    assert refused.status == USAGE and "AWS_LAMBDA_FUNCTION_TIMEOUT" in refused.stderr


def test_lambda_without_a_lambda_serves_the_same_url(program, server):
    program.pipeline(server.url())
    it = Local(program, "lambda", "--host", "0.0.0.0", "--port", "0", "weather")
    assert it.invoke(AT).json()["status"] == "ok"
    it.stop()


@pytest.mark.parametrize("host, port, words", [("everywhere", "0", "is no address"), ("192.0.2.1", "0", "cannot listen"),
                                               ("127.0.0.1", "70000", "is no port"), ("::1", "x", "is no port")])
def test_where_it_cannot_listen_it_says_so(program, server, host, port, words):
    file = program.pipeline(server.url())
    result = program.call("invoke", file, "--host", host, "--port", port)
    assert result.status in (USAGE, FAILED) and words in result.stderr


def test_a_port_that_is_taken_is_named(program, server):
    file = program.pipeline(server.url())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = program.call("invoke", file, "--port", str(taken.getsockname()[1]))
    assert result.status == FAILED and "--port" in result.stderr


# One call.

@pytest.mark.parametrize("event", [AT.decode(), "@event.json"])
def test_one_call_prints_its_answer_and_the_log_goes_beside_it(program, server, event):
    file = program.pipeline(server.url())
    (program.folder / "event.json").write_bytes(AT)
    result = program.call("invoke", file, "--event", event)
    assert result.status == OK and result.json() == program.record() and "5 rows written" in result.stderr


def test_the_exit_status_of_one_call_is_that_of_run(program, server):
    file = program.pipeline(server.url(), quality={"min_rows": 4})
    assert program.call("invoke", file, "--event", "{'").status == USAGE
    unknown = program.call("invoke", file, "--event", '{"slto": 1}')
    assert unknown.status == USAGE and unknown.json()["errorType"] == "Function.EventInvalid"
    assert program.call("invoke", file, "--event", "@nothing.json").status == USAGE
    server.script("Portland", behaviours.status(404))
    assert program.call("invoke", file, "--event", AT.decode()).status == PARTIAL
    server.script("Dallas", behaviours.status(404))
    refused = program.call("invoke", file, "--event", AT.decode())
    assert refused.status == GATE and refused.json()["errorType"] == "Function.GateRefused"
    for city in CITIES:
        server.script(city, behaviours.status(404))
    assert program.call("invoke", file, "--event", AT.decode()).status == FAILED


def test_the_example_answers_from_its_recorded_replies(program):
    folder = ROOT / "examples" / "weather"
    result = program.call("invoke", folder / "weather.yaml", "--replay", folder / "replies", "--to", program.lake, "--event", AT.decode())
    assert result.status == OK and result.json()["rows"]["written"] == 5
