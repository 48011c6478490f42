"""A table keeps what its readers rely on: what does not fit it is refused before anything is asked."""
import json

import duckdb
import pytest

from harness import behaviours as b
from harness.runner import OK, USAGE

CATALOG = "_catalog/weather/weather.json"
CITY = {"city": {"value": "{city}", "type": "string"}}
TEMPERATURE = {"temperature": {"from": "main.temp", "type": "double", "unit": "celsius -> fahrenheit"}}
HUMIDITY = {"humidity": {"from": "main.humidity", "type": "bigint"}}
WIND = {"wind": {"from": "wind.speed", "type": "double", "nullable": True}}
USUAL = {**CITY, **TEMPERATURE, **HUMIDITY}
NEXT = "2012-10-02T18:00:00Z"


def run(program, server, columns, slot=NEXT, **sections):
    return program.run(program.pipeline(server.url(), columns=columns, quality=None, **sections), slot=slot)


@pytest.fixture
def lake(program, server):
    assert run(program, server, USUAL, slot="2012-10-01T18:00:00Z").status == OK
    return program.lake


def table(lake):
    return json.loads((lake / CATALOG).read_text())


def test_a_new_nullable_column_is_added_and_earlier_rows_have_null_there(program, server, lake):
    server.script("Dallas", b.ok(wind__speed=3.5))
    assert run(program, server, {**USUAL, **WIND}).status == OK
    assert [c["name"] for c in table(lake)["columns"]] == ["city", "temperature", "humidity", "wind"]
    rows = duckdb.sql(f"""select dt, count(*), count(wind) from read_csv('{lake}/weather/*/*.csv', hive_partitioning=true,
                          hive_types_autocast=false, union_by_name=true) group by dt order by dt""").fetchall()
    assert rows[0] == ("2012-10-01", 5, 0) and rows[1][:2] == ("2012-10-02", 5) and rows[1][2] >= 1


CHANGES = {
    "a new column that needs a value": ({**USUAL, "wind": {**WIND["wind"], "nullable": False}}, ["wind", "double", "nullable: true"]),
    "a new column that is not the last": ({**CITY, **WIND, **TEMPERATURE, **HUMIDITY}, ["wind", "temperature", "end of columns"]),
    "another order": ({**TEMPERATURE, **CITY, **HUMIDITY}, ["city", "temperature", "order of columns"]),
    "a column that is gone": ({**CITY, **TEMPERATURE}, ["humidity", "bigint", "keep it"]),
    "a column of another name": ({**CITY, **TEMPERATURE, "humid": {**HUMIDITY["humidity"], "nullable": True}},
                                 ["humidity", "humid", "keep their names"]),
    "another type": ({**CITY, **TEMPERATURE, "humidity": {"from": "main.humidity", "type": "double"}},
                     ["humidity", "bigint", "double", "keep type: bigint"]),
    "another unit": ({**CITY, "temperature": {"from": "main.temp", "type": "double", "unit": "celsius"}, **HUMIDITY},
                     ["temperature", "fahrenheit", "celsius", "keep the unit"]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_does_not_fit_the_table_is_refused_before_anything_is_asked(program, server, lake, change):
    columns, words = CHANGES[change]
    before, asked = program.tree(), len(server.requests)
    result = run(program, server, columns)
    assert result.status == USAGE
    for word in [*words, "weather.weather", "sink.catalog.table: weather_2"]:
        assert word in result.stderr, (word, result.stderr)
    assert len(server.requests) == asked
    after = program.tree()
    assert {name: text for name, text in after.items() if not name.startswith("_runs/")} \
        == {name: text for name, text in before.items() if not name.startswith("_runs/")}


def test_other_partitions_are_refused(program, server, lake):
    sink = {"to": str(lake), "format": "csv", "catalog": {"database": "weather", "table": "weather"}}
    for partition, words in (({"day": "{slot:%Y-%m-%d}"}, ["by dt", "by day"]), (None, ["by dt", "by nothing"]),
                             ({"dt": "{slot:%Y-%m}"}, ["partition dt", "%Y-%m-%d"])):
        result = run(program, server, USUAL, sink={**sink, "partition": partition})
        assert result.status == USAGE
        for word in words:
            assert word in result.stderr


def test_a_new_table_takes_what_the_old_one_does_not(program, server, lake):
    sink = {"catalog": {"database": "weather", "table": "weather_2"}}
    assert run(program, server, CITY, sink=sink).status == OK
    assert json.loads((lake / "_catalog/weather/weather_2.json").read_text())["location"] == "weather_2"
    assert table(lake)["location"] == "weather"


def test_a_description_may_change(program, server, lake):
    columns = {**USUAL, "humidity": {**HUMIDITY["humidity"], "description": "Relative, at 2 m"}}
    assert run(program, server, columns).status == OK
    assert table(lake)["columns"][2]["description"] == "Relative, at 2 m"


def test_an_entry_that_was_damaged_by_hand_is_told_and_not_overwritten(program, server, lake):
    (lake / CATALOG).write_text('{"columns": ')
    asked = len(server.requests)
    result = run(program, server, USUAL)
    assert result.status == 1 and CATALOG in result.stderr and "remove it" in result.stderr
    assert (lake / CATALOG).read_text() == '{"columns": ' and len(server.requests) == asked
    (lake / CATALOG).unlink()
    assert run(program, server, USUAL).status == OK and table(lake)["format"] == "csv"


def test_one_file_is_replaced_by_each_run_and_may_become_anything(program, server):
    sink = {"to": str(program.lake / "weather.csv"), "format": "csv", "partition": None}
    assert run(program, server, USUAL, sink=sink).status == OK
    assert run(program, server, {**HUMIDITY, **CITY}, sink=sink).status == OK
    assert (program.lake / "weather.csv").read_text().startswith("humidity,city\n")
    assert [c["name"] for c in table(program.lake)["columns"]] == ["humidity", "city"]
