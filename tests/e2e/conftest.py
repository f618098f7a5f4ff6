"""One release per session, emptied before each test. The guarantees are checked after each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.world import ClusterWorld, build_world
from tests.system import environment


@pytest.fixture(scope="session")
def installed() -> Iterator[ClusterWorld]:
    """Install the release once."""
    world = build_world(environment.ours())
    world.install()
    yield world
    world.remove()


@pytest.fixture
def world(installed: ClusterWorld) -> Iterator[ClusterWorld]:
    """Empty the release before a test, and check the guarantees after it."""
    installed.clear()
    yield installed
    installed.check_guarantees()
