"""What S3 and the world before it can do to a run: each gets a sentence that names place and remedy, the documented exit
status, and loses nothing. That no secret is told is looked at for all tests together."""

import datetime
import threading

import pytest

from harness import aws_faults, behaviours, hiding
from harness.identities import files, make_role, static
from harness.runner import FAILED, OK, PARTIAL, SLOT_NAME, USAGE

DATA, RECORD = f"weather/dt=2012-10-01/{SLOT_NAME}.csv", f"_runs/weather/{SLOT_NAME}.json"
LOCK = f"_runs/weather/.{SLOT_NAME}.lock"
ALWAYS = float("inf")
DENIED = "AccessDenied"


@pytest.fixture
def lake(program, server, aws):
    """A bucket with the rows of an earlier run, which must survive; lake.run() runs once more with warmer cities."""
    class Lake:
        bucket = aws.bucket()
        file = program.pipeline(server.url(), sink={"to": "s3://lake"})

        def run(self, *options, env=None, **named):
            aws.proxy.calls.clear()
            return program.run(self.file, *options, env={**aws.env, **(env or {})}, **named)

        def is_as_before(self):
            return self.before[DATA] == aws.objects(self.bucket).get(DATA)

        def is_free(self):
            return LOCK not in aws.keys_of(self.bucket)
    it = Lake()
    result = it.run()
    assert result.status == OK, result.stderr
    it.before = aws.objects(it.bucket)
    for city in ("New York", "Portland", "Chicago", "Seattle", "Dallas"):
        server.script(city, behaviours.ok(main__temp=30.25))
    return it


def told(result, *words):
    """The run failed and its message holds all of these."""
    assert result.status == FAILED, result
    assert [word for word in words if word not in result.stderr] == [], result.stderr
    return True


# The bucket.

def test_a_bucket_that_is_not_there(program, server, aws):
    file = program.pipeline(server.url(), sink={"to": "s3://nowhere-at-all/lake"})
    assert told(program.run(file, env=aws.env), "s3://nowhere-at-all/lake", "NoSuchBucket", "create it", "sink.to")
    assert not server.requests, "nothing is asked of the API when the rows have nowhere to go"


@pytest.mark.parametrize("address", ["s3://", "s3:///x", "s3://a", "s3://two words/x", "s3://lake/a//b", "s3://lake/../b"])
def test_an_address_that_names_no_bucket_is_a_fault_of_the_file(program, server, aws, address):
    result = program.run(program.pipeline(server.url(), sink={"to": address}), env=aws.env)
    assert result.status == USAGE and "weather.yaml:" in result.stderr and "s3://bucket/prefix" in result.stderr, result.stderr
    assert not aws.proxy.calls


NARROW = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:DeleteObject", "glue:*"], "Resource": "*"}


@pytest.mark.parametrize("action, statements", [
    ("s3:PutObject", [NARROW]),
    ("s3:GetObject", [{**NARROW, "Action": ["s3:PutObject", "s3:DeleteObject", "s3:ListBucket", "glue:*"]}]),
    ("s3:PutObject", [{**NARROW, "Action": "*"}, {**NARROW, "Effect": "Deny", "Action": "s3:PutObject"}]),
])
def test_a_policy_that_is_too_narrow(aws, lake, action, statements):
    result = lake.run(env=aws.user(statements).env)
    assert told(result, "s3://lake/", DENIED, "doctor", "403"), result.stderr
    assert lake.is_as_before()
    assert lake.run().status == OK  # once the lock is given back or has lapsed with its process


def test_a_policy_that_takes_the_rows_and_not_the_record(aws, lake):
    statements = [{**NARROW, "Action": "*"},
                  {"Effect": "Deny", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::lake/{RECORD}"}]
    assert told(lake.run(env=aws.user(statements).env), "record", f"s3://lake/{RECORD}", DENIED)
    assert lake.is_free() and lake.run().status == OK


def test_another_accounts_bucket(program, server, aws):
    bucket = aws.bucket()
    file = program.pipeline(server.url(), sink={"to": f"s3://{bucket}", "s3": {"expected_bucket_owner": "999999999999"}})
    assert told(program.run(file, env=aws.env), "s3://lake/", DENIED)
    assert aws.keys_of(bucket) == []


@pytest.mark.parametrize("encryption, key", [("AES256", None), ("aws:kms", "alias/lake")])
def test_encryption_is_asked_for_with_every_object(program, server, aws, encryption, key):
    bucket = aws.bucket()
    options = {"encryption": encryption, **({"kms_key": key} if key else {})}
    assert program.run(program.pipeline(server.url(), sink={"to": f"s3://{bucket}", "s3": options}), env=aws.env).status == OK
    for call in aws.proxy.calls:
        if call.operation == "PutObject":
            headers = call.request.headers
            assert headers["x-amz-server-side-encryption"] == encryption
            assert headers.get("x-amz-server-side-encryption-aws-kms-key-id") == key
    assert aws.client("s3").head_object(Bucket=bucket, Key=DATA)["ServerSideEncryption"] == encryption


# Weather of its own.

def test_slow_down_is_waited_out(aws, lake):
    aws.proxy.fault(aws_faults.slow_down(), operation="PutObject", key=r"\.csv$", times=2)
    assert lake.run().status == OK and not lake.is_as_before()
    assert [call.key for call in aws.proxy.calls].count(DATA) == 3


def test_slow_down_without_end(aws, lake):
    aws.proxy.fault(aws_faults.slow_down(), operation="PutObject", key=r"\.csv$", times=ALWAYS)
    assert told(lake.run(), f"s3://lake/{DATA}", "SlowDown", "503", "tried 3 times", "run the slot again later")
    assert [call.key for call in aws.proxy.calls].count(DATA) == 3
    assert lake.is_as_before() and lake.is_free()


@pytest.mark.parametrize("fault", [aws_faults.cut_in_body(20), aws_faults.cut_before_answer(), aws_faults.cut_after_done()],
                         ids=["in the body", "before the answer", "when it is done"])
def test_a_connection_that_breaks_is_made_again(aws, lake, fault):
    aws.proxy.fault(fault, operation="PutObject", key=r"\.csv$")
    assert lake.run().status == OK and not lake.is_as_before()
    assert [call.key for call in aws.proxy.calls].count(DATA) >= 1 and lake.is_free()


def test_a_lock_whose_answer_was_lost_is_known_as_our_own(aws, lake):
    aws.proxy.fault(aws_faults.cut_after_done(), operation="PutObject", key=r"\.lock$")
    result = lake.run()
    assert result.status == OK and not lake.is_as_before() and lake.is_free(), result.stderr


def test_connections_that_always_break(aws, lake):
    aws.proxy.fault(aws_faults.cut_before_answer(), operation="PutObject", key=r"\.csv$", times=ALWAYS)
    assert told(lake.run(), f"s3://lake/{DATA}", "tried 3 times")
    assert lake.is_as_before() and lake.is_free()


def test_nobody_listens(aws, lake, closed_port):
    assert told(lake.run(env={"AWS_ENDPOINT_URL": f"http://127.0.0.1:{closed_port}", "AWS_MAX_ATTEMPTS": 1}),
                "s3://lake/", f"127.0.0.1 port {closed_port}")
    assert lake.is_as_before()


def test_an_answer_that_never_comes_ends_with_a_signal_at_once(program, aws, lake):
    arrived = threading.Event()
    aws.proxy.fault(aws_faults.never(), operation="PutObject", key=r"\.csv$", times=ALWAYS)
    running = program.start("run", lake.file, "--slot", "2012-10-01T18:00:00Z", env=aws.env)
    aws_faults.wait_until(lambda: any(call.key == DATA and not call.status for call in aws.proxy.calls), 20)
    running.signal(15)
    result = running.finish(10)
    assert result.status not in (OK, PARTIAL) and result.seconds < 10 and not arrived.is_set()
    assert lake.is_as_before() and lake.is_free()


def test_an_error_document_under_200_is_no_success(aws, lake):
    aws.proxy.fault(aws_faults.error_in_200(), operation="PutObject", key=r"\.csv$", times=ALWAYS)
    result = lake.run(env={"AWS_MAX_ATTEMPTS": 2})
    assert told(result, f"s3://lake/{DATA}", "InternalError")
    assert lake.is_as_before()


def test_an_answer_that_is_no_xml(aws, lake):
    page = behaviours.Reply(502, b"<html><body>Bad gateway</body></html>", {"Content-Type": "text/html"})
    aws.proxy.fault(page, operation="PutObject", key=r"\.csv$", times=ALWAYS)
    assert told(lake.run(env={"AWS_MAX_ATTEMPTS": 1}), f"s3://lake/{DATA}", "502")


def test_an_hour_off_the_clock_is_corrected_once(aws, lake):
    aws.proxy.clock = datetime.timedelta(hours=1)
    assert lake.run().status == OK and not lake.is_as_before()
    refused = [call for call in aws.proxy.calls if call.error == "RequestTimeTooSkewed"]
    assert len(refused) == 1, aws.proxy.calls


def test_a_clock_that_no_correction_helps(aws, lake):
    aws.proxy.fault(aws_faults.s3_error(403, "RequestTimeTooSkewed", "The difference is too large."), times=ALWAYS)
    assert told(lake.run(), "s3://lake/", "RequestTimeTooSkewed", "clock")
    assert len(aws.proxy.calls) <= 4


# The keys.

def without(*names):
    return dict.fromkeys(names)


def test_no_keys_anywhere(aws, lake):
    result = lake.run(env=without("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))
    assert told(result, "AWS_ACCESS_KEY_ID", "AWS_PROFILE") and lake.is_as_before() and not aws.proxy.calls


@pytest.mark.parametrize("missing", ["AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"])
def test_keys_half_set(aws, lake, missing):
    result = lake.run(env=without(missing))
    assert told(result, missing) and not aws.proxy.calls


def test_empty_keys_count_as_none(aws, lake):
    assert told(lake.run(env={"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}), "AWS_PROFILE")


def test_keys_that_nobody_knows(aws, lake):
    assert told(lake.run(env={"AWS_ACCESS_KEY_ID": "AKIANOBODYKNOWS00000"}), "s3://lake/", "InvalidAccessKeyId")
    assert lake.is_as_before()


def test_a_wrong_secret_key(aws, lake):
    result = lake.run(env={"AWS_SECRET_ACCESS_KEY": "another-key-altogether"})
    assert told(result, "s3://lake/", "SignatureDoesNotMatch", "the environment (AWS_ACCESS_KEY_ID)")
    assert "another-key-altogether" not in result.stderr


def test_keys_that_have_expired(aws, lake):
    result = lake.run(env=aws.temporary(minutes=-1).env)
    assert told(result, "s3://lake/", "ExpiredToken", "expired") and lake.is_as_before()


def test_temporary_keys_work_and_their_token_is_signed(aws, lake):
    result = lake.run(env=aws.temporary().env)
    assert result.status == OK, result.stderr
    assert all("x-amz-security-token" in call.request.headers for call in aws.proxy.calls)


def test_keys_that_expire_in_the_middle(aws, lake):
    """The run began, its last calls are refused: what was there stays, and the message says why."""
    aws.proxy.fault(aws_faults.s3_error(400, "ExpiredToken", "The provided token has expired."), after=4, times=ALWAYS,
                    service="s3")
    assert told(lake.run(), "s3://lake/", "ExpiredToken")


def test_no_region(aws, lake):
    result = lake.run(env=without("AWS_REGION"))
    assert result.status == USAGE and "AWS_REGION" in result.stderr and not aws.proxy.calls, result.stderr


@pytest.mark.parametrize("name, value", [("AWS_REGION", "us west"), ("AWS_REGION", "x" * 300), ("AWS_MAX_ATTEMPTS", "0"),
                                         ("AWS_MAX_ATTEMPTS", "many"), ("AWS_RETRY_MODE", "sometimes"),
                                         ("AWS_ENDPOINT_URL", "ftp://127.0.0.1"), ("AWS_ENDPOINT_URL", "no url")])
def test_a_setting_that_is_wrong_is_named(aws, lake, name, value):
    result = lake.run(env={name: value})
    assert result.status == USAGE, result
    assert ("region" if name == "AWS_REGION" else name) in result.stderr and not aws.proxy.calls, result.stderr
    assert lake.is_as_before()


def test_certificates_that_are_not_there_are_named(program, server, aws, lake, authority):
    env = {**aws.env_at_real_names(authority), "NO_PROXY": "127.0.0.1", "AWS_CA_BUNDLE": "/no/such/bundle.pem"}
    result = program.run(lake.file, env=env)
    assert result.status in (FAILED, USAGE) and "/no/such/bundle.pem" in result.stderr, result.stderr


# The files that hold keys.

def keys_in_files(program, **named):
    return {**without("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), **files(program, **named)}


def test_a_credentials_file_with_carriage_returns_is_read_like_any_other(program, aws, lake):
    text = ("[default]\n" + static(aws.temporary())).replace("\n", "\r\n")
    result = lake.run(env=keys_in_files(program, credentials=text))
    assert result.status == OK, result.stderr


@pytest.mark.parametrize("spoil, words", [
    (lambda text: text.replace("]", "", 1), ["~/.aws/credentials:1: ", "no closing bracket ]"]),
    (lambda text: text.replace("[default]\n", "", 1), ["~/.aws/credentials:1: ", "[section]"]),
    (lambda text: text.replace("= ", "", 1).replace(" =", "", 1), ["~/.aws/credentials:2: ", "key = value"]),
], ids=["a bracket is missing", "no section", "no equals sign"])
def test_a_credentials_file_that_cannot_be_read_is_told_with_its_line(program, aws, lake, spoil, words):
    text = spoil("[default]\n" + static(aws.keys))
    result = lake.run(env=keys_in_files(program, credentials=text))
    assert result.status in (FAILED, USAGE) and not aws.proxy.calls
    assert [word for word in words if word not in result.stderr] == [], result.stderr


@pytest.mark.parametrize("config, words", [
    ("[profile x]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = x\n", ['leads back to "x"', "source_profile"]),
    ("[profile x]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = y\n"
     "[profile y]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = x\n", ['"x"', '"y"', "leads back", "source_profile"]),
    ("[profile x]\nrole_arn = arn:aws:iam::123456789012:role/r\n", ["x", "source_profile", "credential_source"]),
    ("[profile x]\naws_access_key_id = AKIAHALF\n", ["x", "aws_secret_access_key"]),
    ("[profile y]\nregion = us-west-2\n", ["x", "config"]),
], ids=["it names itself", "a circle", "no source", "half a key", "not there"])
def test_a_profile_that_leads_nowhere_is_named(program, aws, lake, config, words):
    result = lake.run(env={**keys_in_files(program, config=config), "AWS_PROFILE": "x"})
    assert result.status in (FAILED, USAGE) and not aws.proxy.calls, result
    assert [word for word in words if word not in result.stderr] == [], result.stderr


def test_a_role_that_is_denied_is_named(program, aws, lake):
    arn = make_role(aws, "closed", trusts="arn:aws:iam::123456789012:user/somebody-else")
    config = f"[profile x]\nrole_arn = {arn}\nsource_profile = base\n"
    env = {**keys_in_files(program, config=config, credentials="[base]\n" + static(aws.keys)), "AWS_PROFILE": "x"}
    assert told(lake.run(env=env), arn, 'profile "x"', "sts AssumeRole", DENIED) and lake.is_as_before()


def test_a_role_with_too_little_is_told_apart_from_its_source(program, aws, lake):
    arn = make_role(aws, "narrow", [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}])
    config = f"[profile x]\nrole_arn = {arn}\nsource_profile = base\n"
    env = {**keys_in_files(program, config=config, credentials="[base]\n" + static(aws.keys)), "AWS_PROFILE": "x"}
    assert told(lake.run(env=env), "s3://lake/", DENIED, "narrow") and lake.is_as_before()


@pytest.mark.parametrize("length", range(330, 402, 8))
def test_a_secret_is_masked_where_a_long_message_is_cut(aws, lake, length):
    words = "x" * length + hiding.AWS_SECRET
    aws.proxy.fault(aws_faults.s3_error(403, "AccessDenied", words), operation="PutObject", key=r"\.csv$")
    result = lake.run()
    assert result.status == FAILED and "x" * 300 in result.stderr
    assert hiding.AWS_SECRET[:8] not in result.stderr, result.stderr


@pytest.mark.parametrize("operation, key, action", [
    ("PutObject", r"\.csv$", "s3:PutObject"), ("GetObject", r"\.json$", "s3:GetObject")])
def test_a_refusal_without_amazons_newer_words_names_the_permission(aws, lake, operation, key, action):
    aws.proxy.fault(aws_faults.s3_error(403, "AccessDenied", "Access Denied"), operation=operation, key=key)
    said = told_by(lake.run())
    assert "Access Denied" in said and f"; it needs {action};" in said, said


def test_a_refusal_without_any_words_names_the_permission_as_well(aws, lake):
    aws.proxy.fault(behaviours.status(403, ""), operation="PutObject", key=r"\.csv$")
    assert "; it needs s3:PutObject;" in told_by(lake.run())


def told_by(result):
    return " ".join(result.stderr.split())
