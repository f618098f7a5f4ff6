"""The champion is rebuilt from its state. Missing, damaged and forged parts are distinguished."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from retraining_job.registry.integrity import UnreadableChampionError
from retraining_job.registry.live import STATE_LIMIT_BYTES
from retraining_job.registry.manifest import MANIFEST_LIMIT_BYTES
from retraining_job.registry.package import ModelPackage
from tests.integration.job.model_registry import Change, ModelRegistry, model_of_seed, score


@pytest.fixture
def registry(redis_url: str, key_prefix: str) -> Iterator[ModelRegistry]:
    registry = ModelRegistry(redis_url, f"{key_prefix}active_model", f"{key_prefix}model_version")
    yield registry
    registry.redis.close()


def test_pickle_of_our_own_is_never_parsed(registry: ModelRegistry) -> None:
    package = registry.package(seed=5, features=["amount", "hour_of_day"])
    registry.publish(package=ModelPackage(b"no pickle at all", package.state, package.provenance))
    champion = registry.champion()
    assert champion.manifest
    assert score(champion.model) == score(model_of_seed(5))
    assert (champion.version, champion.highest, champion.manifest.features) == (
        1,
        1,
        ["amount", "hour_of_day"],
    )


def test_highest_version_comes_from_the_history_if_somebody_has_set_a_lower_one(
    registry: ModelRegistry,
) -> None:
    for number in range(1, 4):
        registry.publish(f"run-{number}", seed=number)
    registry.put_foreign(version=1)
    assert (registry.champion().version, registry.champion().highest) == (1, 3)


def test_epoch_continues_if_redis_has_lost_it(registry: ModelRegistry) -> None:
    registry.publish("run-1")
    registry.publish("run-2", seed=2)
    registry.redis.delete(registry.keys.epoch)
    registry.publish("run-3", seed=3)
    assert (registry.meta["epoch"], registry.redis.get(registry.keys.epoch)) == (3, b"3")


def cut(registry: ModelRegistry) -> None:
    registry.redis.set(registry.keys.model, registry.redis.getrange(registry.keys.model, 0, -21))


def change_a_byte(registry: ModelRegistry) -> None:
    registry.redis.setrange(registry.keys.model, 100, b"?")


def change_the_manifest(**fields: Any) -> Change:
    def change(registry: ModelRegistry) -> None:
        registry.redis.set(registry.keys.meta, json.dumps({**registry.meta, **fields}))

    return change


def put(key: str, content: bytes | str | int) -> Change:
    def change(registry: ModelRegistry) -> None:
        registry.redis.set(getattr(registry.keys, key), content)

    return change


def drop(key: str) -> Change:
    return lambda registry: registry.redis.delete(getattr(registry.keys, key))


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        pytest.param(cut, r"bytes and its manifest says .* rollback", id="a cut pickle"),
        pytest.param(change_a_byte, "do not match the SHA-256", id="another pickle"),
        pytest.param(
            drop("model"), r"evicted the model.*rollback --to 2.*start again", id="no pickle"
        ),
        pytest.param(
            put("meta", "{"),
            r"meta is damaged \(Invalid JSON.* Delete",
            id="a manifest that is no JSON",
        ),
        pytest.param(
            put("meta", "{}"), r"meta is damaged \(version: Field required", id="another document"
        ),
        pytest.param(put("meta", b"\xff\x00"), "meta is damaged", id="a manifest of no text"),
        pytest.param(
            put("meta", b" " * MANIFEST_LIMIT_BYTES),
            "1,048,576 bytes or more",
            id="a large manifest",
        ),
        pytest.param(
            drop("version"),
            r"is missing; its manifest says 2\. Set .*model_version to 2\.",
            id="no version",
        ),
        pytest.param(put("version", "two"), "9007199254740991: b'two'", id="a version in words"),
        pytest.param(
            drop("state"), r"state is missing\. .*to have the pickle read instead", id="no state"
        ),
        pytest.param(put("state", "{}"), "state does not match the SHA-256", id="another state"),
        pytest.param(
            put("state", b"0" * (STATE_LIMIT_BYTES + 1)),
            "4,194,305 bytes, more than",
            id="a large state",
        ),
        pytest.param(
            change_the_manifest(state_sha256="0" * 64), "state does not match", id="a forged sum"
        ),
    ],
)
def test_damaged_champion_is_reported_and_stays(
    registry: ModelRegistry, harm: Change, says: str
) -> None:
    registry.publish("run-1")
    registry.publish("run-2", seed=2)
    harm(registry)
    before = registry.contents()
    with pytest.raises(UnreadableChampionError, match=says) as caught:
        registry.champion()
    assert str(caught.value).endswith(".")
    assert registry.contents() == before


def test_invalid_state_with_a_valid_checksum_is_reported(registry: ModelRegistry) -> None:
    package = registry.package()
    registry.publish(package=ModelPackage(package.pickle, '{"format": 1}', package.provenance))
    with pytest.raises(
        UnreadableChampionError, match=r"version 1, cannot be evaluated: .*state.* It stays live"
    ):
        registry.champion()


def test_large_pickle_is_not_read(registry: ModelRegistry) -> None:
    package = registry.package()
    registry.publish(
        package=ModelPackage(b"x" * (1 << 20) + b"x", package.state, package.provenance)
    )
    with pytest.raises(
        UnreadableChampionError,
        match=r"1,048,577 bytes, more than the limit of 1,048,576.*modelLimitMebibytes",
    ):
        registry.champion(model_limit_mebibytes=1)
