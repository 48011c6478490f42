"""Fixtures for every test, and the search for the suite's secret in all that it left behind.

LP_PRESET=dev runs the suite against the build with ASan and UBSan, LP_PROGRAM=path against any binary,
TZ=Pacific/Chatham in another time zone. LP_KEEP=1 keeps the folders of a suite that passed.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

pytest.register_assert_rewrite("harness.told", "harness.runner", "harness.aws", "harness.service")

from harness import hiding  # noqa: E402
from harness.aws import Aws  # noqa: E402
from harness.certs import Authority  # noqa: E402
from harness.proxy import Proxy  # noqa: E402
from harness.runner import ROOT, Program  # noqa: E402
from harness.runtime_api import RuntimeApi  # noqa: E402
from harness.server import ClosedPort, ScriptedServer  # noqa: E402
from harness.service import Service  # noqa: E402

_home = pytest.StashKey[Path]()
_verdict = pytest.StashKey[str]()


def pytest_configure(config):
    """All folders of the suite lie below one, which xdist's workers share, so that one search sees everything."""
    if hasattr(config, "workerinput"):
        return
    if config.option.basetemp is None:
        home = Path(tempfile.mkdtemp(prefix="lambda-pipeline-tests-"))
        config.option.basetemp = home / "suite"
        config.stash[_home] = home
    else:
        config.stash[_home] = Path(config.option.basetemp).resolve()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    config = session.config
    if hasattr(config, "workerinput"):
        return
    home = config.stash[_home]
    count, leaks = hiding.search(home)
    told = {(path.relative_to(home), form.decode()) for path, form in leaks}
    config.stash[_verdict] = f"searched {count} files for the secret: " + ("none holds it" if not told else "FOUND")
    for path, form in sorted(told):
        config.stash[_verdict] += f"\n  {path}: {form}"
    if told:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    if session.exitstatus == pytest.ExitCode.OK and not os.environ.get("LP_KEEP"):
        shutil.rmtree(home, ignore_errors=True)
    else:
        config.stash[_verdict] += f"\nwhat the suite left behind: {home}"


def pytest_terminal_summary(terminalreporter, config):
    if _verdict in config.stash:
        terminalreporter.write_line(config.stash[_verdict])


@pytest.fixture
def program(tmp_path):
    """The program in a folder of its own: run(), call(), start(), pipeline() and readers of its lake."""
    it = Program(tmp_path)
    yield it
    it.close()


@pytest.fixture
def serve(program):
    """serve("folder", begin=…, speed=…): a service under a clock of the test's own; without words it serves weather.yaml."""
    made = []

    def start(*arguments, **named):
        made.append(Service(program, *(arguments or (program.folder / "weather.yaml",)), **named))
        return made[-1]
    yield start
    for it in made:
        it.kill()


@pytest.fixture
def run(program):
    """run("check", file, …): any command line, to its end; the result has status, stdout, stderr, seconds."""
    return program.call


@pytest.fixture(scope="session")
def repo():
    return ROOT


@pytest.fixture
def server():
    """A scripted API server; the weather of any city unless told otherwise."""
    with ScriptedServer() as it:
        yield it


@pytest.fixture
def make_server():
    """Further servers, with TLS or an odd way to accept: make_server(tls=authority.context("good"), http2=True)."""
    made = []

    def make(**options):
        made.append(ScriptedServer(**options).__enter__())
        return made[-1]
    yield make
    for it in made:
        it.close()


@pytest.fixture
def api():
    """Lambda's runtime API, scripted: harness/runtime_api.py."""
    with RuntimeApi() as it:
        yield it


@pytest.fixture
def make_proxy():
    made = []

    def make(**options):
        made.append(Proxy(**options).__enter__())
        return made[-1]
    yield make
    for it in made:
        it.__exit__()


@pytest.fixture
def closed_port():
    with ClosedPort() as it:
        yield it.port


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """Our own certificate authority; authority.bundle is what SSL_CERT_FILE and CURL_CA_BUNDLE may name."""
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def _aws_of_the_session():
    with Aws() as it:
        yield it


@pytest.fixture
def aws(_aws_of_the_session):
    """An empty AWS on loopback that checks every signature and every right: harness/aws.py."""
    it = _aws_of_the_session
    it.reset()
    yield it
    leaks = it.leaks()
    assert not leaks, leaks
