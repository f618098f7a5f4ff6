"""Who may act: decided from what is seen of the Lease and the local clock alone."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from retraining_operator.leader.holder import has_ended
from retraining_operator.leader.lease import (
    Lease,
    LeaseObservation,
    Move,
    build_lease,
    decide,
    identify,
    read_lease,
    sight,
)

ME = "operator-abc_1"
NOW = 1000.0
THEIRS = Lease(holder="operator-xyz_9", seconds=15, renewed="then", transitions=3, version="7")


def state(container: str, kind: str) -> dict[str, Any]:
    return {"name": container, "state": {kind: {"startedAt": "2026-01-01T00:00:00Z"}}}


@pytest.mark.parametrize(
    ("holder", "age", "move"),
    [
        pytest.param("operator-xyz_9", 0, Move.WAIT, id="another one has just renewed it"),
        pytest.param("operator-xyz_9", 14.9, Move.WAIT, id="it may still act"),
        pytest.param(
            "operator-xyz_9", 15, Move.TAKE, id="it has been silent for the whole duration"
        ),
        pytest.param("", 0, Move.TAKE, id="it was given back"),
        pytest.param(ME, 0, Move.RENEW, id="it is mine"),
        pytest.param(ME, 99, Move.RENEW, id="it is still mine, for nobody took it"),
        pytest.param("operator-abc_0", 0, Move.TAKE, id="the former process of my own pod is dead"),
        pytest.param("operator-ab_0", 0, Move.WAIT, id="a pod whose name only begins like mine"),
    ],
)
def test_decision(holder: str, age: float, move: Move) -> None:
    assert decide(LeaseObservation(replace(THEIRS, holder=holder), NOW - age), ME, NOW) is move


def test_lease_that_is_not_there_is_created() -> None:
    assert decide(LeaseObservation(None, NOW), ME, NOW) is Move.CREATE


def test_processes_outside_of_pods_never_count_as_one() -> None:
    first, second = identify(""), identify("")
    assert first != second
    assert decide(LeaseObservation(replace(THEIRS, holder=first), NOW), second, NOW) is Move.WAIT


def test_two_processes_of_one_pod_have_different_names() -> None:
    assert identify("operator-abc") != identify("operator-abc")


def test_unchanged_lease_keeps_its_age_and_a_renewed_one_is_young() -> None:
    seen = sight(None, THEIRS, 10)
    assert (
        sight(seen, replace(THEIRS, version="8"), 20).since == 10
    )  # somebody has put a label on it
    assert sight(seen, replace(THEIRS, renewed="now"), 20).since == 20
    assert sight(seen, replace(THEIRS, holder=""), 20).since == 20


def body(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"resourceVersion": "7"}, "spec": spec}


def test_holder_s_own_duration_counts() -> None:
    assert read_lease(body(holderIdentity="a", leaseDurationSeconds=60), 15).seconds == 60
    assert read_lease(body(holderIdentity="a"), 15).seconds == 15


def test_lease_without_a_holder_is_free() -> None:
    assert (
        decide(
            LeaseObservation(read_lease({"metadata": {"resourceVersion": "7"}}, 15), NOW), ME, NOW
        )
        is Move.TAKE
    )


def test_every_write_names_the_version_that_was_read() -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    for move in (Move.TAKE, Move.RENEW):
        assert build_lease(move, THEIRS, ME, 15, now)["metadata"]["resourceVersion"] == "7"


def test_transitions_are_counted_and_a_renewal_is_none() -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    assert build_lease(Move.CREATE, None, ME, 15, now)["spec"]["leaseTransitions"] == 0
    assert build_lease(Move.TAKE, THEIRS, ME, 15, now)["spec"]["leaseTransitions"] == 4
    assert (
        not {"leaseTransitions", "acquireTime"}
        & build_lease(Move.RENEW, THEIRS, ME, 15, now)["spec"].keys()
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
    assert has_ended({"status": status}) is ended
