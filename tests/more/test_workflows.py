"""actionlint, which knows the language of workflows, over those of the repository."""

import subprocess

import pytest

from harness.runner import ROOT

PATH = ROOT / "build" / "more" / "bin" / "actionlint"


@pytest.mark.skipif(not PATH.exists(), reason="actionlint is not there: it needs a Go toolchain")
def test_actionlint_finds_nothing():
    result = subprocess.run([PATH, *(ROOT / ".github" / "workflows").glob("*.yml")], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stdout
