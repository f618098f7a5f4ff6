"""One release for the whole session, and a clean slate for each test; the guarantees are checked after each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.world import World, build_world
from tests.system import environment


@pytest.fixture(scope="session")
def installed() -> Iterator[World]:
    """Install the release once."""
    world = build_world(environment.ours())
    world.install()
    yield world
    world.remove()


@pytest.fixture
def world(installed: World) -> Iterator[World]:
    """Give the release with nothing in it; afterwards the guarantees must hold."""
    installed.clear()
    yield installed
    installed.check_guarantees()
