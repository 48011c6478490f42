"""Expressions against a reference that looks at every minute of thirty years, in zones whose clocks do odd things."""

import datetime as dt
import functools
import json
import random
import subprocess
import sys
import zoneinfo

import numpy
import pytest

from harness.runner import ROOT, program_path

sys.path.insert(0, str(ROOT / "tests" / "e2e"))
import test_schedule  # noqa: E402
from test_schedule import day_matches  # noqa: E402

matches = test_schedule.matches = functools.lru_cache(200000)(test_schedule.matches)

UTC = dt.timezone.utc
BEGIN, END = dt.datetime(2007, 1, 1, tzinfo=UTC), dt.datetime(2037, 1, 1, tzinfo=UTC)
BEGIN_MINUTE, MINUTES = int(BEGIN.timestamp()) // 60, int((END - BEGIN).total_seconds()) // 60
EXPRESSIONS = 250   # for each zone
MOST = 10000        # that the program lists at a time


class Place:
    """Of every minute: what the clock there says, and whether it says so for the first time."""

    def __init__(self, zone):
        offset = self.offsets(zoneinfo.ZoneInfo(zone))
        local = numpy.arange(BEGIN_MINUTE, BEGIN_MINUTE + MINUTES, dtype=numpy.int64) + offset
        highest = numpy.maximum.accumulate(local)
        self.first = numpy.concatenate(([True], local[1:] > highest[:-1]))
        self.minute_of_day = (local % 1440).astype(numpy.uint16)
        day = local // 1440
        self.first_day = int(day.min())
        self.day = (day - self.first_day).astype(numpy.uint16)
        self.days = [dt.date(1970, 1, 1) + dt.timedelta(days=self.first_day + n) for n in range(int(self.day.max()) + 1)]

    @staticmethod
    def offsets(place):
        """In minutes; asked each quarter of an hour, and each minute where two of those differ."""
        def ask(minute):
            return int(dt.datetime.fromtimestamp((BEGIN_MINUTE + minute) * 60, place).utcoffset().total_seconds()) // 60
        coarse = [ask(minute) for minute in range(0, MINUTES + 15, 15)]
        found = numpy.repeat(numpy.array(coarse[:-1], dtype=numpy.int64), 15)[:MINUTES]
        for quarter in range(len(coarse) - 1):
            if coarse[quarter] != coarse[quarter + 1]:
                for minute in range(quarter * 15, min(quarter * 15 + 15, MINUTES)):
                    found[minute] = ask(minute)
        return found

    def due(self, minutes, hours, is_day):
        """All minutes since 1970 that match."""
        times = numpy.isin(numpy.arange(1440), [60 * hour + minute for hour in hours for minute in minutes])
        days = numpy.array([is_day(day) for day in self.days])
        at = times[self.minute_of_day] & days[self.day] & self.first
        return numpy.flatnonzero(at) + BEGIN_MINUTE


def field(rng, least, most, wraps=True):
    def item():
        low, high, step = rng.randint(least, most), rng.randint(least, most), rng.randint(1, (most - least) // 2 + 1)
        if not wraps:
            low, high = min(low, high), max(low, high)
        return rng.choice([f"{low}", f"{low}", f"{low}-{high}", f"{low}-{high}/{step}", f"*/{step}"] + ([f"{low}/{step}"] if wraps else []))
    return "*" if rng.random() < 0.25 else ",".join(item() for _ in range(rng.choice([1, 1, 1, 2, 3])))


def unix_day(dom, month, dow):
    def is_day(day):
        weekday = day.isoweekday()
        by_month_day, by_weekday = matches(dom, day.day, 1, 31), matches(dow, weekday, 0, 7) or (weekday == 7 and matches(dow, 0, 0, 7))
        either = not dom.startswith("*") and not dow.startswith("*")
        return matches(month, day.month, 1, 12) and ((by_month_day or by_weekday) if either else (by_month_day and by_weekday))
    return is_day


def random_question(rng):
    """An expression, its minutes and hours, and whether it is due on a day."""
    if rng.random() < 0.2:
        minute, hour, dom, month, dow = (field(rng, *it, wraps=False) for it in ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7)))
        text, is_day = f'unix("{minute} {hour} {dom} {month} {dow}")', unix_day(dom, month, dow)
    else:
        minute, hour, dom, month, dow = field(rng, 0, 59), field(rng, 0, 23), field(rng, 1, 31), field(rng, 1, 12), "?"
        kind = rng.random()
        if kind < 0.25:
            dom = rng.choice(["L", "LW", f"L-{rng.randint(1, 30)}", f"{rng.randint(1, 31)}W", "1W", "31W"])
        elif kind < 0.6:
            dom, dow = "?", rng.choice([f"{rng.randint(1, 7)}L", f"{rng.randint(1, 7)}#{rng.randint(1, 5)}", field(rng, 1, 7)])
        year = rng.choice(["*", "*", "*", "2010-2030/3", "2011,2026"])
        fields = [minute, hour, dom, month, dow, year]
        text = f"cron({' '.join(fields)})"

        def is_day(day):
            return day_matches(fields, day)
    return (text, [n for n in range(60) if matches(minute, n, 0, 59)], [n for n in range(24) if matches(hour, n, 0, 23)], is_day)


def told(text, zone, after_minute, count):
    done = subprocess.run([program_path(), "schedule", text, "--timezone", zone, "--after", dt.datetime.fromtimestamp(after_minute * 60, UTC).isoformat(),
                           "--next", str(count), "--json"], capture_output=True, check=True)
    return numpy.array([int(dt.datetime.fromisoformat(it["slot"]).timestamp()) // 60 for it in json.loads(done.stdout)], dtype=numpy.int64)


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Africa/Cairo", "Pacific/Chatham",
                                  "Pacific/Apia", "Africa/Casablanca", "America/St_Johns", "Asia/Kathmandu"])
def test_it_is_due_when_every_minute_of_thirty_years_says_so(zone):
    rng, place, compared = random.Random(zone), Place(zone), 0
    changes = numpy.flatnonzero(~place.first) + BEGIN_MINUTE
    for _ in range(EXPRESSIONS):
        text, minutes, hours, is_day = random_question(rng)
        due = place.due(minutes, hours, is_day)
        starts = [BEGIN_MINUTE - 1]
        if len(due) > MOST:     # then from some places on, where clocks are set among them
            starts += [rng.randrange(BEGIN_MINUTE, BEGIN_MINUTE + MINUTES)]
            starts += [int(rng.choice(changes)) - rng.randrange(3000)] if len(changes) else []
        for start in starts:
            wanted = due[due > start]
            count = min(len(wanted) + 1, MOST) if start < BEGIN_MINUTE else 1000
            got = told(text, zone, start, count)
            got = got[got < BEGIN_MINUTE + MINUTES]
            assert numpy.array_equal(got, wanted[:count]), (text, zone, start)
            compared += len(got)
    assert compared > 100000
