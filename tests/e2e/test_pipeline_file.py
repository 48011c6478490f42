"""Every fault in a pipeline file is told with its place and a remedy, all at once, before anything is fetched."""

import json
import re
import resource

import pytest

from harness.runner import OK, USAGE, is_sanitized

GOOD = """pipeline: weather
source:
  get: https://api.example.com/weather
  each: { city: [A, B] }
columns:
  city: { value: "{city}", type: string }
  temperature: { from: main.temp, type: double }
  at: { from: dt, type: timestamp, parse: unix }
quality: { unique: [city] }
sink:
  to: ./lake
"""

# name: (what stands instead of what, line:column of the fault, words of the fault, words of the remedy)
FAULTS = {
    "an unknown key": (("  each:", "  limits: { rate: 60/min }\n  each:"), "4:3", 'unknown key "limits" under source', '"limit"'),
    "an unknown section": (("quality:", "qualty:"), "9:1", 'unknown key "qualty"', '"quality"'),
    "a missing pipeline": (("pipeline: weather\n", ""), "1:1", "pipeline", "pipeline: weather"),
    "a missing source": (("source:\n  get: https://api.example.com/weather\n  each: { city: [A, B] }\n", ""), "1:1", "source", ""),
    "a missing get": (("  get: https://api.example.com/weather\n", ""), "2:1", "get", ""),
    "a missing sink": (("sink:\n  to: ./lake\n", ""), "1:1", "sink", ""),
    "a missing type": ((", type: double", ""), "7:3", "type", "double"),
    "an unknown type": (("type: double", "type: float"), "7:41", '"float"', ""),
    "a wrong kind of value": (("quality: { unique: [city] }", "quality: [city]"), "9:", "list", ""),
    "text for a number": (("{ unique: [city] }", "{ min_rows: many }"), "9:22", '"many"', ""),
    "a number out of range": (("  each:", "  limit: { at_once: 100000 }\n  each:"), "4:21", "100000", "1,024"),
    "a share out of range": (("{ unique: [city] }", "{ max_bad: 120% }"), "9:21", "120%", "20%"),
    "an unknown variable": (('"{city}"', '"{town}"'), "6:19", "{town}", "city"),
    "an unknown column in unique": (("[city] }", "[town] }"), "9:21", '"town"', ""),
    "an unknown column in partition": (("  to: ./lake", '  to: ./lake\n  partition: { dt: "when:%Y" }'), "12:20", "when", ""),
    "a unit nobody knows": (("type: double", "type: double, unit: celcius -> kelvin"), "7:55", '"celcius"', '"celsius"'),
    "units that do not convert": (("type: double", "type: double, unit: celsius -> hPa"), "7:55", "does not convert", ""),
    "a pattern that does not compile": (('"{city}", type: string', '"{city}", type: string, str_matches: "["'), "6:57", "pattern", ""),
    "a check of another type": (("type: double", 'type: double, str_matches: "x"'), "7:49", "str_matches", "string"),
    "a value of another type": (("type: double", "type: double, in_range: [cold, 3]"), "7:60", "cold", ""),
    "an empty range": (("type: double", "type: double, in_range: [3, 1]"), "7:59", "nothing lies", ""),
    "a misspelt check": (("type: double", "type: double, greater_then: 3"), "7:49", "greater_then", "greater_than"),
    "an unset variable of the environment": (("./lake", "${NOT_SET_HERE}"), "11:7", "NOT_SET_HERE", "${NOT_SET_HERE:-default}"),
    "http to elsewhere": (("https://api", "http://api"), "3:8", "http://", "https://"),
    "a secret in plain text": (("  each:", "  auth: { bearer: 0123456789abcdef }\n  each:"), "4:19", "plain text", "env:NAME"),
    "a duplicate key": (("quality:", "pipeline: other\nquality:"), "9:1", 'duplicate key "pipeline"', "line 1"),
    "a tab": (("  each:", "\teach:"), "4:1", "tab", "spaces"),
    "an anchor": (("{ unique: [city] }", "&a { unique: [city] }"), "9:10", "anchor", ""),
    "an alias": (("[city] }", "*a }"), "9:20", "alias", ""),
    "a tag": (("quality: {", "quality: !!map {"), "9:10", "tag", ""),
    "a merge key": (("  to: ./lake", "  <<: { to: ./lake }"), "11:3", "merge", ""),
    "a second document": (("sink:", "---\nsink:"), "10:1", "document", ""),
    "broken YAML": (("{ unique: [city] }", "{ unique: [city }"), "9:", "", ""),
    "a bad path": (("main.temp", "main..temp"), "7:29", "from", ""),
    "a bad index": (("main.temp", "\"main[x]\""), "7:", "from", ""),
    "both from and value": (("from: main.temp", 'from: main.temp, value: "{city}"'), "7:35", "both", ""),
    "neither from nor value": (("from: main.temp, ", ""), "7:3", "nowhere", ""),
    "a default of another type": (("type: double", "type: double, default: warm"), "7:58", "warm", ""),
    "a bucket that is none": (("./lake", "s3://b"), "11:7", "bucket's name", "s3://bucket/prefix"),
    "a format that is not the file's": (("  to: ./lake", "  to: ./lake.csv\n  format: parquet"), "12:11", "parquet", "leave format out"),
    "a topic that is none": (("sink:", "notify: { to: \"arn:aws:sns:us-west-2:1234:t\" }\nsink:"), "10:15", "not the ARN", "arn:aws:sns:us-west-2:123456789012:"),
    'a mail server without recipient': (("sink:", 'notify: { to: "smtps://mail.example.com" }\nsink:'), '10:15', 'recipient', 'to=ops@example.org'),
    'a mail server without sender': (("sink:", 'notify: { to: "smtps://mail.example.com?to=a@x.org" }\nsink:'), '10:15', 'sender', 'from='),
    'a mail server in another scheme': (("sink:", 'notify: { to: { mail: a@x.org, server: "https://mail.example.com", from: b@x.org } }\nsink:'), '10:40', 'smtp(s)://', 'smtps://'),
    "a password in the server's address": (("sink:", 'notify: { to: { mail: a@x.org, server: "smtps://me:word@mail.example.com", from: b@x.org } }\nsink:'), '10:40', 'plain text', 'secret:'),
    'a port that is none': (("sink:", 'notify: { to: { mail: a@x.org, server: "smtps://mail.example.com:99999", from: b@x.org } }\nsink:'), '10:40', 'port', 'smtps://'),
    'mail without a server': (("sink:", 'notify: { to: { mail: a@x.org, from: b@x.org } }\nsink:'), '10:17', '"server" is missing', 'smtps://'),
    'a bare mail address': (("sink:", 'notify: { to: a@x.org }\nsink:'), '10:15', 'needs a mail server', 'server:'),
    'a recipient that is none': (("sink:", 'notify: { to: { mail: [a@x.org, nobody], server: "smtps://mail.example.com", from: b@x.org } }\nsink:'), '10:33', '"nobody"', 'ops@example.org'),
    'a recipient with a header in it': (("sink:", 'notify: { to: { mail: "a@x.org\\nBcc: b@x.org", server: "smtps://mail.example.com", from: b@x.org } }\nsink:'), '10:23', 'no mail address', 'ops@example.org'),
    'a user without a secret': (("sink:", 'notify: { to: { mail: a@x.org, server: "smtps://mail.example.com", from: b@x.org, user: me } }\nsink:'), '10:17', 'no secret', 'env:NAME'),
    'a mail password in plain text': (("sink:", 'notify: { to: { mail: a@x.org, server: "smtps://mail.example.com", from: b@x.org, user: me, secret: hunter22 } }\nsink:'), '10:101', 'plain text', 'env:NAME'),
    'a misspelt key of mail': (("sink:", 'notify: { to: { mail: a@x.org, sever: "smtps://mail.example.com", from: b@x.org } }\nsink:'), '10:32', 'sever', 'server'),
    'a webhook in clear': (("sink:", 'notify: { to: "http://hooks.example.com/x" }\nsink:'), '10:15', 'http://', 'https://'),
    'a webhook that is no address': (("sink:", 'notify: { to: { webhook: "ftp://hooks.example.com" } }\nsink:'), '10:26', 'https://', 'https://'),
    'mail and webhook in one': (("sink:", 'notify: { to: { mail: a@x.org, webhook: "https://x.org/" } }\nsink:'), '10:17', 'not both', 'webhook'),
    'an address that says nobody': (("sink:", 'notify: { to: { email: a@x.org } }\nsink:'), '10:17', 'nobody', 'mail'),
    'nobody who can be told': (("sink:", 'notify: { to: pager }\nsink:'), '10:15', 'pager', 'stderr'),
    "a parameter without a name": (("  each:", "  auth: { bearer: \"ssm:\" }\n  each:"), "4:19", "ssm:", "name"),
    "a file of items that is not there": (("{ city: [A, B] }", "{ file: nowhere.csv }"), "4:17", "nowhere.csv", ""),
    "an empty list": (("[A, B]", "[]"), "4:11", "city", ""),
    "a name that is no name": (("pipeline: weather", "pipeline: ../up"), "1:11", "../up", "pipeline: weather"),
    "rows and zip together": (("  each:", "  rows: list\n  zip: hourly\n  each:"), "", "rows", ""),
    "a duration without unit": (("  each:", "  retry: { deadline: 120 }\n  each:"), "4:22", "120", "2m"),
    "a duration without meaning": (("  each:", "  retry: { deadline: soon }\n  each:"), "4:22", "soon", "2m"),
    "an unclosed brace": (('"{city}"', '"{city"'), "6:", "}", ""),
    "an unknown event": (("sink:", "notify: { when: [sucess], to: stderr }\nsink:"), "10:18", "sucess", "success"),
    "a status that is none": (("  each:", "  on_status: { 99: skip }\n  each:"), "4:16", "99", "100 to 599"),
}


def check(program, text, *options, **named):
    path = program.folder / "weather.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return program.call("check", path, *options, **named)


def test_the_file_these_faults_are_made_from_has_none(program):
    result = check(program, GOOD)
    assert result.status == OK, result.stderr


@pytest.mark.parametrize("name", FAULTS)
def test_it_is_told_with_place_and_remedy(program, name):
    (old, new), place, words, remedy = FAULTS[name]
    assert GOOD.count(old) >= 1
    text = GOOD.replace(old, new, 1)
    result = check(program, text)
    assert result.status == USAGE, result.stdout + result.stderr
    faults = [line for line in result.stderr.splitlines() if re.match(r"\S+weather\.yaml:\d+:\d+: ", line)]
    assert any(f"weather.yaml:{place}" in line and words in line and remedy in line for line in faults), result.stderr
    assert all("; " in line for line in faults), result.stderr
    assert len(faults) <= 2
    run = program.call("run", program.folder / "weather.yaml")
    assert run.status == USAGE and run.stderr == result.stderr
    assert not program.lake.exists()


def test_all_faults_are_told_at_once_in_the_order_of_the_file(program):
    text = GOOD
    for name in ("an unknown key", "an unknown variable", "a unit nobody knows", "an unknown column in unique", "a bucket that is none"):
        (old, new), *_ = FAULTS[name]
        text = text.replace(old, new, 1)
    result = check(program, text)
    places = [tuple(map(int, found)) for found in re.findall(r"weather\.yaml:(\d+):(\d+): ", result.stderr)]
    assert places == sorted(places) and len(places) == 5
    assert "5 faults; nothing was fetched" in result.stderr


def test_faults_are_there_for_machines_as_well(program):
    (old, new), place, words, remedy = FAULTS["an unknown key"]
    result = check(program, GOOD.replace(old, new), "--json")
    assert result.status == USAGE
    fault, = result.json()
    assert f"{fault['line']}:{fault['column']}" == place and words in fault["what"] and remedy in fault["remedy"]
    assert check(program, GOOD, "--json").json() == []


@pytest.mark.parametrize("content, words", [
    (b"", "empty"), (b"\n\n", "says nothing"), (b"# only a comment\n", "says nothing"), (b"just text\n", ""), (b"- a\n- b\n", ""), (b"42", ""),
    (b"\xff\xfep\x00i\x00", "UTF-8"), (GOOD.encode().replace(b"weather\n", b"caf\xe9\n", 1), "UTF-8"), (b"pipeline: a\0b\n", ""),
    (b"\x00" * 100, ""), (b"{" * 100_000, ""), (b"[" * 1000 + b"]" * 1000, ""), (b"a: " * 50_000, ""), (b"- " * 400_000, "")],
    ids=["0 bytes", "blank lines", "a comment", "text", "a list", "a number", "UTF-16", "Latin-1", "NUL", "zeros",
         "open braces", "deep lists", "keys without end", "dashes"])
def test_what_is_no_pipeline_file_is_refused(program, content, words):
    result = check(program, content)
    assert result.status == USAGE, result.stdout
    assert "weather.yaml" in result.stderr and words in result.stderr
    assert result.seconds < 5


def test_a_byte_order_mark_is_no_fault(program):
    assert check(program, b"\xef\xbb\xbf" + GOOD.encode()).status == OK


def test_a_file_with_windows_line_ends_is_no_fault(program):
    assert check(program, GOOD.replace("\n", "\r\n")).status == OK


def test_a_file_of_10_megabytes_is_refused(program):
    result = check(program, GOOD + "#" + "x" * (10 << 20), limits={} if is_sanitized() else {resource.RLIMIT_AS: 100 << 20})
    assert result.status == USAGE
    assert "MiB" in result.stderr or "MB" in result.stderr


def test_a_billion_laughs_do_not_grow(program):
    lines = ["a: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    for before, after in zip("abcdefgh", "bcdefghi"):
        lines.append(f"{after}: &{after} [{', '.join(['*' + before] * 9)}]")
    result = check(program, "\n".join(lines) + "\n" + GOOD, limits={resource.RLIMIT_CPU: 5})
    assert result.status == USAGE and result.seconds < 5
    assert "anchor" in result.stderr


def test_thousands_of_faults_are_told_in_part_with_their_number(program):
    result = check(program, GOOD + "".join(f"extra{number}: 1\n" for number in range(5000)))
    assert result.status == USAGE
    assert len(result.stderr.splitlines()) < 500
    assert re.search(r"\d more", result.stderr)


def test_a_file_that_is_not_there_is_told(program):
    result = program.call("check", program.folder / "nowhere.yaml")
    assert result.status == USAGE
    assert "nowhere.yaml" in result.stderr


def test_a_folder_is_no_file(program):
    result = program.call("check", program.folder)
    assert result.status == USAGE
    assert str(program.folder) in result.stderr


def test_an_unreadable_secret_name_is_only_noted_by_check(program):
    text = GOOD.replace("  each:", '  auth: { bearer: "env:NOT_SET_HERE" }\n  each:')
    result = check(program, text)
    assert result.status == OK
    assert "NOT_SET_HERE" in result.stdout + result.stderr


@pytest.mark.parametrize("value", ["no", "off", "007", "1e3", "2024-01-01", "~x", "null-island", "0x10"])
def test_a_city_is_text_whatever_yaml_may_think_of_it(program, server, value):
    file = program.pipeline(server.url(), quality={"unique": ["city"]})
    file.write_text(re.sub(r"each: .*", "each: {city: [" + value + "]}", file.read_text()))
    assert program.run(file).status == OK
    assert [request.city for request in server.requests] == [value]


def test_the_environment_fills_in_with_a_default(program):
    text = GOOD.replace("./lake", "${PLACE:-./elsewhere}")
    path = program.folder / "weather.yaml"
    path.write_text(text)
    assert "elsewhere" in program.call("plan", path).stdout
    assert "otherwise" in program.call("plan", path, env={"PLACE": "./otherwise"}).stdout


def test_the_reference_page_is_what_the_program_says(program, repo):
    page = (repo / "docs" / "pipeline-file.md").read_text()
    assert program.call("help", "pipeline-file").stdout == page, \
        "stale: build/release/lambda-pipeline help pipeline-file >docs/pipeline-file.md"


@pytest.fixture
def validator(program):
    import jsonschema
    schema = json.loads(program.call("check", "--schema").stdout)
    jsonschema.validators.validator_for(schema).check_schema(schema)
    return jsonschema.validators.validator_for(schema)(schema)


def load(text):
    import yaml
    return json.loads(json.dumps(yaml.safe_load(text), default=str))


def stringified(value):
    """JSON's keys are text."""
    return json.loads(json.dumps(value))


@pytest.mark.parametrize("example", ["weather/weather.yaml", "open-meteo/open-meteo.yaml"])
def test_the_examples_follow_the_schema(validator, repo, example):
    errors = [error.message for error in validator.iter_errors(stringified(load((repo / "examples" / example).read_text())))]
    assert errors == []


@pytest.mark.parametrize("name", ["an unknown key", "an unknown section", "a missing get", "an unknown type", "a wrong kind of value",
                                  "text for a number", "a misspelt check", "an unknown event"])
def test_the_schema_finds_what_an_editor_can_find(validator, name):
    (old, new), *_ = FAULTS[name]
    assert not list(validator.iter_errors(load(GOOD)))
    assert list(validator.iter_errors(load(GOOD.replace(old, new, 1))))


@pytest.mark.parametrize("form, words", [
    ("%Y-%m-%d %Z", "%z"), ("%d %b", "year, month and day"), ("%H:%M", "year, month and day"), ("%U %Y", "conversion"), ("%Q", "conversion"),
    ("%Y-%m", "year, month and day"), ("%", "conversion"), ("%Ey-%m-%d", "conversion")])
def test_a_time_format_that_leaves_the_time_open_is_refused(program, form, words):
    result = check(program, GOOD.replace("parse: unix", f'parse: "{form}"'))
    assert result.status == USAGE
    assert ":8:" in result.stderr and words in result.stderr


@pytest.mark.parametrize("form", ["%d.%m.%Y", "%Y-%m-%d %H:%M:%S", "%s", "%F %T", "%b %e %Y", "%Y-%j", "%Y-%m-%dT%H:%M:%S%z", "100%% %F"])
def test_a_time_format_that_gives_a_date_is_taken(program, form):
    result = check(program, GOOD.replace("parse: unix", f'parse: "{form}"'))
    assert result.status == OK, result.stderr


@pytest.mark.parametrize("old, new, words", [
    ("  to: ./lake", "  to: ./lake\n  partition: { city: city }", "readers would see two"),
    ("  temperature:", "  CITY: { from: a, type: string }\n  temperature:", "only in case"),
    ("[city] }", "[[]] }", "no columns"), ("at: { from: dt, type: timestamp, parse: unix }", "at: { value: soon, type: timestamp }", '"soon" is not of type'),
    ("at: { from: dt, type: timestamp, parse: unix }", 'at: { value: "{slot:%Q}", type: string }', "the format gives no text"),
    ("  to: ./lake", '  to: ./lake\n  partition: { day: "at:%Q" }', "the format gives no text"), ("  to: ./lake", "  to: ./x.parquet\n  format: csv", "the file's name says another format"),
    ("  each:", '  auth: { bearer: "env:" }\n  each:', '"env:" names nothing')])
def test_what_would_go_wrong_later_is_told_by_check(program, old, new, words):
    result = check(program, GOOD.replace(old, new, 1))
    assert result.status == USAGE and words in result.stderr, result.stderr


def test_a_table_of_one_column_cannot_hold_null(program):
    text = re.sub(r"  (temperature|at): .*\n", "", GOOD).replace('"{city}", type: string', '"{city}", type: string, nullable: true')
    result = check(program, text)
    assert result.status == USAGE and "one column" in result.stderr


def test_several_files_are_checked_at_once(program):
    good, bad = program.pipeline("http://127.0.0.1:1/"), program.folder / "bad.yaml"
    bad.write_text("pipeline: x\n")
    result = program.call("check", good, bad)
    assert result.status == USAGE and "weather.yaml: no faults" in result.stdout and "bad.yaml:1:1" in result.stderr
    faults = program.call("check", bad, good, bad, "--json")
    assert faults.status == USAGE and {fault["file"] for fault in faults.json()} == {str(bad)}
    assert program.call("check", good, good, "--json").json() == []
