"""How AWS says no, and how it breaks: steps for aws.proxy.fault(…) and for ScriptedServer.script(…).

    aws.proxy.fault(slow_down(), operation="PutObject", times=2)
    aws.proxy.fault(cut_in_body(1 << 20), operation="UploadPart", part=7)
    server.script("AWSGlue.CreateTable", json_error(400, "ConcurrentModificationException", "…"))
"""

import json
import time
from xml.sax.saxutils import escape

from .behaviours import Reply, Wire, head
from .signatures import QUERY_SERVICES

REQUEST_ID = "TESTREQUEST0001"
HOST_ID = "TESTHOST+/0001="


def s3_document(code, message, **extras):
    fields = {"Code": code, "Message": message, **extras, "RequestId": REQUEST_ID, "HostId": HOST_ID}
    inside = "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in fields.items())
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inside}</Error>'.encode()


def s3_error(status, code, message="as told", headers=None, **extras):
    """S3's error document; to a HEAD the headers alone."""
    def make(request):
        return b"" if request.method == "HEAD" else s3_document(code, message, **extras)
    return Reply(status, make, {"Content-Type": "application/xml", "x-amz-request-id": REQUEST_ID, "x-amz-id-2": HOST_ID,
                                **(headers or {})})


def json_error(status, kind, message="as told", **members):
    """JSON 1.1 services: Glue, Athena, SSM, Secrets Manager, EventBridge, ECR, Logs."""
    content = json.dumps({"__type": kind, "message": message, **members}).encode()
    return Reply(status, content, {"Content-Type": "application/x-amz-json-1.1", "x-amzn-RequestId": REQUEST_ID})


def json_answer(value, status=200, **options):
    return Reply(status, json.dumps(value).encode(),
                 {"Content-Type": "application/x-amz-json-1.1", "x-amzn-RequestId": REQUEST_ID}, **options)


def query_error(status, code, message="as told", kind="Sender"):
    """Query services: SNS, STS, IAM."""
    content = (f"<ErrorResponse><Error><Type>{kind}</Type><Code>{escape(code)}</Code><Message>{escape(message)}"
               f"</Message></Error><RequestId>{REQUEST_ID}</RequestId></ErrorResponse>").encode()
    return Reply(status, content, {"Content-Type": "text/xml", "x-amzn-RequestId": REQUEST_ID})


def query_answer(action, inside, namespace="http://sns.amazonaws.com/doc/2010-03-31/"):
    content = (f'<{action}Response xmlns="{namespace}"><{action}Result>{inside}</{action}Result>'
               f"<ResponseMetadata><RequestId>{REQUEST_ID}</RequestId></ResponseMetadata></{action}Response>").encode()
    return Reply(200, content, {"Content-Type": "text/xml", "x-amzn-RequestId": REQUEST_ID})


def error_of(service, status, code, message, headers=None, **extras):
    """The same refusal in the protocol of the service."""
    if service == "s3":
        return s3_error(status, code, message, headers, **extras)
    if service in QUERY_SERVICES:
        return query_error(status, code, message)
    return json_error(status, code, message)


def refuse(status, code, message="as told"):
    """For calls of whatever service."""
    return Wire(lambda exchange: error_of(exchange.call.service, status, code, message).play(exchange))


# S3 at its worst.

def slow_down():
    return s3_error(503, "SlowDown", "Please reduce your request rate.")


def internal_error():
    return s3_error(500, "InternalError", "We encountered an internal error. Please try again.")


def error_in_200(code="InternalError", message="We encountered an internal error. Please try again."):
    """What completing an upload or copying can get: 200, spaces that keep the connection alive, then an error."""
    document = s3_document(code, message)
    cut = document.index(b"\n") + 1

    def play(exchange):
        exchange.send_head(200, [("Content-Type", "application/xml"), ("Transfer-Encoding", "chunked"),
                                 ("x-amz-request-id", REQUEST_ID)])
        exchange.send_chunk(document[:cut])
        for _ in range(3):
            exchange.send_chunk(b"     \n")
        exchange.send_chunk(document[cut:])
        exchange.send(b"0\r\n\r\n")
        return True
    return Wire(play)


def cut_in_body(after=0):
    """The connection breaks when so many bytes of the request's body have come."""
    def play(exchange):
        exchange.invite_body()
        exchange.receive(after)
        return exchange.reset()
    return _Early(play)


def cut_before_answer():
    """The request has arrived and is lost, and so is the connection."""
    return Wire(lambda exchange: False)


def cut_after_done():
    """The request is carried out; nobody hears of it."""
    def play(exchange):
        exchange.server.carry_out(exchange)
        return exchange.reset()
    return Wire(play)


def late(seconds):
    """Carried out after a while."""
    def play(exchange):
        exchange.pause(seconds)
        return exchange.server.pass_on(exchange)
    return Wire(play)


def never():
    """No answer, until the other side gives up."""
    return Wire(lambda exchange: exchange.stall())


def stop_in_answer():
    """The header of an answer, and then nothing."""
    def play(exchange):
        exchange.send(head(200, [("Content-Type", "application/xml"), ("Content-Length", "1000")]))
        return exchange.stall()
    return Wire(play)


def then_do(action):
    """Calls action() when the request has arrived, then carries it out."""
    def play(exchange):
        action()
        return exchange.server.pass_on(exchange)
    return Wire(play)


class _Early(Wire):
    """Plays before the body of the request has been read."""


def is_early(step):
    return isinstance(step, _Early)


def wait_until(condition, seconds=5):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.005)
