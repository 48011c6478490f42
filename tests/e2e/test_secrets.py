"""The secret stays where it is kept. (After the last test the whole suite's leftovers are searched as well: conftest.py.)"""

import base64
import time
import urllib.parse
from pathlib import Path

import pytest

from harness import behaviours as b, hiding
from harness.hiding import SECRET
from harness.runner import FAILED, OK, PARTIAL, USAGE

AUTHS = {
    "query": {"query": "appid", "secret": "env:OPENWEATHER_API_KEY"},
    "header": {"header": "X-API-Key", "secret": "env:OPENWEATHER_API_KEY"},
    "bearer": {"bearer": "env:OPENWEATHER_API_KEY"},
    "basic": {"basic": "me", "secret": "env:OPENWEATHER_API_KEY"},
}


def assert_hidden(program, *results):
    for result in results:
        assert hiding.found_in((result.stdout + result.stderr).encode("utf-8", "surrogateescape")) == []
    count, leaks = hiding.search(program.folder)
    assert count > 0 and leaks == []


@pytest.mark.parametrize("kind", AUTHS)
@pytest.mark.parametrize("code", [200, 401, 500])
def test_an_api_that_repeats_the_secret_does_not_get_it_into_anything_kept(program, server, kind, code):
    server.default = b.echo(SECRET, code)
    file = program.pipeline(server.url(), source={"auth": AUTHS[kind], "expect": {"cod": 200}})
    result = program.run(file, "--record", "replies", "--verbose")
    assert result.status == (OK if code == 200 else FAILED), result.stderr
    assert len(list((program.folder / "replies").rglob("*.http"))) == 5
    assert_hidden(program, result)
    if code == 200:
        assert all("•••" in row["description"] for row in program.rows())


def test_a_quarantined_row_holds_no_secret(program, server):
    server.default = b.echo(SECRET)
    columns = {"description": {"from": "weather[0].description", "type": "string", "str_matches": "nothing like it"}}
    result = program.run(program.pipeline(server.url(), columns=columns, quality={"unique": None, "min_rows": 0}))
    assert len(program.quarantine()) == 5
    assert_hidden(program, result)


def test_no_command_tells_the_secret(program, server):
    server.default = b.echo(SECRET)
    file = program.pipeline(server.url())
    results = [program.call("check", file), program.call("plan", file),
               program.call("preview", file, "--verbose"), program.run(file, "--json"), program.run(file, "--verbose")]
    assert all(result.status == OK for result in results), [result.stderr for result in results]
    assert "•••" in results[1].stdout
    assert_hidden(program, *results)


@pytest.mark.parametrize("line", [
    '  auth: {{ query: appid, secret: "{}" }}', "  auth: {{ bearer: '{}' }}", '  query: {{ appid: "{}" }}',
    '  headers: {{ Authorization: "Bearer {}" }}'])
def test_a_secret_in_the_file_is_refused_and_not_repeated(program, line):
    plain = "9b1f0c7d2e8a4f6b3c5d7e9f1a2b3c4d"
    path = program.folder / "plain.yaml"
    path.write_text(f"""pipeline: plain
source:
  get: https://api.example.com/
{line.format(plain)}
columns:
  a: {{ from: a, type: string }}
sink: {{ to: ./lake }}
""")
    for arguments in (["check", path], ["run", path], ["plan", path], ["check", path, "--json"]):
        result = program.call(*arguments)
        assert result.status == USAGE, result.stderr
        assert ":4:" in result.stderr or '"line": 4' in result.stdout or '"line":4' in result.stdout
        assert plain not in result.stdout + result.stderr


def test_an_unset_secret_fails_before_any_request_and_is_named(program, server):
    result = program.run(program.pipeline(server.url()), env={"OPENWEATHER_API_KEY": None})
    assert result.status == USAGE, result.stderr
    assert "OPENWEATHER_API_KEY" in result.stderr and server.requests == []


@pytest.mark.parametrize("content", [None, b"", b"\n", b"a\nb\n", b"x" * 100_000, b"\xff\xfe", b"a\0b"],
                         ids=["missing", "empty", "a line break", "two lines", "too long", "no UTF-8", "NUL"])
def test_a_secret_file_that_cannot_be_meant_fails_before_any_request(program, server, content):
    path = program.folder / "key.secret"
    if content is not None:
        path.write_bytes(content)
    result = program.run(program.pipeline(server.url(), source={"auth": {"bearer": "file:key.secret"}}))
    assert result.status == USAGE, result.stderr
    assert "key.secret" in result.stderr and server.requests == []


def test_the_secret_is_in_no_process_title_and_cores_are_off(program, server):
    server.default = b.ok(delay=1.0)
    (program.folder / "key.secret").write_text(SECRET)
    file = program.pipeline(server.url(), source={"auth": {"bearer": "file:key.secret"}})
    running = program.start("run", file, env={"OPENWEATHER_API_KEY": None})
    proc = Path(f"/proc/{running.pid}")
    until = time.monotonic() + 5
    while not server.requests and time.monotonic() < until:
        time.sleep(0.01)
    assert server.requests
    assert hiding.found_in((proc / "cmdline").read_bytes()) == []
    assert hiding.found_in((proc / "comm").read_bytes()) == []
    assert hiding.found_in((proc / "environ").read_bytes()) == []
    limits = (proc / "limits").read_text()
    core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"]
    assert running.finish().status == OK


def test_an_item_that_looks_like_the_secret_is_masked_as_well(program, server):
    file = program.pipeline(server.url(), source={"each": {"city": ["Dallas", "${CITY}"]}})
    result = program.run(file, env={"CITY": "x" + SECRET + "y"})
    assert result.status in (OK, PARTIAL, USAGE), result.stderr
    assert_hidden(program, result)


@pytest.mark.parametrize("form", [SECRET, urllib.parse.quote(SECRET, safe=""), urllib.parse.quote_plus(SECRET),
                                  urllib.parse.quote(SECRET, safe="").lower(), base64.b64encode(SECRET.encode()).decode(),
                                  base64.b64encode(b"ab" + SECRET.encode()).decode(),
                                  base64.urlsafe_b64encode(b"a" + SECRET.encode() + b"bcd").decode()])
def test_every_form_of_the_secret_is_masked_in_data(program, server, form):
    server.script("Portland", b.ok(weather=[{"description": f"before {form} after"}]))
    result = program.run(program.pipeline(server.url()))
    assert result.status == OK, result.stderr
    text = program.rows()[1]["description"]
    assert text.startswith("before ") and text.endswith(" after") and "•••" in text
    assert_hidden(program, result)
