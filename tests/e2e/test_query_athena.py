"""SQL answered by Athena: moto's canned answers, and a scripted Athena for what goes wrong."""

import csv
import io
import json
import signal
import time

import pytest

from harness.aws_faults import json_answer, json_error
from harness.lakes import Lake
from harness.runner import FAILED, OK, USAGE
from harness.server import ScriptedServer

SQL = 'select s, b, d, t, "at", day from weather.t order by b'
TYPES = {"s": "varchar", "b": "bigint", "d": "double", "t": "boolean", "at": "timestamp", "day": "date"}
VALUES = [["x, \"y\"\nz", 1, 62.384, True, "2012-10-01T18:00:00Z", "2012-10-01"], ["", 2, 1012.0, False, "2012-10-01T18:00:00.25Z", "2012-10-02"],
          [None, 3, None, None, None, None], ["NULL", 4, -0.5, True, "2012-10-01T00:00:00Z", "2012-10-03"]]


def as_athena(value):
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value.endswith("Z") and "T" in value:
        return value[:-1].replace("T", " ") + (".000" if "." not in value else "0")
    return str(value)


def page(rows, types=TYPES, header=True, token=None):
    data = [[name for name in types]] * header + [[as_athena(v) for v in row] for row in rows]
    answer = {"UpdateCount": 0, "ResultSet": {
        "Rows": [{"Data": [{} if v is None else {"VarCharValue": v} for v in row]} for row in data],
        "ResultSetMetadata": {"ColumnInfo": [{"Name": name, "Label": name, "Type": kind} for name, kind in types.items()]}}}
    return {**answer, "NextToken": token} if token else answer


def execution(state, kind="DML", scanned=0, output=None, **status):
    return {"QueryExecution": {"QueryExecutionId": "e-1", "StatementType": kind, "Status": {"State": state, **status},
                               "Statistics": {"DataScannedInBytes": scanned}, "ResultConfiguration": {"OutputLocation": output} if output else {}}}


@pytest.fixture
def queue(aws):
    """moto's answer to the next question."""
    def queue(*pages):
        results = [{"rows": it["ResultSet"]["Rows"], "column_info": it["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]} for it in pages]
        aws._tell_moto("static/athena/query-results", json.dumps({"account_id": aws.account, "region": aws.region, "results": results}))
    return queue


@pytest.fixture
def ask(program, aws):
    def ask(*words, status=OK, env=None, **named):
        result = program.call("query", *words, "--athena", env={**aws.env, **(env or {})}, **named)
        assert result.status == status, result.stderr
        return result
    return ask


class Athena(ScriptedServer):
    """Every operation answers what it was told; its last answer again and again."""

    def say(self, operation, *steps):
        self.script("AmazonAthena." + operation, *steps)

    def bodies(self, operation):
        return [json.loads(request.body) for request in self.requests if request.operation == "AmazonAthena." + operation]


@pytest.fixture
def athena():
    with Athena() as it:
        it.say("StartQueryExecution", json_answer({"QueryExecutionId": "e-1"}))
        it.say("StopQueryExecution", json_answer({}))
        it.say("GetWorkGroup", json_answer({"WorkGroup": {"Configuration": {"ResultConfiguration": {"OutputLocation": "s3://answers/"}}}}))
        it.env = {"AWS_ENDPOINT_URL_ATHENA": it.url("")}
        yield it


# ---- one contract: the same SQL, the same rows ----


@pytest.mark.parametrize("form", ["csv", "json"])
def test_the_same_sql_gives_the_same_rows_as_duckdb(program, aws, queue, ask, form):
    lake = Lake(program.lake)
    lake.table("weather", "t", {"s": "string", "b": "bigint", "d": "double", "t": "boolean", "at": "timestamp", "day": "date"}, VALUES)
    here = program.call("query", SQL, "--to", lake.folder, "--format", form)
    assert here.status == OK, here.stderr
    aws.bucket("answers")
    queue(page(VALUES))
    there = ask(SQL, "--output", "s3://answers/q/", "--format", form)
    if form == "json":
        assert there.json() == here.json()
    else:
        assert list(csv.reader(io.StringIO(there.stdout))) == list(csv.reader(io.StringIO(here.stdout)))
        assert there.stdout == here.stdout
    assert "about" in there.stderr and "scanned" in there.stderr


def test_a_table_for_people_looks_like_duckdbs(program, aws, queue, ask):
    aws.bucket("answers")
    queue(page([["Dallas", 5], [None, 10]], {"city": "varchar", "n": "bigint"}))
    assert ask("select 1", "--output", "s3://answers/", "--format", "table").stdout == (
        "┌─────────┬────────┐\n│  city   │   n    │\n│ varchar │ bigint │\n├─────────┼────────┤\n│ Dallas  │      5 │\n"
        "│ NULL    │     10 │\n└─────────┴────────┘\n")


# ---- what is sent ----


def test_the_question_is_sent_with_database_workgroup_place_and_a_token_of_its_own(program, server, athena, ask):
    athena.say("GetQueryExecution", json_answer(execution("SUCCEEDED", scanned=25 << 20)))
    athena.say("GetQueryResults", json_answer(page([], {"n": "bigint"})))
    file = program.pipeline(server.url())
    for _ in range(2):
        result = ask("select n from weather ;\n", file, "--workgroup", "team", "--output", "s3://answers/x/", env=athena.env)
        assert result.stdout == "n\n" and "26.2 MB" in result.stderr and "0.00012 USD" in result.stderr
    first, second = athena.bodies("StartQueryExecution")
    token = first.pop("ClientRequestToken")
    assert 32 <= len(token) <= 128 and token != second["ClientRequestToken"]
    assert first == {"QueryString": "select n from weather", "QueryExecutionContext": {"Database": "weather", "Catalog": "AwsDataCatalog"},
                     "ResultConfiguration": {"OutputLocation": "s3://answers/x/"}, "WorkGroup": "team"}
    assert ask("select 1", "--quiet", "--output", "s3://answers/x/", env=athena.env).stderr == ""


def test_a_request_that_is_tried_again_has_the_same_token(athena, ask):
    athena.say("StartQueryExecution", json_error(400, "TooManyRequestsException"), json_error(500, "InternalServerException"),
               json_answer({"QueryExecutionId": "e-1"}))
    athena.say("GetQueryExecution", json_answer(execution("SUCCEEDED")))
    athena.say("GetQueryResults", json_answer(page([], {"n": "bigint"})))
    ask("select 1", env=athena.env, timeout=60)
    tokens = [body["ClientRequestToken"] for body in athena.bodies("StartQueryExecution")]
    assert len(tokens) == 3 and len(set(tokens)) == 1


def test_a_place_for_answers_is_demanded_unless_the_workgroup_has_one(athena, ask):
    athena.say("GetQueryExecution", json_answer(execution("SUCCEEDED")))
    athena.say("GetQueryResults", json_answer(page([[1]], {"n": "bigint"})))
    ask("select 1", env=athena.env)
    assert "ResultConfiguration" not in athena.bodies("StartQueryExecution")[0]
    for settings, status in (({}, USAGE), ({"ManagedQueryResultsConfiguration": {"Enabled": True}}, OK)):
        athena.say("GetWorkGroup", json_answer({"WorkGroup": {"Configuration": settings}}))
        result = ask("select 1", status=status, env=athena.env)
        assert status == OK or "--output" in result.stderr
    athena.say("GetWorkGroup", json_error(400, "AccessDeniedException"))
    ask("select 1", env=athena.env)


# ---- waiting and rows ----


def test_it_waits_ever_longer_and_tells_what_it_costs(athena, ask):
    athena.say("GetQueryExecution", *[json_answer(execution(state)) for state in ["QUEUED", "RUNNING", "RUNNING", "SUCCEEDED"]])
    athena.say("GetQueryResults", json_answer(page([[1]], {"n": "bigint"})))
    result = ask("select 1", env=athena.env)
    assert 0.25 + 0.37 + 0.56 - 0.1 < result.seconds < 5 and len(athena.bodies("GetQueryExecution")) == 4
    assert result.stdout == "n\n1\n"


def test_the_first_row_is_left_out_only_where_it_repeats_the_names(athena, ask):
    one = {"n": "varchar"}
    athena.say("GetQueryExecution", json_answer(execution("SUCCEEDED")))
    athena.say("GetQueryResults", json_answer(page([["n"], ["a"]], one)))
    assert ask("select n", env=athena.env).stdout == "n\nn\na\n"
    athena.say("GetQueryExecution", json_answer(execution("SUCCEEDED", kind="DDL")))
    athena.say("GetQueryResults", json_answer(page([["n"], ["a"]], one, header=False)))
    assert ask("show tables", env=athena.env).stdout == "n\nn\na\n"
    athena.say("GetQueryExecution", json_answer(execution("SUCCEEDED")))
    athena.say("GetQueryResults", json_answer(page([["a"]], one, token="2")), json_answer(page([["n"], ["b"]], one, header=False)))
    assert ask("select n", env=athena.env).stdout == "n\na\nn\nb\n"
    assert athena.bodies("GetQueryResults")[-1]["NextToken"] == "2"


def csv_object(rows, types=TYPES):
    def field(value):
        return "" if value is None else '"' + value.replace('"', '""') + '"'
    return "".join(",".join(field(it) for it in row) + "\n" for row in [list(types), *[[as_athena(v) for v in row] for row in rows]])


def test_a_long_answer_is_read_as_the_object_that_athena_wrote(aws, athena, ask):
    bucket = aws.bucket("answers")
    aws.client("s3").put_object(Bucket=bucket, Key="q 1/e-1.csv", Body=csv_object(VALUES).encode())
    athena.say("GetQueryExecution", json_answer(execution("SUCCEEDED", output="s3://answers/q 1/e-1.csv")))
    athena.say("GetQueryResults", json_answer(page(VALUES)))
    whole = ask(SQL, env=athena.env).stdout
    athena.say("GetQueryResults", json_answer(page(VALUES[:1], token="2")))
    before = len(athena.bodies("GetQueryResults"))
    assert ask(SQL, env=athena.env).stdout == whole
    assert len(athena.bodies("GetQueryResults")) == before + 1


def test_a_long_answer_comes_in_pieces_and_by_pages_where_the_object_may_not_be_read(aws, athena, ask):
    bucket, one = aws.bucket("answers"), {"s": "varchar"}
    rows = [[f"{k} " + "x" * 1000] for k in range(20000)]
    aws.client("s3").put_object(Bucket=bucket, Key="e-1.csv", Body=csv_object(rows, one).encode())
    athena.say("GetQueryExecution", json_answer(execution("SUCCEEDED", output="s3://answers/e-1.csv")))
    athena.say("GetQueryResults", json_answer(page(rows[:2], one, token="2")))
    assert ask("select s", env=athena.env).stdout == "s\n" + "".join(row[0] + "\n" for row in rows)
    athena.say("GetQueryExecution", json_answer(execution("SUCCEEDED", output="s3://answers/gone.csv")))
    athena.say("GetQueryResults", json_answer(page(rows[:2], one, token="2")), json_answer(page(rows[2:3], one, header=False)))
    assert len(ask("select s", env=athena.env).stdout.splitlines()) == 4


# ---- what goes wrong ----


def test_athenas_reason_is_told(athena, ask):
    reason = "line 1:8: Column 'cty' cannot be resolved"
    athena.say("GetQueryExecution", json_answer(execution("FAILED", StateChangeReason=reason, AthenaError={"ErrorCategory": 2, "ErrorMessage": reason})))
    result = ask("select cty", status=FAILED, env=athena.env)
    assert reason in result.stderr and "e-1" in result.stderr and athena.bodies("StopQueryExecution") == []
    athena.say("GetQueryExecution", json_answer(execution("CANCELLED", StateChangeReason="Query exhausted resources")))
    assert "exhausted" in ask("select 1", status=FAILED, env=athena.env).stderr
    athena.say("StartQueryExecution", json_error(400, "InvalidRequestException", "Queries of this type are not supported"))
    result = ask("select 1", status=FAILED, env=athena.env)
    assert "not supported" in result.stderr and "TESTREQUEST" in result.stderr


def test_ctrl_c_stops_the_question_at_athena_too(program, aws, athena):
    athena.say("GetQueryExecution", json_answer(execution("RUNNING")))
    running = program.start("query", "select 1", "--athena", env={**aws.env, **athena.env})
    until = time.monotonic() + 10
    while not athena.bodies("GetQueryExecution") and time.monotonic() < until:
        time.sleep(0.02)
    running.signal(signal.SIGINT)
    assert running.finish().status == -signal.SIGINT
    assert athena.bodies("StopQueryExecution") == [{"QueryExecutionId": "e-1"}]


def test_ctrl_c_while_athena_takes_the_question_stops_it_too(program, aws, athena):
    athena.say("StartQueryExecution", json_answer({"QueryExecutionId": "e-1"}, delay=1))
    running = program.start("query", "select 1", "--athena", env={**aws.env, **athena.env})
    until = time.monotonic() + 10
    while not athena.bodies("StartQueryExecution") and time.monotonic() < until:
        time.sleep(0.02)
    running.signal(signal.SIGINT)
    assert running.finish().status == -signal.SIGINT
    assert len({body["ClientRequestToken"] for body in athena.bodies("StartQueryExecution")}) == 1
    assert athena.bodies("StopQueryExecution") == [{"QueryExecutionId": "e-1"}]


def test_a_question_that_cannot_be_watched_any_more_is_stopped(athena, ask):
    athena.say("GetQueryExecution", json_error(400, "AccessDeniedException", "no"))
    ask("select 1", status=FAILED, env=athena.env)
    assert athena.bodies("StopQueryExecution") == [{"QueryExecutionId": "e-1"}]


def test_options_that_do_not_go_together_are_refused(program, ask):
    assert program.call("query", "select 1", "--output", "s3://x/").status == USAGE
    ask("--output", "s3://x/", status=USAGE)
    ask("select 1", "--where", "dt=1", status=USAGE)
    ask("select 1", "--output", "/tmp", status=USAGE)
