"""Requests that are merged into one that waits."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from retraining_operator.api.admission import Allow, Merge, Wait
from retraining_operator.api.names import Task
from retraining_operator.api.outcome_status import build_not_launched_status
from retraining_operator.planning.plan import plan
from retraining_operator.planning.snapshot import PlanInput, build_snapshot
from retraining_operator.planning.steps import WriteStatus
from retraining_operator.planning.trigger_policy import admit_all
from retraining_operator.settings import Triggers
from tests.unit.operator.admissions import Ended, Named

Build = Callable[..., dict[str, Any]]


def test_later_requests_are_merged_into_a_waiting_one(request_named: Named, now: datetime) -> None:
    requests = [request_named(f"r{second}", second) for second in range(4)]
    found = admit_all(
        requests, build_snapshot(Triggers(max_concurrent=1, coalesce=True), now, [], [])
    )
    assert found["uid-of-r0"] == Allow()
    assert isinstance(found["uid-of-r1"], Wait)
    assert found["uid-of-r2"] == Merge(requests[1])
    assert found["uid-of-r3"] == Merge(requests[1])


def test_request_for_something_else_is_not_merged(request_named: Named, now: datetime) -> None:
    requests = [request_named("a"), request_named("b", 1), request_named("c", 2, rows=1000)]
    found = admit_all(
        requests, build_snapshot(Triggers(max_concurrent=1, coalesce=True), now, [], [])
    )
    assert isinstance(found["uid-of-c"], Wait)


def test_suspended_request_is_never_merged(request_named: Named, now: datetime) -> None:
    requests = [
        request_named("held", suspend=True),
        request_named("a", 1),
        request_named("b", 2, suspend=True),
    ]
    found = admit_all(requests, build_snapshot(Triggers(paused=True, coalesce=True), now, [], []))
    assert {type(found[request.uid]) for request in requests} == {Wait}


def test_merged_triggers_are_counted_with_their_reasons(
    request_named: Named, now: datetime, ended: Ended
) -> None:
    taken = [
        ended(
            name=name,
            merged_into="first",
            trigger_reason=reason,
            ran=False,
            arrival=(name, 0, 0, name),
        )
        for name, reason in (("c", "drift"), ("b", "drift"), ("d", "alert"))
    ]
    found = plan(
        PlanInput([request_named()], {task: {} for task in Task}, taken), Triggers(paused=True), now
    )
    [step] = found.steps
    assert isinstance(step, WriteStatus)
    assert step.status["merged"] == {
        "count": 3,
        "first": "b",
        "last": "d",
        "reasons": ["drift", "alert"],
    }


def test_merged_request_is_finished_and_names_the_other_one(
    request_named: Named, now: datetime
) -> None:
    status = build_not_launched_status(request_named("late"), Merge(request_named()), now)
    succeeded, promoted, _ = status["conditions"]
    assert (succeeded["status"], succeeded["reason"], promoted["status"]) == (
        "False",
        "Merged",
        "False",
    )
    assert status["mergedInto"] == "first"
    assert "Merged into the request first" in succeeded["message"]


def test_reason_and_record_do_not_matter_for_merging(request_named: Named, now: datetime) -> None:
    record = {"topic": "t", "partition": 0, "offset": 7, "timestamp": "x", "record": "{}"}
    requests = [
        request_named("running"),
        request_named("waiting", 1),
        request_named("later", 2, reason="alert", trigger=record),
    ]
    triggers = Triggers(max_concurrent=1, coalesce=True)
    found = admit_all(requests, build_snapshot(triggers, now, [], []))
    assert found["uid-of-later"] == Merge(requests[1])
