"""Rows to CSV on one thread; what makes them, and what says whether a file holds them.

    rows.py duckdb  ROWS OUT        a DuckDB table in memory, by COPY
    rows.py pyarrow ROWS OUT        an Arrow table in memory, by pyarrow.csv
    rows.py json FOLDER FILES ROWS  writes the replies: FILES files that hold ROWS rows together
    rows.py duckdb-json FOLDER FILES OUT   the same files, by read_json and COPY
    rows.py pandas-json FOLDER FILES OUT   the same files, by read_json and to_csv
    rows.py check ROWS FILE         ends with a fault unless FILE holds the rows

The writers print the seconds it took, without starting Python and making the rows.
"""
import sys
import time

WORDS = ["sky is clear", "few clouds", "broken clouds", "light rain, mist"]
NAMES = ["temperature", "humidity", "description", "observed_at"]


def celsius(i):
    return ((i * 7919) % 14000) / 100 - 60


def table(count):
    import numpy
    import pyarrow

    i = numpy.arange(count)
    words = pyarrow.DictionaryArray.from_arrays(pyarrow.array(i % len(WORDS), pyarrow.int32()), WORDS).cast(pyarrow.string())
    times = pyarrow.array((1350000000 + i) * 1000000).cast(pyarrow.timestamp("us", "UTC"))
    return pyarrow.table([pyarrow.array(celsius(i) * 9 / 5 + 32), pyarrow.array(i % 101), words, times], names=NAMES)


def one_thread():
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET threads = 1; SET TimeZone = 'UTC'")
    return connection


def duckdb_rows(count, out):
    connection = one_thread()
    rows = table(int(count))  # the query below names it
    connection.execute("CREATE TABLE t AS SELECT * REPLACE (observed_at::TIMESTAMP AS observed_at) FROM rows")
    del rows
    start = time.perf_counter()
    connection.execute(f"COPY t TO '{out}' (FORMAT csv, HEADER)")
    return time.perf_counter() - start


def pyarrow_rows(count, out):
    import pyarrow
    from pyarrow import csv

    pyarrow.set_cpu_count(1)
    pyarrow.set_io_thread_count(1)
    rows = table(int(count))
    start = time.perf_counter()
    csv.write_csv(rows, out)
    return time.perf_counter() - start


def write_json(folder, files, count):
    files, count = int(files), int(count)
    for n in range(files):
        rows = range(n * count // files, (n + 1) * count // files)
        with open(f"{folder}/{n}.json", "w") as file:
            file.write("[" + ",".join('{"temp":%r,"humidity":%d,"description":"%s","dt":%d}' % (
                round(celsius(i), 2), i % 101, WORDS[i % len(WORDS)], 1350000000 + i) for i in rows) + "]")


def duckdb_json(folder, files, out):
    connection = one_thread()
    names = [f"{folder}/{n}.json" for n in range(int(files))]
    start = time.perf_counter()
    connection.execute(
        "COPY (SELECT temp * 9 / 5 + 32 AS temperature, humidity, description, make_timestamp(dt * 1000000) AS observed_at "
        f"FROM read_json({names!r}, format = 'array', maximum_object_size = 33554432, "
        "columns = {temp: 'DOUBLE', humidity: 'BIGINT', description: 'VARCHAR', dt: 'BIGINT'})) "
        f"TO '{out}' (FORMAT csv, HEADER)")
    return time.perf_counter() - start


def pandas_json(folder, files, out):
    import pandas

    start = time.perf_counter()
    for n in range(int(files)):
        rows = pandas.read_json(f"{folder}/{n}.json", convert_dates=False)
        rows["temp"] = rows["temp"] * 9 / 5 + 32
        rows["dt"] = pandas.to_datetime(rows["dt"], unit="s")
        rows.columns = NAMES
        rows.to_csv(out, mode="a" if n else "w", header=not n, index=False)
    return time.perf_counter() - start


def check(count, path):
    import pyarrow.compute as compute
    from pyarrow import csv

    found, wanted = csv.read_csv(path), table(int(count))
    if found.column_names != NAMES or found.num_rows != wanted.num_rows:
        sys.exit(f"{found.num_rows} rows of {found.column_names}")
    for name in NAMES:
        a, b = found[name], wanted[name]
        if name == "observed_at":
            a, b = a.cast("timestamp[us]", safe=True), b.cast("timestamp[us]")
        same = compute.less(compute.abs(compute.subtract(a, b)), 1e-9) if name == "temperature" else compute.equal(a, b)
        if not compute.all(same).as_py():
            sys.exit(f"{name} differs")


WAYS = {"duckdb": duckdb_rows, "pyarrow": pyarrow_rows, "json": write_json, "duckdb-json": duckdb_json,
        "pandas-json": pandas_json, "check": check}
seconds = WAYS[sys.argv[1]](*sys.argv[2:])
if seconds is not None:
    print(f"{seconds:.6f}")
