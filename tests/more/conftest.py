"""Tests for `make test-more`: they need a Go toolchain, or minutes. Otherwise none is collected."""

import os

import pytest

from harness.versitygw import PATH, Gateway

collect_ignore_glob = [] if os.environ.get("LP_MORE") else ["*"]


@pytest.fixture
def gateway(tmp_path):
    """versitygw with a bucket of its own in a folder of this test."""
    if not PATH.exists():
        pytest.skip("versitygw is not there: it needs a Go toolchain")
    with Gateway(tmp_path / "gateway") as it:
        yield it
