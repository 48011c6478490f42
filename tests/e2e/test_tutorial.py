"""docs/tutorial.md, played: every command of it in order, in one shell, with the real AWS CLI against moto behind the judge of
signatures; what is shown is what is printed; what each step leaves at AWS is there.

What is not real, and stands in:
- OpenWeatherMap: a server on loopback under its name, behind a proxy that HTTPS_PROXY names.
- Lambda, as moto runs no images: the program as a function, with the role's keys, and a judge of
  what the role may do, which moto knows for S3 alone (harness/functions.py).
- `make image`, which builds for minutes: an image of no layers.
- skopeo, with which scripts/push logs in and pushes, as moto is no registry: the manifest is put into moto's ECR.
- Athena, as moto runs no SQL: it is told the rows that the question has.
- Port 9080 is another one, which is free.
"""

import json
import re
import socket
import sys
from pathlib import Path

import pytest

from harness.functions import Functions, Roles
from harness.hiding import AWS_SECRET
from harness.proxy import Proxy
from harness.runner import ROOT, is_sanitized, program_path
from harness.signatures import Keys
from harness.verifying_proxy import ACCOUNT
from harness.walk import Walk, differs

TUTORIAL = ROOT / "docs" / "tutorial.md"
API_KEY = "0123456789abcdef0123456789abcdef"
PARAMETER = "/daily-weather/openweather-api-key"
BUCKET = "city-weather-data-bucket"
CITIES = ["New York", "Portland", "Chicago", "Seattle", "Dallas"]


class Account:
    """AWS as its owner sees it, and what each step of the tutorial has to leave there."""

    def __init__(self, aws, weather):
        self.aws, self.weather = aws, weather
        self.functions = self.folder = None
        self.checked = set()

    def user(self, name):
        """Keys of a new user with every right."""
        iam = self.aws.client("iam")
        iam.create_user(UserName=name)
        everything = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
        iam.put_user_policy(UserName=name, PolicyName="everything", PolicyDocument=json.dumps(everything))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return self.aws.proxy.make_known(Keys("AKIALAMBDAEXAMPLE000", AWS_SECRET,
                                              upstream=(key["AccessKeyId"], key["SecretAccessKey"])))

    def check(self, heading):
        """After the section's last command."""
        number = re.match(r"(\d+)\. ", heading).group(1)
        found = getattr(self, f"after_{number}", None)
        if found:
            found()
            self.checked.add(found.__name__)

    # Each section.

    def after_2(self):
        assert [request.query["appid"] for request in self.weather.requests] == [API_KEY] * 2

    def after_4(self):
        s3 = self.aws.client("s3")
        assert s3.get_bucket_location(Bucket=BUCKET)["LocationConstraint"] == "us-west-2"
        assert all(s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"].values())
        assert s3.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"

    def after_5(self):
        objects = self.aws.objects(BUCKET)
        lines = objects["weather_data.csv"].decode().splitlines()
        assert lines[0] == "temperature,humidity,description,city" and [line.split(",")[3] for line in lines[1:]] == CITIES
        assert len(self.rows_of_runs()) == 1

    def after_6(self):
        found = self.aws.client("ssm").get_parameter(Name=PARAMETER, WithDecryption=True)["Parameter"]
        assert (found["Type"], found["Value"]) == ("SecureString", API_KEY)

    def after_8(self):
        assert "weather/dt=2026-11-22/20261122T180000Z.parquet" in self.rows_of_runs()

    def after_9(self):
        repository, = self.aws.client("ecr").describe_repositories()["repositories"]
        assert repository["repositoryName"] == "lambda-weather-img" and repository["imageTagMutability"] == "IMMUTABLE"
        assert repository["imageScanningConfiguration"] == {"scanOnPush": True}

        image, = self.aws.client("ecr").describe_images(repositoryName="lambda-weather-img")["imageDetails"]
        assert image["imageDigest"] in (self.folder / "build" / "image" / "index.json").read_text()

    def after_10(self):
        iam = self.aws.client("iam")
        assert iam.list_attached_role_policies(RoleName="lambda-weather-role")["AttachedPolicies"] == []
        assert sorted(iam.list_role_policies(RoleName="lambda-weather-role")["PolicyNames"]) == ["logs", "weather"]
        for name in ("logs", "weather"):
            for statement in iam.get_role_policy(RoleName="lambda-weather-role", PolicyName=name)["PolicyDocument"]["Statement"]:
                assert "*" not in str(statement["Action"])
                resources = statement["Resource"]
                for resource in [resources] if isinstance(resources, str) else resources:
                    assert re.match(rf"arn:aws:(s3:::{BUCKET}|(glue|ssm|logs):us-west-2:{ACCOUNT}:\w)", resource), resource

    def after_11(self):
        function = self.aws.client("lambda", judged=True).get_function(FunctionName="daily-weather")
        config = function["Configuration"]
        assert config["PackageType"] == "Image" and config["Timeout"] == 180 and config["MemorySize"] == 128
        assert re.fullmatch(rf"{ACCOUNT}\.dkr\.ecr\.us-west-2\.amazonaws\.com/lambda-weather-img@sha256:\w{{64}}",
                            function["Code"]["ImageUri"])
        assert self.retention()["/aws/lambda/daily-weather"] == 30

    def after_12(self):
        config = self.aws.client("lambda", judged=True).get_function_configuration(FunctionName="daily-weather")
        assert set(config["Environment"]["Variables"]) == {"LAKE", "OUTPUT_FORMAT", "OPENWEATHER_API_KEY_FROM"}

    def after_13(self):
        assert [(name, event, failed) for name, event, failed, _ in self.functions.calls] == [("daily-weather", b"", False)]
        assert len(self.rows_of_runs()) == 3 or len(self.rows_of_runs()) == 2  # two runs within one minute are one slot

    def after_14(self):
        assert [(name, failed) for name, _, failed, _ in self.functions.calls[1:]] == [("daily-weather-staging", False)] * 2
        assert self.rows_of_runs("staging/") == ["staging/weather/dt=2026-11-22/20261122T180000Z.parquet"]
        statements = self.aws.client("iam").get_role_policy(RoleName="lambda-weather-staging-role", PolicyName="weather")
        allowed = str(statements["PolicyDocument"])
        assert f"{BUCKET}/staging/weather/*" in allowed and f"{BUCKET}/weather/*" not in allowed
        assert self.retention()["/aws/lambda/daily-weather-staging"] == 30

    def after_15(self):
        events, function = self.aws.client("events"), f"arn:aws:lambda:us-west-2:{ACCOUNT}:function:daily-weather"
        rule = events.describe_rule(Name="daily-weather-schedule")
        assert rule["ScheduleExpression"] == "cron(0 18 * * ? *)" and rule["State"] == "ENABLED"
        assert [it["Arn"] for it in events.list_targets_by_rule(Rule="daily-weather-schedule")["Targets"]] == [function]
        statement, = json.loads(self.aws.client("lambda", judged=True).get_policy(FunctionName="daily-weather")["Policy"])["Statement"]
        assert statement["Principal"] == {"Service": "events.amazonaws.com"}
        assert statement["Condition"] == {"ArnLike": {"AWS:SourceArn": rule["Arn"]}}
        _, event, failed, answer = self.functions.calls[-1]
        assert not failed and json.loads(answer)["slot"] == json.loads(event)["time"]

    def after_16(self):
        topic, = self.aws.client("sns").list_topics()["Topics"]
        assert topic["TopicArn"].endswith(":weather-pipeline-monitoring")
        subscription, = self.aws.client("sns").list_subscriptions()["Subscriptions"]
        assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "you@example.com")
        assert subscription["SubscriptionArn"].startswith(topic["TopicArn"])  # moto asks nobody to confirm
        failed, well = [call.request.form for call in self.aws.proxy.calls if call.operation == "Publish" and call.status == 200]
        assert failed["TopicArn"] == well["TopicArn"] == topic["TopicArn"]
        assert failed["Subject"].startswith("weather FAILED") and "no-such-key" in failed["Message"]
        assert "5 records" in well["Subject"] and f"s3://{BUCKET}/weather/dt=" in well["Message"] and "took" in well["Message"]
        assert "again" in well["Subject"] + well["Message"], well["Message"]

    def after_17(self):
        tables = {it["Name"]: self.aws.client("glue").get_tables(DatabaseName=it["Name"])["TableList"]
                  for it in self.aws.client("glue").get_databases()["DatabaseList"]}
        assert {name: [table["Name"] for table in list] for name, list in tables.items()} == {
            "weather": ["weather"], "daily_weather_staging": ["weather"]}

    def after_18(self):
        made = (self.folder / "stack.yaml").read_text()
        for kind in ("S3::Bucket", "SNS::Topic", "IAM::Role", "Serverless::Function", "CloudWatch::Alarm", "SQS::Queue"):
            assert f"Type: AWS::{kind}" in made, kind
        # Beside what was made by hand: nothing in the stack has the name of something that is there.
        databases = {it["Name"] for it in self.aws.client("glue").get_databases()["DatabaseList"]}
        assert 'DatabaseInput: {Name: !Sub "weather_${Stage}"}' in made and not databases & {"weather_staging", "weather_production"}
        assert "  OpenweatherApiKeyParameter:\n" in made and f"OpenweatherApiKeyParameter={PARAMETER}" in Walk(TUTORIAL).text
        assert 'OUTPUT_FORMAT: "parquet"' in made  # so it is this file that is deployed, not that of the repository

    def after_19(self):
        client = self.aws.client
        left = [client("events").list_rules()["Rules"], client("lambda", judged=True).list_functions()["Functions"],
                client("iam").list_roles()["Roles"], client("sns").list_topics()["Topics"],
                client("ecr").describe_repositories()["repositories"], client("ssm").describe_parameters()["Parameters"],
                client("glue").get_databases()["DatabaseList"], self.aws.buckets(), self.retention()]
        assert not any(left), left
        assert {it.name for it in self.folder.iterdir() if not it.name.startswith("said-")} == {"build", "examples", "scripts"}

    # What is looked at.

    def rows_of_runs(self, prefix=""):
        """The objects that hold rows."""
        return [key for key in self.aws.keys_of(BUCKET) if re.fullmatch(prefix + r"weather/dt=[\d-]+/\w+\.parquet", key)]

    def retention(self):
        return {it["logGroupName"]: it.get("retentionInDays") for it in self.aws.client("logs").describe_log_groups()["logGroups"]}


STAND_INS = {
    "tools/make": """[ "$*" = image ] || exit 2
mkdir -p build/image
cd build/image
printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","layers":[]}' >manifest.json
digest=sha256:$(sha256sum manifest.json | cut -d' ' -f1)
printf '{"schemaVersion":2,"manifests":[{"digest":"%s"}]}' "$digest" >index.json
tar -cf lambda-pipeline-amd64.tar index.json manifest.json
echo "build/image/lambda-pipeline-amd64.tar  4.05 MB  $digest"
echo "build/image/lambda-pipeline-amd64.spdx.json  23 packages"
""",
    "tools/skopeo": """case $1 in
login) read -r password && [ -n "$password" ] ;;
copy)
    from=${*: -2:1} to=${*: -1}
    name=${to#docker://*/}
    aws ecr put-image --repository-name "${name%@*}" --image-digest "${name#*@}" \\
        --image-manifest "$(tar -xOf "${from#oci-archive:}" manifest.json)" >/dev/null
    ;;
*) exit 2 ;;
esac
"""}
QUESTION = [["city", "warmest"], ["Chicago", "61.7"], ["Dallas", "77.0"], ["New York", "58.82"], ["Portland", "57.2"],
            ["Seattle", "54.05"]]


def tell_athena(aws):
    columns = [{"Name": "city", "Label": "city", "Type": "varchar"}, {"Name": "warmest", "Label": "warmest", "Type": "double"}]
    rows = [{"Data": [{"VarCharValue": value} for value in row]} for row in QUESTION]
    aws._tell_moto("static/athena/query-results", json.dumps(
        {"account_id": aws.account, "region": aws.region, "results": [{"rows": rows, "column_info": columns}]}))


def free_port():
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        return it.getsockname()[1]


@pytest.fixture
def weather(make_server, authority):
    return make_server(tls=authority.context("weather"))


@pytest.fixture
def account(aws, weather):
    return Account(aws, weather)


@pytest.fixture
def desk(program, aws, authority, weather, tmp_path):
    """Where the reader sits: (the folder of the repository, the environment)."""
    folder = tmp_path / "repository"
    (folder / "build" / "release").mkdir(parents=True)
    (folder / "examples").symlink_to(ROOT / "examples")
    (folder / "build" / "release" / "lambda-pipeline").symlink_to(program_path())
    (folder / "scripts").symlink_to(ROOT / "scripts")
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, script in STAND_INS.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("#!/bin/bash\nset -euo pipefail\n" + script)
        (tmp_path / name).chmod(0o755)
    (tools / "aws").symlink_to(Path(sys.prefix) / "bin" / "aws")
    with Proxy(everything_to=weather.port) as tunnel:
        yield folder, program.environment({
            "PATH": f"{tools}:/usr/bin:/bin", "OPENWEATHER_API_KEY": None, "AWS_ENDPOINT_URL": aws.endpoint,
            "HTTPS_PROXY": tunnel.url, "SSL_CERT_FILE": authority.bundle, "PYTHONDONTWRITEBYTECODE": "1",
            # a name that the search for secrets passes over
            "AWS_SHARED_CREDENTIALS_FILE": tmp_path / "home" / "credentials.secret"})


@pytest.mark.skipif(is_sanitized(), reason="one story, told once: it tests the document")
def test_the_tutorial_works_as_it_is_written(account, desk):
    keys = account.user("lambda-example")
    answers = {"read -rsp": API_KEY + "\n", "aws configure --profile": f"{keys.access_key}\n{keys.secret_key}\nus-west-2\njson\n"}
    walk, wrong, port = Walk(TUTORIAL), [], str(free_port())
    account.folder = desk[0]
    Roles(account.aws)
    account.functions = Functions(account.aws, keys, ROOT / "examples" / "weather", desk[1])
    for name in ("daily-weather", "daily-weather-staging"):
        account.functions.serve(name)
    tell_athena(account.aws)
    with walk.shell(*desk) as shell:
        for step, after in zip(walk.steps, [*walk.steps[1:], None]):
            said = shell.run(step.script.replace("9080", port), "".join(typed for word, typed in answers.items() if word in step.script))
            if step.shown is not None and differs(step.shown, said):
                wrong.append(f"{step.heading}: {differs(step.shown, said)}\n{said}")
            if after is None or after.heading != step.heading:
                account.check(step.heading)
    assert not wrong, "\n\n".join(wrong)
    assert account.checked == {name for name in dir(account) if name.startswith("after_")}
    for said in sorted(desk[0].glob("said-*")):
        assert API_KEY not in said.read_text() and AWS_SECRET not in said.read_text(), said


NOT_LIKE_AWS = {4: "unique in the whole world", 9: "is no registry", 10: "ten seconds", 11: "there at once", 13: "does not run",
                15: "never fires them", 16: "asks nobody to confirm", 17: "runs no SQL"}


@pytest.mark.parametrize("number", NOT_LIKE_AWS)
def test_what_is_otherwise_on_a_real_account_is_said_where_it_matters(number):
    section = re.search(rf"^## {number}\. .*?(?=^## )", Walk(TUTORIAL).text, re.M | re.S).group()
    notes = re.findall(r"^> \*\*On a real account\*\* (.*?)(?=^[^>]|^$)", section, re.M | re.S)
    assert NOT_LIKE_AWS[number] in "".join(notes).replace("\n> ", "\n")


def test_every_command_of_the_tutorial_is_played():
    """Where a block is only shown, the one that is played stands below it."""
    text = Walk(TUTORIAL).text
    assert text.count("```console\n") == 2 and len(Walk(TUTORIAL).steps) == text.count("```sh\n") >= 30


def test_what_the_reader_has_to_have_is_said_before_the_first_command():
    before = Walk(TUTORIAL).text.split("```sh\n")[0]
    for word in ("account at AWS", "scripts/deps", "make release", "awscli", "skopeo", "curl"):
        assert word in before, word


def test_the_path_of_the_original_is_walked_whole():
    text = Walk(TUTORIAL).text
    for step in ("virtual environment", "aws configure", "aws s3 mb", "docker build", "aws ecr create-repository", "scripts/push",
                 ".github/workflows/push-to-ecr.yml", "(deploying.md)", "--cli-input-json", "update-function-configuration", "aws lambda invoke",
                 "daily-weather-staging", "aws events put-rule", "aws lambda add-permission", "aws events put-targets",
                 "aws sns create-topic", "aws sns subscribe", "aws glue", "--athena"):
        assert step in text, step


def test_nothing_is_asked_of_the_command_line_that_debians_does_not_know():
    """Its version 2.9.19 was made before LoggingConfig."""
    assert "LoggingConfig" not in Walk(TUTORIAL).text


# What the test of a story rests on.

@pytest.mark.parametrize("shown, said", [("a…c\n", "abc\n"), ("…", "x\ny\n"), ("a\n…\nc\n", "a\nb\nb\nc\n"), ("", "\n"), ("a\n…\nc", "a\nc")])
def test_what_is_shown_may_leave_out_what_varies(shown, said):
    assert differs(shown, said) is None


@pytest.mark.parametrize("shown, said", [("abc", "abd"), ("a", "a\nb"), ("a\nb", "a"), ("a\n…\nc", "a\nb"), ("a…c", "abcd"), ("", "a")])
def test_what_is_shown_and_not_said_is_found(shown, said):
    assert differs(shown, said)
