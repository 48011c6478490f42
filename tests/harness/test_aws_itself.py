"""Our AWS on loopback judges what it should: right signatures pass, each kind of wrong one is refused."""

import base64
import datetime
import http.client
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.parse
import zlib
from pathlib import Path

import boto3
import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from harness import aws_faults, signatures
from harness.hiding import AWS_SECRET, found_in_any
from harness.verifying_proxy import combine_crc32

HOUR = datetime.timedelta(hours=1)
ODD_KEYS = ["plain.csv", "dt=2012-10-01/x.csv", "a b/c+d e.csv", "ü/日本/(1)'~!*.csv", "%41&?#;:@$,.csv"]


def signed(aws, method, target, body=b"", keys=None, service="s3", region=None, headers=None, change=None, date=None):
    """Signs with botocore, lets change(headers, target, body) spoil it, sends it: (status, headers, body)."""
    keys = keys or aws.keys
    request = AWSRequest(method, aws.endpoint + target, data=body, headers=headers or {})
    auth = (S3SigV4Auth if service == "s3" else SigV4Auth)(
        Credentials(keys.access_key, keys.secret_key, keys.token or None), service, region or aws.region)
    if date:
        auth._modify_request_before_signing = lambda it, usual=auth._modify_request_before_signing: (
            it.context.update(timestamp=date), usual(it))
    auth.add_auth(request)
    fields = dict(request.headers.items())
    if change:
        fields, target, body = change(fields, target, body)
    connection = http.client.HTTPConnection("127.0.0.1", aws.proxy.port, timeout=10)
    try:
        connection.request(method, target, body, fields)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        connection.close()


def crc(data):
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


# What is right passes.

@pytest.mark.parametrize("key", ODD_KEYS)
def test_boto3_writes_and_reads_through_the_proxy(aws, key):
    s3, bucket = aws.client("s3", judged=True), aws.bucket()
    s3.put_object(Bucket=bucket, Key=key, Body=b"hello", ContentType="text/csv")
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"hello"
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket, Prefix=key[:3])["Contents"]] == [key]
    assert aws.objects(bucket) == {key: b"hello"}
    assert aws.proxy.operations() == [f"PutObject {bucket}/{key}", f"GetObject {bucket}/{key}", f"ListObjectsV2 {bucket}/"]
    assert [call.status for call in aws.proxy.calls] == [200, 200, 200]


def test_json_and_query_services_pass(aws):
    aws.client("glue", judged=True).create_database(DatabaseInput={"Name": "weather"})
    topic = aws.client("sns", judged=True).create_topic(Name="told")["TopicArn"]
    aws.client("sns", judged=True).publish(TopicArn=topic, Subject="a + b", Message="ü & ~*\n")
    assert aws.client("sts", judged=True).get_caller_identity()["Account"] == aws.account
    assert aws.proxy.operations() == ["CreateDatabase", "CreateTopic", "Publish", "GetCallerIdentity"]
    assert {call.service for call in aws.proxy.calls} == {"glue", "sns", "sts"}


def test_an_upload_in_parts_passes_and_is_known_until_it_is_completed_or_aborted(aws):
    s3, bucket = aws.client("s3", judged=True), aws.bucket()
    contents = [b"a" * (5 << 20), b"b" * (5 << 20), b"end"]
    for key in ("done", "given up"):
        upload = s3.create_multipart_upload(Bucket=bucket, Key=key, ChecksumAlgorithm="CRC32",
                                            ChecksumType="FULL_OBJECT")["UploadId"]
        parts = [{"PartNumber": number, "ETag": s3.upload_part(Bucket=bucket, Key=key, UploadId=upload, Body=content,
                                                               PartNumber=number)["ETag"], "ChecksumCRC32": crc(content)}
                 for number, content in enumerate(contents, 1)]
        assert aws.unfinished(bucket) == [key] and key not in aws.keys_of(bucket)
        if key == "done":
            whole = b"".join(contents)
            wrong = {"Bucket": bucket, "Key": key, "UploadId": upload, "ChecksumType": "FULL_OBJECT"}
            with pytest.raises(ClientError, match="BadDigest"):
                s3.complete_multipart_upload(**wrong, ChecksumCRC32=crc(b"x"), MultipartUpload={"Parts": parts})
            with pytest.raises(ClientError, match="InvalidPart.*not in ascending"):
                s3.complete_multipart_upload(**wrong, MultipartUpload={"Parts": parts[::-1]})
            with pytest.raises(ClientError, match="checksum of a part"):
                s3.complete_multipart_upload(**wrong, MultipartUpload={"Parts": [{**parts[0], "ChecksumCRC32": crc(b"")}]})
            s3.complete_multipart_upload(**wrong, ChecksumCRC32=crc(whole), MultipartUpload={"Parts": parts})
        else:
            s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)
        assert aws.unfinished(bucket) == []
    assert aws.objects(bucket) == {"done": b"".join(contents)}


def test_at_real_names_the_bucket_is_in_the_host_and_the_body_may_go_unhashed(aws, authority):
    env = aws.env_at_real_names(authority)
    s3 = boto3.client("s3", region_name=aws.region, aws_access_key_id=env["AWS_ACCESS_KEY_ID"], use_ssl=True,
                      aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"], verify=env["AWS_CA_BUNDLE"],
                      config=Config(proxies={"https": env["HTTPS_PROXY"]}, retries={"total_max_attempts": 1}))
    bucket = aws.bucket()
    s3.put_object(Bucket=bucket, Key="dt=1/a b.csv", Body=b"hello")
    assert aws.objects(bucket) == {"dt=1/a b.csv": b"hello"}
    assert aws.tunnels == [f"lake.s3.{aws.region}.amazonaws.com:443"]
    assert aws.proxy.calls[0].request.headers["x-amz-content-sha256"] == signatures.STREAMING
    assert aws.proxy.operations() == ["PutObject lake/dt=1/a b.csv"]


# What is wrong is refused.

def spoil(name, value):
    return lambda headers, target, body: ({**headers, name: value}, target, body)


def spoil_body(headers, target, body):
    return headers, target, body + b"!"


def spoil_query(headers, target, body):
    return headers, target + "?x=1", body


def spoil_path(headers, target, body):
    return headers, target + "x", body


def spoil_signature(headers, target, body):
    last = headers["Authorization"][-1]
    return {**headers, "Authorization": headers["Authorization"][:-1] + ("0" if last != "0" else "1")}, target, body


def drop_hash(headers, target, body):
    return {name: value for name, value in headers.items() if name.lower() != "x-amz-content-sha256"}, target, body


@pytest.mark.parametrize("change, status, code", [
    (spoil_signature, 403, "SignatureDoesNotMatch"),
    (spoil_query, 403, "SignatureDoesNotMatch"),
    (spoil_path, 403, "SignatureDoesNotMatch"),
    (spoil_body, 400, "XAmzContentSHA256Mismatch"),
    (drop_hash, 403, "SignatureDoesNotMatch"),
    (spoil("X-Amz-Content-SHA256", "UNSIGNED-PAYLOAD"), 403, "SignatureDoesNotMatch"),
    (spoil("x-amz-meta-new", "1"), 403, "AccessDenied"),
    (spoil("Content-Type", "text/other"), 403, "SignatureDoesNotMatch"),
    (spoil("Content-MD5", "AAAA"), 400, "BadDigest"),
    (spoil("Authorization", "Bearer x"), 403, "AccessDenied"),
    (spoil("X-Amz-Security-Token", "x"), 400, "InvalidToken"),
])
def test_a_request_changed_after_signing_is_refused(aws, change, status, code):
    bucket = aws.bucket()
    got, headers, body = signed(aws, "PUT", f"/{bucket}/k", b"hello", headers={"Content-Type": "text/csv"}, change=change)
    assert (got, f"<Code>{code}</Code>" in body) == (status, True), body
    assert headers["x-amz-request-id"] and aws.objects(bucket) == {}
    assert aws.proxy.calls[-1].error == code


def test_an_extra_header_that_was_not_signed_is_named(aws):
    *_, body = signed(aws, "PUT", f"/{aws.bucket()}/k", b"", change=spoil("x-amz-meta-new", "1"))
    assert "<HeadersNotSigned>x-amz-meta-new</HeadersNotSigned>" in body


@pytest.mark.parametrize("algorithm", ["crc32", "crc32c", "crc64nvme", "sha1", "sha256"])
def test_a_wrong_checksum_is_refused_and_a_right_one_passes(aws, algorithm):
    bucket, name = aws.bucket(), f"x-amz-checksum-{algorithm}"
    right = signatures.checksum(algorithm, b"123456789")
    assert signed(aws, "PUT", f"/{bucket}/k", b"123456789", headers={name: right})[0] == 200
    status, _, body = signed(aws, "PUT", f"/{bucket}/other", b"12345678X", headers={name: right})
    assert (status, "<Code>BadDigest</Code>" in body, aws.keys_of(bucket)) == (400, True, ["k"])


@pytest.mark.parametrize("algorithm, value", [("crc32", 0xCBF43926), ("crc32c", 0xE3069283),
                                              ("crc64nvme", 0xAE8B14860A799888)])
def test_checksums_are_those_of_the_catalogue_of_crc_algorithms(algorithm, value):
    assert int.from_bytes(base64.b64decode(signatures.checksum(algorithm, b"123456789")), "big") == value


def test_a_crc_of_two_pieces_is_made_from_those_of_each():
    for first, second in ((b"", b""), (b"a", b""), (b"", b"b"), (b"hello " * 999, b"world" * 77777)):
        assert combine_crc32(zlib.crc32(first), zlib.crc32(second), len(second)) == zlib.crc32(first + second)


@pytest.mark.parametrize("minutes, fine", [(-16, False), (-14, True), (14, True), (16, False)])
def test_a_date_more_than_a_quarter_of_an_hour_off_is_refused(aws, minutes, fine):
    bucket = aws.bucket()
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=minutes)
    status, headers, body = signed(aws, "GET", f"/{bucket}?list-type=2", date=f"{at:%Y%m%dT%H%M%SZ}")
    assert (status == 200) == fine and ("<Code>RequestTimeTooSkewed</Code>" in body) != fine and headers["Date"]
    status, _, body = signed(aws, "POST", "/", b"{}", service="glue", date=f"{at:%Y%m%dT%H%M%SZ}",
                             headers={"X-Amz-Target": "AWSGlue.GetDatabases", "Content-Type": "application/x-amz-json-1.1"})
    assert (status == 200) == fine and ("InvalidSignatureException" in body) != fine


def test_the_clock_of_aws_can_be_an_hour_off(aws):
    bucket = aws.bucket()
    aws.proxy.clock = HOUR
    status, headers, body = signed(aws, "GET", f"/{bucket}?list-type=2")
    assert status == 403 and "RequestTimeTooSkewed" in body
    date = datetime.datetime.strptime(headers["Date"], "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=datetime.timezone.utc)
    assert abs(date - datetime.datetime.now(datetime.timezone.utc) - HOUR) < datetime.timedelta(minutes=1)
    assert signed(aws, "GET", f"/{bucket}?list-type=2", date=f"{date:%Y%m%dT%H%M%SZ}")[0] == 200


@pytest.mark.parametrize("service, target, headers, statuses", [
    ("s3", "/lake?list-type=2", {}, ["InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"]),
    ("glue", "/", {"X-Amz-Target": "AWSGlue.GetDatabases", "Content-Type": "application/x-amz-json-1.1"},
     ["UnrecognizedClientException", "InvalidSignatureException", "ExpiredTokenException", "UnrecognizedClientException"]),
    ("sns", "/", {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
     ["InvalidClientTokenId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidClientTokenId"]),
])
def test_keys_that_are_unknown_wrong_or_expired_are_refused_in_the_words_of_the_service(aws, service, target, headers,
                                                                                        statuses):
    aws.bucket()
    good = aws.temporary()
    kinds = [signatures.Keys("AKIANOBODY", AWS_SECRET), signatures.Keys(aws.keys.access_key, "wrong"),
             aws.temporary(minutes=-1), signatures.Keys(good.access_key, good.secret_key, "other")]
    body = {"s3": b"", "glue": b"{}", "sns": b"Action=ListTopics&Version=2010-03-31"}[service]
    method = "GET" if service == "s3" else "POST"
    answers = [signed(aws, method, target, body, keys=keys, service=service, headers=headers) for keys in kinds]
    assert all(status >= 400 for status, _, _ in answers)
    assert [code in text for (_, _, text), code in zip(answers, statuses)] == [True] * 4, answers
    assert signed(aws, method, target, body, keys=good, service=service, headers=headers)[0] == 200


def test_a_policy_counts(aws):
    bucket = aws.bucket()
    keys = aws.user([{"Effect": "Allow", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/ours/*"}])
    assert signed(aws, "PUT", f"/{bucket}/ours/k", b"x", keys=keys)[0] == 200
    for method, target in (("PUT", f"/{bucket}/theirs"), ("GET", f"/{bucket}/ours/k"), ("GET", f"/{bucket}?list-type=2")):
        status, _, body = signed(aws, method, target, keys=keys)
        assert status == 403 and "AccessDenied" in body
    status, _, body = signed(aws, "POST", "/", b"{}", keys=keys, service="glue", headers={
        "X-Amz-Target": "AWSGlue.GetDatabases", "Content-Type": "application/x-amz-json-1.1"})
    assert status in (400, 403) and "glue:GetDatabases" in body


def test_a_scope_that_is_not_that_of_the_bucket_is_told_where_it_lives(aws):
    bucket = aws.bucket("far", region="eu-central-1")
    for elsewhere, code in ((301, "PermanentRedirect"), (307, "TemporaryRedirect"), (400, "AuthorizationHeaderMalformed")):
        aws.proxy.elsewhere = elsewhere
        status, headers, body = signed(aws, "PUT", f"/{bucket}/k", b"x")
        assert (status, headers["x-amz-bucket-region"]) == (elsewhere, "eu-central-1") and f"<Code>{code}</Code>" in body
    status, headers, body = signed(aws, "HEAD", f"/{bucket}")
    assert (status, headers["x-amz-bucket-region"], body) == (400, "eu-central-1", "")
    assert signed(aws, "PUT", f"/{bucket}/k", b"x", region="eu-central-1")[0] == 200


def test_conditions_hold_for_puts_and_completed_uploads(aws):
    s3, bucket = aws.client("s3", judged=True), aws.bucket()
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"1", IfNoneMatch="*")["ETag"]
    with pytest.raises(ClientError, match="412|PreconditionFailed"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfNoneMatch="*")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfMatch='"other"')
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.put_object(Bucket=bucket, Key="absent", Body=b"2", IfMatch=etag)
    s3.put_object(Bucket=bucket, Key="k", Body=b"3", IfMatch=etag)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=1, Body=b"4")["ETag"]
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=upload, IfNoneMatch="*",
                                     MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part}]})
    assert aws.objects(bucket) == {"k": b"3"} and aws.unfinished(bucket) == ["k"]


def test_of_many_who_want_to_be_the_only_one_one_is(aws):
    bucket, won = aws.bucket(), []

    def put(number):
        if signed(aws, "PUT", f"/{bucket}/lock", b"%d" % number, headers={"If-None-Match": "*"})[0] == 200:
            won.append(number)
    threads = [threading.Thread(target=put, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(won) == 1 and aws.objects(bucket) == {"lock": b"%d" % won[0]}


def test_another_owner_of_the_bucket_is_denied(aws):
    bucket = aws.bucket()
    assert signed(aws, "PUT", f"/{bucket}/k", headers={"x-amz-expected-bucket-owner": aws.account})[0] == 200
    assert signed(aws, "PUT", f"/{bucket}/k", headers={"x-amz-expected-bucket-owner": "999999999999"})[0] == 403


# It misbehaves on command.

def test_faults_are_for_the_calls_that_fit_and_as_often_as_told(aws):
    bucket = aws.bucket()
    aws.proxy.fault(aws_faults.slow_down(), operation="PutObject", times=2)
    aws.proxy.fault(aws_faults.internal_error(), key=r"\.csv$", after=1)
    statuses = [signed(aws, "PUT", f"/{bucket}/{key}", b"x")[0] for key in ("a", "b", "c.csv", "d.csv", "e.csv")]
    assert statuses == [503, 503, 200, 500, 200]
    assert signed(aws, "GET", f"/{bucket}/c.csv")[0] == 200


def test_an_error_comes_in_200_after_spaces(aws):
    aws.proxy.fault(aws_faults.error_in_200(), operation="CompleteMultipartUpload")
    status, _, body = signed(aws, "POST", f"/{aws.bucket()}/k?uploadId=u", b"<x/>")
    assert status == 200 and "   " in body and body.endswith("</Error>") and "<Code>InternalError</Code>" in body


def test_a_connection_is_cut_in_one_part_of_many_and_before_or_after_the_work(aws):
    bucket, big = aws.bucket(), b"x" * (1 << 20)
    aws.proxy.fault(aws_faults.cut_in_body(1000), operation="UploadPart", part=7)
    with pytest.raises(OSError):
        signed(aws, "PUT", f"/{bucket}/k?partNumber=7&uploadId=u", big)
    assert signed(aws, "PUT", f"/{bucket}/k?partNumber=6&uploadId=u", big)[0] == 404  # there is no such upload
    aws.proxy.fault(aws_faults.cut_before_answer(), key="^lost$")
    aws.proxy.fault(aws_faults.cut_after_done(), key="^done$")
    for key in ("lost", "done"):
        with pytest.raises((OSError, http.client.HTTPException)):
            signed(aws, "PUT", f"/{bucket}/{key}", b"x")
    assert aws.keys_of(bucket) == ["done"]


def test_an_answer_comes_late(aws):
    bucket = aws.bucket()
    aws.proxy.fault(aws_faults.late(0.3), operation="PutObject")
    began = time.monotonic()
    assert signed(aws, "PUT", f"/{bucket}/k", b"x")[0] == 200 and time.monotonic() - began >= 0.3


@pytest.mark.parametrize("done", [False, True])
def test_something_happens_at_a_certain_call_before_it_is_carried_out_or_after(aws, done):
    bucket, seen = aws.bucket(), []
    aws.proxy.at_call(2, lambda: seen.append(aws.keys_of(bucket)), done=done)
    assert signed(aws, "PUT", f"/{bucket}/1", b"x")[0] == 200
    with pytest.raises((OSError, http.client.HTTPException)):
        signed(aws, "PUT", f"/{bucket}/2", b"x")
    assert signed(aws, "PUT", f"/{bucket}/3", b"x")[0] == 200
    assert seen == [["1", "2"] if done else ["1"]]


def test_a_secret_that_travels_is_noticed(aws):
    bucket = aws.bucket()
    signed(aws, "PUT", f"/{bucket}/a", b"my key: " + AWS_SECRET.encode())
    signed(aws, "PUT", f"/{bucket}/b?x=" + urllib.parse.quote(AWS_SECRET, safe=""), b"")
    assert len(aws.proxy.leaks) >= 2 and len(aws.leaks()) > len(aws.proxy.leaks)
    assert found_in_any(aws.keys.secret_key.encode())
    aws.reset()


def test_moto_ends_with_the_one_who_started_it(tmp_path):
    code = f"import sys, time; sys.path.insert(0, {str(Path(__file__).parents[1])!r})\n" \
           "from harness.aws import Aws\naws = Aws().__enter__()\nprint(aws._moto.pid, flush=True)\ntime.sleep(60)\n"
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    moto = int(parent.stdout.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()

    def gone():
        try:
            os.kill(moto, 0)
        except ProcessLookupError:
            return True
        return Path(f"/proc/{moto}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    aws_faults.wait_until(gone, 10)


def test_as_a_command_it_gives_another_program_an_aws():
    code = "import boto3, os; boto3.client('s3').put_object(Bucket='ours', Key='k', Body=b'x'); print('done')"
    command = [sys.executable, str(Path(__file__).with_name("aws.py")), "--bucket", "ours", sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (result.stdout, result.returncode) == ("done\n", 0), result.stderr
    command[-1] = "raise SystemExit(7)"
    assert subprocess.run(command, timeout=60).returncode == 7
