"""Rollback: a former champion goes live under a new version, or a message says why not."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from retraining_job.contract import Result
from retraining_job.registry import restore as rolling
from retraining_job.registry.freshness import AuditedVersions
from retraining_job.registry.history import read_versions
from retraining_job.registry.history_table import format_versions
from retraining_job.registry.integrity import UnreadableChampionError
from retraining_job.registry.package import ModelPackage
from retraining_job.registry.restore import RollbackImpossibleError, restore_version
from tests.integration.job.model_registry import (
    KEY,
    Change,
    MakeRegistry,
    ModelRegistry,
    model_of_seed,
    score,
)


@pytest.fixture
def registry(redis_url: str, key_prefix: str) -> Iterator[ModelRegistry]:
    """Four versions. The first is a foreign champion, and the fourth is live."""
    registry = ModelRegistry(redis_url, f"{key_prefix}active_model", f"{key_prefix}model_version")
    registry.put_foreign(seed=1, version=1)
    for number in range(2, 5):
        registry.publish(f"run-{number}", seed=number)
    yield registry
    registry.redis.close()


def roll_back(
    registry: ModelRegistry, to: int, run_id: str = "back", floor: int = 0, **settings: Any
) -> Result:
    run = registry.settings(run_id, **settings)
    return restore_version(run.registry, to, audited=AuditedVersions(floor))


def test_former_champion_goes_live_under_a_new_version(registry: ModelRegistry) -> None:
    blob = registry.package(2).pickle
    result = roll_back(registry, 2)
    assert (result.promoted, result.verdict, result.reason) == (True, None, "rollback")
    assert (result.version, result.champion_version) == (5, 4)
    assert result.message == "Version 2 is live again, as version 5. Before, version 4 was live."
    assert registry.redis.get(registry.keys.model) == blob, (
        "the pickle is that of then, to the last byte"
    )
    wanted = {"version": 5, "epoch": 5, "run_id": "back", "restored_from": 2, "n_samples": None}
    assert {name: registry.meta.get(name) for name in wanted} == wanted
    assert score(registry.champion().model) == score(model_of_seed(2))
    assert registry.history.keys() == {1, 2, 3, 4}


def test_second_attempt_of_a_rollback_reports_the_outcome_of_the_first(
    registry: ModelRegistry,
) -> None:
    first = roll_back(registry, 2)
    before = registry.contents()
    assert roll_back(registry, 2) == first
    assert registry.contents() == before


def test_foreign_champion_is_restored_unchanged(registry: ModelRegistry) -> None:
    blob = registry.redis.get(registry.keys.kept_pickle(1))
    roll_back(registry, 1)
    assert registry.redis.get(registry.keys.model) == blob
    assert score(registry.champion().model) == score(model_of_seed(1))
    assert registry.meta["restored_from"] == 1


def test_rollback_can_be_rolled_back(registry: ModelRegistry) -> None:
    roll_back(registry, 2, "back-1")
    roll_back(registry, 4, "back-2")
    assert (registry.meta["version"], registry.meta["restored_from"]) == (6, 4)
    assert score(registry.champion().model) == score(model_of_seed(4))
    assert registry.history[5]["manifest"]["restored_from"] == 2


@pytest.mark.parametrize("floor", [0, 9])
def test_number_is_never_used_twice(registry: ModelRegistry, floor: int) -> None:
    registry.redis.set(registry.keys.version, 3)  # as a person may who wants to go back
    assert roll_back(registry, 2, floor=floor).version == max(4, floor) + 1


def test_notice_has_the_kind_of_change(registry: ModelRegistry) -> None:
    with registry.redis.pubsub() as listener:
        listener.subscribe(registry.keys.changes)
        listener.get_message(timeout=5)
        roll_back(registry, 3)
        notice = json.loads(listener.get_message(timeout=5)["data"])
    assert notice == {"version": 5, "epoch": 5, "run_id": "back", "what": "restored"}


def test_model_that_redis_has_lost_is_restored_from_its_state(registry: ModelRegistry) -> None:
    registry.redis.delete(registry.keys.model)
    with pytest.raises(UnreadableChampionError, match="rollback --to 4"):
        registry.champion()
    roll_back(registry, 4)
    assert score(registry.champion().model) == score(model_of_seed(4))
    assert registry.meta["version"] == 5


def drop_pickle(registry: ModelRegistry) -> None:
    registry.redis.delete(registry.keys.kept_pickle(1))


def change_entry(version: int, **fields: Any) -> Change:
    return lambda registry: registry.change_entry(version, **fields)


def swap_entries(registry: ModelRegistry) -> None:
    registry.copy_entry(3, to=2)


@pytest.mark.parametrize(
    ("harm", "to", "says"),
    [
        pytest.param(
            None, 4, "Version 4 is live already. There is nothing to restore.", id="the live one"
        ),
        pytest.param(None, 9, "Version 9 is not stored. Stored versions: 1, 2, 3.", id="none such"),
        pytest.param(drop_pickle, 1, "history:1, is missing", id="no pickle"),
        pytest.param(
            change_entry(2, state="{}"),
            2,
            "stored state of version 2 is damaged",
            id="another state",
        ),
        pytest.param(
            change_entry(2, manifest=7), 2, "entry in the history is damaged", id="no manifest"
        ),
        pytest.param(
            change_entry(2, manifest=None),
            2,
            "state of version 2 is damaged",
            id="a state without a manifest",
        ),
        pytest.param(swap_entries, 2, "stored as version 2 is version 3", id="another version"),
    ],
)
def test_impossible_rollback_is_reported_and_changes_nothing(
    registry: ModelRegistry, harm: Change | None, to: int, says: str
) -> None:
    if harm:
        harm(registry)
    before = registry.contents()
    with pytest.raises(RollbackImpossibleError, match=says):
        roll_back(registry, to)
    assert registry.contents() == before


def test_rollback_without_a_history_is_refused(registry: ModelRegistry) -> None:
    registry.redis.delete(registry.keys.history)
    with pytest.raises(RollbackImpossibleError, match="There is no former champion"):
        roll_back(registry, 2)


def test_state_that_gives_another_model_is_not_restored(registry: ModelRegistry) -> None:
    entry = registry.history[2]
    change_entry(2, manifest={**entry["manifest"], "pickle_sha256": "0" * 64})(registry)
    with pytest.raises(RollbackImpossibleError, match="does not reproduce its model"):
        roll_back(registry, 2)


@pytest.mark.parametrize("name", ["image", "river", "python", "deviation_class"])
def test_model_of_another_program_is_restored_with_a_warning(
    registry: ModelRegistry, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    entry = registry.history[2]
    changed = {"pickle_sha256": "0" * 64, name: "another"}
    change_entry(2, manifest={**entry["manifest"], **changed})(registry)
    roll_back(registry, 2)
    assert f"written by another {name.replace('_', ' ')};" in caplog.text
    assert score(registry.champion().model) == score(model_of_seed(2))


def test_model_that_goes_live_during_a_rollback_stays(
    registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    rebuild = rolling.write_pickle_from_state

    def overtaken(state: str, deviation_class: str) -> bytes:
        registry.publish("run-5", seed=5)
        return rebuild(state, deviation_class)

    monkeypatch.setattr(rolling, "write_pickle_from_state", overtaken)
    with pytest.raises(RollbackImpossibleError, match="Meanwhile version 5 of run run-5 went live"):
        roll_back(registry, 2)
    assert score(registry.champion().model) == score(model_of_seed(5))
    assert not registry.staged


def test_history_lists_each_version_and_whether_it_can_be_restored(registry: ModelRegistry) -> None:
    roll_back(registry, 3)
    change_entry(2, manifest=7)(registry)
    versions = read_versions(registry.settings().registry)
    assert [version.number for version in versions] == [5, 4, 3, 2, 1]
    lines = format_versions(versions).splitlines()
    assert lines[0].split() == ["VERSION", "PUBLISHED", "RUN", "PRESET", "EVENTS", "NOTE"]
    assert lines[1].startswith("5 ")
    assert lines[1].endswith("live, restored from 3")
    assert "run-4" in lines[2]
    assert lines[4].endswith("damaged: cannot be restored")
    assert lines[5].endswith("put there by another program")


def test_own_pickle_without_a_state_is_restored(registry: ModelRegistry) -> None:
    package = registry.package(7)
    registry.publish("run-5", package=ModelPackage(package.pickle, None, package.provenance))
    registry.publish("run-6", seed=8)
    registry.redis.setrange(registry.keys.kept_pickle(5), 100, b"?")
    with pytest.raises(RollbackImpossibleError, match="history:5, is damaged"):
        roll_back(registry, 5)
    registry.redis.set(registry.keys.kept_pickle(5), package.pickle)
    roll_back(registry, 5)
    assert score(registry.champion().model) == score(model_of_seed(7))


def test_threshold_goes_live_with_its_model_and_comes_back_with_it(
    registry: ModelRegistry,
) -> None:
    key = f"{registry.keys.model}:threshold"
    published: dict[str, Any] = {"threshold_key": key, "publish_threshold": True}
    registry.publish("run-5", package=registry.package(5, threshold=0.7), **published)
    registry.publish("run-6", package=registry.package(6, threshold=0.55), **published)
    assert registry.redis.get(key) == b"0.55"
    roll_back(registry, 5, **published)
    assert registry.redis.get(key) == b"0.7"
    registry.publish("run-7", package=registry.package(7, threshold=0.6), threshold_key=key)
    assert registry.redis.get(key) == b"0.7"


def test_rollbacks_lose_no_former_champion(make_registry: MakeRegistry) -> None:
    registry = make_registry(KEY)
    for number in range(4, 7):
        registry.publish(f"run-{number}", seed=number)
    states = {registry.package(seed).state: seed for seed in range(1, 7)}
    for turn, seed in enumerate([1, 2, 1, 3, 4, 5, 2]):
        numbers = {states[entry["state"]]: number for number, entry in registry.history.items()}
        restore_version(registry.settings(f"back-{turn}").registry, numbers[seed])
        left = {states[entry["state"]] for entry in registry.history.values()}
        assert left | {seed} == set(range(1, 7))


def test_message_names_the_version_under_which_a_model_is_now(make_registry: MakeRegistry) -> None:
    registry = make_registry("")
    restore_version(registry.settings("back-1").registry, 1)
    registry.publish("run-5", seed=5)
    assert sorted(registry.history) == [2, 3, 4]
    with pytest.raises(RollbackImpossibleError, match="same model is stored as version 4"):
        restore_version(registry.settings("back-2").registry, 1)
