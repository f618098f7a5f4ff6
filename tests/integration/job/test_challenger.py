"""Manual promotion: one approval, valid only while the evaluated champion is live."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from retraining_job.errors import BadDataError
from retraining_job.registry.freshness import AuditedVersions
from retraining_job.registry.package import ModelPackage
from retraining_job.registry.pending import (
    AuthoredAnswer,
    Expired,
    Rejected,
    carry_out_approval,
    store_challenger,
)
from retraining_job.registry.publish import Overtaken, Published
from tests.integration.job.model_registry import KEY, ModelRegistry, model_of_seed, result_of, score


@pytest.fixture
def registry(redis_url: str, key_prefix: str) -> Iterator[ModelRegistry]:
    """Version 1 is live, and the challenger of run-2 waits."""
    registry = ModelRegistry(redis_url, f"{key_prefix}active_model", f"{key_prefix}model_version")
    registry.publish("run-1", seed=1)
    wait(registry)
    yield registry
    registry.redis.close()


def wait(registry: ModelRegistry, run_id: str = "run-2", seed: int = 2, **settings: Any) -> None:
    result = result_of(run_id, None, promoted=False, withheld="AwaitingApproval")
    package = ModelPackage(b"", registry.package(seed).state, registry.package(seed).provenance)
    stamp = registry.champion(**settings).stamp
    run = registry.settings(run_id, **settings)
    store_challenger(
        run.registry, package, expected_live=stamp, result=result, days=run.approval_days
    )


def answer(
    registry: ModelRegistry, approval: str, run_id: str = "run-2", floor: int = 0, **settings: Any
) -> Published | Overtaken | Rejected | Expired:
    run = registry.settings(run_id, approval=approval, **{"approval_by": "ann", **settings})
    given = AuthoredAnswer(run.approval, run.approval_by)
    return carry_out_approval(run.registry, given, audited=AuditedVersions(floor))


def test_challenger_waits_beside_the_champion_until_it_expires(
    registry: ModelRegistry,
) -> None:
    assert registry.meta["version"] == 1
    wait(registry, "run-3", approval_days=3)
    assert registry.redis.ttl(registry.keys.challenger("run-3")) in range(
        3 * 86_400 - 60, 3 * 86_400 + 1
    )


def test_approved_challenger_goes_live_with_the_name_of_who_approved(
    registry: ModelRegistry,
) -> None:
    outcome = answer(registry, "approve", floor=7)
    assert isinstance(outcome, Published)
    assert (outcome.result.version, outcome.result.promoted, outcome.result.withheld) == (
        8,
        True,
        None,
    )
    assert outcome.result.message == "It is good. Approved by ann; it goes live as version 8."
    assert (registry.meta["approved_by"], registry.meta["run_id"], registry.meta["version"]) == (
        "ann",
        "run-2",
        8,
    )
    assert registry.redis.get(registry.keys.model) == registry.package(2).pickle
    assert score(registry.champion().model) == score(model_of_seed(2))
    assert not registry.redis.exists(registry.keys.challenger("run-2"))


def test_applying_an_approval_can_be_repeated(registry: ModelRegistry) -> None:
    first = answer(registry, "approve")
    before = registry.contents()
    assert answer(registry, "approve") == answer(registry, "reject") == first
    assert registry.contents() == before


def test_rejected_challenger_never_goes_live(registry: ModelRegistry) -> None:
    live = registry.redis.get(registry.keys.model)
    for approval in ("reject", "reject", "approve"):
        assert isinstance(answer(registry, approval), Rejected)
        assert registry.redis.get(registry.keys.model) == live
    assert registry.redis.ttl(registry.keys.challenger("run-2")) > 0


def test_approval_without_a_challenger_is_reported(registry: ModelRegistry) -> None:
    assert isinstance(answer(registry, "approve", "run-9"), Expired)


def test_message_of_an_overtaken_challenger_names_the_other_run(
    registry: ModelRegistry,
) -> None:
    registry.publish("run-3", seed=3)
    before = registry.contents()
    assert answer(registry, "approve") == Overtaken("2", "run-3")
    assert registry.contents() == before


def changed(registry: ModelRegistry, key: str, **fields: Any) -> None:
    name = registry.keys.challenger(key)
    registry.redis.set(name, json.dumps({**json.loads(registry.redis.get(name)), **fields}))


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"state": "{}"}, "run-2, is damaged: its state has changed"),
        ({"provenance": 1}, r"run-2, is damaged \(provenance"),
        ({"result": {"run_id": "run-3"}}, r"run-2, is damaged \(result"),
        ({"evaluated_against": ["?", "?", -1]}, r"run-2, is damaged \(evaluated_against"),
        ({"expires_at": "whenever"}, r"run-2, is damaged \(expires_at"),
    ],
)
def test_damaged_challenger_is_reported(
    registry: ModelRegistry, fields: dict[str, object], says: str
) -> None:
    changed(registry, "run-2", **fields)
    before = registry.contents()
    with pytest.raises(BadDataError, match=says):
        answer(registry, "approve")
    assert registry.contents() == before


def test_challenger_without_a_state_cannot_wait(registry: ModelRegistry) -> None:
    package = ModelPackage(b"x", None, registry.package().provenance)
    with pytest.raises(BadDataError, match="has no state"):
        store_challenger(
            registry.settings("run-3").registry,
            package,
            expected_live=registry.champion().stamp,
            result=result_of("run-3", None),
            days=7,
        )


def test_unsigned_challenger_is_not_trusted_if_a_key_is_set(registry: ModelRegistry) -> None:
    with pytest.raises(BadDataError, match="it is not signed"):
        answer(registry, "approve", SIGNING_KEY=KEY)


def test_challenger_of_another_run_is_not_trusted(redis_url: str, key_prefix: str) -> None:
    registry = ModelRegistry(
        redis_url, f"{key_prefix}signed", f"{key_prefix}signed_version", SIGNING_KEY=KEY
    )
    wait(registry, "run-1")
    wait(registry, "run-2", seed=3)
    registry.redis.copy(
        registry.keys.challenger("run-1"), registry.keys.challenger("run-2"), replace=True
    )
    with pytest.raises(BadDataError, match="is not trusted"):
        answer(registry, "approve", "run-2")
    assert isinstance(answer(registry, "approve", "run-1"), Published)
    registry.redis.close()
