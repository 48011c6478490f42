"""doctor: what a pipeline needs is tried, nothing is left behind, and what is missing is named so that it can be pasted."""

import datetime
import itertools
import json
import os
import re
import signal

import pytest

from harness import behaviours as b
from harness.aws import ACCOUNT, ALL
from harness.aws_faults import json_error, query_answer, s3_error, slow_down
from harness.hiding import AWS_SECRET, AWS_TOKEN, SECRET
from harness.iam import KEY, Judge, matches
from harness.runner import FAILED, GATE, OK, USAGE

TOPIC = f"arn:aws:sns:us-west-2:{ACCOUNT}:told"
HOUR = datetime.timedelta(hours=1)
SIMULATE = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "iam:SimulatePrincipalPolicy", "Resource": "*"}]}
CATALOG = {"database": "weather", "table": "weather"}
DT = {"dt": "{slot:%Y-%m-%d}"}
SINKS = {
    "csv": {"to": "s3://lake/a b", "partition": DT, "catalog": CATALOG},
    "parquet by city": {"to": "s3://lake", "format": "parquet", "partition": {"town": "city"}, "catalog": CATALOG},
    "one file": {"to": "s3://lake/weather_data.csv", "partition": None, "catalog": None},
    "a key": {"to": "s3://lake", "partition": DT, "catalog": None, "s3": {"encryption": "aws:kms", "kms_key": KEY}},
    "a key by alias": {"to": "s3://lake", "partition": DT, "catalog": None, "s3": {"encryption": "aws:kms", "kms_key": "alias/lake"}},
}


@pytest.fixture
def bucket(aws):
    aws.client("sns").create_topic(Name="told")
    return aws.bucket()


def pipeline(program, server, sink="csv", **sections):
    sink = {"format": "csv", "partition": None, "catalog": None, **SINKS[sink]}
    return program.pipeline(server.url(), sink=sink, notify={"when": ["success", "failure"], "to": [TOPIC]}, **sections)


def doctor(program, file, aws, *options, **named):
    return program.call("doctor", file, *options, **{"env": aws.env, **named})


def examine(program, file, aws, **named):
    result = doctor(program, file, aws, "--json", **named)
    assert result.stdout.count("\n") == 1, result.stdout + result.stderr
    found = result.json()
    assert result.status == (OK if found["well"] else FAILED)
    return found


def of(found, verdict):
    return [it["name"] for it in found["findings"] if it["verdict"] == verdict]


def verdicts(found):
    return {it["name"]: it["verdict"] for it in found["findings"]}


def whole_policy(program, file, aws, words=True):
    """What the program prints to somebody who may do nothing, until it says that all is there; and the judge."""
    judge = Judge(aws, [SIMULATE], words)
    for _ in range(4):
        found = examine(program, file, aws)
        if found["well"] and not found["not_tried_policy"]:
            return judge, found
        judge.policies += [it for it in (found["missing_policy"], found["not_tried_policy"]) if it]
    raise AssertionError(found)


def actions(policies):
    listed = [statement["Action"] for policy in policies for statement in policy["Statement"]]
    return {action for it in listed for action in (it if isinstance(it, list) else [it])}


def resources(policies, action):
    found = set()
    for statement in itertools.chain(*(policy["Statement"] for policy in policies)):
        if action in (statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]):
            of_it = statement["Resource"]
            found |= set(of_it if isinstance(of_it, list) else [of_it])
    return found


def without(policies, action):
    """The same policies, an action left out."""
    statements = []
    for statement in itertools.chain(*(policy["Statement"] for policy in policies)):
        listed = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        if listed != [action]:
            statements.append({**statement, "Action": [it for it in listed if it != action]})
    return [{"Version": "2012-10-17", "Statement": statements}]


def left_by(aws):
    """All that could be left behind: objects, uploads, tables, messages."""
    glue, sns = aws.client("glue"), aws.client("sns")
    return {"objects": [aws.keys_of(it) for it in aws.buckets()], "uploads": [aws.unfinished(it) for it in aws.buckets()],
            "databases": glue.get_databases()["DatabaseList"], "topics": sns.list_topics()["Topics"]}


# A pipeline that stays at home.

def test_a_pipeline_that_needs_no_aws_is_told_so(program, server):
    result = program.call("doctor", program.pipeline(server.url()))
    lines = result.stdout.splitlines()
    assert (result.status, result.stderr) == (OK, "")
    assert lines[0] == "✓ weather needs nothing from AWS, and what it needs here is there"
    assert lines[2:] == ["✓ env:OPENWEATHER_API_KEY  the secret is there", *lines[3:5],
                         f"✓ sink.to                  {program.lake} can be written"]
    assert lines[3].startswith("✓ certificates  ") and lines[4].split()[1] == "duckdb"
    assert not program.lake.exists() and not server.requests


def test_what_is_missing_here_is_said_in_the_first_line(program, server):
    result = program.call("doctor", program.pipeline(server.url()), env={"OPENWEATHER_API_KEY": None})
    assert result.status == FAILED
    assert result.stdout.startswith("✗ weather is not ready: the environment has no OPENWEATHER_API_KEY; set it")


def test_a_folder_that_cannot_be_written_is_named(program, server):
    (program.folder / "file").write_text("in the way")
    result = program.call("doctor", program.pipeline(server.url(), sink={"to": str(program.folder / "file" / "lake")}))
    assert result.status == FAILED and "cannot be written" in result.stdout.splitlines()[0]
    assert str(program.folder / "file") in result.stdout


def test_certificates_that_are_named_and_not_there_are_missed(program, server):
    result = program.call("doctor", program.pipeline(server.url()), env={"SSL_CERT_FILE": "/nowhere.pem"})
    assert result.status == FAILED and "/nowhere.pem cannot be read" in result.stdout


def test_a_file_with_faults_is_told_as_check_tells_it(program, server):
    result = program.call("doctor", program.pipeline(server.url(), sink={"too": "lake"}))
    assert result.status == USAGE and 'unknown key "too"' in result.stderr and result.stdout == ""


def test_quiet_says_nothing_when_all_is_well(program, server):
    result = program.call("doctor", program.pipeline(server.url()), "--quiet")
    assert (result.status, result.stdout, result.stderr) == (OK, "", "")


# All is there.

def test_who_asks_where_and_that_all_is_there(program, server, aws, bucket):
    Judge(aws, [{"Statement": [ALL]}])
    result = doctor(program, pipeline(program, server), aws)
    lines = result.stdout.splitlines()
    assert (result.status, result.stderr) == (OK, "")
    assert lines[0] == "✓ weather can run on AWS: 11 of 11 permissions are there"
    assert re.fullmatch(rf"as      arn:aws:iam::{ACCOUNT}:user/user-\d+", lines[2])
    assert re.fullmatch(r"keys    …\w{4}, from the environment \(AWS_ACCESS_KEY_ID\)", lines[3])
    assert lines[4] == "region  us-west-2"
    assert [line[8:].split() for line in lines[5:9]] == [[it, aws.endpoint] for it in ("sts", "s3", "glue", "sns")]
    assert "✓ s3://lake" in result.stdout and "is there, in us-west-2" in result.stdout
    assert not re.search("[✗–]", result.stdout) and "{" not in result.stdout


@pytest.mark.parametrize("sink", SINKS)
def test_nothing_is_left_behind(program, server, aws, bucket, sink):
    aws.client("s3").put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    before = left_by(aws)
    found = examine(program, pipeline(program, server, sink), aws)
    assert found["well"], found
    assert left_by(aws) == before
    versions = aws.client("s3").list_object_versions(Bucket=bucket)
    assert not versions.get("Versions") and not versions.get("DeleteMarkers")
    assert not server.requests


def test_a_topic_hears_nothing(program, server, aws, bucket):
    sqs = aws.client("sqs")
    queue = sqs.create_queue(QueueName="queue")["QueueUrl"]
    aws.client("sns").subscribe(TopicArn=TOPIC, Protocol="sqs", Endpoint=f"arn:aws:sqs:us-west-2:{ACCOUNT}:queue")
    assert verdicts(examine(program, pipeline(program, server), aws))["sns:Publish"] == "fine"
    assert "Messages" not in sqs.receive_message(QueueUrl=queue)


def test_an_object_that_is_there_stays_as_it_is(program, server, aws, bucket):
    aws.client("s3").put_object(Bucket=bucket, Key="weather_data.csv", Body=b"a,b\n1,2\n")
    aws.client("s3").put_object(Bucket=bucket, Key="_catalog/weather/weather.json", Body=b"{}")
    before = aws.objects(bucket)
    assert examine(program, pipeline(program, server, "one file"), aws)["well"]
    assert aws.objects(bucket) == before and aws.unfinished(bucket) == []


# The list is true: what runs do is what it holds, and nothing more.

def collect(program, file, aws, slot, *options, status=OK):
    result = program.run(file, *options, slot=slot, env=aws.env)
    assert result.status == status, result.stderr
    assert "notify" not in result.stderr, result.stderr


def killed_run(program, file, aws, slot):
    """Ends in the middle and leaves its lock."""
    running = []
    aws.proxy.at_call(4, lambda: os.kill(running[0].pid, signal.SIGKILL))
    running.append(program.start("run", file, "--slot", slot, env=aws.env))
    assert running[0].finish().status == -signal.SIGKILL


@pytest.mark.parametrize("sink", SINKS)
def test_what_is_printed_is_enough_for_every_run_and_holds_nothing_that_no_run_uses(program, server, aws, bucket, sink):
    sections = {"columns": {"city": {"value": "{city}", "type": "string"},
                            "temperature": {"from": "main.temp", "type": "double", "in_range": [-90, 60]}},
                "quality": {"max_bad": "50%", "unique": None}}
    file = pipeline(program, server, sink, **sections)
    judge, found = whole_policy(program, file, aws)
    allowed = actions(judge.policies) - {"iam:SimulatePrincipalPolicy"}
    assert sorted(allowed) == sorted(of(found, "fine")[of(found, "fine").index("s3://lake") + 1:])
    judge.used.clear()
    judge.refused.clear()
    first, second = "2012-10-01T18:00:00Z", "2012-10-02T18:00:00Z"
    server.script("Dallas", b.ok(main__temp=99.5))
    collect(program, file, aws, first)                      # a row is quarantined
    collect(program, file, aws, first)                      # and no longer
    refused = pipeline(program, server, sink, **{**sections, "quality": {"min_rows": 9, "unique": None}})
    collect(program, refused, aws, second, status=GATE)
    data = next(key for key in aws.keys_of(bucket) if key.endswith((".csv", ".parquet")))
    upload = aws.client("s3").create_multipart_upload(Bucket=bucket, Key=data)["UploadId"]
    killed_run(program, file, aws, first)
    columns = {**sections["columns"]}
    columns["temperature"] = {**columns["temperature"], "description": "Of air"}
    collect(program, pipeline(program, server, sink, **{**sections, "columns": columns}), aws, first)
    assert aws.unfinished(bucket) == [], upload
    assert judge.refused == []
    assert set(judge.used) == allowed
    for action in ("s3:GetObject", "s3:PutObject", *(it for it in allowed if it.startswith("glue:"))):
        for pattern in resources(judge.policies, action):
            assert any(matches(pattern, resource) for resource in judge.used.get(action, [])), (action, pattern)


# What is missing is named, alone and ready to paste.

def of_sink(sink):
    """The permissions of a pipeline, for the names of tests."""
    s3 = ["s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:GetObject", "s3:PutObject", "s3:DeleteObject",
          "s3:AbortMultipartUpload"]
    return s3 + {"csv": ["glue:GetTable", "glue:CreateTable", "glue:UpdateTable", "glue:CreateDatabase", "sns:Publish"],
                 "a key": ["kms:GenerateDataKey", "kms:Decrypt"]}[sink]


# What can only be told once another one is there.
DEPENDENT = {"s3:ListBucket": ["s3:GetObject"], "s3:AbortMultipartUpload": ["s3:PutObject"]}


@pytest.mark.parametrize("sink, action", [("csv", action) for action in of_sink("csv")]
                         + [("a key", "kms:GenerateDataKey"), ("a key", "kms:Decrypt")])
def test_exactly_what_is_missing_is_named_and_is_enough(program, server, aws, bucket, sink, action):
    file = pipeline(program, server, sink)
    judge, _ = whole_policy(program, file, aws)
    full, before = judge.policies, left_by(aws)
    judge.policies = without(full, action)
    found = examine(program, file, aws)
    assert of(found, "missing") == [action]
    hidden = [it for it in of(found, "not tried") if it not in DEPENDENT.get(action, []) and not it.startswith("kms:")]
    assert hidden == []
    assert actions([found["missing_policy"]]) == {action}
    assert resources([found["missing_policy"]], action) == resources(full, action)
    total = sum(1 for it in found["findings"] if "resources" in it)
    assert found["summary"] == f"weather cannot run on AWS yet: 1 of {total} permissions is missing"
    assert left_by(aws) == before
    judge.policies.append(found["missing_policy"])
    assert examine(program, file, aws)["well"]
    text = doctor(program, file, aws).stdout
    assert text.startswith(f"✓ weather can run on AWS: {total} of {total} permissions are there")


@pytest.mark.parametrize("action", of_sink("csv")[:6])
def test_what_is_missing_is_told_where_s3_says_no_more_than_access_denied(program, server, aws, bucket, action):
    file = pipeline(program, server)
    judge, _ = whole_policy(program, file, aws, words=False)
    judge.policies = without(judge.policies, action)
    found = examine(program, file, aws)
    assert of(found, "missing") == [action] and actions([found["missing_policy"]]) == {action}
    assert set(of(found, "not tried")) <= set(DEPENDENT.get(action, []))
    judge.policies.append(found["missing_policy"])
    assert examine(program, file, aws)["well"]


def test_of_an_action_only_the_resources_that_were_refused_are_named(program, server, aws, bucket):
    file = pipeline(program, server)
    judge, _ = whole_policy(program, file, aws)
    for policy in judge.policies:
        for statement in policy["Statement"]:
            if "s3:PutObject" in statement["Action"]:
                statement["Resource"] = [it for it in statement["Resource"] if "_quarantine" not in it]
    found = examine(program, file, aws)
    assert of(found, "missing") == ["s3:PutObject"]
    assert resources([found["missing_policy"]], "s3:PutObject") == {"arn:aws:s3:::lake/a b/_quarantine/weather/*"}


def test_the_policy_is_printed_to_be_pasted(program, server, aws, bucket):
    file = pipeline(program, server)
    judge, _ = whole_policy(program, file, aws)
    judge.policies = without(without(judge.policies, "sns:Publish"), "s3:DeleteObject")
    result = doctor(program, file, aws)
    lines = result.stdout.splitlines()
    assert result.status == FAILED
    assert lines[0] == "✗ weather cannot run on AWS yet: 2 of 11 permissions are missing"
    assert any(line.startswith("✗ s3:DeleteObject") and "  refused; takes away" in line for line in lines)
    heading = next(at for at, line in enumerate(lines) if line.startswith("What is missing, as a policy for arn:aws:iam::"))
    policy = json.loads("\n".join(lines[heading + 1:]))
    assert actions([policy]) == {"sns:Publish", "s3:DeleteObject"}
    assert resources([policy], "sns:Publish") == {TOPIC}


def test_all_that_is_needed_is_one_policy_whoever_asks(program, server, aws, bucket):
    file = pipeline(program, server)
    whole = doctor(program, file, aws, "--policy")
    assert whole.status == OK and whole.stderr == ""
    judge = Judge(aws, [whole.json(), SIMULATE])
    assert examine(program, file, aws)["well"]
    assert actions([whole.json()]) == set(judge.used) - {"iam:SimulatePrincipalPolicy"} | {
        "glue:CreateTable", "glue:UpdateTable", "glue:CreateDatabase"}
    judge.policies = []
    assert doctor(program, file, aws, "--policy").stdout == whole.stdout
    lines = [line for line in whole.stdout.splitlines() if "arn:" in line]
    assert lines and not any("arn:*" in line for line in lines)


def test_a_pipeline_that_needs_nothing_has_no_policy(program, server, aws):
    result = doctor(program, program.pipeline(server.url()), aws, "--policy")
    assert result.status == FAILED and result.stdout == ""
    assert "weather needs nothing from AWS" in result.stderr


def test_what_iam_cannot_be_asked_is_not_claimed(program, server, aws, bucket):
    file = pipeline(program, server)
    judge, _ = whole_policy(program, file, aws)
    judge.policies = without(judge.policies, "iam:SimulatePrincipalPolicy")
    result = doctor(program, file, aws)
    writes = ["glue:CreateTable", "glue:UpdateTable", "glue:CreateDatabase"]
    assert result.status == OK
    assert result.stdout.startswith("✓ weather can run on AWS as far as could be tried: 8 of 11 permissions are there, 3 could not be")
    policy = json.loads(result.stdout.split("What could not be tried, should it be missing\n")[1])
    assert actions([policy]) == set(writes)
    found = examine(program, file, aws)
    assert of(found, "not tried") == writes and found["missing_policy"] is None


def test_iam_is_asked_about_the_role_behind_a_session(program, server, aws, bucket):
    role = f"arn:aws:sts::{ACCOUNT}:assumed-role/collector/session-7"
    aws.proxy.fault(query_answer("GetCallerIdentity", f"<Arn>{role}</Arn><UserId>A:s</UserId><Account>{ACCOUNT}</Account>"),
                    times=9, operation="GetCallerIdentity")
    judge = Judge(aws, [{"Statement": [ALL]}])
    found = examine(program, pipeline(program, server), aws)
    assert found["well"] and found["arn"] == role and found["account"] == ACCOUNT
    assert set(judge.principals) == {f"arn:aws:iam::{ACCOUNT}:role/collector"}


def test_with_the_rights_that_moto_enforces_what_boto3_adds_is_enough(program, server, aws, bucket):
    file = pipeline(program, server, "one file")
    statements = [{"Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetObject", "s3:DeleteObject"], "Resource": "*"}]
    keys = aws.user(statements)
    found = examine(program, file, aws, env=aws.env_of(keys))
    assert of(found, "missing") == ["s3:ListBucketMultipartUploads", "s3:AbortMultipartUpload", "sns:Publish"]
    assert of(found, "not tried") == ["s3:PutObject"]
    user = found["arn"].rsplit("/", 1)[1]
    for policy in ("missing_policy", "not_tried_policy"):
        document = json.dumps(found[policy]).replace(TOPIC, "*")  # moto knows no resources but those of S3
        aws.client("iam").put_user_policy(UserName=user, PolicyName=policy, PolicyDocument=document)
    found = examine(program, file, aws, env=aws.env_of(keys))
    assert found["well"] and found["not_tried_policy"] is None, found


# Secrets that are kept at AWS.

def with_secret(program, server, place):
    return program.pipeline(server.url(), source={"auth": {"query": "appid", "secret": place}})


@pytest.fixture
def secrets(aws):
    aws.client("ssm").put_parameter(Name="/weather/kms-key", Value=SECRET, Type="SecureString")
    aws.client("secretsmanager").create_secret(Name="weather", SecretString=json.dumps({"key": SECRET}))


PLACES = {"ssm:/weather/kms-key": ("ssm:GetParameter", "parameter/weather/kms-key"),
          "secretsmanager:weather#key": ("secretsmanager:GetSecretValue", "secret:weather-??????")}


@pytest.mark.parametrize("place", PLACES)
def test_a_secret_is_read_for_real_and_never_shown(program, server, aws, secrets, place):
    file, action = with_secret(program, server, place), PLACES[place][0]
    judge, found = whole_policy(program, file, aws)
    assert of(found, "fine")[-1] == action and found["summary"] == "weather can run on AWS: 1 of 1 permission is there"
    assert {it.split(":", 5)[5] for it in resources(judge.policies, action)} == {PLACES[place][1]}
    assert SECRET not in json.dumps(found) and SECRET not in doctor(program, file, aws).stdout
    judge.used.clear()
    collect(program, file, aws, "2012-10-01T18:00:00Z")
    assert set(judge.used) == {action}
    judge.policies = []
    found = examine(program, file, aws)
    assert of(found, "missing") == [action] and actions([found["missing_policy"]]) == {action}


@pytest.mark.parametrize("place", PLACES)
def test_the_key_of_a_secret_is_named_when_it_alone_is_refused(program, server, aws, secrets, place):
    file, action = with_secret(program, server, place), PLACES[place][0]
    judge, _ = whole_policy(program, file, aws)
    judge.decrypts_secrets = True
    found = examine(program, file, aws)
    assert of(found, "missing") == ["kms:Decrypt"] and action in of(found, "fine")
    assert resources([found["missing_policy"]], "kms:Decrypt") == {f"arn:aws:kms:us-west-2:{ACCOUNT}:key/*"}
    judge.policies.append(found["missing_policy"])
    assert examine(program, file, aws)["well"]


def test_a_secret_that_is_not_there_is_told(program, server, aws):
    found = examine(program, with_secret(program, server, "ssm:/nowhere"), aws)
    assert found["summary"].startswith("weather is not ready: the secret ssm:/nowhere: ") and not found["well"]
    assert of(found, "fine")[-1] == "ssm:GetParameter" and found["missing_policy"] is None


# What no permission mends.

def first_line(program, file, aws, **named):
    result = doctor(program, file, aws, **named)
    assert result.status == FAILED and result.stderr == ""
    return result.stdout.splitlines()[0]


def test_without_credentials_it_says_what_to_do(program, server, aws, bucket):
    line = first_line(program, pipeline(program, server), aws, env=aws.env_of(None))
    assert line.startswith("✗ weather cannot run on AWS: no AWS credentials were found") and "; set AWS_ACCESS_KEY_ID and" in line
    assert aws.proxy.calls == []


def test_half_set_credentials_are_told(program, server, aws, bucket):
    line = first_line(program, pipeline(program, server), aws, env={**aws.env, "AWS_SECRET_ACCESS_KEY": None})
    assert "AWS_SECRET_ACCESS_KEY is not" in line


def test_credentials_that_have_expired_are_told(program, server, aws, bucket):
    keys = aws.user([ALL], token=True, minutes=-1)
    line = first_line(program, pipeline(program, server), aws, env=aws.env_of(keys))
    assert line == "✗ weather cannot run on AWS: the credentials have expired; renew them (ExpiredToken)"


def test_keys_that_will_expire_are_told_with_the_time(program, server, aws, bucket):
    expires = (datetime.datetime.now(datetime.timezone.utc) + 6.5 * HOUR).strftime("%Y-%m-%dT%H:%M:%SZ")
    env = {**aws.env_of(aws.temporary()), "AWS_CREDENTIAL_EXPIRATION": expires}
    assert "; they expire in 6 h " in doctor(program, pipeline(program, server), aws, env=env).stdout
    assert examine(program, pipeline(program, server), aws, env=env)["keys_expire_at"] == expires


def test_a_key_that_aws_does_not_know_is_told(program, server, aws, bucket):
    env = {**aws.env, "AWS_ACCESS_KEY_ID": "AKIANOBODYKNOWSTHIS0"}
    assert "AWS does not know this access key" in first_line(program, pipeline(program, server), aws, env=env)


def test_a_secret_key_that_does_not_go_with_the_access_key_is_told(program, server, aws, bucket):
    env = {**aws.env, "AWS_SECRET_ACCESS_KEY": "wrong/wrong/wrong/wrong/wrong/wrong/wron"}
    line = first_line(program, pipeline(program, server), aws, env=env)
    assert "the secret key does not go with the access key" in line and "wrong/" not in line


def test_without_a_region_it_says_what_to_do(program, server, aws, bucket):
    line = first_line(program, pipeline(program, server), aws, env={**aws.env, "AWS_REGION": None})
    assert line.startswith("✗ weather cannot run on AWS: no AWS region is known; set AWS_REGION")
    assert doctor(program, pipeline(program, server), aws, "--region", "us-west-2", env={**aws.env, "AWS_REGION": None}).status == OK


def test_a_bucket_that_is_not_there_is_told_and_nothing_else_is_tried_in_it(program, server, aws):
    line = first_line(program, pipeline(program, server), aws)
    assert line == "✗ weather cannot run on AWS: there is no bucket lake; create it (aws s3 mb s3://lake), or mend sink.to"
    assert [it for it in aws.proxy.operations("s3")] == ["HeadBucket lake/"]


def test_a_bucket_elsewhere_is_found_and_told(program, server, aws):
    aws.client("sns").create_topic(Name="told")
    aws.bucket("lake", region="eu-central-1")
    result = doctor(program, pipeline(program, server, "one file"), aws)
    assert result.status == OK, result.stdout
    assert "is there, in eu-central-1, not in us-west-2: each run asks at the wrong place first; write sink.s3.region: eu-central-1" \
        in result.stdout
    sink = {**SINKS["one file"], "s3": {"region": "eu-central-1"}}
    file = program.pipeline(server.url(), sink=sink)
    assert "is there, in eu-central-1\n" in doctor(program, file, aws).stdout


def test_a_bucket_of_another_owner_is_refused(program, server, aws, bucket):
    sink = {**SINKS["one file"], "s3": {"expected_bucket_owner": "999999999999"}}
    found = examine(program, program.pipeline(server.url(), sink=sink), aws)
    refused, = [it for it in found["findings"] if it["name"] == "s3:ListBucket"]
    assert refused["verdict"] == "missing" and "999999999999" in refused["text"] and "expected_bucket_owner" in refused["text"]


def test_an_endpoint_that_cannot_be_reached_is_named(program, server, aws, bucket, closed_port):
    env = {**aws.env, "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{closed_port}"}
    result = doctor(program, pipeline(program, server), aws, env=env)
    line = result.stdout.splitlines()[0]
    assert result.status == FAILED and line.startswith("✗ weather is not ready: s3 cannot be reached: ")
    assert "look at the network, the region and the endpoint" in line
    found = examine(program, pipeline(program, server), aws, env=env)
    assert verdicts(found)["s3"] == "missing" and verdicts(found)["s3:PutObject"] == "not tried"
    assert verdicts(found)["glue:GetTable"] == "fine" and verdicts(found)["sns:Publish"] == "fine"


def test_without_sts_the_account_stays_open_and_all_else_is_tried(program, server, aws, bucket, closed_port):
    file = pipeline(program, server)
    judge = Judge(aws, [])
    found = examine(program, file, aws, env={**aws.env, "AWS_ENDPOINT_URL_STS": f"http://127.0.0.1:{closed_port}"})
    assert verdicts(found)["sts:GetCallerIdentity"] == "not tried" and found["account"] is None
    assert {"s3:ListBucket", "glue:GetTable", "sns:Publish"} <= set(of(found, "missing"))
    assert "arn:aws:glue:us-west-2:*:catalog" in resources([found["missing_policy"]], "glue:GetTable")
    assert judge.principals == []


def test_a_clock_that_is_off_is_told(program, server, aws, bucket):
    aws.proxy.clock = HOUR
    result = doctor(program, pipeline(program, server), aws)
    assert result.status == FAILED
    assert result.stdout.startswith("✗ weather is not ready: this machine's clock is ")
    assert "behind AWS's; set it" in result.stdout.splitlines()[0] and "✓ s3:PutObject" in result.stdout


def test_a_topic_that_is_not_there_is_told(program, server, aws):
    aws.bucket()
    found = examine(program, pipeline(program, server), aws)
    assert found["summary"] == f"weather is not ready: there is no topic {TOPIC}; create it, or mend notify.to"


def test_a_key_that_is_not_there_is_told(program, server, aws, bucket):
    aws.proxy.fault(s3_error(400, "KMS.NotFoundException", "Invalid keyId alias/lake"), times=99, operation="CreateMultipartUpload")
    found = examine(program, pipeline(program, server, "a key by alias"), aws)
    assert found["summary"].startswith("weather is not ready: KMS.NotFoundException: Invalid keyId alias/lake; mend sink.s3.kms_key")


def test_what_a_statement_denies_is_not_to_be_mended_by_one_that_allows(program, server, aws, bucket):
    words = "User: me is not authorized to perform: s3:DeleteObject on resource: x with an explicit deny in a service control policy"
    aws.proxy.fault(s3_error(403, "AccessDenied", words), times=99, operation="DeleteObject")
    found = examine(program, pipeline(program, server), aws)
    denied, = [it for it in found["findings"] if it["verdict"] == "missing"]
    assert denied["name"] == "s3:DeleteObject" and "a statement that denies it has to go" in denied["text"]
    assert found["missing_policy"] is None and not found["well"]


def test_lake_formation_is_told_from_iam(program, server, aws, bucket):
    words = "Insufficient Lake Formation permission(s): Required Describe on weather"
    aws.proxy.fault(json_error(400, "AccessDeniedException", words), times=99, operation="GetTable")
    found = examine(program, pipeline(program, server), aws)
    assert found["summary"] == f"weather is not ready: Lake Formation refuses it: {words}; grant it there"
    assert verdicts(found)["glue:GetTable"] == "not tried" and found["missing_policy"] is None


def test_a_service_that_is_busy_is_not_taken_for_a_refusal(program, server, aws, bucket):
    aws.proxy.fault(slow_down(), times=99, operation="ListMultipartUploads")
    found = examine(program, pipeline(program, server), aws)
    assert verdicts(found)["s3:ListBucketMultipartUploads"] == "not tried" and found["missing_policy"] is None


def test_no_secret_is_shown(program, server, aws, bucket):
    for options in ([], ["--json"]):
        text = doctor(program, pipeline(program, server), aws, *options, env=aws.env_of(aws.temporary())).stdout
        assert AWS_SECRET not in text and AWS_TOKEN not in text


def test_to_is_examined_instead_of_what_the_file_says(program, server, aws, bucket):
    file = program.pipeline(server.url())
    assert "needs nothing from AWS" in doctor(program, file, aws).stdout
    assert "✓ s3://lake" in doctor(program, file, aws, "--to", "s3://lake").stdout
