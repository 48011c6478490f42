"""The next instants of cron expressions from 2026 on, as next_fires.c walks them, by a library of Python's.

    fires.py croniter SECONDS EACH ZONE EXPRESSION…
    fires.py aws      SECONDS EACH UTC  EXPRESSION…    pyawscron, which knows no other zone

Prints the sum of the instants of one walk, how many there were in all, and the seconds they took.
"""
import sys
import time
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

way, seconds, each, zone, *expressions = sys.argv[1:]
seconds, each = float(seconds), int(each)
START = datetime(2026, 1, 1, tzinfo=timezone.utc)

if way == "croniter":
    from croniter import croniter

    start = START.astimezone(ZoneInfo(zone))
    iterators = [croniter(expression, start) for expression in expressions]

    def walk():
        total = 0
        for it in iterators:
            it.set_current(start, force=True)
            for _ in range(each):
                total += int(it.get_next())
        return total
else:
    from pyawscron import AWSCron

    iterators = [AWSCron(expression) for expression in expressions]

    def walk():
        total = 0
        for it in iterators:
            at = START
            for _ in range(each):
                at = it.occurrence(at).next()
                total += int(at.timestamp())
        return total

done, passed, begin = 0, 0, time.perf_counter()
while not done or passed < seconds:
    total = walk()
    done += len(expressions) * each
    passed = time.perf_counter() - begin
print(total, done, f"{passed:.9f}")
