"""A result document that the run has not written ends no run and reaches no row."""

import json

import pytest

from retraining_job.errors import DependencyUnavailableError
from retraining_job.registry.freshness import AuditedVersions
from retraining_job.registry.publish import Published
from retraining_job.registry.run_document import read_own_result
from retraining_job.runs.backfill import find_candidates, read_published_result
from tests.integration.job.forgeries import BOTH, NOTHING, forge_run
from tests.integration.job.model_registry import KEY, MakeRegistry, result_of


@BOTH
def test_forged_run_document_does_not_end_a_run(
    make_registry: MakeRegistry, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    registry = make_registry(key)
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
    make_registry: MakeRegistry, key: str, document: bytes
) -> None:
    registry = make_registry(key)
    registry.redis.set(registry.keys.run("run-4"), document)
    assert read_own_result(registry.settings("run-4").registry, NOTHING) is None


def test_run_document_of_another_run_does_not_end_a_run(make_registry: MakeRegistry) -> None:
    registry = make_registry(KEY)
    registry.redis.copy(registry.keys.run("run-3"), registry.keys.run("run-4"))
    assert read_own_result(registry.settings("run-4").registry, NOTHING) is None
    own = read_own_result(registry.settings("run-3").registry, NOTHING)
    assert own
    assert own.version == 3


@BOTH
def test_own_run_document_ends_a_run_wherever_its_model_is_now(
    make_registry: MakeRegistry, key: str
) -> None:
    registry = make_registry(key)
    for number in (1, 2, 3):
        own = read_own_result(registry.settings(f"run-{number}").registry, NOTHING)
        assert own
        assert own.version == number
    registry.redis.delete(registry.keys.history)
    recorded = AuditedVersions(3, own=result_of("run-1", 1))
    assert read_own_result(registry.settings("run-1").registry, recorded)


@BOTH
def test_run_document_that_is_forged_before_publishing_is_not_reported_as_the_result(
    make_registry: MakeRegistry, key: str
) -> None:
    registry = make_registry(key)
    champion = registry.champion()
    forge_run(registry, "run-4", 4, message="All is well.")
    before = registry.redis.get(registry.keys.model)
    with pytest.raises(DependencyUnavailableError, match="forged document"):
        registry.publish("run-4", seed=4, champion=champion)
    assert registry.redis.get(registry.keys.model) == before
    assert not registry.staged
    assert isinstance(registry.publish("run-4", seed=4, champion=champion), Published)


def test_backfill_ignores_what_is_not_signed(make_registry: MakeRegistry) -> None:
    registry = make_registry(KEY)
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
