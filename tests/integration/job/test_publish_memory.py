"""Publishing to a Redis without memory, with an evicting policy, or as a read-only replica."""

import logging
from collections.abc import Iterator

import pytest
import redis

from retraining_job.errors import DependencyUnavailableError
from retraining_job.registry import publish_script as publishing
from tests.integration.job.model_registry import ModelRegistry


@pytest.fixture
def own_registry(own_redis: redis.Redis, own_redis_server: str) -> Iterator[ModelRegistry]:
    """A live model with a predecessor, on a Redis whose memory and role the test may change."""
    assert own_redis.ping()
    registry = ModelRegistry(own_redis_server)
    registry.publish("run-1")
    registry.publish("run-2", seed=2)
    yield registry
    registry.redis.close()


def fill(redis: redis.Redis, policy: str = "noeviction") -> None:
    """Leave no memory for anything more."""
    redis.config_set("maxmemory-policy", policy)
    redis.config_set("maxmemory", 1)


def test_full_memory_refuses_the_upload(
    own_registry: ModelRegistry, own_redis: redis.Redis
) -> None:
    champion = own_registry.champion()
    before = own_registry.contents()
    fill(own_redis)
    with pytest.raises(
        DependencyUnavailableError,
        match="memory limit and takes no new model; the live one is untouched",
    ):
        own_registry.publish("run-3", seed=3, champion=champion)
    own_redis.config_set("maxmemory", 0)
    assert own_registry.contents() == before


def test_memory_that_is_full_after_the_upload_changes_nothing(
    own_registry: ModelRegistry, own_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    champion = own_registry.champion()
    before = own_registry.contents()
    script = publishing.read_script()

    def full_now() -> str:
        fill(own_redis)
        return script

    monkeypatch.setattr(publishing, "read_script", full_now)
    with pytest.raises(DependencyUnavailableError, match="memory limit"):
        own_registry.publish("run-3", seed=3, champion=champion)
    own_redis.config_set("maxmemory", 0)
    assert own_registry.contents() == before, "the upload is gone, too"


def test_upload_that_redis_has_evicted_is_retried(
    own_registry: ModelRegistry, own_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    champion = own_registry.champion()
    own_redis.unlink(*own_redis.scan_iter("*:run:*"))
    before = own_registry.contents()
    script = publishing.read_script()

    def evicting() -> str:
        fill(own_redis, "volatile-lru")
        return script

    monkeypatch.setattr(publishing, "read_script", evicting)
    with pytest.raises(
        DependencyUnavailableError, match=r"Redis dropped the uploaded model|memory limit"
    ):
        own_registry.publish("run-3", seed=3, champion=champion)
    own_redis.config_set("maxmemory", 0)
    assert own_registry.contents() == before


def test_eviction_policy_that_may_remove_the_live_model_is_reported(
    own_registry: ModelRegistry, own_redis: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    own_redis.config_set("maxmemory-policy", "allkeys-lru")
    own_redis.config_set("maxmemory", 1 << 30)
    with caplog.at_level(logging.WARNING):
        own_registry.publish("run-3", seed=3)
    assert "maxmemory-policy allkeys-lru" in caplog.text


def test_read_only_replica_is_reported_as_such(
    own_registry: ModelRegistry, own_redis: redis.Redis
) -> None:
    champion = own_registry.champion()
    before = own_registry.contents()
    own_redis.replicaof("127.0.0.1", 1)
    with pytest.raises(
        DependencyUnavailableError, match="read-only replica; it must be the primary"
    ):
        own_registry.publish("run-3", seed=3, champion=champion)
    own_redis.replicaof("NO", "ONE")
    assert own_registry.contents() == before
