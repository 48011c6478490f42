"""schedule --calendar: the coming weeks as they hang on a wall, each day with how often it is due."""

import datetime as dt
import json
import re
import zoneinfo

import pytest

from harness.runner import OK

MONTHS = {name: n for n, name in enumerate("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}


def drawn(text):
    """{date: (mark, whether clocks are set)} as the columns under the weekdays have it."""
    lines = text.splitlines()
    head = next(n for n, line in enumerate(lines) if line.split()[:1] == ["Mon"])
    places = [match.start() for match in re.finditer(r"\S+", lines[head])]
    found, year, month = {}, None, None
    for line in lines[head + 1:]:
        if not line:
            break
        label = re.match(r"(\w{3})(?: (\d{4}))?", line)
        if label:
            month, year = MONTHS[label[1]], int(label[2] or year or 0)
        for weekday, place in enumerate(places):
            cell = line[place:places[weekday + 1] if weekday < 6 else None]
            if cell.strip():
                day, changed, mark = re.match(r"\s*(\d+)(!?)\s*(\S*)$", cell.strip()).groups()
                date = dt.date(year, month, int(day))
                assert date.weekday() == weekday, line
                found[date] = (mark, changed == "!")
    return found


@pytest.mark.parametrize("expression, zone, after", [
    ("cron(0 18 * * ? *)", "UTC", "2026-11-29T17:00:00Z"),
    ("cron(0/5 9-17 ? * MON-FRI *)", "America/New_York", "2026-10-10T12:00:00Z"),
    ("cron(30 2 * * ? *)", "Europe/Berlin", "2027-03-10T00:00:00Z"),
    ("cron(30 0/1 * * ? *)", "Australia/Lord_Howe", "2026-09-20T13:00:00Z"),
    ("rate(36 hours)", "Pacific/Chatham", "2026-09-01T00:00:00Z"),
    ("at(2026-12-24T18:00:00)", "Europe/Berlin", "2026-12-20T00:00:00Z"),
])
def test_each_day_says_how_often_it_is_due(run, expression, zone, after):
    asked = ("schedule", expression, "--timezone", zone, "--after", after)
    done = run(*asked, "--calendar")
    assert done.status == OK, done.stderr
    days = drawn(done.stdout)
    place, start = zoneinfo.ZoneInfo(zone), dt.datetime.fromisoformat(after)
    first = start.astimezone(place).date()
    last = first - dt.timedelta(days=first.weekday()) + dt.timedelta(days=34)
    assert sorted(days) == [first + dt.timedelta(days=n) for n in range((last - first).days + 1)]
    counted = dict.fromkeys(days, 0)
    for it in json.loads(run(*asked, "--next", "9000", "--json").stdout):
        date = dt.datetime.fromisoformat(it["local"]).date()
        if date in counted:
            counted[date] += 1
    assert {date: mark for date, (mark, _) in days.items()} == {
        date: "" if not count else "●" if count == 1 else f"×{count}" for date, count in counted.items()}

    def offset(date):
        return dt.datetime.combine(date, dt.time(), place).utcoffset()
    set_on = [date for date in days if offset(date) != offset(date + dt.timedelta(days=1))]
    assert [date for date, (_, changed) in days.items() if changed] == set_on
    assert re.findall(r"clocks are set \S+ .* on (\S+)", done.stdout) == [str(date) for date in set_on]


def test_it_fits_the_terminal(run):
    asked = ("schedule", "unix(\"* * * * *\")", "--calendar", "--after", "2026-10-09T12:00:00Z", "--timezone", "America/New_York")
    widths = {}
    for columns in (100, 79, 60, 40, 30):
        text = run(*asked, env={"COLUMNS": columns}).stdout
        widths[columns] = max(map(len, text.split("\n\n")[1].splitlines()))
        assert widths[columns] <= columns, text
        assert ("×1440" in text) == (columns > 78 or columns < 38), text
    assert len(set(widths.values())) == 3


def test_it_is_plain_where_the_locale_is(run):
    done = run("schedule", "cron(0 6,18 * * ? *)", "--calendar", env={"LC_ALL": "C"})
    assert done.stdout.isascii() and "x2" in done.stdout and "* once that day, xN so often" in done.stdout


def test_json_is_what_it_is_without_a_calendar(run):
    asked = ("schedule", "cron(0 18 * * ? *)", "--after", "2026-10-10", "--json")
    assert run(*asked, "--calendar").stdout == run(*asked).stdout


def test_weeks_without_a_day_say_so(run):
    assert "nothing is due in these weeks" in run("schedule", "cron(0 0 31 2 ? *)", "--calendar").stdout
