"""Fixtures: the fork server of trainers, their services, and the proxy between."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.job.model_registry import MakeRegistry, ModelRegistry
from tests.integration.job.proxy import Proxy, Rule, ThroughProxy
from tests.integration.job.trainers import ForkServer, run_fork_server
from tests.integration.job.world import World


@pytest.fixture(scope="session")
def fork_server() -> Iterator[ForkServer]:
    """A process that starts trainers."""
    with run_fork_server() as server:
        yield server


@pytest.fixture
def bare_world(
    fork_server: ForkServer, redis_url: str, database_url: str, key_prefix: str, tmp_path: Path
) -> Iterator[World]:
    """A world whose database has no tables."""
    world = World(
        fork_server=fork_server,
        redis_url=redis_url,
        database_url=database_url,
        prefix=key_prefix,
        folder=tmp_path,
    )
    yield world
    world.redis.close()


@pytest.fixture
def world(bare_world: World) -> World:
    """A world whose database is migrated and has 600 events."""
    assert bare_world.migrate().code == 0
    bare_world.seed(600)
    return bare_world


@pytest.fixture
def separable_world(bare_world: World) -> World:
    """A world with 3,000 events, among which anomalies differ from normal events."""
    assert bare_world.migrate().code == 0
    bare_world.seed_separable()
    return bare_world


@pytest.fixture
def through_proxy(world: World) -> ThroughProxy:
    """Return a function that opens a proxy with a rule and yields a trainer's environment."""

    @contextmanager
    def environment(rule: Rule) -> Iterator[dict[str, str]]:
        proxy = Proxy(rule)
        with (
            proxy.before("redis", world.redis_url) as redis_url,
            proxy.before("database", world.database_url) as url,
        ):
            yield {"REDIS_URL": redis_url, "DATABASE_URL": url}

    return environment


@pytest.fixture
def make_registry(redis_url: str, key_prefix: str) -> Iterator[MakeRegistry]:
    """Return a function that publishes three versions, signed with a key or not."""
    made: list[ModelRegistry] = []

    def publish_three(key: str) -> ModelRegistry:
        registry = ModelRegistry(
            redis_url, f"{key_prefix}active_model", f"{key_prefix}model_version", SIGNING_KEY=key
        )
        made.append(registry)
        for number in range(1, 4):
            registry.publish(f"run-{number}", seed=number)
        return registry

    yield publish_three
    for registry in made:
        registry.redis.close()
