"""When pipelines are due: EventBridge's expressions in any zone, against known answers and a reference that looks at every day."""

import calendar
import datetime as dt
import json
import random
import re
import zoneinfo
from pathlib import Path

import pytest

from harness.runner import OK, USAGE

UTC = dt.timezone.utc

# AWS's documentation, what others saw AWS do, and Quartz, as far as they agree.
VECTORS = [
    ("cron(0 10 * * ? *)", "2024-01-31T10:00:00Z", "2024-02-01T10:00Z 2024-02-02T10:00Z"),
    ("cron(15 12 * * ? *)", "2024-12-31T12:15:30Z", "2025-01-01T12:15Z 2025-01-02T12:15Z"),
    ("cron(0 18 ? * MON-FRI *)", "2024-03-01T18:00:00Z", "2024-03-04T18:00Z 2024-03-05T18:00Z"),
    ("cron(0 8 1 * ? *)", "2024-02-01T08:00:00Z", "2024-03-01T08:00Z 2024-04-01T08:00Z"),
    ("cron(0/15 * * * ? *)", "2024-02-28T23:50:00Z", "2024-02-29T00:00Z 2024-02-29T00:15Z"),
    ("cron(0/5 8-17 ? * MON-FRI *)", "2024-03-01T17:55:00Z", "2024-03-04T08:00Z 2024-03-04T08:05Z"),
    ("cron(0/30 20-2 ? * MON-FRI *)", "2024-03-01T23:45:00Z", "2024-03-04T00:00Z 2024-03-04T00:30Z"),
    ("cron(15 10 ? * 6L 2022-2023)", "2022-12-31T00:00:00Z", "2023-01-27T10:15Z 2023-02-24T10:15Z"),
    ("cron(0 0 ? * L *)", "2023-10-01T00:00:00Z", "2023-10-07T00:00Z 2023-10-14T00:00Z"),
    ("cron(0 12 ? * 1 *)", "2024-03-01T00:00:00Z", "2024-03-03T12:00Z 2024-03-10T12:00Z"),
    ("cron(0 9 ? * 3#2 *)", "2024-01-01T00:00:00Z", "2024-01-09T09:00Z 2024-02-13T09:00Z"),
    ("cron(0 12 L * ? *)", "2024-02-01T00:00:00Z", "2024-02-29T12:00Z 2024-03-31T12:00Z"),
    ("cron(35 13 LW * ? *)", "2024-06-01T00:00:00Z", "2024-06-28T13:35Z 2024-07-31T13:35Z"),
    ("cron(0 9 1W * ? *)", "2022-10-01T00:00:00Z", "2022-10-03T09:00Z 2022-11-01T09:00Z"),
    ("cron(5 0 31W * ? *)", "2026-01-01T00:00:00Z", "2026-01-30T00:05Z 2026-03-31T00:05Z"),
    ("cron(0 0 29 2 ? *)", "2024-03-01T00:00:00Z", "2028-02-29T00:00Z 2032-02-29T00:00Z"),
    ("cron(0 0 1 NOV-FEB ? *)", "2024-02-01T00:00:00Z", "2024-11-01T00:00Z 2024-12-01T00:00Z"),
    ("cron(10 7/5 7-9 * ? 2026)", "2026-01-07T17:10:00Z", "2026-01-07T22:10Z 2026-01-08T07:10Z"),
    ("cron(0-15/1 8-8 ? * 2,3,4,5,6,7 *)", "2024-03-02T08:14:00Z", "2024-03-02T08:15Z 2024-03-04T08:00Z"),
    ("cron(10 * ? * wed-fri *)", "2024-03-01T23:10:00Z", "2024-03-06T00:10Z 2024-03-06T01:10Z"),
    ("cron(0 0 1 1 ? 2023)", "2024-01-01T00:00:00Z", ""),
    ("cron(0 0 31 2 ? *)", "2024-01-01T00:00:00Z", ""),
    ("cron(30 1 * * ? *) America/New_York", "2025-11-01T12:00:00Z", "2025-11-02T05:30Z 2025-11-03T06:30Z"),
    ("cron(0 0 * * ? *) Africa/Cairo", "2025-04-24T12:00:00Z", "2025-04-25T21:00Z 2025-04-26T21:00Z"),
    ("cron(30 1 * * ? *) Australia/Lord_Howe", "2026-10-03T00:00:00Z", "2026-10-03T15:00Z 2026-10-04T14:30Z"),
    ("cron(0 12 * * ? *) Pacific/Apia", "2011-12-29T00:00:00Z", "2011-12-29T22:00Z 2011-12-30T22:00Z"),
    ("rate(5 minutes)", "2024-01-01T00:02:00Z", "2024-01-01T00:05Z 2024-01-01T00:10Z"),
    ("at(2026-11-22T18:00:00) America/New_York", "2024-01-01T00:00:00Z", "2026-11-22T23:00Z"),
    ("at(2026-11-22T18:00:00)", "2026-11-22T18:00:00Z", ""),
    ('unix("0 0 13 * 5")', "2026-02-13T00:00:00Z", "2026-02-20T00:00Z 2026-02-27T00:00Z"),
    ('unix("*/5 * * * *")', "2026-02-13T23:56:00Z", "2026-02-14T00:00Z 2026-02-14T00:05Z"),
    ('unix("0 9 * * 7")', "2026-02-13T00:00:00Z", "2026-02-15T09:00Z 2026-02-22T09:00Z"),
]

REFUSED = {
    "cron(0 18 ? * MON-FRI)": "0 18 ? * MON-FRI", "cron(0 0 0 ? ? *)": "0", "cron(0 0 1 ? ? *)": "?", "cron(15 12 ? * 0 *)": "0",
    "cron(*/60 * * * ? *)": "60", "cron(0 9 ? * 3#1,6#3 *)": ",", "cron(0 24 * * ? *)": "24", "cron(0 0 32 * ? *)": "32",
    "cron(0 18 W * ? *)": "W", "cron(0 18 * * * *)": "* * *", "cron(0 18 ? * ? *)": "? * ?", "cron(0 0 L,15 * ? *)": ",",
    "cron(5/0 * * * ? *)": "0", "cron(0 0 * * ? 2030-2020)": "2030-2020", "cron(0 18 * * ? *": "*",
    "rate(1 minutes)": "minutes", "rate(10 minute)": "minute", "rate(0 minutes)": "0 minutes", "rate(-10 minutes)": "-10 minutes",
    "rate(10 MINUTES)": "MINUTES", "rate( 10 minutes )": " 10 minutes ", "rate()": None, "rate(10)": "10", "rate(10 seconds)": "seconds",
    "rate(10 years)": "years", "rate(10 minutess)": "minutess", "rate(foo minutes)": "foo minutes", " rate(10 minutes)": None,
    "at(2026-11-22T18:00:00Z)": "2026-11-22T18:00:00Z", "at(2026-02-30T18:00:00)": "2026-02-30T18:00:00",
    'unix("0 18 * * ? *")': None, 'unix("5/10 * * * *")': "5/10", "unix(0 18 * * *)": None, "(0 18 * * *)": None,
    "0 18 * * *": "0 18 * * *", "*/5 * * * *": "*/5 * * * *", "@daily": "@daily", "every day": "every day",
}


def due(run, expression, after, zone="UTC", count=2):
    done = run("schedule", expression, "--after", after, "--timezone", zone, "--next", str(count), "--json")
    assert done.status == OK, (expression, done.stderr)
    return json.loads(done.stdout)


@pytest.mark.parametrize("asked, after, slots", VECTORS, ids=[it[0] for it in VECTORS])
def test_it_is_due_when_it_is_known_to_be(run, asked, after, slots):
    expression, _, zone = asked.partition(") ")
    expression += ")" if zone else ""
    told = due(run, expression, after, zone or "UTC")
    assert [it["slot"] for it in told] == [it.replace("Z", ":00Z") for it in slots.split()]
    for it in told:
        assert dt.datetime.fromisoformat(it["slot"]) == dt.datetime.fromisoformat(it["local"])


@pytest.mark.parametrize("expression", REFUSED)
def test_what_eventbridge_would_refuse_is_refused_at_its_place(run, expression):
    done = run("schedule", expression)
    assert done.status == USAGE and done.stdout == ""
    first, second = done.stderr.splitlines()
    assert first == expression and "^" in second
    if REFUSED[expression]:
        start, width = second.index("^"), second.count("^")
        assert expression[start:start + width] == REFUSED[expression]


@pytest.mark.parametrize("expression, said", [
    ("cron(0 0 32 * ? *)", "day of month goes from 1 to 31"), ("cron(0 24 * * ? *)", "hours go from 0 to 23"),
    ("at(2026-11-31T00:00:00)", "no calendar or clock has that day and time"),
    ("at(2026-11-30 00:00:00)", "a local time without a zone"), ("0 18 * * *", 'five-field cron is written unix("0 18 * * *")')])
def test_a_refusal_says_what_is_wrong_and_what_to_write(run, expression, said):
    assert said in run("schedule", expression).stderr


def test_what_looks_like_a_file_is_one(run):
    assert "no such file" in run("schedule", "my weather.yaml").stderr and "no such file" in run("schedule", "weather").stderr


def matches(field, value, least, most):
    if field in "*?":
        return True
    for item in field.split(","):
        base, _, step = item.partition("/")
        low, _, high = (str(least), "-", str(most)) if base == "*" else base.partition("-")
        low, high = int(low), int(high or (most if step else low))
        values = range(low, high + 1) if low <= high else [*range(low, most + 1), *range(least, high + 1)]
        if value in list(values)[:: int(step or 1)]:
            return True
    return False


def day_matches(fields, day):
    _, _, dom, month, dow, year = fields
    if not matches(month, day.month, 1, 12) or not matches(year, day.year, 1970, 2199):
        return False
    last = calendar.monthrange(day.year, day.month)[1]
    weekday = (day.weekday() + 1) % 7 + 1
    if dow.endswith("L"):
        return weekday == int(dow[:-1]) and day.day > last - 7
    if "#" in dow:
        name, nth = map(int, dow.split("#"))
        return weekday == name and (day.day - 1) // 7 + 1 == nth
    if dow != "?":
        return matches(dow, weekday, 1, 7)
    if dom == "LW" or dom.endswith("W"):
        wanted = last if dom == "LW" else int(dom[:-1])
        if wanted > last:
            return False
        work = [d for d in range(1, last + 1) if dt.date(day.year, day.month, d).weekday() < 5]
        return day.day == min(work, key=lambda d: (abs(d - wanted), d if wanted > 1 else -d) if dom != "LW" else -d)
    if dom.startswith("L"):
        return day.day == last - int(dom[2:] or 0)
    return matches(dom, day.day, 1, 31)


def reference(expression, zone, after, count, days):
    """Every minute of every day that matches, as zoneinfo knows the place's clock."""
    fields = expression[5:-1].split()
    hours = [h for h in range(24) if matches(fields[1], h, 0, 23)]
    minutes = [m for m in range(60) if matches(fields[0], m, 0, 59)]
    found = []
    start = after.astimezone(zone).date() - dt.timedelta(days=2)
    for offset in range(days):
        day = start + dt.timedelta(days=offset)
        if not day_matches(fields, day):
            continue
        for hour in hours:
            for minute in minutes:
                local = dt.datetime(day.year, day.month, day.day, hour, minute)
                instant = local.replace(tzinfo=zone).astimezone(UTC)
                if instant > after and instant.astimezone(zone).replace(tzinfo=None) == local:
                    found.append(instant)
        if len(found) >= count:
            return sorted(found)[:count]
    return sorted(found)


def random_field(rng, least, most):
    def item():
        a, b = rng.randint(least, most), rng.randint(least, most)
        return rng.choice([f"{a}", f"{a}", f"{min(a, b)}-{max(a, b)}", f"{a}/{rng.randint(1, (most - least) // 2 + 1)}"])
    return "*" if rng.random() < 0.3 else ",".join(item() for _ in range(rng.choice([1, 1, 2, 3])))


def random_expression(rng):
    dom, dow = random_field(rng, 1, 31), "?"
    kind = rng.random()
    if kind < 0.2:
        dom = rng.choice(["L", "LW", f"L-{rng.randint(1, 30)}", f"{rng.randint(1, 31)}W"])
    elif kind < 0.5:
        dom, dow = "?", rng.choice([f"{rng.randint(1, 7)}L", f"{rng.randint(1, 7)}#{rng.randint(1, 5)}", f"{rng.randint(1, 7)}", "2-6", "6-2"])
    return f"cron({random_field(rng, 0, 59)} {random_field(rng, 0, 23)} {dom} {random_field(rng, 1, 12)} {dow} *)"


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Africa/Cairo", "Pacific/Chatham",
                                  "Pacific/Apia", "Africa/Casablanca", "America/St_Johns", "Asia/Kathmandu"])
def test_random_expressions_are_due_when_every_minute_says_so(run, zone):
    rng = random.Random(zone)
    place = zoneinfo.ZoneInfo(zone)
    for _ in range(60):
        expression = random_expression(rng)
        after = dt.datetime(rng.choice([2011, 2024, 2025, 2026, 2036]), rng.choice([1, 3, 4, 9, 10, 11, 12]), rng.randint(1, 28), rng.randint(0, 23),
                            tzinfo=UTC)
        told = [dt.datetime.fromisoformat(it["slot"]) for it in due(run, expression, after.isoformat(), zone, 40)]
        expected = reference(expression, place, after, 40, 1500)
        assert told[: len(expected)] == expected, (expression, zone, after)
        assert len(expected) == 40 or not told[len(expected):] or told[len(expected)] > after + dt.timedelta(days=1490)


def test_the_list_is_for_people(run):
    done = run("schedule", "cron(30 1 * * ? *)", "--timezone", "America/New_York", "--after", "2025-11-01T12:00Z", "--next", "2")
    lines = done.stdout.splitlines()
    assert lines[0] == "every day at 01:30 America/New_York"
    assert re.match(r"  Sun 2025-11-02 01:30  2025-11-02 05:30Z  \d+ days ago$", lines[1])
    assert lines[2].endswith("clocks were set back 1 h")


@pytest.mark.parametrize("expression, words", [
    ("cron(0/15 * * * ? *)", "every 15 minutes, UTC"), ("cron(0 * * * ? *)", "every hour on the hour, UTC"),
    ("cron(0/30 9-17 ? * MON-FRI *)", "on Monday to Friday every 30 minutes of the hours 9 to 17, UTC"), ("cron(0 18 ? * MON-FRI *)", "on Monday to Friday at 18:00 UTC"),
    ("cron(0 6,18 L * ? *)", "on the last day of the month at 06:00 and 18:00 UTC"), ("cron(5 0 ? 1,3 2#1 2026)",
     "on the first Monday of the month at 00:05 UTC, in January and March, in 2026"), ("rate(1 day)", "every day, counted from 1970-01-01 00:00 UTC")])
def test_it_is_said_in_words(run, expression, words):
    assert run("schedule", expression, "--after", "2026-01-01").stdout.splitlines()[0] == words


def test_what_never_fires_is_said(run):
    done = run("schedule", "cron(0 0 31 2 ? *)")
    assert done.status == OK and "never fires" in done.stdout


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", "", "America"])
def test_a_zone_that_is_none_is_refused(run, zone):
    done = run("schedule", "rate(1 day)", "--timezone", zone)
    assert done.status == USAGE and "America/New_York" in done.stderr


def test_a_file_tells_its_schedule_and_a_wrong_one_its_place(run, tmp_path):
    example = (Path(__file__).resolve().parents[2] / "examples" / "weather" / "weather.yaml").read_text()
    file = tmp_path / "w.yaml"
    file.write_text(example)
    assert run("schedule", file).stdout.startswith("every day at 18:00 UTC\n")
    file.write_text(example.replace("cron(0 18 * * ? *)", "cron(0 24 * * ? *)"))
    done = run("check", file)
    line = next(n for n, text in enumerate(file.read_text().splitlines(), 1) if "cron(0 24" in text)
    column = file.read_text().splitlines()[line - 1].index("24") + 1
    assert done.status == USAGE and f"w.yaml:{line}:{column}:" in done.stderr and "hours go from 0 to 23" in done.stderr


@pytest.mark.parametrize("expression, said", [
    ("cron(0 0 31 2 ? *)", "never fires again"), ("at(2020-01-01T00:00:00)", "never fires again"), ("cron(0 6 ? * 2/2 *)", "name the days"),
    ("cron(0 20-2/3 * * ? *)", "write two ranges")])
def test_check_warns_of_what_is_likely_not_meant(run, tmp_path, expression, said):
    example = (Path(__file__).resolve().parents[2] / "examples" / "weather" / "weather.yaml").read_text()
    file = tmp_path / "w.yaml"
    file.write_text(example)
    assert "schedule" not in run("check", file).stdout
    file.write_text(example.replace("cron(0 18 * * ? *)", expression))
    done = run("check", file)
    assert done.status == OK and f"! schedule {expression}: " in done.stdout and said in done.stdout


def test_the_slot_that_is_due_is_the_last_one_of_the_schedule_however_late_it_is(program, server):
    path = program.pipeline(server.url(), schedule={"expression": "cron(30 6 1 1 ? *)", "timezone": "America/New_York"})
    first = f"{dt.datetime.now(dt.timezone.utc):%Y}-01-01T11:30:00Z"
    assert dt.datetime.now(dt.timezone.utc) > dt.datetime.fromisoformat(first.replace("Z", "+00:00"))
    result = program.call("run", path, "--slot", "due", "--json")
    assert result.status == OK and result.json()["slot"] == first
    again = program.call("retry", path, "--slot", "due")
    assert again.status == OK and "nothing to retry" in again.stdout + again.stderr


@pytest.mark.parametrize("schedule, says", [(None, "has no schedule"), ({"expression": "cron(0 0 1 1 ? 2199)"}, "was never due so far")])
def test_without_one_that_was_due_it_says_so(program, server, schedule, says):
    path = program.pipeline(server.url(), schedule=schedule)
    result = program.call("plan", path, "--slot", "due")
    assert result.status == USAGE and says in result.stderr
