"""Whoever can write to Redis and has no key cannot change what a run does."""

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from retraining_job.errors import BadDataError, DependencyUnavailableError
from retraining_job.registry.freshness import AuditedVersions
from retraining_job.registry.history import read_stored_versions, read_versions
from retraining_job.registry.history_table import format_versions
from retraining_job.registry.integrity import UnreadableChampionError
from retraining_job.registry.package import ModelPackage
from retraining_job.registry.publish import Published
from retraining_job.registry.restore import RollbackImpossibleError, restore_version
from retraining_job.registry.run_document import read_own_result
from retraining_job.runs.backfill import find_candidates, read_published_result
from retraining_job.runs.sign import sign_everything
from tests.integration.job.model_registry import (
    KEY,
    Change,
    ModelRegistry,
    model_of_seed,
    result_of,
    score,
)
from tests.integration.job.test_challenger import answer, wait

NEW_KEY = "the next key, long enough as well"
NOTHING = AuditedVersions()

BOTH = pytest.mark.parametrize("key", [KEY, ""], ids=["signed", "unsigned"])
MakeRegistry = Callable[[str], ModelRegistry]


@pytest.fixture
def make(redis_url: str, key_prefix: str) -> Iterator[MakeRegistry]:
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


def put_back(registry: ModelRegistry, snapshot: dict[str, bytes | None]) -> None:
    """Restore keys as a person does who has copied them earlier."""
    for name, value in snapshot.items():
        registry.redis.delete(name) if value is None else registry.redis.set(name, value)


def copy_live(registry: ModelRegistry) -> dict[str, bytes | None]:
    keys = registry.keys
    names = keys.model, keys.version, keys.meta, keys.state, keys.epoch
    return dict(zip(names, registry.redis.mget(names), strict=True))


def read_audited(registry: ModelRegistry, audited: AuditedVersions) -> Any:
    from retraining_job.registry.champion import read_champion  # noqa: PLC0415

    return read_champion(registry.settings().registry, audited)


def test_older_signed_model_that_was_put_back_is_refused(make: MakeRegistry) -> None:
    registry = make(KEY)
    older = copy_live(registry)
    registry.publish("run-4", seed=4)
    registry.publish("run-5", seed=5)
    put_back(registry, older)
    assert registry.champion().version == 3, "its signature is valid"
    before = registry.contents()
    with pytest.raises(UnreadableChampionError, match=r"version 3.*knows version 5"):
        read_audited(registry, AuditedVersions(5))
    assert registry.contents() == before


def test_older_model_goes_on_under_a_new_version(make: MakeRegistry) -> None:
    registry = make(KEY)
    older = copy_live(registry)
    registry.publish("run-4", seed=4)
    put_back(registry, older)
    audited = AuditedVersions(4)
    result = restore_version(registry.settings("back").registry, 3, audited=audited)
    assert (result.version, registry.meta["restored_from"], registry.meta["epoch"]) == (5, 3, 5)
    champion = read_audited(registry, AuditedVersions(5))
    assert score(champion.model) == score(model_of_seed(3))
    with pytest.raises(RollbackImpossibleError, match="Version 5 is live already"):
        restore_version(registry.settings("again").registry, 5, audited=AuditedVersions(5))


def test_older_model_without_a_state_goes_on_under_a_new_version(make: MakeRegistry) -> None:
    registry = make(KEY)
    package = registry.package(4)
    registry.publish("run-4", package=ModelPackage(package.pickle, None, package.provenance))
    run = registry.settings("back").registry
    assert restore_version(run, 4, audited=AuditedVersions(8)).version == 9
    assert registry.redis.get(registry.keys.model) == package.pickle
    assert registry.champion().version == 9


def test_emptied_redis_is_refused_until_the_loss_is_accepted(make: MakeRegistry) -> None:
    registry = make(KEY)
    for name in registry.contents():
        registry.redis.delete(name)
    with pytest.raises(UnreadableChampionError, match=r"there is none.*knows version 3"):
        read_audited(registry, AuditedVersions(3))
    champion = read_audited(registry, AuditedVersions(3, accepted=3))
    assert (champion.model, champion.version, champion.highest) == (None, 0, 3)
    registry.publish("run-4", seed=4, champion=champion)
    assert (registry.meta["version"], registry.meta["epoch"]) == (4, 4), (
        "the epoch is above all that readers have seen"
    )


def test_older_model_of_an_unsigned_installation_stays_in_use(
    make: MakeRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    registry = make("")
    champion = read_audited(registry, AuditedVersions(9))
    assert (champion.version, champion.highest) == (3, 9)
    assert "it is version 3" in caplog.text


def forge_run(registry: ModelRegistry, run_id: str, version: int, **fields: Any) -> bytes:
    document = result_of(run_id, version, **fields).document()
    registry.redis.set(registry.keys.run(run_id), document)
    return document.encode()


@BOTH
def test_forged_run_document_does_not_end_a_run(
    make: MakeRegistry, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    registry = make(key)
    forge_run(registry, "run-4", 4)
    assert read_own_result(registry.settings("run-4").registry, NOTHING) is None
    assert "is not the result of this run" in caplog.text
    assert not registry.redis.exists(registry.keys.run("run-4"))
    outcome = registry.publish("run-4", seed=4)
    assert isinstance(outcome, Published)
    assert outcome.result.version == registry.meta["version"] == 4


@BOTH
@pytest.mark.parametrize(
    "document", [b"{}", b"\xff", b"[]", b"null", b'{"version": 10000000000000000000}', b"x" * 9_000]
)
def test_damaged_run_document_does_not_end_a_run(
    make: MakeRegistry, key: str, document: bytes
) -> None:
    registry = make(key)
    registry.redis.set(registry.keys.run("run-4"), document)
    assert read_own_result(registry.settings("run-4").registry, NOTHING) is None


def test_run_document_of_another_run_does_not_end_a_run(make: MakeRegistry) -> None:
    registry = make(KEY)
    registry.redis.copy(registry.keys.run("run-3"), registry.keys.run("run-4"))
    assert read_own_result(registry.settings("run-4").registry, NOTHING) is None
    own = read_own_result(registry.settings("run-3").registry, NOTHING)
    assert own
    assert own.version == 3


@BOTH
def test_own_run_document_ends_a_run_wherever_its_model_is_now(
    make: MakeRegistry, key: str
) -> None:
    registry = make(key)
    for number in (1, 2, 3):
        own = read_own_result(registry.settings(f"run-{number}").registry, NOTHING)
        assert own
        assert own.version == number
    registry.redis.delete(registry.keys.history)
    recorded = AuditedVersions(3, own=result_of("run-1", 1))
    assert read_own_result(registry.settings("run-1").registry, recorded)


@BOTH
def test_run_document_that_is_forged_before_publishing_is_not_reported_as_the_result(
    make: MakeRegistry, key: str
) -> None:
    registry = make(key)
    champion = registry.champion()
    forge_run(registry, "run-4", 4, message="All is well.")
    before = registry.redis.get(registry.keys.model)
    with pytest.raises(DependencyUnavailableError, match="forged document"):
        registry.publish("run-4", seed=4, champion=champion)
    assert registry.redis.get(registry.keys.model) == before
    assert not registry.staged
    assert isinstance(registry.publish("run-4", seed=4, champion=champion), Published)


def test_backfill_ignores_what_is_not_signed(make: MakeRegistry) -> None:
    registry = make(KEY)
    settings = registry.settings("run-9").registry
    [entry] = [entry for version, entry in registry.history.items() if version == 2]
    registry.change_entry(2, manifest={**entry["manifest"], "run_id": "x", "approved_by": "boss"})
    registry.redis.set(
        registry.keys.meta, json.dumps({**registry.meta, "run_id": "y", "version": 3})
    )
    assert [manifest.run_id for manifest in find_candidates(settings, None)] == ["run-1"]
    forge_run(registry, "run-1", 1, message="All is well.")
    [genuine] = find_candidates(settings, None)
    assert read_published_result(settings, genuine) is None


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
    make: MakeRegistry, key: str, field: str
) -> None:
    registry = make(key)
    registry.redis.hset(registry.keys.history, field, NOT_ENTRIES[field])
    assert registry.champion().highest == 3
    registry.publish("run-4", seed=4)
    assert registry.redis.get(registry.keys.version) == b"4"
    result = restore_version(registry.settings("back").registry, 2)
    assert result.version == 5
    assert registry.champion().highest == 5


@BOTH
def test_forged_fields_push_out_no_former_champion(make: MakeRegistry, key: str) -> None:
    registry = make(key)
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
    make: MakeRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    registry = make("")
    registry.redis.hset(registry.keys.history, "latest", "x")
    with caplog.at_level(logging.WARNING):
        registry.champion()
    assert "1 fields that are no version, such as b'latest'" in caplog.text


@BOTH
@pytest.mark.parametrize("text", ["9007199254740992", "10000000000000000000000", "-1", "x", "007"])
def test_version_out_of_range_is_reported_before_anything_goes_live(
    make: MakeRegistry, key: str, text: str
) -> None:
    registry = make(key)
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


def test_epoch_that_was_set_by_hand_is_not_believed(make: MakeRegistry) -> None:
    registry = make(KEY)
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


def test_overtaken_challenger_cannot_be_made_current(make: MakeRegistry) -> None:
    registry = make(KEY)
    wait(registry, "run-4", seed=4)
    registry.publish("run-5", seed=5)
    before = registry.redis.get(registry.keys.model)
    with_other_signature(registry, evaluated_against=["NA==", "NA==", 4])
    with pytest.raises(BadDataError, match="is not trusted"):
        answer(registry, "approve", "run-4")
    assert registry.redis.get(registry.keys.model) == before


def test_overtaken_challenger_stays_so_if_the_older_model_is_put_back(make: MakeRegistry) -> None:
    registry = make(KEY)
    wait(registry, "run-4", seed=4)
    older = copy_live(registry)
    registry.publish("run-5", seed=5)
    put_back(registry, older)
    with pytest.raises(BadDataError, match=r"against version 3.*knows version 4.*accept-loss"):
        answer(registry, "approve", "run-4", floor=4)


@pytest.mark.parametrize(
    "fields", [{"rejected": False}, {"expires_at": "2999-01-01T00:00:00Z"}, {"state_sha256": ""}]
)
def test_rejected_challenger_cannot_be_revived(make: MakeRegistry, fields: dict[str, Any]) -> None:
    registry = make(KEY)
    wait(registry, "run-4", seed=4)
    answer(registry, "reject", "run-4")
    with_other_signature(registry, **fields)
    with pytest.raises(BadDataError, match="is not trusted"):
        answer(registry, "approve", "run-4")


def rotate(registry: ModelRegistry) -> None:
    both = {"SIGNING_KEY": NEW_KEY, "SIGNING_KEY_PREVIOUS": KEY}
    sign_everything(registry.settings(**both).registry, rotate_only=True)


def test_key_is_rotated_without_a_gap(make: MakeRegistry) -> None:
    registry = make(KEY)
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


def test_rotation_can_be_repeated(make: MakeRegistry) -> None:
    registry = make(KEY)
    rotate(registry)
    before = registry.contents()
    rotate(registry)
    assert registry.contents() == before


def forge_the_live_model(registry: ModelRegistry) -> None:
    registry.put_foreign(seed=9, version=3)


def forge_the_manifest(registry: ModelRegistry) -> None:
    registry.redis.set(registry.keys.meta, json.dumps({**registry.meta, "run_id": "x"}))


@pytest.mark.parametrize("forge", [forge_the_manifest])
def test_rotation_signs_nothing_that_was_not_signed(make: MakeRegistry, forge: Change) -> None:
    registry = make(KEY)
    forge(registry)
    before = registry.contents()
    with pytest.raises(BadDataError, match="not signed with the present or the previous key"):
        rotate(registry)
    assert registry.contents() == before


def test_rotation_does_not_sign_forged_entries_and_documents(
    make: MakeRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    registry = make(KEY)
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
    make: MakeRegistry,
) -> None:
    registry = make(KEY)
    forge_the_live_model(registry)
    rotate(registry)
    with pytest.raises(UnreadableChampionError, match="damaged or was replaced"):
        registry.champion(SIGNING_KEY=NEW_KEY)


def test_rollbacks_lose_no_former_champion(make: MakeRegistry) -> None:
    registry = make(KEY)
    for number in range(4, 7):
        registry.publish(f"run-{number}", seed=number)
    states = {registry.package(seed).state: seed for seed in range(1, 7)}
    for turn, seed in enumerate([1, 2, 1, 3, 4, 5, 2]):
        numbers = {states[entry["state"]]: number for number, entry in registry.history.items()}
        restore_version(registry.settings(f"back-{turn}").registry, numbers[seed])
        left = {states[entry["state"]] for entry in registry.history.values()}
        assert left | {seed} == set(range(1, 7))


def test_message_names_the_version_under_which_a_model_is_now(make: MakeRegistry) -> None:
    registry = make("")
    restore_version(registry.settings("back-1").registry, 1)
    registry.publish("run-5", seed=5)
    assert sorted(registry.history) == [2, 3, 4]
    with pytest.raises(RollbackImpossibleError, match="same model is stored as version 4"):
        restore_version(registry.settings("back-2").registry, 1)
