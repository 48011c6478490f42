"""Quartz as a second opinion: it is due when ours is, or docs/schedules.md says why not. Wants a JDK and Maven."""

import datetime as dt
import json
import random
import re
import shutil
import subprocess
import sys
import zoneinfo

import pytest

from harness.runner import ROOT, USAGE, program_path

JAR = ROOT / "build" / "more" / "quartz" / "quartz-2.5.2.jar"
UTC = dt.timezone.utc
MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()
DAYS = "SUN MON TUE WED THU FRI SAT".split()
ZONES = ["UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Africa/Cairo", "Pacific/Chatham", "Pacific/Apia",
         "Africa/Casablanca", "America/St_Johns", "Asia/Kathmandu"]
UNTIL = dt.datetime(2037, 1, 1, tzinfo=UTC).timestamp()     # past that Java's zones end, see the table

pytestmark = pytest.mark.skipif(not JAR.exists() or not shutil.which("javac"),
                                reason="Quartz is not there: it needs a JDK and Maven (scripts/test-more)")


def quartz(questions):
    """For each (zone, seconds, count, fields): its instants in seconds, or the refusal."""
    lines = "".join("\t".join(map(str, it)) + "\n" for it in questions)
    done = subprocess.run(["java", "-cp", JAR, ROOT / "tests" / "more" / "QuartzFires.java"], input=lines, capture_output=True, text=True,
                          timeout=300)
    assert done.returncode == 0, done.stderr
    answers = done.stdout.split("\n")[:-1]
    assert len(answers) == len(questions)
    return [it if it.startswith("refused") else [int(part) for part in it.split()] for it in answers]


def ours(question):
    zone, after, count, fields = question
    done = subprocess.run([program_path(), "schedule", f"cron({fields})", "--timezone", zone, "--after",
                           dt.datetime.fromtimestamp(after, UTC).isoformat(), "--next", str(count), "--json"], capture_output=True, text=True)
    if done.returncode == USAGE:
        return "refused: " + done.stderr.splitlines()[-1].strip()
    return [int(dt.datetime.fromisoformat(it["slot"]).timestamp()) for it in json.loads(done.stdout)]


def later(zone, instant):
    """The second instant of a local time that comes twice, which Quartz takes."""
    local = dt.datetime.fromtimestamp(instant, zoneinfo.ZoneInfo(zone))
    return int(local.replace(fold=1).timestamp())


def in_torn_hour(zone, instant):
    """Behind a gap that begins in the middle of an hour, within that hour: Quartz misses some of these."""
    place = zoneinfo.ZoneInfo(zone)
    after, before = (dt.datetime.fromtimestamp(it, place).utcoffset() for it in (instant, instant - 3600))
    return zone in ("Australia/Lord_Howe", "Pacific/Chatham") and after > before


def field(rng, least, most, names=None):
    def value():
        n = rng.randint(least, most)
        return names[n - least] if names and rng.random() < 0.4 else str(n)

    def item():
        low, high, step = rng.randint(least, most), rng.randint(least, most), rng.randint(1, (most - least) // 2)
        named = names and rng.random() < 0.4
        span = f"{names[low - least]}-{names[high - least]}" if named else f"{low}-{high}"
        return rng.choice([value(), value(), value(), span, span, f"{low}-{high}/{step}", f"{low}/{step}", f"*/{step}"])
    return "*" if rng.random() < 0.25 else ",".join(item() for _ in range(rng.choice([1, 1, 1, 2, 3])))


def random_fields(rng):
    minute, hour, day, weekday = field(rng, 0, 59), field(rng, 0, 23), field(rng, 1, 31), "?"
    kind = rng.random()
    if kind < 0.15:
        day = rng.choice(["L", f"L-{rng.randint(1, 30)}"])
    elif kind < 0.3:    # at one time of the day: see the table
        minute, hour, day = str(rng.randint(0, 59)), str(rng.randint(0, 23)), rng.choice(["LW", "1W", "31W", f"{rng.randint(1, 31)}W"])
    elif kind < 0.65:
        name = rng.choice([str(rng.randint(1, 7)), rng.choice(DAYS)])
        day, weekday = "?", rng.choice(["L", f"{name}L", f"{name}#{rng.randint(1, 5)}", field(rng, 1, 7, DAYS)])
    year = rng.choice(["*"] * 6 + ["2026-2040", "2027/3", "2028,2031"])
    return f"{minute} {hour} {day} {field(rng, 1, 12, MONTHS)} {weekday} {year}"


def near(zone):
    """Nights in which its clocks are set, else New Year's."""
    place, found = zoneinfo.ZoneInfo(zone), []
    for day in range(0, 4000):
        noon = dt.datetime(2024, 1, 1, tzinfo=UTC) + dt.timedelta(days=day)
        if noon.astimezone(place).utcoffset() != (noon + dt.timedelta(days=1)).astimezone(place).utcoffset():
            found.append(int(noon.timestamp()) - 43200)
    return found or [int(dt.datetime(2026, 1, 1, tzinfo=UTC).timestamp())]


@pytest.mark.parametrize("zone", ZONES)
def test_quartz_is_due_when_ours_is(zone):
    rng, nights = random.Random(zone), near(zone)
    questions = []
    for _ in range(600):
        # Without 2011, in which Apia had no 30 December: 31W was that day, or the 31st for Quartz.
        after = dt.datetime(rng.choice([2012, 2024, 2025, 2026, 2027, 2030]), rng.randint(1, 12), rng.randint(1, 28), rng.randint(0, 23), tzinfo=UTC)
        questions.append((zone, int(after.timestamp()), 20, random_fields(rng)))
    for _ in range(200):
        questions.append((zone, rng.choice(nights), 30, f"{field(rng, 0, 59)} {rng.choice(['0', '1', '2', '3', '0-3', '22-4', '0/1', '*'])} * * ? *"))
    compared = 0
    for question, theirs in zip(questions, quartz(questions)):
        mine = ours(question)
        assert isinstance(mine, list) and isinstance(theirs, list), (question, mine, theirs)
        until = min([UNTIL] + [each[-1] + 1 for each in (mine, theirs) if len(each) == question[2]])
        theirs = [it for it in theirs if it < until]
        mine = [later(zone, it) for it in mine if later(zone, it) < until and (it in theirs or not in_torn_hour(zone, it))]
        assert mine == theirs, question
        compared += len(mine)
    assert compared > 10000


def test_the_known_answers_are_quartzs_too():
    sys.path.insert(0, str(ROOT / "tests" / "e2e"))
    from test_schedule import VECTORS
    asked = [(re.match(r"cron\((.*?)\) ?(.*)", it[0]), it[1], it[2].split()) for it in VECTORS if it[0].startswith("cron")]
    questions = [(match[2] or "UTC", int(dt.datetime.fromisoformat(after).timestamp()), 2, match[1]) for match, after, _ in asked]
    for question, (_, _, slots), theirs in zip(questions, asked, quartz(questions)):
        told = [int(dt.datetime.fromisoformat(it.replace("Z", ":00+00:00")).timestamp()) for it in slots]
        assert [later(question[0], it) for it in told] == theirs, question


def table():
    """The rows of docs/schedules.md: (fields, zone, after, ours, Quartz's)."""
    text = (ROOT / "docs" / "schedules.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| `cron(")]
    return [tuple(row[:5]) for row in rows if len(row) == 6]


@pytest.mark.parametrize("expression, zone, after, mine, theirs", table() if JAR.exists() else [])
def test_the_table_of_differences_is_true(expression, zone, after, mine, theirs):
    question = (zone, int(dt.datetime.fromisoformat(after).timestamp()), 2, expression.strip("`")[5:-1])

    def said(answer):
        if isinstance(answer, str):
            return "refused"
        return ", ".join(dt.datetime.fromtimestamp(it, UTC).strftime("%Y-%m-%d %H:%MZ") for it in answer) or "never"
    assert said(ours(question)) == mine
    assert said(quartz([question])[0]) == theirs
    assert mine != theirs


def test_there_are_rows_in_the_table():
    assert len(table()) >= 8
