"""fetch.py URL IDS OUT: asks URL?id=… for each id, 256 at once, and writes one CSV row for each, in the order of the ids."""
import asyncio
import csv
import sys
from datetime import datetime, timezone

import aiohttp

AT_ONCE = 256


async def ask(session, url, ids, rows):
    for n, key in ids:
        async with session.get(url, params={"id": key}) as response:
            response.raise_for_status()
            reply = await response.json()
        temperature = reply["main"]["temp"] * 9 / 5 + 32
        humidity = reply["main"]["humidity"]
        if not -130 <= temperature <= 140 or not 0 <= humidity <= 100:
            raise ValueError(f"{key}: out of range")
        observed_at = datetime.fromtimestamp(reply["dt"], timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        rows[n] = (temperature, humidity, reply["weather"][0]["description"], observed_at)


async def main(url, ids_file, out_file):
    with open(ids_file, newline="") as file:
        ids = [row["id"] for row in csv.DictReader(file)]
    rows = [None] * len(ids)
    todo = enumerate(ids)  # shared: each worker takes the next one
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=AT_ONCE)) as session:
        await asyncio.gather(*(ask(session, url, todo, rows) for _ in range(AT_ONCE)))
    with open(out_file, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["temperature", "humidity", "description", "observed_at"])
        writer.writerows(rows)


asyncio.run(main(*sys.argv[1:]))
