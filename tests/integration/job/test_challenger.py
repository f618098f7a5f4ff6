"""Manual promotion: a challenger waits, a person decides once, and only against the champion that it was judged by."""

import json

import pytest

from retraining_job.errors import BadDataError
from retraining_job.registry.pending import (
    Approval,
    Expired,
    Rejected,
    carry_out_approval,
    store_challenger,
)
from retraining_job.registry.publish import ModelPackage, Overtaken, Published
from tests.integration.job.shelf import KEY, Shelf, model_of_seed, result_of, score


@pytest.fixture
def shelf(redis_url, key_prefix):
    """Version 1 is live, and the challenger of run-2 waits."""
    shelf = Shelf(redis_url, f"{key_prefix}active_model", f"{key_prefix}model_version")
    shelf.publish("run-1", seed=1)
    wait(shelf)
    yield shelf
    shelf.redis.close()


def wait(shelf, run_id="run-2", seed=2, **settings):
    result = result_of(run_id, None, promoted=False, withheld="AwaitingDecision")
    package = ModelPackage(b"", shelf.package(seed).state, shelf.package(seed).provenance)
    stamp = shelf.champion(**settings).stamp
    store_challenger(
        shelf.settings(run_id, **settings).registry, package, judged_against=stamp, result=result
    )


def decided(shelf, decision, run_id="run-2", floor=0, **settings):
    settings = {"decided_by": "ann", **settings}
    settings = shelf.settings(run_id, decision=decision, **settings)
    approval = Approval(settings.decision, settings.decided_by)
    return carry_out_approval(settings.registry, approval, floor=floor)


def test_challenger_waits_beside_the_champion_for_as_long_as_the_setting_says(shelf):
    assert shelf.meta["version"] == 1
    wait(shelf, "run-3", decision_days=3)
    assert shelf.redis.ttl(shelf.keys.challenger("run-3")) in range(3 * 86_400 - 60, 3 * 86_400 + 1)


def test_approved_challenger_goes_live_with_the_name_of_who_approved(shelf):
    outcome = decided(shelf, "approve", floor=7)
    assert isinstance(outcome, Published)
    assert (outcome.result.version, outcome.result.promoted, outcome.result.withheld) == (
        8,
        True,
        None,
    )
    assert outcome.result.message == "It is good. Approved by ann; it goes live as version 8."
    assert (shelf.meta["approved_by"], shelf.meta["run_id"], shelf.meta["version"]) == (
        "ann",
        "run-2",
        8,
    )
    assert shelf.redis.get(shelf.keys.model) == shelf.package(2).pickle
    assert score(shelf.champion().model) == score(model_of_seed(2))
    assert not shelf.redis.exists(shelf.keys.challenger("run-2"))


def test_decision_can_be_repeated(shelf):
    first = decided(shelf, "approve")
    before = shelf.picture()
    assert decided(shelf, "approve") == decided(shelf, "reject") == first
    assert shelf.picture() == before


def test_rejected_challenger_never_goes_live(shelf):
    live = shelf.redis.get(shelf.keys.model)
    for decision in ("reject", "reject", "approve"):
        outcome = decided(shelf, decision)
        assert isinstance(outcome, Rejected)
        assert outcome.challenger.result.message == "It is good."
        assert shelf.redis.get(shelf.keys.model) == live
    assert shelf.redis.ttl(shelf.keys.challenger("run-2")) > 0


def test_nothing_to_decide_on(shelf):
    assert isinstance(decided(shelf, "approve", "run-9"), Expired)


def test_challenger_that_was_judged_against_another_champion_is_told_by_whom_it_was_overtaken(
    shelf,
):
    shelf.publish("run-3", seed=3)
    before = shelf.picture()
    assert decided(shelf, "approve") == Overtaken("2", "run-3")
    assert shelf.picture() == before


def changed(shelf, key, **fields):
    name = shelf.keys.challenger(key)
    shelf.redis.set(name, json.dumps({**json.loads(shelf.redis.get(name)), **fields}))


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"state": "{}"}, "state of the challenger .* is damaged"),
        ({"manifest": 1}, "run-2 is damaged"),
    ],
)
def test_damaged_challenger_is_told(shelf, fields, says):
    changed(shelf, "run-2", **fields)
    before = shelf.picture()
    with pytest.raises(BadDataError, match=says):
        decided(shelf, "approve")
    assert shelf.picture() == before


def test_challenger_without_a_state_cannot_wait(shelf):
    package = ModelPackage(b"x", None, shelf.package().provenance)
    with pytest.raises(BadDataError, match="has no state"):
        store_challenger(
            shelf.settings("run-3").registry,
            package,
            judged_against=shelf.champion().stamp,
            result=result_of("run-3", None),
            days=7,
        )


def test_unsigned_challenger_is_not_believed_once_a_key_is_set(shelf):
    with pytest.raises(BadDataError, match="it is not signed"):
        decided(shelf, "approve", SIGNING_KEY=KEY)


def test_challenger_of_another_run_is_not_believed(redis_url, key_prefix):
    shelf = Shelf(redis_url, f"{key_prefix}signed", f"{key_prefix}signed_version", SIGNING_KEY=KEY)
    wait(shelf, "run-1")
    wait(shelf, "run-2", seed=3)
    shelf.redis.copy(shelf.keys.challenger("run-1"), shelf.keys.challenger("run-2"), replace=True)
    with pytest.raises(BadDataError, match="is not trusted"):
        decided(shelf, "approve", "run-2")
    assert isinstance(decided(shelf, "approve", "run-1"), Published)
    shelf.redis.close()
