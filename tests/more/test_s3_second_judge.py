"""What the proxy and moto accept, versitygw accepts too; what it refuses is told as it should be. The catalogue is that of
`aws`: versitygw keeps objects alone."""

import json
import os
import signal
import subprocess
import time

import pytest

from harness import behaviours
from harness.runner import FAILED, LOCKED, OK, ROOT, SLOT, SLOT_NAME

PLACES = ["New York", "a=b", "c+d", "São Paulo", "日本", "100%", "x?y#z", "(1)'[2]^", "ü"]
MIB = 1 << 20


def normal(tree):
    result = {}
    for name, content in tree.items():
        if name.startswith("_catalog/"):
            continue
        if name.startswith("_runs/"):
            record = json.loads(content)
            content = [record["status"], record["rows"], [(file["rows"], file["bytes"]) for file in record["files"]]]
        result[name] = content
    return result


@pytest.fixture
def env(gateway, aws):
    """S3 is versitygw, all else `aws`: both take the same keys."""
    aws.proxy.make_known(type(aws.keys)(gateway.ACCESS_KEY, aws.keys.secret_key, upstream=aws.keys.upstream))
    return {**aws.env, **gateway.env}


def test_the_contract_of_a_store_holds(program, gateway, env):
    result = subprocess.run([str(ROOT / "build/dev/unit/test_store")], timeout=300, text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, env={**program.environment(env), "LP_TEST_S3": "s3://lake"})
    assert result.returncode == 0 and "(S3)" in result.stdout, result.stdout[-3000:]
    assert gateway.unfinished() == []


def test_a_run_leaves_what_it_leaves_in_a_directory(program, server, gateway, env):
    file = program.pipeline(server.url(), source={"each": {"city": PLACES}}, sink={"partition": {"place": "city"}})
    assert program.run(file).status == OK
    for _ in range(2):
        result = program.run(file, "--to", "s3://lake", env=env)
        assert result.status == OK, result.stderr
    assert normal(gateway.objects()) == normal(program.tree())


def test_a_large_object_goes_up_in_parts(program, server, gateway, env):
    body = json.dumps({"list": [{"text": "x" * MIB}] * 3}).encode()
    cities = [f"c{number}" for number in range(9)]
    for city in cities:
        server.script(city, behaviours.body(body))
    file = program.pipeline(server.url(), source={"each": {"city": cities}, "rows": "list"}, quality=None,
                            columns={"city": {"value": "{city}", "type": "string"}, "text": {"from": "text", "type": "string"}})
    assert program.run(file).status == OK
    result = program.run(file, "--to", "s3://lake", env=env)
    assert result.status == OK, result.stderr
    assert normal(gateway.objects()) == normal(program.tree()) and gateway.unfinished() == []


@pytest.mark.parametrize("change, word", [({"AWS_SECRET_ACCESS_KEY": "wrong"}, "SignatureDoesNotMatch"),
                                          ({"AWS_ACCESS_KEY_ID": "AKIANOBODY"}, "No user exists with the provided access key"),
                                          ({"AWS_REGION": "us-west-2"}, None)])
def test_what_it_refuses_is_told(program, server, env, change, word):
    """Another region than the gateway's: told where the bucket lives, the program signs for that one."""
    result = program.run(program.pipeline(server.url(), sink={"to": "s3://lake"}), env={**env, **change})
    assert result.status == (FAILED if word else OK), result.stderr
    assert word is None or word in result.stderr and "s3://lake/" in result.stderr, result.stderr


def test_of_runs_at_once_one_goes_on(program, server, gateway, env):
    server.default = behaviours.ok(delay=0.5)
    file = program.pipeline(server.url(), sink={"to": "s3://lake"})
    running = [program.start("run", file, "--slot", SLOT, env=env) for _ in range(5)]
    assert sorted(it.finish(60).status for it in running) == [OK] + [LOCKED] * 4
    assert f"weather/dt=2012-10-01/{SLOT_NAME}.csv" in gateway.objects()


def test_killed_at_any_time_the_next_run_repairs_all(program, server, gateway, env):
    server.default = behaviours.ok(delay=0.01)
    file = program.pipeline(server.url(), source={"each": {"city": PLACES}},
                            sink={"to": "s3://lake", "partition": {"place": "city"}})
    began = time.monotonic()
    assert program.run(file, env=env).status == OK
    long, after, killed = time.monotonic() - began, gateway.objects(), 0
    for step in range(40):
        running = program.start("run", file, "--slot", SLOT, env=env)
        time.sleep(long * step / 40)
        os.kill(running.pid, signal.SIGKILL)
        killed += running.finish().status == -signal.SIGKILL
        result = program.run(file, env=env)
        assert result.status == OK, (step, result.stderr)
        assert normal(gateway.objects()) == normal(after)
    assert killed >= 20 and gateway.unfinished() == []
