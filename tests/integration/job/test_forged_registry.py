"""Forged versions, fields of the history and challengers do not change what a run does."""

import json
import logging
from typing import Any

import pytest

from retraining_job.errors import BadDataError
from retraining_job.registry.history import read_stored_versions, read_versions
from retraining_job.registry.history_table import format_versions
from retraining_job.registry.integrity import UnreadableChampionError
from retraining_job.registry.restore import RollbackImpossibleError, restore_version
from tests.integration.job.forgeries import BOTH, copy_live, put_back
from tests.integration.job.model_registry import KEY, MakeRegistry, ModelRegistry
from tests.integration.job.test_challenger import answer, wait

NOT_ENTRIES = {
    "999999999999999": "x",
    "9007199254740992": "x",
    "99999999999999999999": "x",
    "-1": "x",
    "0007": "x",
    "latest": "x",
    "900719925474099": '{"manifest":null,"state":null}',
    "800719925474099": '{"manifest":null,"state":"{}"}',
    "700719925474099": '{"manifest":"{}","state":null}',
}


@BOTH
@pytest.mark.parametrize("field", NOT_ENTRIES)
def test_forged_field_of_the_history_advances_no_version(
    make_registry: MakeRegistry, key: str, field: str
) -> None:
    registry = make_registry(key)
    registry.redis.hset(registry.keys.history, field, NOT_ENTRIES[field])
    assert registry.champion().highest == 3
    registry.publish("run-4", seed=4)
    assert registry.redis.get(registry.keys.version) == b"4"
    result = restore_version(registry.settings("back").registry, 2)
    assert result.version == 5
    assert registry.champion().highest == 5


@BOTH
def test_forged_fields_push_out_no_former_champion(make_registry: MakeRegistry, key: str) -> None:
    registry = make_registry(key)
    for number in range(1_000, 1_020):
        registry.redis.hset(registry.keys.history, number, "x")
    registry.publish("run-4", seed=4)
    usable = [
        version.number
        for version in read_stored_versions(registry.settings().registry)
        if not version.problem
    ]
    assert sorted(usable) == [1, 2, 3]
    table = format_versions(read_versions(registry.settings().registry))
    assert "damaged: cannot be restored" in table


def test_fields_that_are_no_version_are_named(
    make_registry: MakeRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    registry = make_registry("")
    registry.redis.hset(registry.keys.history, "latest", "x")
    with caplog.at_level(logging.WARNING):
        registry.champion()
    assert "1 fields that are no version, such as b'latest'" in caplog.text


@BOTH
@pytest.mark.parametrize("text", ["9007199254740992", "10000000000000000000000", "-1", "x", "007"])
def test_version_out_of_range_is_reported_before_anything_goes_live(
    make_registry: MakeRegistry, key: str, text: str
) -> None:
    registry = make_registry(key)
    wait(registry, "run-4", seed=4)
    registry.redis.set(registry.keys.version, text)
    before = registry.contents()
    with pytest.raises(UnreadableChampionError, match="not a whole number from 1 to"):
        registry.champion()
    with pytest.raises(RollbackImpossibleError, match="not a whole number from 1 to"):
        restore_version(registry.settings("back").registry, 2)
    with pytest.raises(BadDataError, match="not a whole number from 1 to"):
        answer(registry, "approve", "run-4")
    assert registry.contents() == before


def test_epoch_that_was_set_by_hand_is_not_believed(make_registry: MakeRegistry) -> None:
    registry = make_registry(KEY)
    registry.redis.set(registry.keys.epoch, "900719925474099")
    registry.publish("run-4", seed=4)
    assert registry.meta["epoch"] == 4


def with_other_signature(registry: ModelRegistry, **fields: Any) -> None:
    """Change a stored challenger and leave its signature."""
    name = registry.keys.challenger("run-4")
    stored = json.loads(registry.redis.get(name))
    signature = stored.pop("signature")
    text = json.dumps({**stored, **fields, "signature": signature}, separators=(",", ":"))
    registry.redis.set(name, text, keepttl=True)


def test_overtaken_challenger_cannot_be_made_current(make_registry: MakeRegistry) -> None:
    registry = make_registry(KEY)
    wait(registry, "run-4", seed=4)
    registry.publish("run-5", seed=5)
    before = registry.redis.get(registry.keys.model)
    with_other_signature(registry, evaluated_against=["NA==", "NA==", 4])
    with pytest.raises(BadDataError, match="is not trusted"):
        answer(registry, "approve", "run-4")
    assert registry.redis.get(registry.keys.model) == before


def test_overtaken_challenger_stays_so_if_the_older_model_is_put_back(
    make_registry: MakeRegistry,
) -> None:
    registry = make_registry(KEY)
    wait(registry, "run-4", seed=4)
    older = copy_live(registry)
    registry.publish("run-5", seed=5)
    put_back(registry, older)
    with pytest.raises(BadDataError, match=r"against version 3.*knows version 4.*accept-loss"):
        answer(registry, "approve", "run-4", floor=4)


@pytest.mark.parametrize(
    "fields", [{"rejected": False}, {"expires_at": "2999-01-01T00:00:00Z"}, {"state_sha256": ""}]
)
def test_rejected_challenger_cannot_be_revived(
    make_registry: MakeRegistry, fields: dict[str, Any]
) -> None:
    registry = make_registry(KEY)
    wait(registry, "run-4", seed=4)
    answer(registry, "reject", "run-4")
    with_other_signature(registry, **fields)
    with pytest.raises(BadDataError, match="is not trusted"):
        answer(registry, "approve", "run-4")
