"""A topic of Amazon SNS gets the message; read back by boto3 through a queue that is subscribed to it."""

import json
import re
import time

import pytest

from harness import aws_faults, behaviours as b
from harness.hiding import SECRET
from harness.mail import MailServer
from harness.runner import FAILED, OK

SECRET_PART = "B0000000-odd-Key-0123456789"


class Topic:
    """A topic with a queue behind it."""

    def __init__(self, aws):
        self._sqs, sns = aws.client("sqs"), aws.client("sns")
        self.arn = sns.create_topic(Name="weather")["TopicArn"]
        self._url = self._sqs.create_queue(QueueName="queue")["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        sns.subscribe(TopicArn=self.arn, Protocol="sqs", Endpoint=arn)

    def messages(self):
        found = self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10)
        return [json.loads(it["Body"]) for it in found.get("Messages", [])]


def notified(program, server, address, **sections):
    return program.pipeline(server.url(), notify={"when": ["success", "failure"], "to": address}, **sections)


def test_a_success_arrives_with_subject_text_and_attributes(program, server, aws):
    topic = Topic(aws)
    result = program.run(notified(program, server, topic.arn), env=aws.env)
    assert result.status == OK and "notify" not in result.stderr, result.stderr
    message, = topic.messages()
    assert message["Subject"] == "weather: 5 records written (2012-10-01 18:00 UTC)"
    assert message["Message"].startswith("weather ran for 2012-10-01 18:00 UTC and wrote 5 records.\n\n  took ")
    assert {name: (it["Type"], it["Value"]) for name, it in message["MessageAttributes"].items()} == {
        "pipeline": ("String", "weather"), "status": ("String", "ok"), "slot": ("String", "2012-10-01T18:00:00Z"),
        "rows": ("Number", "5"), "event": ("String", "success")}
    shown = re.sub(r":\d{12}:", ":…:", topic.arn)
    assert program.record()["notifications"] == [{"to": shown, "event": "success", "ok": True, "error": None}]


def test_a_subject_is_short_plain_and_on_one_line(program, server, aws):
    topic = Topic(aws)
    server.default = b.status(401, "Zürich\n" + "x" * 200 + "°…")
    assert program.run(notified(program, server, topic.arn), env=aws.env).status == FAILED
    message, = topic.messages()
    subject = message["Subject"]
    assert len(subject) < 100 and subject.isascii() and subject.isprintable()
    assert subject.startswith("weather FAILED: ") and subject.endswith("... (2012-10-01 18:00 UTC)")
    assert "Zürich" in message["Message"]


def test_plan_shows_the_topic_without_the_account(program, server):
    result = program.call("plan", notified(program, server, "arn:aws:sns:us-west-2:123456789012:weather"))
    assert "tells   arn:aws:sns:us-west-2:…:weather on success, failure\n" in result.stdout


def test_a_fifo_topic_is_told_in_the_order_of_the_pipeline(program, server, aws):
    arn = aws.client("sns").create_topic(Name="weather.fifo", Attributes={"FifoTopic": "true"})["TopicArn"]
    result = program.run(notified(program, server, arn), env=aws.env)
    assert result.status == OK and "notify" not in result.stderr, result.stderr
    form = [call for call in aws.proxy.calls if "Publish" in repr(call)][0].request.form
    assert form["MessageGroupId"] == "weather" and form["MessageDeduplicationId"] == program.record()["run_id"]


def test_the_region_is_that_of_the_topic(program, server, aws):
    arn = aws.client("sns", region="eu-central-1").create_topic(Name="weather")["TopicArn"]
    result = program.run(notified(program, server, arn), env=aws.env)
    assert result.status == OK and "notify" not in result.stderr, result.stderr
    assert "eu-central-1" in [call for call in aws.proxy.calls if "Publish" in repr(call)][0].request.headers["authorization"]


def test_a_topic_that_is_not_there_is_a_warning_with_a_remedy(program, server, aws):
    result = program.run(notified(program, server, f"arn:aws:sns:us-west-2:{aws.account}:nowhere"), env=aws.env)
    assert result.status == OK and re.search(r"^! notify: arn:aws:sns:us-west-2:…:nowhere: .*make the topic", result.stderr, re.M)
    assert len(program.rows()) == 5 and program.record()["status"] == "ok"


def test_who_may_not_publish_is_told_what_is_denied(program, server, aws):
    topic = Topic(aws)
    keys = aws.user([{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}])
    result = program.run(notified(program, server, topic.arn), env=aws.env_of(keys))
    assert result.status == OK and "! notify: " in result.stderr and "sns:Publish" in result.stderr.replace("SNS:", "sns:")
    assert topic.messages() == []


def test_without_keys_the_run_stands_and_says_what_is_missing(program, server, aws):
    result = program.run(notified(program, server, f"arn:aws:sns:us-west-2:{aws.account}:weather"), env=aws.env_of(None))
    assert result.status == OK and "! notify: " in result.stderr and len(program.rows()) == 5
    assert aws.proxy.operations() == []


def test_a_service_that_is_broken_for_a_moment_is_asked_again(program, server, aws):
    topic = Topic(aws)
    aws.proxy.fault(aws_faults.query_error(503, "InternalError"), service="sns")
    result = program.run(notified(program, server, topic.arn), env=aws.env)
    assert result.status == OK and "notify" not in result.stderr, result.stderr
    assert len(topic.messages()) == 1


def test_one_that_never_answers_ends_in_bounded_time(program, server, aws):
    topic = Topic(aws)
    aws.proxy.fault(aws_faults.never(), times=100, service="sns")
    began = time.monotonic()
    result = program.run(notified(program, server, topic.arn), env=aws.env, timeout=60)
    assert 5 < time.monotonic() - began < 40
    assert result.status == OK and "! notify: " in result.stderr and len(program.rows()) == 5


@pytest.mark.parametrize("arn", ["arn:aws:sqs:us-west-2:123456789012:weather", "arn:aws:sns:us-west-2:1234:weather",
                                 "arn:aws:sns::123456789012:weather", "arn:aws:sns:us-west-2:123456789012:wea ther",
                                 "arn:aws:sns:us-west-2:123456789012:t:1f0c", "arn:aws:sns:us-west-2", "arn:"])
def test_what_is_no_topic_is_refused_before_anything_runs(program, server, arn):
    result = program.call("check", notified(program, server, arn))
    assert result.status == 2 and "is not the ARN of a topic" in result.stderr and "arn:aws:sns:us-west-2:" in result.stderr


def test_a_webhook_and_a_password_may_be_kept_at_aws(program, server, aws, make_server, authority):
    hook = make_server(default=b.Reply(body=b"ok"))
    path = "/services/T0000000/" + SECRET_PART
    aws.client("ssm").put_parameter(Name="/weather/hook", Value=hook.url(path), Type="SecureString")
    aws.client("secretsmanager").create_secret(Name="mail", SecretString=json.dumps({"password": SECRET}))
    with MailServer(authority.context("good"), tls="implicit", users={"weather": SECRET}) as post:
        address = {"mail": "ops@example.org", "server": f"smtps://localhost:{post.port}", "from": "weather@example.org",
                   "user": "weather", "secret": "secretsmanager:mail#password"}
        file = notified(program, server, [{"webhook": "ssm:/weather/hook"}, address])
        result = program.run(file, env={**aws.env, "SSL_CERT_FILE": authority.bundle})
        assert result.status == OK and "notify" not in result.stderr, result.stderr
        assert len(post.mails) == 1 and post.mails[0].user == "weather"
    assert [request.path for request in hook.requests] == [path]
    assert [told["to"] for told in program.record()["notifications"]] == ["webhook ssm:/weather/hook", "o…@example.org"]
    assert not any(SECRET_PART.encode() in it.read_bytes() for it in program.folder.rglob("*") if it.is_file())


def test_a_lake_in_a_bucket_knows_failures_in_a_row_and_keeps_who_was_told(program, server, aws):
    topic, bucket = Topic(aws), aws.bucket()
    file = program.pipeline(server.url(), notify={"when": ["failure", "recovery"], "to": topic.arn},
                            sink={"to": f"s3://{bucket}", "catalog": None})
    assert program.run(file, slot="2012-10-01T18:00:00Z", env=aws.env).status == OK
    server.default = b.status(500)
    for slot in ("2012-10-01T19:00:00Z", "2012-10-01T20:00:00Z"):
        assert program.run(file, slot=slot, env=aws.env).status == FAILED
    server.default = b.ok()
    assert program.run(file, slot="2012-10-01T21:00:00Z", env=aws.env).status == OK
    texts = [message["Message"] for message in topic.messages()]
    rows = [re.search(r"\n  failed      (.*)\n  worked      (.*)\n", text).groups() for text in texts]
    assert rows == [("1 time in a row", "last for 2012-10-01 18:00 UTC"), ("2 times in a row", "last for 2012-10-01 18:00 UTC"),
                    ("2 times in a row before that", "last for 2012-10-01 18:00 UTC")]
    records = {key: json.loads(content) for key, content in aws.objects(bucket).items() if key.startswith("_runs/")}
    told = {key[-21:-5]: [(it["event"], it["ok"]) for it in record["notifications"]] for key, record in records.items()}
    assert told == {"20121001T180000Z": [], "20121001T190000Z": [("failure", True)],
                    "20121001T200000Z": [("failure", True)], "20121001T210000Z": [("recovery", True)]}


def test_a_bucket_that_is_denied_is_told_although_no_run_could_begin(program, server, aws):
    topic, bucket = Topic(aws), aws.bucket()
    keys = aws.user([{"Effect": "Allow", "Action": "sns:Publish", "Resource": "*"}])
    file = program.pipeline(server.url(), notify={"when": "failure", "to": topic.arn},
                            sink={"to": f"s3://{bucket}", "catalog": None})
    assert program.run(file, env=aws.env_of(keys)).status == FAILED
    message, = topic.messages()
    assert message["Subject"].startswith("weather FAILED: ") and "AccessDenied" in message["Message"]
    assert aws.keys_of(bucket) == []
