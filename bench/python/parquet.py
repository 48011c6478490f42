"""Rows to Parquet on one thread, zstd at level 3; and what says whether a file holds them.

    parquet.py duckdb  ROWS OUT    a DuckDB table in memory, by COPY
    parquet.py pyarrow ROWS OUT    an Arrow table in memory, by pyarrow.parquet
    parquet.py check   ROWS FILE   ends with a fault unless FILE holds the rows

The writers print the seconds it took, without starting Python and making the rows.
"""
import sys
import time

import numpy
import pyarrow
import pyarrow.parquet

NAMES = ["city", "temperature", "pressure", "observed_at"]
CITIES = [f"City {i:02}" for i in range(50)]


def mix(i):
    z = (i + 1).astype(numpy.uint64) * 0x9E3779B97F4A7C15
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB
    return z ^ (z >> 31)


def table(count):
    i = numpy.arange(count)
    mixed = mix(i)
    city = pyarrow.DictionaryArray.from_arrays(((mixed >> 40) % 50).astype(numpy.int32), CITIES).cast(pyarrow.string())
    temperature, pressure = (mixed >> 20) % 14000 / 100 - 60, (mixed % 10000 + 95000).astype(numpy.int64)
    times = pyarrow.array((1350000000 + i) * 1000000).cast(pyarrow.timestamp("us", "UTC"))
    return pyarrow.table([city, pyarrow.array(temperature), pyarrow.array(pressure), times], names=NAMES)


def write_by_duckdb(count, out):
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET threads = 1; SET TimeZone = 'UTC'")
    rows = table(count)  # the query below names it
    connection.execute("CREATE TABLE t AS SELECT * FROM rows")
    del rows
    start = time.perf_counter()
    connection.execute(f"COPY t TO '{out}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 3)")
    return time.perf_counter() - start


def write_by_pyarrow(count, out):
    pyarrow.set_cpu_count(1)
    pyarrow.set_io_thread_count(1)
    rows = table(count)
    start = time.perf_counter()
    pyarrow.parquet.write_table(rows, out, compression="zstd", compression_level=3)
    return time.perf_counter() - start


def check(count, path):
    found, wanted = pyarrow.parquet.read_table(path), table(count)
    if found.column_names != NAMES or found.num_rows != wanted.num_rows:
        sys.exit(f"{found.num_rows} rows of {found.column_names}")
    for name in NAMES:
        if not found[name].equals(wanted[name]):
            sys.exit(f"{name} differs")


seconds = {"duckdb": write_by_duckdb, "pyarrow": write_by_pyarrow, "check": check}[sys.argv[1]](int(sys.argv[2]), sys.argv[3])
if seconds is not None:
    print(f"{seconds:.6f}")
