"""What sink.s3 asks of a bucket, on the wire and in the bucket."""
import pytest

from harness.runner import FAILED, OK, USAGE

DATA = "weather/dt=2012-10-01/20121001T180000Z.csv"


def run(program, server, aws, bucket, s3, **named):
    file = program.pipeline(server.url(), sink={"to": f"s3://{bucket}", "catalog": None, "s3": s3})
    return program.run(file, env=aws.env, **named)


@pytest.mark.parametrize("asked, kind, key", [({"encryption": "AES256"}, "AES256", None),
                                              ({"encryption": "aws:kms"}, "aws:kms", None),
                                              ({"encryption": "aws:kms", "kms_key": "alias/lake"}, "aws:kms", "alias/lake")])
def test_every_object_is_encrypted_as_asked(program, server, aws, asked, kind, key):
    bucket = aws.bucket()
    result = run(program, server, aws, bucket, asked)
    assert result.status == OK, result.stderr
    objects = aws.keys_of(bucket)
    assert DATA in objects
    for name in objects:
        head = aws.client("s3").head_object(Bucket=bucket, Key=name)
        assert head["ServerSideEncryption"] == kind, name
        assert key is None or head["SSEKMSKeyId"].endswith(key), head["SSEKMSKeyId"]


def test_every_request_names_the_owner_that_is_expected(program, server, aws):
    bucket = aws.bucket()
    result = run(program, server, aws, bucket, {"expected_bucket_owner": aws.account})
    assert result.status == OK, result.stderr
    calls = [call for call in aws.proxy.calls if call.service == "s3"]
    assert len(calls) > 5
    for call in calls:
        assert call.request.headers.get("x-amz-expected-bucket-owner") == aws.account, call


def test_a_bucket_of_another_owner_gets_nothing(program, server, aws):
    bucket = aws.bucket()
    result = run(program, server, aws, bucket, {"expected_bucket_owner": "999999999999"})
    assert result.status == FAILED, result.stderr
    assert aws.keys_of(bucket) == []
    assert not server.requests


@pytest.mark.parametrize("s3, words", [
    ({"kms_key": "alias/lake"}, "encryption: aws:kms"),
    ({"encryption": "AES256", "kms_key": "alias/lake"}, "encryption: aws:kms"),
    ({"expected_bucket_owner": "12345"}, "twelve digits"),
    ({"encryption": "aws:kmz"}, 'did you mean "aws:kms"'),
    ({"enkryption": "AES256"}, 'did you mean "encryption"')])
def test_what_cannot_be_asked_is_a_fault_with_its_place(program, server, s3, words):
    file = program.pipeline(server.url(), sink={"to": "s3://lake", "s3": s3})
    result = program.call("check", file)
    assert result.status == USAGE
    assert words in result.stderr and "weather.yaml:" in result.stderr


@pytest.mark.parametrize("to, words", [
    ("s3://", "names no bucket"), ("s3:///prefix", "names no bucket"), ("s3://ab", "3 to 63"),
    ("s3://la ke/x", "3 to 63"), ("s3://lake/a//b", "empty name"), ("s3://lake/../b", ". or .."),
    ("S3://lake", "neither a directory nor")])
def test_an_address_that_names_no_place_in_a_bucket_is_a_fault(program, server, to, words):
    result = program.call("check", program.pipeline(server.url(), sink={"to": to}))
    assert result.status == USAGE
    assert words in result.stderr
