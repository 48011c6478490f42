"""plan --aws: the schedule of the file, of the template and of EventBridge are one; the commands it prints make it."""

import json
import os
import random
import re
import subprocess
import sys

import pytest

from harness.runner import OK, USAGE
from harness.stacks import Stack
from test_template import pipeline, written

ROLE = "arn:aws:iam::123456789012:role/scheduler"
INPUT = {"scheduled": "<aws.scheduler.scheduled-time>"}


def scheduled(program, expression, timezone="UTC"):
    return program.pipeline("https://api.example.com/", schedule={"expression": expression, "timezone": timezone})


def planned(program, file):
    done = program.call("plan", file, "--aws")
    assert done.status == OK, done.stderr
    scheduler, rule = done.stdout.split("\nClassic rule")
    return scheduler, rule


def said(text, name):
    found = re.search(rf"^  {name} +(.*)$", text, re.M)
    return found and found[1]


def follow(program, aws, text, function):
    """Runs the commands as they stand there, with AWS's own command line."""
    commands = text[re.search(r"^(aws|RULE_ARN)", text, re.M).start():]
    home = program.folder / "bin"
    home.mkdir(exist_ok=True)
    (home / "aws").write_text(f'#!/bin/sh\nexec {sys.executable} -m awscli "$@"\n')
    (home / "aws").chmod(0o755)
    env = {**program.environment(aws.env), "AWS_DEFAULT_REGION": aws.region, "FUNCTION_ARN": function, "ROLE_ARN": ROLE, "AWS_PAGER": ""}
    env["PATH"] = f"{home}{os.pathsep}{env['PATH']}"
    done = subprocess.run(["sh", "-euc", commands], env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def make_schedule_of(stack, aws, function):
    """moto's CloudFormation makes no schedules: with what the translated template says of it, as it is kept then."""
    says, = (it["Properties"] for it in stack.template["Resources"].values() if it["Type"] == "AWS::Scheduler::Schedule")
    assert says["Name"] == {"Fn::Sub": "weather-${Stage}"} and says["State"] == {"Ref": "ScheduleState"}
    target = {name: says["Target"][name] for name in ("Input", "RetryPolicy")}
    aws.client("scheduler").create_schedule(
        Name="weather-staging", State=stack.template["Parameters"]["ScheduleState"]["Default"], Target={**target, "Arn": function, "RoleArn": ROLE},
        **{name: says[name] for name in ("ScheduleExpression", "ScheduleExpressionTimezone", "FlexibleTimeWindow")})
    return aws.client("scheduler").get_schedule(Name="weather-staging")


@pytest.mark.parametrize("expression, timezone, at_eventbridge, in_utc", [
    ("cron(0 18 * * ? *)", "America/New_York", "cron(0 18 * * ? *)", None),
    ('unix("*/20 9-17 * * 1-5")', "Asia/Tokyo", "cron(0,20,40 9,10,11,12,13,14,15,16,17 ? * 2,3,4,5,6 *)",
     "cron(0,20,40 0,1,2,3,4,5,6,7,8 ? * 2,3,4,5,6 *)"),
    ("rate(15 minutes)", "UTC", "rate(15 minutes)", "rate(15 minutes)")])
def test_what_its_commands_make_is_what_the_file_and_the_template_say(program, server, aws, expression, timezone, at_eventbridge, in_utc):
    file = pipeline(program, server.url(), schedule={"expression": expression, "timezone": timezone})
    stack = Stack(aws, written(program, file), "staging")
    function = stack.function()["FunctionArn"]
    of_template = make_schedule_of(stack, aws, function)
    scheduler, rule = planned(program, file)
    follow(program, aws, scheduler, function)
    kept = aws.client("scheduler").get_schedule(Name="weather")
    for name in ("ScheduleExpression", "ScheduleExpressionTimezone", "State"):
        assert kept[name] == of_template[name] == said(scheduler, name), name
    assert kept["ScheduleExpression"] == at_eventbridge and kept["ScheduleExpressionTimezone"] == timezone
    assert json.loads(kept["Target"]["Input"]) == json.loads(of_template["Target"]["Input"]) == json.loads(said(scheduler, "Input")) == INPUT
    assert kept["Target"]["RetryPolicy"] == of_template["Target"]["RetryPolicy"] and kept["FlexibleTimeWindow"] == {"Mode": "OFF"}
    assert (kept["Target"]["Arn"], kept["Target"]["RoleArn"]) == (function, ROLE)

    assert said(rule, "ScheduleExpression") == in_utc
    if not in_utc:
        return
    follow(program, aws, rule, function)
    kept = aws.client("events").describe_rule(Name="weather")
    assert (kept["ScheduleExpression"], kept["State"]) == (in_utc, "ENABLED")
    assert aws.client("events").list_targets_by_rule(Rule="weather")["Targets"] == [{"Id": "weather", "Arn": function}]
    policy = json.loads(aws.client("lambda").get_policy(FunctionName=function)["Policy"])["Statement"]
    assert [it["Principal"]["Service"] for it in policy if it["Sid"] == "weather-on-time"] == ["events.amazonaws.com"]


@pytest.mark.parametrize("expression, timezone, rule", [
    ("cron(0/5 18 L * ? 2026-2030)", "UTC", "cron(0/5 18 L * ? 2026-2030)"),
    ("cron(0 18 ? * MON-FRI *)", "Asia/Tokyo", "cron(0 9 ? * MON-FRI *)"),
    ("cron(0 3 ? * MON-FRI *)", "Asia/Tokyo", "cron(0 18 ? * 1,2,3,4,5 *)"),
    ("cron(0 20 ? * SAT *)", "America/Phoenix", "cron(0 3 ? * 1 *)"),
    ("cron(15 6 * * ? *)", "Asia/Kathmandu", "cron(30 0 * * ? *)"),
    ("cron(30 0/1 * * ? *)", "Asia/Kolkata", "cron(0 0/1 * * ? *)"),
    ("cron(0 0/6 * * ? *)", "Asia/Tokyo", "cron(0 3,9,15,21 * * ? *)"),
    ("cron(0 12 ? * 3#2 *)", "Asia/Tokyo", "cron(0 3 ? * 3#2 *)"),
    ("rate(3 hours)", "Europe/Berlin", "rate(3 hours)"),
])
def test_a_rule_in_utc_where_there_is_one(program, expression, timezone, rule):
    assert said(planned(program, scheduled(program, expression, timezone))[1], "ScheduleExpression") == rule


@pytest.mark.parametrize("expression, timezone, why", [
    ("cron(0 18 * * ? *)", "Europe/Berlin", "set forward and back"), ("cron(0 * * * ? *)", "Africa/Casablanca", "set forward and back"),
    ("cron(0 3 L * ? *)", "Asia/Tokyo", "no other day"), ("cron(0 3 ? * 2#1 *)", "Asia/Tokyo", "no other day"),
    ("cron(0 3 ? 5 MON *)", "Asia/Tokyo", "no other day"), ("cron(0 3 * * ? 2027)", "Asia/Tokyo", "no other day"),
    ("cron(0 3,12 ? * MON *)", "Asia/Tokyo", "day before or after"), ("cron(0/15 3-9 * * ? *)", "Asia/Kolkata", "the same minutes"),
    ("at(2030-01-01T00:00:00)", "UTC", "no at"),
    ("cron(" + ",".join(map(str, range(59))) + " 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15 * ? *)", "UTC",
     "256 characters")])
def test_where_there_is_none_it_says_why(program, expression, timezone, why):
    scheduler, rule = planned(program, scheduled(program, expression, timezone))
    assert said(scheduler, "ScheduleExpression") == expression
    assert "\n  none: " in rule and why in rule and "put-rule" not in rule


def test_a_rule_fires_when_the_schedule_does(program):
    rng = random.Random(8)
    zones = ["Asia/Tokyo", "Asia/Kathmandu", "America/Phoenix", "Asia/Kolkata", "Pacific/Kiritimati", "Etc/GMT+12", "Australia/Darwin"]
    exact = 0
    for _ in range(60):
        minute, hour = rng.choice(["0", "15", "30,45", "0/15", "*"]), rng.choice(["6", "18", "0-3", "22-2", "0/6", "*", "9,21"])
        day, weekday = rng.choice([("*", "?"), ("*", "?"), ("?", "MON-FRI"), ("?", "7"), ("1-7", "?"), ("L", "?"), ("?", "2#1")])
        month, year = rng.choice([("*", "*"), ("*", "*"), ("3-9", "*"), ("*", "2027-2030")])
        expression, zone = f"cron({minute} {hour} {day} {month} {weekday} {year})", rng.choice(zones)
        rule = said(planned(program, scheduled(program, expression, zone))[1], "ScheduleExpression")
        if not rule:
            continue
        exact += 1
        options = ("--after", "2026-11-01", "--next", "300", "--json")
        ours = [it["slot"] for it in program.call("schedule", expression, "--timezone", zone, *options).json()]
        assert ours == [it["slot"] for it in program.call("schedule", rule, *options).json()], (expression, zone, rule)
    assert exact > 15


def test_what_eventbridge_cannot_be_told_is_an_error(program):
    done = program.call("plan", scheduled(program, 'unix("0 0 13 * 5")'), "--aws")
    assert done.status == USAGE and "only one of them" in done.stderr and done.stdout == ""
    done = program.call("plan", program.pipeline("https://api.example.com/"), "--aws")
    assert done.status == USAGE and "has no schedule" in done.stderr
