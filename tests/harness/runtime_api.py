"""Lambda's runtime API as a test scripts it: it hands out events one by one, takes answers, and misbehaves on command.

    api.events(Event(b"{}"), Event(b"null", timeout=5))
    running = program.start("lambda", "weather", env=api.env)
    answer = api.answer(0)          # waits; answer.kind "response" or "error", answer.json(), answer.headers
    api.finish(running)             # ends the program by SIGTERM, as soon as it asks for another event

A step instead of an Event (behaviours.status(403), behaviours.reset()…) is how the question for an event is answered.
api.on_answer(…) scripts the answers' answers in the same way; without one each gets 202.
"""

import itertools
import json
import queue
import signal
import threading
import time
from dataclasses import dataclass, field

import jsonschema

from .behaviours import Reply, Wire
from .server import ScriptedServer

_ids = itertools.count(1)


@dataclass
class Event:
    body: bytes = b""
    timeout: float | None = 60.0          # seconds from when it is handed out to its deadline; None: no such header
    id: str = ""
    headers: dict = field(default_factory=dict)
    deadline_ms: str | None = None       # as it stands in the header, instead of timeout
    chunked: bool = False

    def __post_init__(self):
        self.id = self.id or f"8476a536-e9f4-11e8-9739-{next(_ids):012x}"

    def make(self):
        headers = {"Lambda-Runtime-Aws-Request-Id": self.id,
                   "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-west-2:123456789012:function:weather:live"}
        if self.deadline_ms is not None:
            headers["Lambda-Runtime-Deadline-Ms"] = self.deadline_ms
        elif self.timeout is not None:
            headers["Lambda-Runtime-Deadline-Ms"] = str(int((time.time() + self.timeout) * 1000))
        return Reply(body=self.body, headers={**headers, **self.headers}, chunked=self.chunked)


@dataclass
class Answer:
    kind: str                            # "response", "error" or "init"
    id: str
    headers: dict
    body: bytes
    at: float

    def json(self):
        return json.loads(self.body)

    @property
    def error_type(self):
        return self.headers.get("lambda-runtime-function-error-type")


class RuntimeApi(ScriptedServer):
    def __init__(self):
        super().__init__()
        self._events, self._replies = queue.Queue(), queue.Queue()
        self.answers, self.asked_at = [], []
        self._changed = threading.Condition()

    @property
    def env(self):
        """What Lambda sets; LAMBDA_TASK_ROOT is the test's to say."""
        return {"AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self.port}", "AWS_LAMBDA_FUNCTION_NAME": "weather-staging",
                "AWS_LAMBDA_FUNCTION_VERSION": "1", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
                "AWS_LAMBDA_LOG_FORMAT": "JSON"}

    def events(self, *events):
        for it in events:
            self._events.put(it)

    def on_answer(self, *steps):
        for it in steps:
            self._replies.put(it)

    def begin(self, request):
        step = super().begin(request)
        parts = request.path.strip("/").split("/")
        assert parts[0] == "2018-06-01", request.path
        if request.method == "GET" and parts[1:] == ["runtime", "invocation", "next"]:
            return self._next()
        if request.method == "POST" and parts[1:3] == ["runtime", "invocation"]:
            return self._take(Answer(parts[4], parts[3], request.headers, request.body, time.monotonic()))
        if request.method == "POST" and parts[1:] == ["runtime", "init", "error"]:
            return self._take(Answer("init", "", request.headers, request.body, time.monotonic()))
        return step

    def _next(self):
        with self._changed:
            self.asked_at.append(time.monotonic())
            self._changed.notify_all()
        return Wire(self._hand_out)

    def _hand_out(self, exchange):
        while True:
            try:
                it = self._events.get_nowait()
            except queue.Empty:
                exchange.pause(0.02)  # ends when the other side goes away
                continue
            return (it.make() if isinstance(it, Event) else it).play(exchange)

    def _take(self, answer):
        with self._changed:
            self.answers.append(answer)
            self._changed.notify_all()
        try:
            return self._replies.get_nowait()
        except queue.Empty:
            return Reply(202, b'{"status":"OK"}\n')

    # What a test reads.

    def _until(self, true, timeout, what):
        with self._changed:
            assert self._changed.wait_for(true, timeout), f"no {what} within {timeout} s"

    def answer(self, index, timeout=30):
        self._until(lambda: len(self.answers) > index, timeout, f"answer {index}")
        return self.answers[index]

    def asked_again(self, times, timeout=30):
        """Waits until an event was asked for so often."""
        self._until(lambda: len(self.asked_at) >= times, timeout, f"question {times}")

    def finish(self, running, asked):
        """Ends the program once it has asked for an event so often."""
        self.asked_again(asked)
        running.signal(signal.SIGTERM)
        result = running.finish()
        assert result.status == -signal.SIGTERM, result.stderr
        return result


def lines(result):
    """What the function said, line by line, as JSON."""
    return [json.loads(line) for line in result.stdout.splitlines()]


# After the specification of CloudWatch's embedded metric format; of its units those that are of use here.
_METRICS = {"type": "object", "required": ["_aws"], "properties": {"_aws": {
    "type": "object", "required": ["Timestamp", "CloudWatchMetrics"], "additionalProperties": False, "properties": {
        "Timestamp": {"type": "integer", "minimum": 1_300_000_000_000, "maximum": 99_999_999_999_999},
        "CloudWatchMetrics": {"type": "array", "minItems": 1, "items": {
            "type": "object", "required": ["Namespace", "Dimensions", "Metrics"], "additionalProperties": False, "properties": {
                "Namespace": {"type": "string", "pattern": r"\A[0-9A-Za-z.\-_/#:]{1,255}\Z"},
                "Dimensions": {"type": "array", "minItems": 1, "items": {
                    "type": "array", "maxItems": 30, "items": {"type": "string", "minLength": 1, "maxLength": 250}}},
                "Metrics": {"type": "array", "minItems": 1, "maxItems": 100, "items": {
                    "type": "object", "required": ["Name"], "additionalProperties": False, "properties": {
                        "Name": {"type": "string", "minLength": 1, "maxLength": 1024},
                        "Unit": {"enum": ["Milliseconds", "Bytes", "Count", "None"]}}}}}}}}}}}


def metrics(result):
    """Lines of metrics, each as CloudWatch takes it."""
    found = [line for line in lines(result) if "_aws" in line]
    for line in found:
        jsonschema.validate(line, _METRICS)
        for directive in line["_aws"]["CloudWatchMetrics"]:
            assert all(isinstance(line[it["Name"]], (int, float)) for it in directive["Metrics"]), line
            assert all(line[it].isascii() and 0 < len(line[it]) <= 1024 for names in directive["Dimensions"] for it in names), line
    return found


def said(result):
    return [line for line in lines(result) if "_aws" not in line]


__all__ = ["Answer", "Event", "RuntimeApi", "lines", "metrics", "said"]
