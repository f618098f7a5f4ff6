"""Who may lead, by the observed Lease and the local clock."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from retraining_operator.leader.holder_pod import is_operator_ended
from retraining_operator.leader.lease import (
    Lease,
    LeaseAction,
    LeaseObservation,
    build_identity,
    build_lease,
    choose_action,
    observe,
    read_lease,
)

ME = "operator-abc_1"
NOW = 1000.0
THEIRS = Lease(holder="operator-xyz_9", seconds=15, renewed="then", transitions=3, version="7")


def state(container: str, kind: str) -> dict[str, Any]:
    return {"name": container, "state": {kind: {"startedAt": "2026-01-01T00:00:00Z"}}}


@pytest.mark.parametrize(
    ("holder", "age", "move"),
    [
        pytest.param("operator-xyz_9", 0, LeaseAction.WAIT, id="another one has just renewed it"),
        pytest.param("operator-xyz_9", 14.9, LeaseAction.WAIT, id="it may still act"),
        pytest.param(
            "operator-xyz_9", 15, LeaseAction.TAKE, id="it has been silent for the whole duration"
        ),
        pytest.param("", 0, LeaseAction.TAKE, id="it was released"),
        pytest.param(ME, 0, LeaseAction.RENEW, id="it is mine"),
        pytest.param(ME, 99, LeaseAction.RENEW, id="it is still mine, for nobody took it"),
        pytest.param(
            "operator-abc_0", 0, LeaseAction.TAKE, id="the former process of my own pod is dead"
        ),
        pytest.param(
            "operator-ab_0", 0, LeaseAction.WAIT, id="a pod whose name only begins like mine"
        ),
    ],
)
def test_decision(holder: str, age: float, move: LeaseAction) -> None:
    assert (
        choose_action(LeaseObservation(replace(THEIRS, holder=holder), NOW - age), ME, NOW) is move
    )


def test_missing_lease_is_created() -> None:
    assert choose_action(LeaseObservation(None, NOW), ME, NOW) is LeaseAction.CREATE


def test_processes_outside_of_pods_are_never_of_one_pod() -> None:
    first, second = build_identity(""), build_identity("")
    assert first != second
    assert (
        choose_action(LeaseObservation(replace(THEIRS, holder=first), NOW), second, NOW)
        is LeaseAction.WAIT
    )


def test_two_processes_of_one_pod_have_different_names() -> None:
    assert build_identity("operator-abc") != build_identity("operator-abc")


def test_age_of_a_lease_counts_from_its_last_change() -> None:
    seen = observe(None, THEIRS, 10)
    assert (
        observe(seen, replace(THEIRS, version="8"), 20).since == 10
    )  # somebody has put a label on it
    assert observe(seen, replace(THEIRS, renewed="now"), 20).since == 20
    assert observe(seen, replace(THEIRS, holder=""), 20).since == 20


def body(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"resourceVersion": "7"}, "spec": spec}


def test_duration_of_the_holder_takes_precedence() -> None:
    assert read_lease(body(holderIdentity="a", leaseDurationSeconds=60), 15).seconds == 60
    assert read_lease(body(holderIdentity="a"), 15).seconds == 15


def test_lease_without_a_holder_is_free() -> None:
    assert (
        choose_action(
            LeaseObservation(read_lease({"metadata": {"resourceVersion": "7"}}, 15), NOW), ME, NOW
        )
        is LeaseAction.TAKE
    )


def test_every_write_contains_the_version_that_was_read() -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    for move in (LeaseAction.TAKE, LeaseAction.RENEW):
        assert build_lease(move, THEIRS, ME, 15, now)["metadata"]["resourceVersion"] == "7"


def test_renewal_is_not_counted_as_a_transition() -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    assert build_lease(LeaseAction.CREATE, None, ME, 15, now)["spec"]["leaseTransitions"] == 0
    assert build_lease(LeaseAction.TAKE, THEIRS, ME, 15, now)["spec"]["leaseTransitions"] == 4
    assert (
        not {"leaseTransitions", "acquireTime"}
        & build_lease(LeaseAction.RENEW, THEIRS, ME, 15, now)["spec"].keys()
    )


@pytest.mark.parametrize(
    ("status", "ended"),
    [
        pytest.param({}, False, id="nothing is known yet"),
        pytest.param({"phase": "Pending"}, False, id="no container was started"),
        pytest.param(
            {"phase": "Running", "containerStatuses": [state("operator", "running")]},
            False,
            id="it runs",
        ),
        pytest.param(
            {"phase": "Running", "containerStatuses": [state("operator", "terminated")]},
            True,
            id="killed",
        ),
        pytest.param(
            {"phase": "Running", "containerStatuses": [state("operator", "waiting")]},
            True,
            id="crash loop",
        ),
        pytest.param(
            {"phase": "Running", "containerStatuses": [state("proxy", "terminated")]},
            False,
            id="a sidecar",
        ),
        pytest.param({"phase": "Failed", "reason": "Evicted"}, True, id="evicted"),
        pytest.param(
            {"phase": "Unknown", "containerStatuses": [state("operator", "running")]},
            False,
            id="lost node",
        ),
    ],
)
def test_pod_shows_whether_its_operator_has_ended(status: dict[str, Any], ended: bool) -> None:
    assert is_operator_ended({"status": status}) is ended
