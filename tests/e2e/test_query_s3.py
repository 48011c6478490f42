"""SQL over a lake in S3: by DuckDB's own extension, and by fetching what is asked for."""

import csv
import io
import os
import re
import shutil
import subprocess
import threading

import pytest

from harness import hiding
from harness.lakes import Lake
from harness.runner import FAILED, OK, ROOT, USAGE


@pytest.fixture(params=["extension", "fetched"])
def way(request):
    return request.param


@pytest.fixture
def ask(program, aws, way):
    """ask(sql, place, …): the way without the extension runs a copy of the program beside a shell that has none."""
    executable = program.path
    if way == "fetched":
        folder = program.folder / "alone"
        folder.mkdir()
        shutil.copy2(program.path, folder)
        (folder / "duckdb").symlink_to(ROOT / "build/deps/duckdb/duckdb")
        executable = folder / "lambda-pipeline"

    def ask(sql, place, *options, status=OK, env=None):
        done = subprocess.run([executable, "query", sql, "--to", place, *options], env=program.environment({**aws.env, **(env or {})}),
                              cwd=program.folder, capture_output=True, text=True, timeout=60)
        assert done.returncode == status, done.stderr
        assert not hiding.found_in_any((done.stdout + done.stderr).encode())
        assert "Sanitizer" not in done.stderr
        return done
    return ask


def rows(done):
    return list(csv.reader(io.StringIO(done.stdout)))[1:]


def upload(aws, bucket, folder, prefix=""):
    s3 = aws.client("s3")
    for path in folder.rglob("*"):
        if path.is_file():
            s3.put_object(Bucket=bucket, Key=prefix + str(path.relative_to(folder)), Body=path.read_bytes())


@pytest.fixture
def bucket(aws, program):
    """db.t in two partitions, db.u empty."""
    lake = Lake(program.lake)
    lake.table("db", "t", {"n": "bigint", "s": "string"}, {"dt=2012-10-01": [[1, ""], [2, None]], "dt=2012-10-02": [[3, "x\ny"]]}, partitions=["dt"])
    lake.table("db", "u", {"n": "bigint"}, partitions=["dt"])
    (program.lake / "t/dt=2012-10-01/.hidden.csv").write_text("n,s\nbad,bad\n")
    name = aws.bucket()
    upload(aws, name, program.lake, "a b/")
    upload(aws, name, program.lake, "other/")
    aws.proxy.calls.clear()
    return name


def gets(aws, ending=".csv"):
    return sorted(call.key for call in aws.proxy.calls if call.operation == "GetObject" and call.key.endswith(ending))


def test_sql_answers_over_a_bucket(ask, aws, bucket):
    place = f"s3://{bucket}/a b"
    assert rows(ask("select n, s, s is null, dt from t order by n", place)) == [
        ["1", "", "false", "2012-10-01"], ["2", "", "true", "2012-10-01"], ["3", "x\ny", "false", "2012-10-02"]]
    assert rows(ask("select count(*) from db.u", place)) == [["0"]]
    assert 'Did you mean "t' in ask("from tt", place, status=FAILED).stderr
    assert "LINE 1" in ask("selec 1", place, status=FAILED).stderr


def test_only_partitions_that_are_asked_for_are_read(ask, aws, bucket, way):
    place = f"s3://{bucket}/a b/"
    words = ["select n from t"] if way == "fetched" else ["select n from t where dt = '2012-10-02'"]
    options = ["--where", "dt=2012-10-02"] if way == "fetched" else []
    assert rows(ask(*words, place, *options)) == [["3"]]
    assert {key for key in gets(aws)} == {"a b/t/dt=2012-10-02/20121001T180000Z.csv"}


def test_a_run_to_a_bucket_is_asked_as_the_run_to_a_directory(ask, program, server, aws):
    name = aws.bucket()
    for form in ("csv", "parquet"):
        sink = {"format": form, "catalog": {"database": "weather", "table": f"w_{form}"}}
        file = program.pipeline(server.url(), name=f"w_{form}", sink=sink)
        assert program.run(file).status == OK
        result = program.run(file, "--to", f"s3://{name}/lake", env=aws.env)
        assert result.status == OK, result.stderr
        sql = f"select * from w_{form} order by city"
        here = program.call("query", sql, "--to", program.lake)
        assert here.status == OK and len(here.stdout.splitlines()) == 6, here.stderr
        assert ask(sql, f"s3://{name}/lake").stdout == here.stdout


def test_other_places_stay_closed(ask, aws, bucket, way):
    place = f"s3://{bucket}/a b"
    ask(f"from read_csv('s3://{bucket}/other/t/*/*.csv')", place, status=FAILED)
    ask("from read_text('/etc/hostname')", place, status=FAILED)
    ask("from read_csv('http://127.0.0.1:9/x.csv')", place, status=FAILED)
    if way == "extension":  # ask() looks for the key in what it says
        assert "redacted" in ask("from duckdb_secrets()", place).stdout


def test_keys_with_a_token_are_used(ask, aws, bucket):
    keys = aws.temporary()
    assert rows(ask("select max(n) from t", f"s3://{bucket}/a b", env=aws.env_of(keys))) == [["3"]]


def test_what_s3_refuses_is_told(ask, aws, bucket):
    assert "no-such" in ask("from t", "s3://no-such", status=FAILED).stderr
    denied = aws.user([{"Effect": "Deny", "Action": "*", "Resource": "*"}])
    assert "AccessDenied" in ask("from t", f"s3://{bucket}/a b", status=FAILED, env=aws.env_of(denied)).stderr


@pytest.mark.parametrize("way", ["fetched"])
def test_what_a_server_without_etags_gave_is_fetched_anew(ask, aws, bucket, monkeypatch):
    whole = aws.proxy.carry_out

    def without_etags(exchange):
        answer = whole(exchange)
        if not isinstance(answer, tuple):
            return answer
        status, headers, body = answer
        body = re.sub(rb"<ETag>[^<]*</ETag>", b"", body)
        headers = [(name, str(len(body)) if name.lower() == "content-length" else value) for name, value in headers if name.lower() != "etag"]
        return status, headers, body

    monkeypatch.setattr(aws.proxy, "carry_out", without_etags)
    assert rows(ask("select sum(n) from t", f"s3://{bucket}/a b")) == [["6"]]
    file = next(it for it in aws.objects(bucket) if it.startswith("a b/t/dt=2012-10-02/") and it.endswith(".csv"))
    before = aws.client("s3").get_object(Bucket=bucket, Key=file)["Body"].read()
    after = before.replace(b"3", b"8")
    assert after != before and len(after) == len(before)
    aws.client("s3").put_object(Bucket=bucket, Key=file, Body=after)
    assert rows(ask("select sum(n) from t", f"s3://{bucket}/a b")) == [["11"]]


def test_a_table_that_is_one_file_costs_no_list_of_the_whole_bucket(ask, aws, program):
    lake = Lake(program.lake)
    lake.table("db", "one", {"n": "bigint"}, [[1], [2]], location="one.csv")
    name = aws.bucket()
    upload(aws, name, program.lake)
    for i in range(3):
        aws.client("s3").put_object(Bucket=name, Key=f"other/{i}.csv", Body=b"x")
    aws.proxy.calls.clear()
    assert rows(ask("select sum(n) from one", f"s3://{name}")) == [["3"]]
    prefixes = {call.request.query.get("prefix") for call in aws.proxy.calls if call.operation.startswith("ListObjects") and "prefix" in call.request.query}
    assert "" not in prefixes and "one.csv" in prefixes


@pytest.mark.parametrize("way", ["fetched"])
@pytest.mark.parametrize("target", ["t/dt=2012-10-01/20121001T180000Z.csv", "t/new.csv"])
@pytest.mark.parametrize("how", ["true", "false"])
def test_what_sql_writes_where_nothing_is_kept_is_refused_and_harms_no_later_question(ask, aws, bucket, program, target, how):
    place = f"s3://{bucket}/a b"
    assert rows(ask("select sum(n) from t", place)) == [["6"]]
    done = ask(f"copy (select 7 as n, 'y' as s) to '{target}' (use_tmp_file {how})", place, status=USAGE)
    assert place in done.stderr and "httpfs" in done.stderr
    done = ask("select sum(n) from t", place)
    assert rows(done) == [["6"]] and len(gets(aws)) <= 3
    assert not list((program.folder / "home/.cache/lambda-pipeline/views").iterdir())


@pytest.mark.parametrize("way", ["fetched"])
def test_the_extension_that_its_user_installed_is_used(ask, aws, bucket, program):
    extensions = program.folder / "home/.duckdb/extensions"
    for version, content in (("v1.0.0", b"not for this one"), ("v1.5.5", (ROOT / "build/deps/duckdb/httpfs.duckdb_extension").read_bytes())):
        (extensions / version / "linux_amd64").mkdir(parents=True)
        (extensions / version / "linux_amd64/httpfs.duckdb_extension").write_bytes(content)
    done = ask("select sum(n) from t", f"s3://{bucket}/a b")
    assert rows(done) == [["6"]] and done.stderr == ""
    assert not (program.folder / "home/.cache").exists()


# ---- the cache ----


@pytest.mark.parametrize("way", ["fetched"])
class TestCache:
    def cache(self, program):
        return program.folder / "home/.cache/lambda-pipeline"

    def test_what_is_there_is_not_fetched_again_and_what_changed_is(self, ask, aws, bucket, program):
        place = f"s3://{bucket}/a b"
        done = ask("select sum(n) from t", place)
        assert rows(done) == [["6"]] and "fetched 2 files" in done.stderr
        aws.proxy.calls.clear()
        done = ask("select sum(n) from t", place)
        assert rows(done) == [["6"]] and done.stderr == "" and gets(aws) == []
        aws.client("s3").put_object(Bucket=bucket, Key="a b/t/dt=2012-10-02/20121001T180000Z.csv", Body=b"n,s\n40,y\n")
        assert rows(ask("select sum(n) from t", place)) == [["43"]]
        assert len(list((self.cache(program) / "objects").iterdir())) == 3
        assert list((self.cache(program) / "views").iterdir()) == []

    def test_tables_that_the_sql_does_not_name_are_not_fetched(self, ask, aws, bucket):
        ask("select 1 from u", f"s3://{bucket}/a b")
        assert gets(aws) == []

    def test_large_objects_come_in_ranges(self, ask, aws, bucket, program):
        text = "n,s\n" + "".join(f"{k},{'x' * 100}\n" for k in range(200000))
        aws.client("s3").put_object(Bucket=bucket, Key="a b/t/dt=2012-10-03/20121001T180000Z.csv", Body=text.encode())
        assert len(text) > 2 * (8 << 20)
        assert rows(ask("select count(*), sum(n) from t", f"s3://{bucket}/a b", "--where", "dt=2012-10-03")) == [["200000", str(200000 * 199999 // 2)]]
        assert len(gets(aws)) == 3

    def test_questions_side_by_side_share_the_cache(self, ask, aws, bucket, program):
        seen = []
        threads = [threading.Thread(target=lambda: seen.append(rows(ask("select sum(n) from t", f"s3://{bucket}/a b")))) for _ in range(4)]
        for it in threads:
            it.start()
        for it in threads:
            it.join()
        assert seen == [[["6"]]] * 4

    def test_views_of_killed_questions_are_swept(self, ask, aws, bucket, program):
        gone = subprocess.Popen(["true"])
        gone.wait()
        left = self.cache(program) / "views" / f"{gone.pid}-abcdef"
        left.mkdir(parents=True)
        (left / "x").write_text("x")
        ask("select 1 from t", f"s3://{bucket}/a b")
        assert not left.exists()

    def test_only_its_owner_can_look_into_the_cache(self, ask, aws, bucket, program):
        ask("select 1 from t", f"s3://{bucket}/a b")
        assert os.stat(self.cache(program)).st_mode & 0o077 == 0
