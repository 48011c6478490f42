"""Parquet: what the program writes is read back equal, value by value, by readers that others wrote; and what goes wrong is
told, never left behind as a file that no reader can read.

Rows of every type come from tests/unit/parquet_file.c, whose formulas are said again here; runs of the whole program from
replies in a folder.
"""
import json
import math
import resource
import struct
import subprocess
from datetime import date, datetime, timedelta, timezone

import duckdb
import pandas
import polars
import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest

from harness.runner import FAILED, OK, ROOT, SLOT_NAME, USAGE, is_sanitized

MAKER = ROOT / "build" / "dev" / "unit" / "parquet_file"

FEW = ["", "a", "東京", "😀", "with, comma", "line\nbreak", ' "quoted" ']
SPECIAL = [math.nan, math.inf, -math.inf, -0.0, 0.0, 5e-324, 1.7976931348623157e308]
TYPES = {"text": arrow.string(), "whole": arrow.int64(), "real": arrow.float64(), "flag": arrow.bool_(),
         "instant": arrow.timestamp("us", "UTC"), "day": arrow.date32()}
VALUES = {
    "text": lambda i: FEW[i % 7] if i % 4 else f"row {i}" if i % 32 else f"row {i:0150} ü",
    "whole": lambda i: -2**63 if i % 11 == 0 else 2**63 - 1 if i % 11 == 1 else i * 7919 - 5000,
    "real": lambda i: SPECIAL[i % 13] if i % 13 < len(SPECIAL) else i / 8,
    "flag": lambda i: i % 3 == 0,
    "instant": lambda i: 1349114400000000 + i * 60000000 + i % 1000000 if i % 17 else -1,
    "day": lambda i: 15000 + i % 4000 if i % 17 else -719162,
}
SCHEMA = arrow.schema([arrow.field(name, type, nullable=False) for name, type in TYPES.items()]
                      + [arrow.field(f"{name}_or_null", type) for name, type in TYPES.items()]
                      + [arrow.field("no text", arrow.string()), arrow.field("no real", arrow.float64()),
                         arrow.field("counter", arrow.int64(), nullable=False)])


def column(name, k, count):
    base = name.removesuffix("_or_null")
    if base not in VALUES:
        return [None] * count if name.startswith("no ") else list(range(count))
    value, nullable = VALUES[base], base != name
    return [None if nullable and (i * 7 + k) % 5 == 0 else value(i) for i in range(count)]


def expected(count):
    return arrow.table([arrow.array(column(field.name, k, count), field.type) for k, field in enumerate(SCHEMA)], schema=SCHEMA)


def make(folder, count, batch=1024, shed=0):
    out = folder / f"{count}-{batch}-{shed}.parquet"
    done = subprocess.run([MAKER, str(count), str(batch), str(shed), out], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return out


def read_by_arrow(path):
    return parquet.read_table(path)


def read_by_duckdb(path):
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    return connection.execute(f"FROM '{path}'").to_arrow_table()


def read_by_polars(path):
    return polars.read_parquet(path).to_arrow()


def read_by_pandas(path):
    frame = pandas.read_parquet(path, dtype_backend="pyarrow")
    return arrow.table({name: frame[name].array.__arrow_array__() for name in frame.columns})


READERS = {"pyarrow": read_by_arrow, "DuckDB": read_by_duckdb, "Polars": read_by_polars, "pandas": read_by_pandas}


def bits(values):
    return [None if value is None else struct.pack("<d", value) for value in values.to_pylist()]


def assert_equal(found, wanted):
    assert found.column_names == wanted.column_names and found.num_rows == wanted.num_rows
    for name, type in zip(wanted.column_names, wanted.schema.types):
        values = found[name].cast(type)  # large_string, say; never one that loses anything
        if arrow.types.is_floating(type):
            assert bits(values) == bits(wanted[name]), name
        else:
            assert values.equals(wanted[name]), name


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("count", [0, 1, 2, 1023, 1024, 1025, 8191, 8192, 8193])
def test_every_value_of_every_type_is_read_back(tmp_path, count, reader):
    assert_equal(READERS[reader](make(tmp_path, count)), expected(count))


def test_every_value_of_a_million_rows_is_read_back(tmp_path):
    path, wanted = make(tmp_path, 1_000_000), expected(1_000_000)
    assert parquet.ParquetFile(path).num_row_groups > 3
    for read in READERS.values():
        assert_equal(read(path), wanted)


def test_row_groups_that_end_early_are_read_back(tmp_path):
    path, wanted = make(tmp_path, 20_000, batch=100, shed=3_000), expected(20_000)
    assert parquet.ParquetFile(path).num_row_groups == 7
    for read in READERS.values():
        assert_equal(read(path), wanted)


def test_columns_have_their_logical_types_and_nullability(tmp_path):
    file = parquet.ParquetFile(make(tmp_path, 10))
    assert file.schema_arrow.remove_metadata().equals(SCHEMA)
    kinds = {field.name: (field.physical_type, str(field.logical_type), field.max_definition_level)
             for field in map(file.schema.column, range(len(SCHEMA)))}
    micros = "Timestamp(isAdjustedToUTC=true, timeUnit=microseconds, is_from_converted_type=false, force_set_converted_type=false)"
    assert kinds["text"] == ("BYTE_ARRAY", "String", 0) and kinds["text_or_null"] == ("BYTE_ARRAY", "String", 1)
    assert kinds["instant"] == ("INT64", micros, 0) and kinds["day"] == ("INT32", "Date", 0)
    assert kinds["real"][0] == "DOUBLE" and kinds["flag"][0] == "BOOLEAN" and kinds["whole"][0] == "INT64"


def test_the_file_says_what_it_is(tmp_path):
    file = parquet.ParquetFile(make(tmp_path, 10)).metadata
    about = {key.decode(): value.decode() for key, value in file.metadata.items() if key != b"ARROW:schema"}
    assert about == {"pipeline": "all-types", "text.unit": "1", "text.description": "Some text — 東京", "real.unit": "fahrenheit"}
    assert {file.row_group(0).column(i).compression for i in range(file.num_columns)} == {"ZSTD"}
    assert file.created_by == "lambda-pipeline"


def test_statistics_tell_the_least_the_greatest_and_the_nulls(tmp_path):
    count = 5_000
    group, wanted = parquet.ParquetFile(make(tmp_path, count)).metadata.row_group(0), expected(count)
    for k, field in enumerate(SCHEMA):
        told, values = group.column(k).statistics, wanted[field.name].drop_null().to_pylist()
        assert told.null_count == count - len(values)
        assert told.has_min_max == bool(values)
        if field.name.startswith("real"):
            values = [value for value in values if value == value]  # NaN has no place in an order
        if values:
            assert (told.min, told.max) == (min(values), max(values)), field.name


def test_filters_on_statistics_find_every_row(tmp_path):
    path, wanted = make(tmp_path, 300_000), expected(300_000)
    assert parquet.read_table(path, filters=[("counter", ">=", 262_000)]).num_rows == 38_000
    texts = sum(text == "row 299996" for text in wanted["text"].to_pylist())
    assert texts == 1 and parquet.read_table(path, filters=[("text", "=", "row 299996")]).num_rows == 1
    connection = duckdb.connect()
    connection.execute("CREATE TABLE rows AS FROM wanted")  # Arrow's own filters have another idea of NaN
    for where in ("counter between 262100 and 262200", "text = 'row 299996'", "real_or_null > 37000.0", "day_or_null < '1900-01-01'"):
        told = connection.execute(f"SELECT count(*) FROM '{path}' WHERE {where}").fetchone()
        assert told == connection.execute(f"SELECT count(*) FROM rows WHERE {where}").fetchone() and told[0] > 0


def test_long_texts_are_read_back_and_cost_nothing_in_the_footer(program):
    texts = [f"{i} " + "é" * (700 + i) for i in range(60)]
    result = run(program, pipeline_of(program, [[{"t": text} for text in texts]], {"t": {"from": "t", "type": "string"}}))
    assert result.status == OK, result.stderr
    for read in READERS.values():
        assert read(data_file(program))["t"].to_pylist() == texts
    assert not parquet.ParquetFile(data_file(program)).metadata.row_group(0).column(0).is_stats_set


@pytest.mark.parametrize("batch", [1, 3, 777, 1000])
def test_bytes_do_not_depend_on_batches(tmp_path, batch):
    assert make(tmp_path, 30_000, batch).read_bytes() == make(tmp_path, 30_000).read_bytes()


# ---- the whole program ----

def pipeline_of(program, replies, columns, **sink):
    """One item per reply; a reply is a list of rows."""
    folder = program.folder / "replies"
    folder.mkdir()
    for n, rows in enumerate(replies):
        head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
        (folder / f"{n}.http").write_text(head + json.dumps({"list": rows}))
    return program.pipeline("https://api.example.com/x?n={n}", name="rows", description="Rows", columns=columns, quality={"min_rows": 0, "unique": None},
                            source={"query": None, "auth": None, "each": {"n": [str(n) for n in range(len(replies))]}, "rows": "list"},
                            sink={"format": "parquet", "partition": None, "catalog": {"database": "d", "table": "rows"}, **sink})


def run(program, file, *options, **named):
    return program.run(file, "--replay", "replies", *options, **named)


def data_file(program, name=f"rows/{SLOT_NAME}.parquet"):
    return program.lake / name


COLUMNS = {
    "s": {"from": "s", "type": "string", "nullable": True, "description": "A text"},
    "n": {"from": "n", "type": "bigint", "nullable": True},
    "x": {"from": "x", "type": "double", "nullable": True, "unit": "celsius -> fahrenheit"},
    "b": {"from": "b", "type": "boolean", "nullable": True},
    "t": {"from": "t", "type": "timestamp", "nullable": True},
    "d": {"from": "d", "type": "date", "nullable": True},
    "slot": {"value": "{slot}", "type": "timestamp"},
}
ROWS = [{"s": "", "n": 0, "x": 100, "b": False, "t": "1970-01-01T00:00:00Z", "d": "1970-01-01"},
        {"s": "Zürich", "n": 2**63 - 1, "x": -40, "b": True, "t": "2012-10-01T18:00:00.123456+02:00", "d": "0001-01-01"},
        {"s": None, "n": None, "x": None, "b": None, "t": None, "d": None}, {}]


def test_a_run_writes_the_rows_it_was_given(program):
    result = run(program, pipeline_of(program, [ROWS], COLUMNS), "--json")
    assert result.status == OK, result.stderr
    file = data_file(program)
    slot = datetime(2012, 10, 1, 18, tzinfo=timezone.utc)
    none = dict.fromkeys("snxbtd")
    wanted = [dict(s="", n=0, x=212.0, b=False, t=datetime(1970, 1, 1, tzinfo=timezone.utc), d=date(1970, 1, 1)),
              dict(s="Zürich", n=2**63 - 1, x=-40.0, b=True, t=slot - timedelta(hours=2) + timedelta(microseconds=123456), d=date(1, 1, 1)),
              none, none]
    for read in READERS.values():
        rows = read(file).to_pylist()
        assert [row.pop("x") for row in rows] == pytest.approx([row["x"] for row in wanted])
        assert rows == [{**{k: v for k, v in row.items() if k != "x"}, "slot": slot} for row in wanted]
    assert parquet.ParquetFile(file).metadata.metadata[b"x.unit"] == b"fahrenheit"
    told = result.json()["files"][0]
    assert told["rows"] == 4 and told["bytes"] == file.stat().st_size and told["url"].endswith(".parquet")
    assert json.loads((program.lake / "_catalog/d/rows.json").read_text())["format"] == "parquet"


def test_running_twice_gives_the_same_bytes(program):
    file = pipeline_of(program, [ROWS * 30, ROWS * 40], COLUMNS)
    assert run(program, file).status == OK
    first = data_file(program).read_bytes()
    assert run(program, file).status == OK
    assert data_file(program).read_bytes() == first


def test_one_file_may_be_the_table_and_says_its_format(program):
    file = pipeline_of(program, [ROWS], COLUMNS, format=None, to=str(program.lake / "out.parquet"))
    assert run(program, file).status == OK
    assert read_by_arrow(data_file(program, "out.parquet")).num_rows == 4


def test_the_address_of_the_command_line_may_say_the_format(program):
    file = pipeline_of(program, [ROWS], COLUMNS, format=None)
    assert run(program, file, "--to", program.lake / "x.parquet").status == OK
    assert read_by_arrow(data_file(program, "x.parquet")).num_rows == 4
    file.write_text(file.read_text().replace("  to:", "  format: csv\n  to:"))
    result = run(program, file, "--to", program.lake / "y.parquet")
    assert result.status == USAGE and "says another format" in result.stderr and not data_file(program, "y.parquet").exists()


def test_a_run_without_rows_leaves_a_file_that_can_be_read(program):
    file = pipeline_of(program, [[]], COLUMNS, format=None, to=str(program.lake / "none.parquet"))
    assert run(program, file).status == OK
    for read in READERS.values():
        found = read(data_file(program, "none.parquet"))
        assert found.num_rows == 0 and found.column_names == list(COLUMNS)


def test_rows_lie_in_the_files_of_their_partitions_many_at_a_time(program):
    """More partitions than may be open, more rows than are held: what is parked goes on, and memory is bounded."""
    parts, rounds = 200, 25
    rows = [[{"s": f"{n}-{i}" * 40, "n": i % parts} for i in range(parts * 4)] for n in range(rounds)]
    columns = {"s": {"from": "s", "type": "string"}, "n": {"from": "n", "type": "bigint"}}
    file = pipeline_of(program, rows, columns, partition={"part": "n"})
    result = run(program, file, timeout=60, limits={} if is_sanitized() else {resource.RLIMIT_AS: 200 << 20})
    assert result.status == OK, result.stderr
    files = sorted(program.lake.glob("rows/part=*/*.parquet"))
    assert len(files) == parts
    for path in files:
        part = int(path.parent.name.removeprefix("part="))
        wanted = [row for reply in rows for row in reply if row["n"] == part]
        assert parquet.ParquetFile(path).read().to_pylist() == wanted
    told = duckdb.sql(f"select count(*), count(distinct s) from '{program.lake}/rows/**/*.parquet'").fetchone()
    assert told == (rounds * parts * 4, rounds * parts * 4)


@pytest.mark.parametrize("missing", [1, 8, 1000, 20_000])
def test_a_full_disk_is_told_and_nothing_is_seen(program, missing):
    rows = [{"s": f"{i * 7919 % 10007} of {i * i}", "n": i * i % 9973} for i in range(20_000)]
    file = pipeline_of(program, [rows], {"s": COLUMNS["s"], "n": COLUMNS["n"]})
    assert run(program, file, "--to", "elsewhere").status == OK
    size = (program.folder / "elsewhere" / "rows" / f"{SLOT_NAME}.parquet").stat().st_size
    result = run(program, file, limits={resource.RLIMIT_FSIZE: size - missing})
    assert result.status == FAILED and "too large" in result.stderr, result.stderr
    assert not list(program.lake.rglob("*.parquet"))
    assert run(program, file).status == OK
    assert [row["n"] for row in read_by_arrow(data_file(program)).to_pylist()] == [row["n"] for row in rows]
