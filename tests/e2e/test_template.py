"""template: what it writes is a stack that can be made, and whose role allows what a run does and no more."""

import itertools
import json
import re

import pytest

from harness import behaviours as b
from harness.hiding import SECRET
from harness.iam import Judge
from harness.runner import OK, USAGE
from harness.stacks import IMAGE, Stack, lint, read, translate

SLOT = "2012-10-01T18:00:00Z"
SECRET_NAME = "/lambda-pipeline/OPENWEATHER_API_KEY"
OF_STACK = {"to": "${OUTPUT_BUCKET:-./lake}", "partition": {"dt": "{slot:%Y-%m-%d}"},
            "catalog": {"database": "${DATABASE:-weather}", "table": "weather"}}
DAILY = {"expression": "cron(0 18 * * ? *)", "timezone": "America/New_York"}
TOLD = {"when": ["success", "failure"], "to": ["${TOPIC_ARN:-stderr}"]}
BARE = {name: None for name in ("OUTPUT_BUCKET", "OPENWEATHER_API_KEY")}


def pipeline(program, get, name="weather", sink=(), **sections):
    named = {"schedule": DAILY, "notify": TOLD, **sections}
    return program.pipeline(get, name=name, sink={"format": "csv", **OF_STACK, **dict(sink)}, **named)


def written(program, *files, options=(), env=None):
    result = program.call("template", *files, *options, env=env)
    assert result.status == OK, result.stderr
    return result.stdout


def resources(text, kind):
    return {name: it["Properties"] for name, it in read(text)["Resources"].items() if it["Type"] == kind}


# What it writes.

def test_the_template_in_the_repository_is_what_the_command_writes(program, repo):
    text = program.call("template", "examples/weather/weather.yaml", cwd=repo, env=BARE).stdout
    assert text == (repo / "deploy" / "template.yaml").read_text(encoding="utf-8"), \
        "make it again: build/release/lambda-pipeline template examples/weather/weather.yaml > deploy/template.yaml"


@pytest.mark.parametrize("sections", [
    {}, {"sink": {"format": "parquet", "partition": {"town": "city"}}}, {"sink": {"catalog": None}, "schedule": None},
    {"sink": {"to": "s3://${OUTPUT_BUCKET}/a b", "s3": {"encryption": "aws:kms", "kms_key": "alias/lake"}},
     "schedule": {"expression": "rate(15 minutes)"}, "notify": None, "function": {"memory": 512, "timeout": "15m"}},
    {"schedule": {"expression": "at(2026-11-24T18:00:00)"}, "description": None}],
    ids=["csv", "parquet", "no catalogue", "a key", "once"])
def test_cfn_lint_finds_nothing(program, server, tmp_path, sections):
    env = {"OUTPUT_BUCKET": "mine"}
    assert lint(tmp_path, written(program, pipeline(program, server.url(), **sections), env=env)) == ""


def test_several_pipelines_share_a_stack(program, server, tmp_path):
    files = [pipeline(program, server.url(), name=name) for name in ("weather", "air-quality", "air_quality")]
    text = written(program, *files)
    assert lint(tmp_path, text) == ""
    assert list(resources(text, "AWS::Serverless::Function")) == ["WeatherFunction", "AirQualityFunction",
                                                                  "AirQualityN2Function"]
    assert [it["ImageConfig"]["Command"] for it in resources(text, "AWS::Serverless::Function").values()] == [
        ["weather"], ["air-quality"], ["air_quality"]]
    assert [len(resources(text, f"AWS::{it}")) for it in ("S3::Bucket", "SNS::Topic", "SQS::Queue", "Glue::Database")] == [1] * 4
    assert list(read(text)["Parameters"]).count("OpenweatherApiKeyParameter") == 1


def test_the_same_files_give_the_same_bytes_whatever_stands_in_the_environment_for_the_stacks_own(program, server):
    file = pipeline(program, server.url())
    first = written(program, file)
    mine = {"OUTPUT_BUCKET": "s3://mine", "TOPIC_ARN": "arn:aws:sns:us-west-2:123456789012:mine", "DATABASE": "mine",
            "OPENWEATHER_API_KEY_FROM": "ssm:/mine", "TZ": "Asia/Tokyo"}
    assert written(program, file, env=mine) == first
    assert written(program, file, env=BARE) == first
    assert SECRET not in first


def test_schedule_size_and_settings_follow_the_file(program, server):
    file = pipeline(program, server.url(), sink={"format": "${OUTPUT_FORMAT:-csv}"}, function={"memory": 256, "timeout": "90s"})
    text = written(program, file, env={"OUTPUT_FORMAT": "parquet"})
    function = resources(text, "AWS::Serverless::Function")["WeatherFunction"]
    assert (function["MemorySize"], function["Timeout"]) == (256, 90)
    schedule = function["Events"]["Schedule"]["Properties"]
    assert (schedule["ScheduleExpression"], schedule["ScheduleExpressionTimezone"]) == (
        "cron(0 18 * * ? *)", "America/New_York")
    assert json.loads(schedule["Input"]) == {"scheduled": "<aws.scheduler.scheduled-time>"}
    assert function["Environment"]["Variables"] == {
        "OPENWEATHER_API_KEY_FROM": {"Fn::Sub": "ssm:${OpenweatherApiKeyParameter}"},
        "OUTPUT_BUCKET": {"Fn::Sub": "s3://${Bucket}"}, "OUTPUT_FORMAT": "parquet",
        "DATABASE": {"Fn::Sub": "weather_${Stage}"}, "TOPIC_ARN": {"Ref": "Topic"}}
    assert "weather_text" not in text and "table/weather_${Stage}/weather" in text
    usual = resources(written(program, pipeline(program, server.url())), "AWS::Serverless::Function")["WeatherFunction"]
    assert (usual["MemorySize"], usual["Timeout"]) == (128, 65)         # the deadline of its retries, 5 s, and a minute


@pytest.mark.parametrize("retries, attempts", [(0, 0), (1, 1), (2, 2), (50, 2)])
def test_lambda_tries_a_failed_run_again_as_often_as_the_file_says_and_it_can(program, server, retries, attempts):
    path = pipeline(program, server.url(), schedule={**DAILY, "retries": retries})
    function, = resources(written(program, path, env=BARE), "AWS::Serverless::Function").values()
    assert function["EventInvokeConfig"]["MaximumRetryAttempts"] == attempts


@pytest.mark.parametrize("expression, hours", [
    ("cron(0 18 * * ? *)", 25), ("cron(5 * * * ? *)", 2), ("cron(0 6,18 ? * MON-FRI *)", 61), ("cron(0 18 ? * MON-FRI *)", 73), ("cron(0/20 9-17 * * ? *)", 17), ("cron(0 6 ? * 2,5 *)", 97),
    ("cron(0 6 ? * FRI-MON *)", 97), ("rate(15 minutes)", 2), ("rate(3 hours)", 4), ("rate(2 days)", 49),
    ("cron(0 6 1 * ? *)", None), ("cron(0 6 ? * SUN *)", None), ("cron(0 6 ? * 2#1 *)", None), ("rate(7 days)", None),
    ("at(2026-11-24T18:00:00)", None)])
def test_the_alarm_of_a_stale_table_waits_an_hour_longer_than_the_schedule(program, server, expression, hours):
    text = written(program, pipeline(program, server.url(), schedule={"expression": expression}))
    stale = resources(text, "AWS::CloudWatch::Alarm").get("WeatherStale")
    assert (stale and stale["EvaluationPeriods"] * stale["Period"] / 3600) == hours
    assert f'ScheduleExpression: "{expression}"' in text


# What cannot be.

@pytest.mark.parametrize("sections, says", [
    ({"sink": {"to": "./lake"}}, 'sink.to is ./lake, and a function keeps nothing on a disk of its own; write to: '
                                 '"${OUTPUT_BUCKET:-./lake}"'),
    ({"function": {"memory": 64}}, "memory: 64 is out of range"),
    ({"function": {"timeout": "16m"}}, "timeout: 16m is out of range"),
    ({"name": "a" * 54}, "is too long for a function; it may have 53 characters")])
def test_a_pipeline_that_no_stack_can_run_is_refused(program, server, sections, says):
    result = program.call("template", pipeline(program, server.url(), **sections))
    assert (result.status, result.stdout) == (USAGE, "") and says in result.stderr


@pytest.mark.parametrize("reads, env, says", [
    ("${_PAGE:-x}", {"_PAGE": "1"}, "a function cannot have a variable _PAGE: Lambda wants two characters or more"),
    ("${A:-x}", {"A": "1"}, "a function cannot have a variable A: Lambda"),
    ("${PAGE:-x}", {"PAGE": "x" * 5000}, "and a function may have 4096; write long values into the pipeline file")])
def test_variables_that_no_function_can_have_are_refused(program, server, reads, env, says):
    file = pipeline(program, server.url(), source={"query": {"q": "{city}", "page": reads}})
    result = program.call("template", file, env=env)
    assert (result.status, result.stdout) == (USAGE, "") and f"{file}: " in result.stderr and says in result.stderr
    assert program.call("template", file).status == OK


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_LAMBDA_FUNCTION_NAME", "_HANDLER"])
def test_a_variable_that_lambda_sets_itself_is_left_to_it_and_told(program, server, tmp_path, name):
    file = pipeline(program, server.url(), source={"query": {"q": "{city}", "place": f"${{{name}:-x}}"}})
    for env in ({name: "mine"}, {name: None}):
        result = program.call("template", file, env=env)
        assert result.status == OK and f"{file}: ${{{name}}} is a variable that Lambda itself sets" in result.stderr
        assert name not in resources(result.stdout, "AWS::Serverless::Function")["WeatherFunction"]["Environment"]["Variables"]
        assert lint(tmp_path, result.stdout) == ""


@pytest.mark.parametrize("name", ["null", "on", "yes", "true", "Off", "n"])
def test_a_name_that_yaml_takes_for_something_else_stays_a_name(program, server, tmp_path, name):
    text = written(program, pipeline(program, server.url(), name=f'"{name}"'))
    function, = resources(text, "AWS::Serverless::Function").values()
    assert function["ImageConfig"]["Command"] == [name]
    dimensions = [it["Dimensions"] for it in resources(text, "AWS::CloudWatch::Alarm").values() if it["MetricName"] == "RowsWritten"]
    assert {"Name": "Pipeline", "Value": name} in dimensions[0]
    assert lint(tmp_path, text) == ""


@pytest.mark.parametrize("name, good, bad", [
    ("AlertEmail", ["ops@example.org"], ["", "ops", "a@b.org c@d.org", "a@b.org, c@d.org"]),
    ("ImageUri", [IMAGE], ["", IMAGE.replace("@", ":"), IMAGE[:-1], IMAGE.split("@")[0] + ":latest"]),
    ("OpenweatherApiKeyParameter", [SECRET_NAME], ["", "OPENWEATHER_API_KEY", "/a b", "ssm:/a"])])
def test_a_parameter_that_makes_no_stack_is_refused_before_anything_is_made(program, server, name, good, bad):
    parameter = read(written(program, pipeline(program, server.url())))["Parameters"][name]
    assert all(re.fullmatch(parameter["AllowedPattern"], it) for it in good)
    assert not any(re.fullmatch(parameter["AllowedPattern"], it) for it in bad)


def test_no_two_parts_of_a_stack_have_one_name(program, server, tmp_path):
    files = [pipeline(program, server.url(), name=name) for name in ("gas-n2", "gas_", "gas", "_", "__", "pipeline")]
    text = written(program, *files)
    assert len(resources(text, "AWS::Serverless::Function")) == len(files)
    assert lint(tmp_path, text) == ""


def test_more_pipelines_than_a_stack_holds_are_refused_and_a_large_template_says_how_it_gets_there(program, server):
    files = [pipeline(program, server.url(), name=f"p{n}") for n in range(33)]
    result = program.call("template", *files)
    assert result.status == USAGE and "template takes at most 32 files, not 33" in result.stderr
    assert written(program, *files[:2])
    result = program.call("template", *files[:32])
    assert result.status == OK and len(result.stdout) > 51200
    assert f"the template has {len(result.stdout.encode())} bytes" in result.stderr and "--s3-bucket NAME" in result.stderr
    assert len(translate(result.stdout, Stage="staging", ImageUri=IMAGE, AlertEmail="a@example.org")["Resources"]) <= 500


def test_shards_of_one_file_are_refused_with_the_files_own_name(program, server):
    file = pipeline(program, server.url(), sink={"to": "s3://lake/all.csv", "partition": None, "catalog": None})
    result = program.call("template", file, "--shards", "4")
    assert result.status == USAGE and f"{file}: shards would replace each other in the one file all.csv" in result.stderr


def test_two_pipelines_of_the_same_name_are_refused(program, server):
    file = pipeline(program, server.url())
    result = program.call("template", file, file)
    assert result.status == USAGE and "both called weather; give each a name of its own" in result.stderr


def test_what_both_stages_would_share_is_said(program, server):
    file = pipeline(program, server.url(), sink={"to": "s3://lake", "catalog": {"database": "weather"}},
                    notify={"when": ["failure"], "to": ["arn:aws:sns:us-west-2:123456789012:told"]})
    result = program.call("template", file)
    assert result.status == OK and [line.split(": ", 1)[1][:30] for line in result.stderr.splitlines()] == [
        "sink.to names a bucket of its ", "sink.catalog.database is weath", "notify.to names a topic of its"]
    assert program.call("template", file, "--quiet").stderr == ""
    assert not resources(result.stdout, "AWS::S3::Bucket") and not resources(result.stdout, "AWS::Glue::Database")
    assert program.call("template", pipeline(program, server.url())).stderr == ""


@pytest.mark.parametrize("place", ["file:key.txt", "file:/run/secrets/key"])
def test_a_secret_in_a_file_that_the_function_would_not_have_is_told_with_its_line_and_what_to_write(program, server, place):
    file = pipeline(program, server.url(), source={"auth": {"query": "appid", "secret": place}},
                    notify={"when": ["failure"], "to": [
                        f"smtp://mail.example.com?from=a@example.org&to=b@example.org&user=a&secret={place}", "${TOPIC_ARN:-stderr}"]})
    told = program.call("template", file)
    lines = file.read_text().splitlines()
    seen = []
    for line in told.stderr.splitlines():
        at = re.match(re.escape(str(file)) + r":(\d+):(\d+): the secret is kept in " + re.escape(place) + ", a file that", line)
        assert at and "write env:NAME" in line and "ssm:NAME" in line and "secretsmanager:NAME" in line, line
        seen.append(lines[int(at[1]) - 1][int(at[2]) - 1:].strip('"'))
    assert told.status == OK and len(seen) == 2 and seen[0].startswith(place) and seen[1].startswith("smtp://"), told.stderr
    assert program.call("template", file, "--quiet").stderr == ""


# Made on moto, and run with what the stack gives.

@pytest.fixture
def made(program, server, aws):
    def make(stage="staging", **sections):
        file = pipeline(program, server.url(), **sections)
        return file, Stack(aws, written(program, file), stage)
    aws.client("ssm").put_parameter(Name=SECRET_NAME, Value=SECRET, Type="SecureString")
    return make


def collect(program, file, stack, **named):
    return program.run(file, slot=SLOT, env=stack.environment(), **named)


def test_a_stack_is_made_whole(made, aws):
    _, stack = made()
    bucket = stack.template["Resources"]["Bucket"]        # of which moto makes the name alone
    assert bucket["DeletionPolicy"] == bucket["UpdateReplacePolicy"] == "Retain"
    assert bucket["Properties"]["VersioningConfiguration"] == {"Status": "Enabled"}
    public = bucket["Properties"]["PublicAccessBlockConfiguration"]
    assert len(public) == 4 and all(public.values())
    rules = bucket["Properties"]["LifecycleConfiguration"]["Rules"]
    assert {"DaysAfterInitiation": 2} in [it.get("AbortIncompleteMultipartUpload") for it in rules]
    assert stack.outputs["Bucket"] in aws.buckets()
    subscriptions = aws.client("sns").list_subscriptions_by_topic(TopicArn=stack.outputs["Topic"])["Subscriptions"]
    assert [(it["Protocol"], it["Endpoint"]) for it in subscriptions] == [("email", "ops@example.org")]
    groups = aws.client("logs").describe_log_groups(logGroupNamePrefix="/aws/lambda/weather-staging")["logGroups"]
    assert [it["retentionInDays"] for it in groups] == [30]
    alarms = [it["Properties"] for it in stack.template["Resources"].values() if it["Type"] == "AWS::CloudWatch::Alarm"]
    assert {(it["Namespace"], it["MetricName"]) for it in alarms} == {
        ("AWS/Lambda", "Errors"), ("lambda-pipeline", "RowsWritten"), ("AWS/SQS", "ApproximateNumberOfMessagesVisible")}
    assert all(it["AlarmActions"] == [{"Ref": "Topic"}] for it in alarms)
    assert [it["Name"] for it in aws.client("glue").get_databases()["DatabaseList"]] == ["weather_staging"]


SINKS = {"csv": {}, "parquet by city": {"format": "parquet", "partition": {"town": "city"}},
         "with a prefix": {"to": "${OUTPUT_BUCKET:-./lake}/a b", "catalog": None}}


@pytest.mark.parametrize("sink", SINKS)
def test_a_run_needs_what_the_role_allows_and_no_more(made, program, aws, sink):
    file, stack = made(sink=SINKS[sink])
    judge = Judge(aws, [stack.policy()])
    judge.decrypts_secrets = True
    for _ in range(2):
        result = collect(program, file, stack)
        assert result.status == OK and "notify" not in result.stderr, result.stderr
    assert judge.refused == []
    assert any(key.startswith(("weather/", "a b/weather/")) for key in aws.keys_of(stack.outputs["Bucket"]))
    allowed = set(itertools.chain(*(it["Action"] for it in stack.policy()["Statement"])))
    of_lambda = {"sqs:SendMessage", "logs:CreateLogStream", "logs:PutLogEvents"}
    assert set(judge.used) <= allowed
    # What only a large file, a changed table or a killed run needs; test_doctor holds each of them to a run that does.
    rare = {"s3:AbortMultipartUpload", "s3:ListBucketMultipartUploads", "glue:UpdateTable", "glue:BatchGetPartition",
            "glue:BatchUpdatePartition"}
    assert allowed - set(judge.used) - rare == of_lambda


REMOVED = ["s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:DeleteObject", "glue:GetTable", "glue:CreateTable",
           "ssm:GetParameter", "kms:Decrypt", "sns:Publish"]


@pytest.mark.parametrize("action", REMOVED)
def test_without_one_of_them_a_run_says_which(made, program, server, aws, action):
    file, stack = made(columns={"city": {"value": "{city}", "type": "string"},
                                "temperature": {"from": "main.temp", "type": "double", "in_range": [-90, 60]}},
                       quality={"unique": None, "max_bad": "50%"})
    judge = Judge(aws, [stack.policy()])
    judge.decrypts_secrets = True
    if action == "s3:DeleteObject":     # wanted for what a run before left: here a row in quarantine
        server.script("Dallas", b.ok(main__temp=99.5))
        assert collect(program, file, stack).status == OK
        server.script("Dallas", b.ok(main__temp=20.5))
    for statement in judge.policies[0]["Statement"]:
        statement["Action"] = [it for it in statement["Action"] if it != action]
    result = collect(program, file, stack)
    assert judge.refused and judge.refused[0][0] == action
    # Who is told changes nothing of the run.
    assert (result.status == OK) == (action == "sns:Publish")
    # Of a key Parameter Store's own words name no action.
    said = "The ciphertext refers to a customer master key" if action == "kms:Decrypt" else f"perform: {action} on"
    assert said in result.stderr, result.stderr


def test_staging_and_production_live_side_by_side(made, program, aws):
    file, staging = made()
    production = Stack(aws, written(program, file), "production")
    for stack in (staging, production):
        result = collect(program, file, stack)
        assert result.status == OK, result.stderr
    assert staging.outputs["Bucket"] != production.outputs["Bucket"]
    assert staging.outputs["Topic"] != production.outputs["Topic"]
    for stack in (staging, production):
        assert [key for key in aws.keys_of(stack.outputs["Bucket"]) if key.endswith(".csv")] == [
            "weather/dt=2012-10-01/20121001T180000Z.csv"]
    glue = aws.client("glue")
    for stack, database in ((staging, "weather_staging"), (production, "weather_production")):
        place = glue.get_table(DatabaseName=database, Name="weather_text")["Table"]["StorageDescriptor"]["Location"]
        assert place == f"s3://{stack.outputs['Bucket']}/weather/"
    Judge(aws, [staging.policy()])
    assert collect(program, file, production).status != OK


def test_what_runs_on_time_is_the_alias_of_the_newest_version(program, server):
    """As the transform gives it; moto makes neither aliases nor schedules of a stack."""
    text = written(program, pipeline(program, server.url()))
    made = {it["Type"]: it["Properties"] for it in translate(text, Stage="staging", ImageUri=IMAGE,
                                                             AlertEmail="ops@example.org")["Resources"].values()}
    schedule, alias = made["AWS::Scheduler::Schedule"], made["AWS::Lambda::Alias"]
    assert (schedule["ScheduleExpression"], schedule["ScheduleExpressionTimezone"], schedule["State"]) == (
        "cron(0 18 * * ? *)", "America/New_York", {"Ref": "ScheduleState"})
    assert alias["Name"] == "live" and schedule["Target"]["Arn"] == {"Ref": "WeatherFunctionAliaslive"}
    assert schedule["Target"]["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": ["Failed", "Arn"]}}
    assert made["AWS::Lambda::EventInvokeConfig"]["Qualifier"] == "live"
    newer = translate(text, Stage="staging", ImageUri=IMAGE.replace("ab", "cd"), AlertEmail="ops@example.org")
    versions = [[name for name, it in of["Resources"].items() if it["Type"] == "AWS::Lambda::Version"] for of in (
        translate(text, Stage="staging", ImageUri=IMAGE, AlertEmail="ops@example.org"), newer)]
    assert versions[0] != versions[1], "another image would not be published"


# A secret in Parameter Store for a file that reads a variable.

def test_a_secret_is_read_from_where_NAME_FROM_says(program, server, aws):
    aws.client("ssm").put_parameter(Name=SECRET_NAME, Value=SECRET, Type="SecureString")
    env = {**aws.env, "OPENWEATHER_API_KEY": None, "OPENWEATHER_API_KEY_FROM": f"ssm:{SECRET_NAME}"}
    result = program.run(program.pipeline(server.url()), env=env)
    assert result.status == OK, result.stderr
    assert all(it.query["appid"] == SECRET for it in server.requests)


def test_a_variable_that_is_set_comes_before_where_another_says(program, server, aws):
    env = {**aws.env, "OPENWEATHER_API_KEY_FROM": "ssm:/nowhere"}
    assert program.run(program.pipeline(server.url()), env=env).status == OK
    assert aws.proxy.operations() == []


@pytest.mark.parametrize("place", ["ssm:", "sesame", SECRET])
def test_a_place_that_is_none_is_refused_and_not_shown(program, server, place):
    env = {"OPENWEATHER_API_KEY": None, "OPENWEATHER_API_KEY_FROM": place}
    result = program.run(program.pipeline(server.url()), env=env)
    assert result.status == USAGE
    assert "OPENWEATHER_API_KEY_FROM in the environment is no such place" in result.stderr
    assert SECRET not in result.stderr and not server.requests


@pytest.mark.parametrize("written_as, told", [
    ("unix(\"*/20 6-8 * * *\")", "cron(0,20,40 6,7,8 * * ? *)"), ("unix(\"0 18 * * 1-5\")", "cron(0 18 ? * 2,3,4,5,6 *)"),
    ("unix(\"0 0 1,15 1-6 *\")", "cron(0 0 1,15 1,2,3,4,5,6 ? *)")])
def test_plain_cron_is_told_to_eventbridge_in_its_own_words(program, server, written_as, told):
    file = pipeline(program, server.url(), schedule={"expression": written_as})
    text = written(program, file)
    assert f'ScheduleExpression: "{told}"' in text
    slots = [json.loads(program.call("schedule", it, "--after", "2026-01-01", "--next", "50", "--json").stdout) for it in (written_as, told)]
    assert slots[0] == slots[1]


def test_what_eventbridge_has_no_words_for_is_refused(program, server):
    done = program.call("template", pipeline(program, server.url(), schedule={"expression": "unix(\"0 0 13 * 5\")"}))
    assert done.status == USAGE and "EventBridge can be told only one" in done.stderr


def test_secrets_whose_names_are_nearly_alike_have_parameters_of_their_own(program, server, tmp_path):
    env = {}
    files = []
    for i, name in enumerate(["A_B", "A__B", "a_b", "AB", "A1", "A_1", "A_B_"]):
        env[name] = "secret"
        files.append(pipeline(program, server.url(), name=f"p{i}", source={"auth": {"query": "appid", "secret": f"env:{name}"}}))
    text = written(program, *files, env=env)
    assert lint(tmp_path, text) == ""
    names = [it for it in read(text)["Parameters"] if it.endswith("Parameter")]
    assert len(names) == 7 and "ABParameter" in names
