"""SQL over a lake on this machine, answered by DuckDB's shell."""

import csv
import io
import json
import os
import re
import select
import shutil
import signal
import subprocess
import termios
import time

import duckdb
import pytest

from harness import hiding
from harness.lakes import Lake
from harness.runner import FAILED, OK, ROOT, USAGE, is_sanitized

ALL_TYPES = {"s": "string", "b": "bigint", "d": "double", "t": "boolean", "at": "timestamp", "day": "date"}


@pytest.fixture
def lake(program):
    return Lake(program.lake)


@pytest.fixture
def ask(program, lake):
    def ask(sql, *options, status=OK, **named):
        result = program.call("query", sql, *options, "--to", lake.folder, **named)
        assert result.status == status, result.stderr
        return result
    return ask


def rows(result):
    return list(csv.reader(io.StringIO(result.stdout)))[1:]


# ---- values ----


def test_columns_have_the_types_that_are_declared_whatever_the_files_look_like(lake, ask):
    lake.table("db", "t", ALL_TYPES, [["007", 5, 1.0, True, "2012-10-01T18:00:00.25Z", "2012-10-01"]])
    assert ask("select typeof(columns(*)) from t", "--format", "json").json()[0] == {
        "s": "VARCHAR", "b": "BIGINT", "d": "DOUBLE", "t": "BOOLEAN", "at": "TIMESTAMP", "day": "DATE"}
    assert rows(ask("select * from t")) == [["007", "5", "1.0", "true", "2012-10-01 18:00:00.25", "2012-10-01"]]


def test_null_and_the_empty_text_stay_apart_in_sql_and_in_every_form(lake, ask):
    lake.table("db", "t", {"k": "bigint", "s": "string"}, [[1, ""], [2, None], [3, "NULL"], [4, "x"]])
    assert rows(ask("select k from t where s is null")) == [["2"]]
    assert rows(ask("select k from t where s = ''")) == [["1"]]
    assert ask("from t order by k").stdout == 'k,s\n1,""\n2,\n3,NULL\n4,x\n'
    assert ask("select s from t where k < 3 order by k").stdout == 's\n""\n\n'
    assert [row["s"] for row in ask("from t order by k", "--format", "json").json()] == ["", None, "NULL", "x"]


TEXTS = ['a "quoted" one', "comma, comma", "two\nlines", " spaces ", "ärger 東京 😀", "'", "back\\slash", "\t", '""', "\r\n", ","]


def test_texts_come_back_as_they_were_written(lake, ask):
    lake.table("db", "t", {"k": "bigint", "s": "string"}, [[k, text] for k, text in enumerate(TEXTS)])
    result = ask("from t order by k")
    assert [row[1] for row in csv.reader(io.StringIO(result.stdout, newline=""))][1:] == TEXTS
    assert [row["s"] for row in ask("from t order by k", "--format", "json").json()] == TEXTS


def test_json_is_valid_for_every_value(ask, lake):
    lake.table("db", "t", ALL_TYPES)
    sql = """select 'nan'::double a, 'inf'::double b, '-inf'::double c, [1, 'nan'::double] d, chr(1) || '"\\é😀' e, null f,
             1e300 g, -0.5 h, {'x': 'nan', 'y': -1e-7} i, 'NaN [1' j, true k"""
    it = ask(sql, "--format", "json").json()[0]
    assert it == {"a": None, "b": None, "c": None, "d": [1, None], "e": "\x01\"\\é😀", "f": None, "g": 1e300, "h": it["h"],
                  "i": {"x": "nan", "y": it["i"]["y"]}, "j": "NaN [1", "k": True}
    assert ask("select 1 where false", "--format", "json").json() == []


def test_a_table_for_people_is_drawn_with_its_types(lake, ask):
    lake.table("db", "t", {"city": "string", "n": "bigint"}, [["Dallas", 5]])
    assert ask("from t", "--format", "table").stdout == (
        "┌─────────┬───────┐\n│  city   │   n   │\n│ varchar │ int64 │\n├─────────┼───────┤\n│ Dallas  │     5 │\n"
        "└─────────┴───────┘\n")


# ---- names and places ----


ODD_NAMES = ["at", "order", "select", 'quo"te', "apo'strophe", "sp ace", "ünï", "a.b", "[x]", "%", "SELECT * FROM x; --"]


@pytest.mark.parametrize("question", ["", " ", "\n", ";", " ; "])
def test_an_empty_question_is_a_mistake_and_not_an_empty_answer(lake, ask, question):
    lake.table("db", "t", {"n": "bigint"}, [[1]])
    result = ask(question, status=USAGE)
    assert result.stdout == "" and "the question is empty" in result.stderr


def test_a_damaged_entry_of_a_table_is_named_and_what_to_do_with_it(lake, ask):
    lake.table("db", "t", {"n": "bigint"}, [[1]])
    (lake.folder / "_catalog" / "db" / "t.json").write_text('{"table": "t",')
    said = ask("select 1", status=FAILED).stderr
    assert "_catalog/db/t.json is not the entry of a table; run its pipeline again, or remove it: it is not JSON: line 1" in said


def test_every_name_of_a_column_is_one(lake, ask):
    lake.table("db", "t", {name: "bigint" for name in ODD_NAMES}, [list(range(len(ODD_NAMES)))])
    it = ask("from t", "--format", "json").json()
    assert it == [{name: k for k, name in enumerate(ODD_NAMES)}]


@pytest.mark.parametrize("name", ["sp ace", "apo'strophe", 'quo"te', "br[ack]et", "st*r", "wh?t", "back\\slash", "env=prod", "ünï", "a;b", "-x"])
def test_a_lake_may_lie_in_a_folder_of_any_name(program, name):
    lake = Lake(program.folder / name / "lake")
    lake.table("db", "t", {"n": "bigint"}, {"dt=1": [[1]], "dt=2": [[2]]}, partitions=["dt"])
    result = program.call("query", "select * from t order by n", "--to", lake.folder)
    assert result.stdout == "n,dt\n1,1\n2,2\n", result.stderr


def test_tables_are_reached_by_database_and_by_bare_name_where_that_is_unambiguous(lake, ask):
    for database, table, n in (("a", "one", 1), ("b", "two", 2), ("order", "select", 3)):
        lake.table(database, table, {"n": "bigint"}, [[n]])
    assert rows(ask('select * from one, b.two, "order"."select"')) == [["1", "2", "3"]]
    lake.table("c", "one", {"n": "bigint"}, [[4]], location="other")
    assert rows(ask("select * from a.one, c.one, two")) == [["1", "4", "2"]]
    result = ask("select * from one", status=FAILED)
    assert "a.one" in result.stderr and "c.one" in result.stderr


def test_partitions_are_texts_and_read_only_what_is_asked_for(lake, ask):
    lake.table("db", "t", {"n": "bigint"}, {"dt=2012-10-01/h=07": [[1]], "dt=2012-10-02/h=08": [[2]]}, partitions=["dt", "h"])
    assert rows(ask("select n, dt, h, typeof(dt), typeof(h) from t order by n")) == [
        ["1", "2012-10-01", "07", "VARCHAR", "VARCHAR"], ["2", "2012-10-02", "08", "VARCHAR", "VARCHAR"]]
    (lake.folder / "t/dt=2012-10-01/h=07/20121001T180000Z.csv").write_text("n\nno number\n")
    assert rows(ask("select n from t where dt = '2012-10-02'")) == [["2"]]
    assert "no number" in ask("select n from t", status=FAILED).stderr


def test_partition_values_are_read_as_they_were_meant(lake, ask):
    lake.table("db", "t", {"n": "bigint"}, {"c=a%2Fb%3D%25 ü": [[1]], "c=__HIVE_DEFAULT_PARTITION__": [[2]]}, partitions=["c"])
    assert rows(ask("select n, c from t order by n")) == [["1", "a/b=% ü"], ["2", ""]]
    assert rows(ask("select n from t where c is null")) == [["2"]]


def test_only_data_files_of_the_table_are_read(lake, ask):
    lake.table("db", "t", {"n": "bigint"}, {"dt=1": [[1]]}, partitions=["dt"])
    for name in ("_quarantine/t/dt=1/x.jsonl", "_runs/t/x.json", "t/dt=1/.x.csv.1.part", "t/dt=1/.hidden.csv", "t/dt=1/deeper/x.csv", "t/x.csv",
                 "t/dt=1/notes.txt", "t/other=1/x.csv"):
        path = lake.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("n\nbad\n")
    assert rows(ask("from t")) == [["1", "1"]]


def test_a_table_without_files_is_there_and_empty(lake, ask):
    lake.table("db", "t", ALL_TYPES, partitions=["dt"])
    lake.table("db", "u", {"n": "bigint"}, {"dt=1": []}, partitions=["dt"])
    assert rows(ask("from t")) == []
    assert rows(ask("select count(*), count(dt) from t")) == [["0", "0"]]
    assert rows(ask("select count(*) from u")) == [["0"]]


def test_a_table_may_be_one_file(lake, ask):
    lake.table("db", "t", {"n": "bigint", "s": "string"}, [[1, "x"]], location="weather data[1].csv")
    lake.file("weather data1.csv", "", ["n", "s"], [[9, "other"]])
    assert rows(ask("from t")) == [["1", "x"]]


def test_columns_that_came_later_are_null_in_older_files(lake, ask):
    lake.table("db", "t", {"n": "bigint", "s": "string", "later": "double"}, {"dt=2": [[2, "two\nlines", 2.5]]}, partitions=["dt"])
    lake.file("t", "dt=1", ["n", "s"], [[1, "one\nline"], [0, ""]])
    assert rows(ask("select n, s, later, later is null from t order by n")) == [
        ["0", "", "", "true"], ["1", "one\nline", "", "true"], ["2", "two\nlines", "2.5", "false"]]


def parquet(lake, partition, sql):
    path = lake.folder / "p" / partition / "20121001T180000Z.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    duckdb.sql(f"copy ({sql}) to '{path}' (format parquet)")
    return path


def test_parquet_is_read_with_the_types_that_are_declared_and_columns_that_came_later(lake, ask):
    lake.table("db", "p", {**ALL_TYPES, "later": "double", "never": "bigint"}, partitions=["dt"], format="parquet")
    first = "select '' s, 1::bigint b, 1.5::double d, true t, timestamptz '2012-10-01 18:00:00+00' at, date '2012-10-01' \"day\""
    parquet(lake, "dt=1", first.replace(" at,", ' "at",'))
    parquet(lake, "dt=2", "select 2.5::double later, null::varchar s, 2::bigint b, null::double d, false t, null::timestamptz \"at\", null::date \"day\"")
    assert ask("from p order by b", "--format", "json").json() == [
        {"s": "", "b": 1, "d": 1.5, "t": True, "at": "2012-10-01 18:00:00", "day": "2012-10-01", "later": None, "never": None, "dt": "1"},
        {"s": None, "b": 2, "d": None, "t": False, "at": None, "day": None, "later": 2.5, "never": None, "dt": "2"}]
    assert set(ask("select typeof(columns(*)) from p limit 1", "--format", "json").json()[0].values()) == {
        "VARCHAR", "BIGINT", "DOUBLE", "BOOLEAN", "TIMESTAMP", "DATE"}
    assert "Scanning Files: 1/2" in ask("explain select b from p where dt = '2'").stdout


def test_a_table_that_cannot_be_read_harms_no_other(lake, ask):
    lake.table("db", "p", {"n": "bigint"}, partitions=["dt"], format="parquet")
    lake.table("db", "t", {"n": "bigint"}, [[1]])
    parquet(lake, "dt=1", "select 1::bigint n").write_bytes(b"no parquet")
    assert rows(ask("from t")) == [["1"]]
    assert "p/dt=1/20121001T180000Z.parquet" in ask("from p", status=FAILED).stderr
    parquet(lake, "dt=1", "select 'x' n")
    assert "'x'" in ask("from p", status=FAILED).stderr


def test_units_and_descriptions_are_comments(lake, ask):
    it = {"t": {"type": "double", "unit": "fahrenheit", "description": "Air's temperature"}, "u": {"type": "double", "unit": "%"},
          "v": {"type": "double"}}
    lake.table("db", "w", it, description="The weather")
    assert rows(ask("select column_name, comment from duckdb_columns() where table_name = 'w'")) == [
        ["t", "Air's temperature (fahrenheit)"], ["u", "%"], ["v", ""]]
    assert rows(ask("select comment from duckdb_views() where view_name = 'w'")) == [["The weather"]]


# ---- partitions that are asked for ----


def test_where_looks_only_at_these_partitions(program, lake, ask):
    lake.table("db", "t", {"n": "bigint"}, {f"dt={dt}/c={c}": [[n]] for n, (dt, c) in enumerate([("1", "a%2Fb"), ("1", "x"), ("2", "x")])},
               partitions=["dt", "c"])
    lake.table("db", "plain", {"n": "bigint"}, [[7]])
    assert rows(ask("from t order by n", "--where", "dt=1")) == [["0", "1", "a/b"], ["1", "1", "x"]]
    assert rows(ask("select n from t", "--where", "c=a/b")) == [["0"]]
    assert rows(ask("select n from t order by n", "--where", "c=x*", "--where", "dt=2")) == [["2"]]
    assert rows(ask("select count(*) from t", "--where", "dt=3")) == [["0"]]
    assert rows(ask("from plain", "--where", "dt=3")) == [["7"]]
    assert ask("from t", "--where", "dt", status=USAGE).stderr.count("dt=2012-10-01") == 1


# ---- without SQL ----


def test_without_sql_the_tables_are_listed(program, server):
    columns = {"city": {"value": "{city}", "type": "string", "description": "Where"},
               "temperature": {"from": "main.temp", "type": "double", "unit": "celsius -> fahrenheit", "nullable": True}}
    path = program.pipeline(server.url(), columns=columns, quality=None)
    for slot in ("2012-10-01T18:00:00Z", "2012-10-02T18:00:00Z"):
        assert program.run(path, slot=slot).status == OK
    result = program.call("query", "--to", program.lake, env={"LC_ALL": "C.UTF-8"})
    assert result.stdout == ("weather.weather · 10 rows · newest slot 2012-10-02 18:00Z · csv by dt\nCurrent weather in five cities\n"
                             "column       type    nullable  unit        meaning\ncity         string                        Where\n"
                             "temperature  double  nullable  fahrenheit\ndt           string                        partition\n")
    it = program.call("query", "--to", program.lake, "--format", "json").json()
    assert it == [{"database": "weather", "table": "weather", "description": "Current weather in five cities", "format": "csv", "rows": 10,
                   "newest_slot": "2012-10-02T18:00:00Z", "partitions": ["dt"], "columns": [
                       {"name": "city", "type": "string", "nullable": False, "unit": None, "description": "Where"},
                       {"name": "temperature", "type": "double", "nullable": True, "unit": "fahrenheit", "description": None}]}]
    assert program.call("query", "--to", program.lake, "--format", "csv").status == USAGE


def test_a_table_that_is_one_file_is_listed_with_its_newest_slot(program, server):
    assert program.run(program.pipeline(server.url(), sink={"to": str(program.lake / "w.csv"), "partition": None})).status == OK
    assert program.call("query", "--to", program.lake, "--format", "json").json()[0]["newest_slot"] == "2012-10-01T18:00:00Z"


ANSWERS = {b"\x1b]11;?\x07": b"\x1b]11;rgb:0000/0000/0000\x07", b"\x1b[c": b"\x1b[?62c", b"\x1b[6n": b"\x1b[1;1R"}


def on_a_terminal(program, words, typed):
    """Types line by line, answers what is asked of a terminal; returns status and what appeared, without colours."""
    leader, follower = os.openpty()
    termios.tcsetwinsize(follower, (40, 120))
    process = subprocess.Popen([program.path, *map(str, words)], stdin=follower, stdout=follower, stderr=follower, start_new_session=True,
                               env=program.environment({"TERM": "xterm"}))
    os.close(follower)
    seen, lines, until = b"", list(typed), time.monotonic() + 30
    try:
        while time.monotonic() < until:
            if select.select([leader], [], [], 0.5)[0]:
                block = os.read(leader, 4096)
                seen += block
                for asked, answer in ANSWERS.items():
                    os.write(leader, answer * block.count(asked))
            elif lines and b"Enter" in seen:  # quiet: it waits for us
                os.write(leader, lines.pop(0).encode())
    except OSError:  # it has ended
        pass
    os.close(leader)
    if process.poll() is None and time.monotonic() > until:
        process.kill()
    return process.wait(20), re.sub(r"\x1b(\[[0-9;?]*[A-Za-z]|\][^\x07]*\x07)", "", seen.decode("utf-8", "replace"))


def test_without_sql_on_a_terminal_it_is_the_interactive_shell_locked_all_the_same(program, lake):
    lake.table("db", "t", {"city": "string"}, [["Dallas"]])
    marker = program.folder / "marker"
    status, seen = on_a_terminal(program, ["query", "--to", lake.folder],
                                 ["from t;\r", "nonsense;\r", f".shell touch {marker}\r", "from read_csv('/etc/passwd');\r", "select 6*7 n;\r", "\x04"])
    assert status == FAILED and "Dallas" in seen and "42" in seen and "syntax error" in seen, seen  # something failed
    assert not marker.exists() and "root:" not in seen
    assert (program.folder / "home/.local/state/lambda-pipeline/.duckdb_history").read_text().startswith("from t;")


def test_on_a_terminal_the_answer_is_a_table(program, lake):
    lake.table("db", "t", {"city": "string"}, [["Dallas"]])
    status, seen = on_a_terminal(program, ["query", "from t", "--to", lake.folder], [])
    assert status == OK and "│ Dallas" in seen


# ---- which lake ----


def test_pipeline_files_give_the_lake_and_their_tables_before_their_first_run(program, server):
    path = program.pipeline(server.url())
    program.lake.mkdir()
    assert program.call("query", path, "select count(*) from weather").stdout == "count_star()\n0\n"
    assert program.run(path).status == OK
    result = program.call("query", "select count(*), max(dt) from weather.weather", path)
    assert rows(result) == [["5", "2012-10-01"]], result.stderr
    assert program.call("query", "select count(*) from weather", cwd=program.folder).stdout == "count_star()\n5\n"


def test_one_question_asks_one_lake(program, server):
    a = program.pipeline(server.url(), name="a")
    b = program.pipeline(server.url(), name="b", sink={"to": str(program.folder / "elsewhere")})
    result = program.call("query", "select 1", a, b)
    assert result.status == USAGE and "elsewhere" in result.stderr


def test_what_is_not_there_is_told_with_a_remedy(program, lake):
    result = program.call("query", "select 1", cwd=program.folder / "home")
    assert result.status == USAGE and "--to" in result.stderr
    for place in (program.folder / "nowhere", program.folder / "home"):
        result = program.call("query", "select 1", "--to", place)
        assert result.status == FAILED and str(place) in result.stderr and "run a pipeline" in result.stderr
    assert program.call("query", "select 1", "select 2", "--to", lake.folder).status == USAGE
    assert program.call("query", "select 1", "--format", "xml").status == USAGE


def test_a_damaged_entry_is_named(lake, ask):
    lake.table("db", "t", {"n": "bigint"})
    path = lake.folder / "_catalog" / "db" / "u.json"
    for text in ("{", "[]", "{}", '{"database": "db", "table": "u", "format": "csv", "location": "../x", "columns": [], "partitions": []}'):
        path.write_text(text)
        assert "_catalog/db/u.json" in ask("select 1", status=FAILED).stderr


# ---- errors ----


def test_faults_in_sql_have_a_caret_and_status_1(lake, ask):
    lake.table("weather", "weather", {"city": "string"}, [["Dallas"]])
    result = ask("select city\nfrom weather\nwhere cty = 'x'", status=FAILED)
    assert "LINE 3: where cty = 'x'\n              ^" in result.stderr and "city" in result.stderr
    result = ask("select * from wether", status=FAILED)
    assert 'Did you mean "weather"' in result.stderr
    assert "3\n" not in ask("select 1; selec 2; select 3", status=FAILED).stdout


def test_a_value_that_is_none_of_its_type_names_file_and_line(lake, ask):
    lake.table("db", "t", {"n": {"type": "bigint", "nullable": False}}, {"dt=1": [[1], [2]]}, partitions=["dt"])
    (lake.folder / "t/dt=1/20121001T180000Z.csv").write_text("n\n1\nx\n")
    said = ask("select sum(n) from t", status=FAILED).stderr
    assert "t/dt=1/20121001T180000Z.csv" in said and "Line: 3" in said


# ---- the lock ----


def test_sql_reaches_nothing_but_the_lake(program, lake, ask):
    lake.table("db", "t", {"n": "bigint"}, [[1]])
    outside = program.folder / "outside.csv"
    outside.write_text("n\n1\n")
    (lake.folder / "link.csv").symlink_to(outside)
    for sql in (f"from read_csv('{outside}')", f"copy t to '{outside}'", "from read_csv('../outside.csv')", "from read_text('link.csv')",
                f"attach '{program.folder}/x.db'", "install httpfs", "load httpfs", "set threads=1", "set enable_external_access=true",
                "reset lock_configuration", "from read_csv('http://127.0.0.1:9/x.csv')", "from glob('/etc/*')", "from read_text('/proc/self/environ')",
                "from read_text('/proc/self/fd/3')", "from read_text('/proc/self/fd/4')", "pragma enable_profiling",
                f".shell touch {outside}.2", f".system touch {outside}.2", f".output {outside}.2", f".once {outside}.2", f".read {outside}",
                f".open {outside}.2", f".import {outside} x", f".log {outside}.2", ".cd /"):
        result = program.call("query", sql, "--to", lake.folder)
        assert not (program.folder / "outside.csv.2").exists(), sql
        assert outside.read_text() == "n\n1\n", sql
        if sql not in ("from glob('/etc/*')", "pragma enable_profiling", ".cd /"):
            assert result.status == FAILED, sql + result.stdout
        else:
            assert "passwd" not in result.stdout
    assert not list(program.folder.glob("x.db*"))


def test_the_users_own_settings_are_not_read(program, lake, ask):
    lake.table("db", "t", {"n": "bigint"}, [[1]])
    (program.folder / "home" / ".duckdbrc").write_text("nonsense;\n")
    assert ask("from t").stdout == "n\n1\n"


# ---- the child ----


def test_ten_million_rows_piped_to_head_end_at_once_with_little_memory(program, lake):
    lake.table("db", "t", {"n": "bigint"}, [[1]])
    for form in ("csv", "json"):
        started = time.monotonic()
        command = f"'{program.path}' query \"select i, 'text' || i s from range(10000000) r(i)\" --to '{lake.folder}' --format {form} | head -n 3; echo ${{PIPESTATUS[0]}}"
        done = subprocess.run(["bash", "-c", command], env=program.environment(), capture_output=True, text=True, timeout=60)
        assert done.stdout.splitlines()[-1] == "0" and len(done.stdout.splitlines()) == 4, done.stdout + done.stderr
        assert done.stderr == ""
        assert time.monotonic() - started < (30 if is_sanitized() else 5)


@pytest.mark.parametrize("form", ["csv", "json", "table"])
def test_an_answer_that_cannot_be_written_fails(program, lake, form):
    lake.table("db", "t", {"n": "bigint"}, [[1]])
    command = f"'{program.path}' query 'from range(100000)' --to 'file://{lake.folder}' --format {form} > /dev/full"
    done = subprocess.run(["bash", "-c", command], env=program.environment(), capture_output=True, text=True, timeout=60)
    assert done.returncode == FAILED and "standard output" in done.stderr


def children_of(pid):
    path = f"/proc/{pid}/task/{pid}/children"
    return [int(it) for it in open(path).read().split()]


def wait_for_child(running):
    until = time.monotonic() + 10
    while time.monotonic() < until:
        if it := children_of(running.pid):
            return it[0]
        time.sleep(0.01)
    raise AssertionError("no child")


def is_gone(pid):
    until = time.monotonic() + 10
    while time.monotonic() < until:
        if not os.path.exists(f"/proc/{pid}"):
            return True
        time.sleep(0.01)
    return False


LONG = "select count(*) from range(100000000) a, range(100000) b where a.range * b.range % 7 = 3"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_ends_the_shell_too_and_leaves_no_files(program, lake, number):
    lake.table("db", "t", {"n": "bigint"}, [[1]])
    running = program.start("query", LONG, "--to", lake.folder)
    child = wait_for_child(running)
    time.sleep(0.3)
    running.signal(number)
    result = running.finish()
    assert result.status == -number
    assert is_gone(child)
    if number != signal.SIGKILL:
        assert not list((program.folder / "tmp").iterdir())


def test_nothing_is_left_behind(program, lake, ask):
    lake.table("db", "t", {"n": "bigint"}, [[1]])
    before = program.tree()
    ask("select * from t")
    ask("nonsense", status=FAILED)
    assert program.tree() == before
    assert not list((program.folder / "tmp").iterdir())


def test_neither_the_list_of_processes_nor_the_shells_environment_shows_sql_or_secrets(program, lake):
    lake.table("db", "t", {"n": "bigint"}, [[1]])
    running = program.start("query", LONG, "--to", lake.folder)
    child = wait_for_child(running)
    time.sleep(0.2)
    words = open(f"/proc/{child}/cmdline", "rb").read()
    environment = open(f"/proc/{child}/environ", "rb").read()
    running.signal(signal.SIGTERM)
    running.finish()
    assert b"HOME=" in environment and not hiding.found_in(environment) and b"OPENWEATHER" not in environment
    assert b"duckdb" in words and b"range" not in words and b"CREATE" not in words


# ---- the shell itself ----


@pytest.fixture
def alone(program):
    """The program where no shell lies beside it."""
    folder = program.folder / "alone" / "bin"
    folder.mkdir(parents=True)
    shutil.copy2(program.path, folder)
    return folder


def run_alone(program, alone, path, *words):
    return subprocess.run([alone / "lambda-pipeline", "query", *words], env=program.environment({"PATH": path}), capture_output=True, text=True,
                          timeout=60)


def test_the_shell_is_found_where_it_is_installed_or_on_path_else_the_remedy_is_told(program, lake, alone):
    lake.table("db", "t", {"n": "bigint"}, [[1]])
    words = ["from t", "--to", str(lake.folder)]
    shell = ROOT / "build" / "deps" / "duckdb" / "duckdb"
    done = run_alone(program, alone, "/usr/bin:/bin", *words)
    assert done.returncode == FAILED and "scripts/deps" in done.stderr and "1.2" in done.stderr
    on_path = program.folder / "on path"
    on_path.mkdir()
    (on_path / "duckdb").symlink_to(shell)
    assert run_alone(program, alone, f"/usr/bin:{on_path}", *words).stdout == "n\n1\n"
    (on_path / "duckdb").unlink()
    (on_path / "duckdb").write_text("#!/bin/sh\necho v1.1.3 19864453f7\n")
    (on_path / "duckdb").chmod(0o755)
    done = run_alone(program, alone, f"/usr/bin:/bin:{on_path}", *words)
    assert done.returncode == FAILED and "v1.1.3" in done.stderr and "1.2" in done.stderr
    libexec = alone.parent / "libexec" / "lambda-pipeline"
    libexec.mkdir(parents=True)
    (libexec / "duckdb").symlink_to(shell)
    assert run_alone(program, alone, "/usr/bin:/bin", *words).stdout == "n\n1\n"


@pytest.mark.parametrize("says, quoted", [("exec sleep 300", '""'), ("exec sleep 300 >/dev/null", '""'), ("echo 'v1.1.3 19864453f7'", '"v1.1.3 19864453f7"'), ("yes v1.9", '""'),
                                          ("exit 3", '""')])
def test_what_is_called_duckdb_and_is_none_ends_soon_and_is_told_on_one_line(program, lake, alone, says, quoted):
    lake.table("db", "t", {"n": "bigint"}, [[1]])
    (program.folder / "duckdb").write_text(f"#!/bin/sh\n{says}\n")
    (program.folder / "duckdb").chmod(0o755)
    done = run_alone(program, alone, f"/usr/bin:/bin:{program.folder}", "from t", "--to", str(lake.folder))
    assert done.returncode == FAILED and done.stdout == "" and len(done.stderr.splitlines()) == 1
    assert "is not DuckDB 1.2 or newer" in done.stderr and quoted in done.stderr and "scripts/deps" in done.stderr


def stubborn(program, does):
    """A shell that will not end by itself, nor on a signal that can be ignored."""
    (program.folder / "duckdb").write_text("#!/bin/sh\ncase $* in *version*) echo v1.5.0; exit;; esac\n"
                                           f"trap '' INT TERM PIPE\n{does}\nwhile :; do /bin/sleep 1; done\n")
    (program.folder / "duckdb").chmod(0o755)
    return program.environment({"PATH": str(program.folder)})


def test_a_shell_that_will_not_end_is_ended_when_nobody_reads_its_answer_any_more(program, lake, alone):
    lake.table("db", "t", {"n": "bigint"}, [[1]])
    env = stubborn(program, "echo begun\n/bin/sleep 0.5\necho more")
    with subprocess.Popen([alone / "lambda-pipeline", "query", "from t", "--to", lake.folder], stdout=subprocess.PIPE, env=env) as running:
        try:
            assert running.stdout.readline() == b"begun\n"
            running.stdout.close()
            assert running.wait(20) == OK
        finally:
            running.kill()


def test_a_shell_that_says_no_more_and_will_not_end_hears_of_a_signal_and_is_ended(program, lake, alone):
    lake.table("db", "t", {"n": "bigint"}, [[1]])
    env = stubborn(program, "echo begun\nexec >/dev/null")
    with subprocess.Popen([alone / "lambda-pipeline", "query", "from t", "--to", lake.folder], stdout=subprocess.PIPE, env=env) as running:
        try:
            assert running.stdout.readline() == b"begun\n"
            time.sleep(0.5)
            running.terminate()
            assert running.wait(20) == -signal.SIGTERM
        finally:
            running.kill()


def test_a_shell_that_will_not_end_on_a_signal_is_ended(program, lake, alone):
    lake.table("db", "t", {"n": "bigint"}, [[1]])
    (program.folder / "duckdb").write_text("#!/bin/sh\ncase $* in *version*) echo v1.5.0; exit;; esac\n"
                                           "trap '' INT TERM\necho begun\nwhile :; do /bin/sleep 1; done\n")
    (program.folder / "duckdb").chmod(0o755)
    running = subprocess.Popen([alone / "lambda-pipeline", "query", "from t", "--to", lake.folder], stdout=subprocess.PIPE,
                               env=program.environment({"PATH": str(program.folder)}))
    try:
        assert running.stdout.readline() == b"begun\n"
        running.terminate()
        assert running.wait(20) == -signal.SIGTERM
    finally:
        running.kill()
        running.stdout.close()
