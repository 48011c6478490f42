"""Tables in AWS Glue: what boto3 and Athena's reader find there, and what is done when Glue does not agree."""
import datetime
import io
import json
import random

import pyarrow.parquet
import pytest

from harness import athena
from harness import behaviours as b
from harness.aws import ALL
from harness.aws_faults import json_answer, json_error
from harness.runner import FAILED, OK, USAGE
from harness.weather import weather

CITY = {"city": {"value": "{city}", "type": "string", "description": "Where"}}
TEMPERATURE = {"temperature": {"from": "main.temp", "type": "double", "unit": "celsius -> fahrenheit", "description": "Of air"}}
HUMIDITY = {"humidity": {"from": "main.humidity", "type": "bigint"}}
WIND = {"wind": {"from": "wind.gust", "type": "double", "nullable": True}}
USUAL = {**CITY, **TEMPERATURE, **HUMIDITY}
DATA = "lake/weather/dt=2012-10-01/20121001T180000Z.csv"


@pytest.fixture
def lake(aws):
    return aws.bucket("city-weather")


def collect(program, server, aws, columns=USUAL, slot="2012-10-01T18:00:00Z", partition=None, keys=None, catalog=True, **sink):
    sink = {"to": "s3://city-weather/lake", "format": "csv", "partition": partition or {"dt": "{slot:%Y-%m-%d}"},
            "catalog": {"database": "weather", "table": "weather"} if catalog else None, **sink}
    file = program.pipeline(server.url(), columns=columns, quality=None, sink=sink)
    return program.run(file, slot=slot, env=aws.env_of(keys) if keys else aws.env)


def table(aws, name="weather_text"):
    return aws.client("glue").get_table(DatabaseName="weather", Name=name)["Table"]


def written(aws):
    return [operation for operation in aws.proxy.operations("glue") if not operation.startswith("Get")]


def test_a_run_makes_database_table_and_view_and_the_next_changes_nothing(program, server, aws, lake):
    assert collect(program, server, aws).status == OK
    assert aws.proxy.operations("glue") == ["GetTable", "GetTable", "CreateTable", "CreateDatabase", "CreateTable", "CreateTable"]
    before = [table(aws, name) for name in ("weather_text", "weather")]
    aws.proxy.calls.clear()
    assert collect(program, server, aws, slot="2012-10-02T18:00:00Z").status == OK
    assert aws.proxy.operations("glue") == ["GetTable", "GetTable"]
    assert [table(aws, name) for name in ("weather_text", "weather")] == before


def test_glue_is_asked_before_the_source_and_told_after_the_data(program, server, aws, lake):
    server.script("Dallas", b.ok(delay=0.3))
    assert collect(program, server, aws).status == OK
    operations = aws.proxy.operations()
    assert operations.index("GetTable") < operations.index(f"PutObject city-weather/{DATA}") < operations.index("CreateTable")
    record, = [at for at, name in enumerate(operations) if name.startswith("PutObject") and "_runs/weather/2012" in name]
    assert operations.index("CreateTable") < record


def test_boto3_sees_the_columns_with_types_units_and_meaning(program, server, aws, lake):
    assert collect(program, server, aws).status == OK
    view = table(aws, "weather")
    assert [(c["Name"], c["Type"], c.get("Comment", "")) for c in view["StorageDescriptor"]["Columns"]] == [
        ("city", "string", "Where"), ("temperature", "double", "°F; Of air"), ("humidity", "bigint", ""), ("dt", "string", "")]
    assert view["TableType"] == "VIRTUAL_VIEW" and view["Parameters"]["presto_view"] == "true"
    text = table(aws)
    assert text["StorageDescriptor"]["Location"] == "s3://city-weather/lake/weather/"
    assert {c["Type"] for c in text["StorageDescriptor"]["Columns"]} == {"string"}
    assert [(c["Name"], c["Type"]) for c in text["PartitionKeys"]] == [("dt", "string")]
    assert text["Parameters"]["projection.dt.range"] == "2012-10-01,NOW+1DAY"
    assert text["Parameters"]["storage.location.template"] == "s3://city-weather/lake/weather/dt=${dt}/"


def test_without_sink_catalog_the_lake_tells_of_itself_and_glue_is_not_asked(program, server, aws, lake):
    assert collect(program, server, aws, catalog=False).status == OK
    assert aws.proxy.operations("glue") == []
    assert json.loads(aws.objects(lake)["lake/_catalog/weather/weather.json"])["columns"][0]["name"] == "city"


def test_with_glue_the_lake_tells_of_itself_as_well(program, server, aws, lake):
    assert collect(program, server, aws).status == OK
    assert "lake/_catalog/weather/weather.json" in aws.objects(lake)


def test_parquet_is_one_table_whose_columns_have_types(program, server, aws, lake):
    assert collect(program, server, aws, {**USUAL, **WIND}, format="parquet").status == OK
    assert aws.proxy.operations("glue") == ["GetTable", "CreateTable", "CreateDatabase", "CreateTable"]
    made = table(aws, "weather")
    storage = made["StorageDescriptor"]
    assert made["TableType"] == "EXTERNAL_TABLE" and made["Parameters"]["classification"] == "parquet"
    assert storage["SerdeInfo"]["SerializationLibrary"].endswith("ParquetHiveSerDe")
    file, = [content for key, content in aws.objects(lake).items() if key.endswith(".parquet")]
    hive = {"string": "string", "double": "double", "int64": "bigint"}
    assert [(c["Name"], c["Type"]) for c in storage["Columns"]] == [
        (field.name, hive[str(field.type)]) for field in pyarrow.parquet.read_schema(io.BytesIO(file))]


def test_in_parquet_a_new_column_may_stand_anywhere_and_comes_last_in_glue(program, server, aws, lake):
    assert collect(program, server, aws, format="parquet").status == OK
    assert collect(program, server, aws, {**WIND, **HUMIDITY, **USUAL}, format="parquet").status == OK
    assert [c["Name"] for c in table(aws, "weather")["StorageDescriptor"]["Columns"]] == ["city", "temperature", "humidity", "wind"]
    assert collect(program, server, aws, format="csv").status == USAGE


def test_a_line_break_is_nothing_bad_in_parquet(program, server, aws, lake):
    server.script("Dallas", b.description(b"two\\nlines"))
    columns = {**CITY, "description": {"from": "weather[0].description", "type": "string"}}
    assert collect(program, server, aws, columns, format="parquet").status == OK
    assert not [key for key in aws.keys_of(lake) if "_quarantine" in key]


def test_the_weather_example_goes_to_a_bucket_as_its_readme_says(run, repo, aws, lake):
    env = {**aws.env, "LAKE": f"s3://{lake}/lake", "OUTPUT_FORMAT": "parquet"}
    example = repo / "examples" / "weather"
    for slot in ("2012-10-01T18:00:00Z", "2012-10-02T00:00:00Z"):
        assert run("run", example / "weather.yaml", "--replay", example / "replies", "--slot", slot, env=env).status == OK
    assert len([key for key in aws.keys_of(lake) if key.startswith("lake/weather/dt=") and key.endswith(".parquet")]) == 2
    columns = {c["Name"]: (c["Type"], c.get("Comment", "")) for c in table(aws, "weather")["StorageDescriptor"]["Columns"]}
    assert columns["temperature"] == ("double", "°F; Air temperature in degrees Fahrenheit")
    assert columns["observed_at"][0] == "timestamp" and len(columns) == 9
    assert written(aws) == ["CreateTable", "CreateDatabase", "CreateTable"]


# Columns that change.

def test_a_new_nullable_column_is_added_to_table_and_view(program, server, aws, lake):
    assert collect(program, server, aws).status == OK
    assert collect(program, server, aws, {**USUAL, **WIND}, slot="2012-10-02T18:00:00Z").status == OK
    assert written(aws)[-2:] == ["UpdateTable", "UpdateTable"]
    assert [c["Name"] for c in table(aws)["StorageDescriptor"]["Columns"]] == ["city", "temperature", "humidity", "wind"]
    rows = athena.select(aws, "weather", "weather")
    assert {row["wind"] for row in rows if row["dt"] == "2012-10-01"} == {None} and len(rows) == 10


CHANGES = {"another type": {**CITY, **TEMPERATURE, "humidity": {"from": "main.humidity", "type": "double"}},
           "a column that is gone": {**CITY, **TEMPERATURE},
           "a required new column": {**USUAL, "wind": {"from": "wind.speed", "type": "double"}},
           "another unit": {**CITY, "temperature": {"from": "main.temp", "type": "double"}, **HUMIDITY}}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("known_by", ["both", "Glue alone"])
def test_what_does_not_fit_is_refused_before_anything_is_asked(program, server, aws, lake, change, known_by):
    assert collect(program, server, aws).status == OK
    if known_by != "both":
        aws.client("s3").delete_object(Bucket=lake, Key="lake/_catalog/weather/weather.json")
    asked, before, tables = len(server.requests), aws.objects(lake)[DATA], [table(aws), table(aws, "weather")]
    result = collect(program, server, aws, CHANGES[change])
    assert result.status == USAGE and "table weather.weather" in result.stderr and "weather_2" in result.stderr
    assert len(server.requests) == asked and aws.objects(lake)[DATA] == before
    assert [table(aws), table(aws, "weather")] == tables


# Somebody else's tables.

@pytest.mark.parametrize("name", ["weather", "weather_text"])
def test_a_table_that_somebody_else_made_is_named_and_left_alone(program, server, aws, lake, name):
    glue = aws.client("glue")
    glue.create_database(DatabaseInput={"Name": "weather"})
    glue.create_table(DatabaseName="weather", TableInput={
        "Name": name, "StorageDescriptor": {"Columns": [{"Name": "city", "Type": "string"}],
                                            "Location": "s3://city-weather/lake/weather/"}})
    before = table(aws, name)
    result = collect(program, server, aws)
    assert result.status == USAGE
    assert f"Glue table weather.{name} is there already" in result.stderr and "somebody else" in result.stderr
    assert server.requests == [] and table(aws, name) == before and DATA not in aws.objects(lake)


def test_a_table_of_another_place_is_named_and_left_alone(program, server, aws, lake):
    assert collect(program, server, aws).status == OK
    result = collect(program, server, aws, to="s3://city-weather/elsewhere")
    assert result.status == USAGE and "s3://city-weather/lake/weather/" in result.stderr
    assert table(aws)["StorageDescriptor"]["Location"] == "s3://city-weather/lake/weather/"


def test_what_others_said_of_the_table_stays(program, server, aws, lake):
    assert collect(program, server, aws).status == OK
    given = table(aws)
    keep = {key: given[key] for key in ("Name", "StorageDescriptor", "PartitionKeys", "TableType", "Parameters", "Description")}
    keep["Parameters"] = {**keep["Parameters"], "team": "weather"}
    aws.client("glue").update_table(DatabaseName="weather", TableInput={**keep, "Owner": "me"})
    assert collect(program, server, aws, {**USUAL, **WIND}).status == OK
    assert table(aws)["Parameters"]["team"] == "weather" and table(aws)["Owner"] == "me"


# Partitions that cannot be computed.

def test_other_partitions_are_named_with_their_values_and_folders(program, server, aws, lake):
    odd = ["a/b", "50%", "x=y", "New York"]
    for city in odd:
        server.script(city, b.json_body(weather("Dallas")))
    sink = {"to": "s3://city-weather/lake", "format": "csv", "partition": {"place": "city"},
            "catalog": {"database": "weather", "table": "weather"}}
    file = program.pipeline(server.url(), columns=USUAL, quality=None, sink=sink, source={"each": {"city": odd}})
    assert program.run(file, env=aws.env).status == OK
    parts = aws.client("glue").get_partitions(DatabaseName="weather", TableName="weather_text")["Partitions"]
    assert {part["Values"][0] for part in parts} == set(odd)
    keys = aws.keys_of(lake)
    for part in parts:
        place = part["StorageDescriptor"]["Location"]
        assert place.startswith("s3://city-weather/lake/weather/place=") and place.endswith("/")
        assert any(key.startswith(place.removeprefix("s3://city-weather/")) for key in keys)
        assert len(part["StorageDescriptor"]["Columns"]) == 3
    assert table(aws)["Parameters"]["projection.enabled"] == "false"
    assert program.run(file, env=aws.env).status == OK  # they are there already, which is fine
    assert len(aws.client("glue").get_partitions(DatabaseName="weather", TableName="weather_text")["Partitions"]) == 4


def test_partitions_are_named_in_hundreds(program, server, aws, lake):
    cities = [f"city-{number}" for number in range(230)]
    server.default = b.json_body(weather("Dallas"))
    sink = {"to": "s3://city-weather/lake", "format": "csv", "partition": {"place": "city"},
            "catalog": {"database": "weather", "table": "weather"}}
    file = program.pipeline(server.url(), columns=CITY, quality=None, sink=sink, source={"each": {"city": cities}})
    assert program.run(file, env=aws.env, timeout=120).status == OK
    assert written(aws).count("BatchCreatePartition") == 3
    pages = aws.client("glue").get_paginator("get_partitions").paginate(DatabaseName="weather", TableName="weather_text")
    assert {part["Values"][0] for page in pages for part in page["Partitions"]} == set(cities)


def test_a_partition_that_gets_new_files_gets_the_new_column_too(program, server, aws, lake):
    assert collect(program, server, aws, partition={"place": "city"}).status == OK
    assert collect(program, server, aws, {**USUAL, **WIND}, slot="2012-10-02T18:00:00Z", partition={"place": "city"}).status == OK
    parts = aws.client("glue").get_partitions(DatabaseName="weather", TableName="weather_text")["Partitions"]
    assert len(parts) == 5
    for part in parts:
        assert [c["Name"] for c in part["StorageDescriptor"]["Columns"]] == ["city", "temperature", "humidity", "wind"]
    aws.proxy.calls.clear()
    assert collect(program, server, aws, {**USUAL, **WIND}, slot="2012-10-03T18:00:00Z", partition={"place": "city"}).status == OK
    assert aws.proxy.operations("glue") == ["GetTable", "GetTable", "BatchCreatePartition", "BatchGetPartition"]


def test_a_partition_that_is_refused_within_a_good_answer_fails_the_run_and_the_next_mends_it(program, server, aws, lake):
    aws.proxy.fault(json_answer({"Errors": [
        {"PartitionValues": ["Dallas"], "ErrorDetail": {"ErrorCode": "InternalServiceException", "ErrorMessage": "not now"}},
        {"PartitionValues": ["Chicago"], "ErrorDetail": {"ErrorCode": "AlreadyExistsException", "ErrorMessage": "there"}}]}),
        operation="BatchCreatePartition")
    result = collect(program, server, aws, partition={"place": "city"})
    assert result.status == FAILED
    for word in ("1 partition", "Dallas", "InternalServiceException", "not now", "run the slot again"):
        assert word in result.stderr
    assert len([key for key in aws.keys_of(lake) if key.startswith("lake/weather/place=")]) == 5
    assert json.loads(aws.objects(lake)["lake/_runs/weather/20121001T180000Z.json"])["status"] == "failed"
    assert collect(program, server, aws, partition={"place": "city"}).status == OK
    assert len(aws.client("glue").get_partitions(DatabaseName="weather", TableName="weather_text")["Partitions"]) == 5


# Glue that does not agree.

def test_a_change_at_the_same_time_is_looked_at_anew(program, server, aws, lake):
    assert collect(program, server, aws).status == OK
    aws.proxy.fault(json_error(400, "ConcurrentModificationException", "somebody was faster"), operation="UpdateTable", times=2)
    assert collect(program, server, aws, {**USUAL, **WIND}).status == OK
    assert written(aws).count("UpdateTable") == 4
    assert [c["Name"] for c in table(aws, "weather")["StorageDescriptor"]["Columns"]][3] == "wind"


def test_a_table_that_somebody_makes_meanwhile_is_looked_at_anew(program, server, aws, lake):
    assert collect(program, server, aws).status == OK
    aws.proxy.fault(json_error(400, "EntityNotFoundException", "not there"), operation="GetTable", times=2)
    assert collect(program, server, aws).status == OK


def test_who_may_not_ask_glue_is_told_before_anything_is_written(program, server, aws, lake):
    keys = aws.user([{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}])
    result = collect(program, server, aws, keys=keys)
    assert result.status == FAILED and "Glue table weather.weather" in result.stderr and "glue:GetTable" in result.stderr
    assert server.requests == [] and DATA not in aws.objects(lake)


def test_who_may_not_make_the_table_keeps_the_data_and_is_told(program, server, aws, lake):
    keys = aws.user([ALL, {"Effect": "Deny", "Action": "glue:CreateTable", "Resource": "*"}])
    result = collect(program, server, aws, keys=keys)
    assert result.status == FAILED and "Glue table weather.weather_text" in result.stderr
    assert DATA in aws.objects(lake)
    assert collect(program, server, aws).status == OK and table(aws, "weather")


def test_a_database_that_is_there_needs_no_right_to_make_one(program, server, aws, lake):
    aws.client("glue").create_database(DatabaseInput={"Name": "weather"})
    keys = aws.user([ALL, {"Effect": "Deny", "Action": "glue:CreateDatabase", "Resource": "*"}])
    assert collect(program, server, aws, keys=keys).status == OK
    assert "CreateDatabase" not in aws.proxy.operations("glue")


def test_glue_that_is_busy_is_asked_again(program, server, aws, lake):
    aws.proxy.fault(json_error(400, "ThrottlingException", "Rate exceeded"), operation="CreateTable", times=2)
    assert collect(program, server, aws).status == OK


# What Athena reads.

ODD = ["plain", "", " ", " lead", "trail ", "a,b", 'say "hi"', '"', '""', '"quoted"', "back\\slash", "\\", '\\"', "C:\\new\\", "'", "tab\there",
       "日本 😀", "null", "NULL", ",", ',",', "a\\,b", "x\\\\y", "\u2028line", "#;|", "-", "0", "  ,  ", "e\u0301"]


def test_the_view_gives_the_values_that_were_written(program, server, aws, lake):
    rng = random.Random(8)
    texts = ODD + ["".join(rng.choice('ab,"\\ \'日') for _ in range(rng.randrange(9))) for _ in range(170)]
    rows = [{"id": n, "must": text, "may": rng.choice([None, text]), "n": rng.choice([None, 0, -1, 2**63 - 1, -2**63]),
             "t": rng.choice([None, 0.1, -1e-300, 1.7976931348623157e308, 5e-324, 20.0]), "ok": rng.choice([None, True, False]),
             "at": rng.choice([None, "2026-11-22T18:00:00Z", "1969-12-31T23:59:59.250Z", "2012-02-29T00:00:00.001Z"]),
             "on": rng.choice([None, "2012-02-29", "1970-01-01", "0001-01-01"])} for n, text in enumerate(texts)]
    server.script("Dallas", b.json_body({"rows": rows, "cod": 200}))
    null = {"nullable": True}
    columns = {"id": {"from": "id", "type": "bigint"}, "must": {"from": "must", "type": "string"},
               "may": {"from": "may", "type": "string", **null}, "n": {"from": "n", "type": "bigint", **null},
               "t": {"from": "t", "type": "double", **null}, "ok": {"from": "ok", "type": "boolean", **null},
               "at": {"from": "at", "type": "timestamp", **null}, "on": {"from": "on", "type": "date", **null}}
    sink = {"to": "s3://city-weather/lake", "format": "csv", "partition": {"dt": "{slot:%Y-%m-%d}"},
            "catalog": {"database": "weather", "table": "weather"}}
    file = program.pipeline(server.url(), columns=columns, quality=None, sink=sink,
                            source={"each": {"city": ["Dallas"]}, "rows": "rows"})
    result = program.run(file, env=aws.env)
    assert result.status == OK, result.stderr

    def expected(row):
        at = row["at"] and datetime.datetime.fromisoformat(row["at"]).replace(tzinfo=None)
        return {**row, "may": row["may"] or None, "at": at, "on": row["on"] and datetime.date.fromisoformat(row["on"]),
                "dt": "2012-10-01"}  # an empty text that may be NULL is NULL: the reader cannot tell them apart
    assert athena.select(aws, "weather", "weather") == [expected(row) for row in rows]


def test_a_text_with_a_line_break_is_quarantined_for_it(program, server, aws, lake):
    server.script("Dallas", b.description(b"two\\nlines"))
    server.script("Chicago", b.description(b"carriage\\rreturn"))
    columns = {**CITY, "description": {"from": "weather[0].description", "type": "string"}}
    assert collect(program, server, aws, columns).status == OK
    bad = [json.loads(line) for key, content in aws.objects(lake).items() if "_quarantine" in key
           for line in content.decode().splitlines()]
    assert sorted(line["row"]["city"] for line in bad) == ["Chicago", "Dallas"]
    assert {failure["check"] for line in bad for failure in line["failures"]} == {"no_line_break"}
    assert len(athena.select(aws, "weather", "weather")) == 3


def test_without_glue_a_line_break_is_nothing_bad(program, server, aws, lake):
    server.script("Dallas", b.description(b"two\\nlines"))
    columns = {**CITY, "description": {"from": "weather[0].description", "type": "string"}}
    assert collect(program, server, aws, columns, catalog=False).status == OK
    assert b'"two\nlines"' in aws.objects(lake)[DATA]


def test_how_the_reader_takes_lines_apart():
    for line, values in (('a,b', ["a", "b"]), ('"a,b",', ["a,b", ""]), ('"a""b"', ['a"b']), ('""', [""]), ('', [""]),
                         ('"C:\\new"', ["C:new"]), ('x"y"z', ['xy"z']), ('abc"d"e', ['abc"d"e']), ('"open', []), ('a,"\\""', ["a", '"'])):
        assert athena.split_line(line) == values
    assert athena.split_line('"C:\\new"', escape="\n") == ["C:\\new"]


# What is said beforehand.

def checked(program, run, server, **sink):
    sink = {"to": "s3://city-weather/lake", "format": "csv", "catalog": {"database": "weather", "table": "weather"}, **sink}
    return run("check", program.pipeline(server.url(), columns={**USUAL, **sink.pop("columns", {})}, quality=None, sink=sink))


def test_check_says_what_csv_in_glue_cannot_do(program, run, server):
    result = checked(program, run, server)
    assert result.status == OK
    for words in ("weather_text", "line break", "no_line_break", "format: parquet is the better choice"):
        assert words in result.stdout
    assert "Glue" not in checked(program, run, server, catalog=None).stdout
    assert "Glue" not in checked(program, run, server, to="./lake").stdout
    assert "Glue" not in checked(program, run, server, format="parquet").stdout


def test_check_finds_what_glue_does_not_take(program, run, server):
    for changes, words in (({"columns": {"rain-1h": {"from": "rain", "type": "double", "nullable": True}}}, '"rain-1h" cannot be a column\'s name'),
                           ({"partition": {"by-day": "{slot:%F}"}}, '"by-day" cannot be a partition\'s name'),
                           ({"to": "s3://city-weather/w.csv", "partition": None}, "one file cannot be a table in Glue")):
        result = checked(program, run, server, **changes)
        assert result.status == USAGE and words in result.stderr
        assert result.stderr.split(":")[1].isdigit()
