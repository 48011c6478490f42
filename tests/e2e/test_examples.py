"""The examples: what the program writes is what an independent reading of the same replies says."""
import csv
import json
import subprocess
import sys
from datetime import datetime, timedelta, timezone

import pandas
import pytest

CITIES = ["New York", "Portland", "Chicago", "Seattle", "Dallas"]
WEATHER_SLOTS = ["2012-10-01T18:00:00Z", "2012-10-02T00:00:00Z", "2012-10-02T06:00:00Z"]
HOURLY_SLOTS = ["2012-10-01T00:00:00Z", "2012-10-02T00:00:00Z"]


def compact(slot):
    return slot.replace("-", "").replace(":", "")


def body_of(path):
    head, body = path.read_bytes().split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 200 ")
    return json.loads(body)


def read_csv(path):
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        return reader.fieldnames, list(reader)


def fahrenheit(celsius):
    return None if celsius is None else celsius * 9 / 5 + 32


def same(text, expected):
    """A CSV cell against the value it must hold: NULL is empty, numbers agree to the last digits, text exactly."""
    if expected is None:
        return text == ""
    if isinstance(expected, float):
        return text != "" and float(text) == pytest.approx(expected, rel=1e-12, abs=1e-12)
    return text == str(expected)


def assert_rows(rows, expected):
    assert len(rows) == len(expected)
    for number, (row, want) in enumerate(zip(rows, expected), start=1):
        for column, value in want.items():
            assert same(row[column], value), f"row {number}, {column}: {row[column]!r} is not {value!r}"


def weather_row(city, slot, body):
    wind = body.get("wind", {})
    rain = body.get("rain", {}).get("1h")
    observed = datetime.fromtimestamp(body["dt"], timezone.utc)
    return {
        "temperature": float(fahrenheit(body["main"]["temp"])),
        "humidity": body["main"]["humidity"],
        "description": body["weather"][0]["description"],
        "city": city,
        "rain_1h_mm": None if rain is None else float(rain),
        "pressure_hpa": float(body["main"]["pressure"]) if "pressure" in body["main"] else None,
        "wind_speed": float(wind["speed"]) if "speed" in wind else None,
        "observed_at": observed.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "collected_at": slot,
    }


def hourly_rows(city, body):
    hourly = body["hourly"]
    columns = {
        "temperature": [fahrenheit(value) for value in hourly["temperature_2m"]],
        "humidity": hourly["relative_humidity_2m"],
        "precipitation_mm": hourly["precipitation"],
        "pressure_hpa": hourly["pressure_msl"],
        "wind_speed": hourly["wind_speed_10m"],
        "wind_direction": hourly["wind_direction_10m"],
    }
    for index, time in enumerate(hourly["time"]):
        yield {"time": time + ":00Z", "city": city} | {name: values[index] for name, values in columns.items()}


@pytest.mark.parametrize("example", ["weather/weather.yaml", "open-meteo/open-meteo.yaml", "open-meteo/archive.yaml", "tutorial/daily-weather.yaml"])
def test_an_example_has_no_faults(run, repo, example):
    result = run("check", str(repo / "examples" / example))
    assert result.status == 0, result.stderr


@pytest.mark.parametrize("slot", WEATHER_SLOTS)
def test_the_weather_example_writes_what_the_replies_say(run, repo, tmp_path, slot):
    folder = repo / "examples" / "weather"
    lake = tmp_path / "lake"
    result = run("run", str(folder / "weather.yaml"), "--slot", slot, "--to", str(lake),
                 "--replay", str(folder / "replies"))
    assert result.status == 0, result.stderr

    expected = [weather_row(city, slot, body_of(folder / "replies" / compact(slot) / f"{city}.http"))
                for city in CITIES]
    header, rows = read_csv(lake / "weather" / f"dt={slot[:10]}" / f"{compact(slot)}.csv")
    assert header == list(expected[0])
    assert_rows(rows, expected)
    assert not list((lake / "_quarantine").rglob("*.jsonl"))


def test_the_tutorials_file_is_byte_for_byte_what_pandas_wrote(run, repo, tmp_path):
    folder = repo / "examples" / "tutorial"
    file = tmp_path / "out" / "weather_data.csv"
    result = run("run", str(folder / "daily-weather.yaml"), "--slot", WEATHER_SLOTS[0], "--to", str(file),
                 "--replay", str(repo / "examples" / "weather" / "replies"))
    assert result.status == 0, result.stderr
    assert file.read_bytes() == (folder / "weather_data.csv").read_bytes()


def test_pandas_writes_the_tutorials_file_from_the_same_replies(repo):
    """The versions of pandas since 1.5.3 write it alike."""
    rows = []
    for city in CITIES:
        body = body_of(repo / "examples" / "weather" / "replies" / compact(WEATHER_SLOTS[0]) / f"{city}.http")
        rows.append({"temperature": fahrenheit(body["main"]["temp"]), "humidity": body["main"]["humidity"],
                     "description": body["weather"][0]["description"], "city": city})
    text = pandas.DataFrame(rows).to_csv(index=False)
    assert text.encode() == (repo / "examples" / "tutorial" / "weather_data.csv").read_bytes()


@pytest.mark.parametrize("slot", HOURLY_SLOTS)
def test_the_open_meteo_example_writes_a_row_for_each_city_and_hour(run, repo, tmp_path, slot):
    folder = repo / "examples" / "open-meteo"
    lake = tmp_path / "lake"
    result = run("run", str(folder / "open-meteo.yaml"), "--slot", slot, "--to", str(lake),
                 "--replay", str(folder / "replies"))
    assert result.status == 0, result.stderr

    expected = []
    for item in read_csv(folder / "cities.csv")[1]:
        reply = folder / "replies" / compact(slot) / f"{', '.join(item.values())}.http"
        expected += hourly_rows(item["city"], body_of(reply))
    assert len(expected) == 5 * 24
    header, rows = read_csv(lake / "hourly" / f"dt={slot[:10]}" / f"{compact(slot)}.csv")
    assert header == list(expected[0])
    assert_rows(rows, expected)
    assert not list((lake / "_quarantine").rglob("*.jsonl"))


def test_the_replies_are_what_make_replies_makes(repo, tmp_path):
    subprocess.run([sys.executable, str(repo / "scripts" / "make-replies"), str(tmp_path)], check=True, timeout=60)
    made = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*.http")}
    kept = {path.relative_to(repo / "examples"): path.read_bytes() for path in (repo / "examples").rglob("*.http")}
    assert len(kept) == 25
    assert made == kept


def test_the_replies_hold_the_observations(repo):
    _, observations = read_csv(repo / "examples" / "weather" / "data" / "observations-2012-10-01.csv")
    for slot in WEATHER_SLOTS:
        for seen in (row for row in observations if row["observed_at"] == slot):
            body = body_of(repo / "examples" / "weather" / "replies" / compact(slot) / f"{seen['city']}.http")
            assert body["main"]["temp"] == pytest.approx(float(seen["temperature_k"]) - 273.15, abs=0.00501)
            assert body["main"]["humidity"] == int(seen["humidity_pct"])
            assert body["wind"] == {"speed": float(seen["wind_speed_ms"]), "deg": float(seen["wind_direction_deg"])}
            assert body["weather"][0]["description"] == seen["description"]
            observed = datetime(1970, 1, 1) + timedelta(seconds=body["dt"])
            assert observed.isoformat() + "Z" == slot
