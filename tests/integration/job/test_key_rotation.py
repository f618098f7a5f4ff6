"""The signing key is rotated without a gap, and nothing is signed that was not signed before."""

import json
from typing import Any

import pytest

from retraining_job.errors import BadDataError
from retraining_job.registry.integrity import UnreadableChampionError
from retraining_job.registry.publish import Published
from retraining_job.registry.restore import RollbackImpossibleError, restore_version
from retraining_job.registry.run_document import read_own_result
from retraining_job.runs.sign import sign_everything
from tests.integration.job.forgeries import NOTHING, forge_run
from tests.integration.job.model_registry import (
    KEY,
    Change,
    MakeRegistry,
    ModelRegistry,
    model_of_seed,
    score,
)
from tests.integration.job.test_challenger import answer, wait

NEW_KEY = "the next key, long enough as well"


def rotate(registry: ModelRegistry) -> None:
    both = {"SIGNING_KEY": NEW_KEY, "SIGNING_KEY_PREVIOUS": KEY}
    sign_everything(registry.settings(**both).registry, rotate_only=True)


def test_key_is_rotated_without_a_gap(make_registry: MakeRegistry) -> None:
    registry = make_registry(KEY)
    wait(registry, "run-4", seed=4)
    both: dict[str, Any] = {"SIGNING_KEY": NEW_KEY, "SIGNING_KEY_PREVIOUS": KEY}
    assert registry.champion(**both).version == 3
    ttl = registry.redis.ttl(registry.keys.challenger("run-4"))
    rotate(registry)
    new: dict[str, Any] = {"SIGNING_KEY": NEW_KEY}
    assert registry.champion(**new).version == 3
    with pytest.raises(UnreadableChampionError, match="signature does not match"):
        registry.champion()
    assert ttl - 5 <= registry.redis.ttl(registry.keys.challenger("run-4")) <= ttl
    assert read_own_result(registry.settings("run-1", **new).registry, NOTHING)
    assert isinstance(answer(registry, "approve", "run-4", **new), Published)
    assert restore_version(registry.settings("back", **new).registry, 1).version == 5
    assert score(registry.champion(**new).model) == score(model_of_seed(1))


def test_rotation_can_be_repeated(make_registry: MakeRegistry) -> None:
    registry = make_registry(KEY)
    rotate(registry)
    before = registry.contents()
    rotate(registry)
    assert registry.contents() == before


def forge_the_live_model(registry: ModelRegistry) -> None:
    registry.put_foreign(seed=9, version=3)


def forge_the_manifest(registry: ModelRegistry) -> None:
    registry.redis.set(registry.keys.meta, json.dumps({**registry.meta, "run_id": "x"}))


@pytest.mark.parametrize("forge", [forge_the_manifest])
def test_rotation_signs_nothing_that_was_not_signed(
    make_registry: MakeRegistry, forge: Change
) -> None:
    registry = make_registry(KEY)
    forge(registry)
    before = registry.contents()
    with pytest.raises(BadDataError, match="not signed with the present or the previous key"):
        rotate(registry)
    assert registry.contents() == before


def test_rotation_does_not_sign_forged_entries_and_documents(
    make_registry: MakeRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    registry = make_registry(KEY)
    entry = registry.history[2]
    registry.change_entry(2, manifest={**entry["manifest"], "n_samples": 7})
    document = forge_run(registry, "run-9", 9)
    rotate(registry)
    assert "Version 2 of the history was not signed" in caplog.text
    assert registry.redis.get(registry.keys.run("run-9")) == document
    with pytest.raises(RollbackImpossibleError, match="signature"):
        restore_version(registry.settings("back", SIGNING_KEY=NEW_KEY).registry, 2)
    assert restore_version(registry.settings("back", SIGNING_KEY=NEW_KEY).registry, 1)


def test_rotation_of_an_unchanged_manifest_does_not_vouch_for_another_pickle(
    make_registry: MakeRegistry,
) -> None:
    registry = make_registry(KEY)
    forge_the_live_model(registry)
    rotate(registry)
    with pytest.raises(UnreadableChampionError, match="damaged or was replaced"):
        registry.champion(SIGNING_KEY=NEW_KEY)
