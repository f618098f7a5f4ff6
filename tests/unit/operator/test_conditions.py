"""The conditions of a request with an unfinished Job, and which changes are reported."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from retraining_operator.api.condition_changes import select_reportable_conditions
from retraining_operator.api.conditions import (
    Condition,
    ConditionType,
    Status,
    format_conditions,
    read_conditions,
)
from retraining_operator.api.job import read_job
from retraining_operator.api.outcome import JobOutcome
from retraining_operator.api.outcome_status import build_finished_status, set_recorded_condition
from retraining_operator.api.pod_problems import WAITING_REASONS, PodProblem
from retraining_operator.api.request import read_request
from retraining_operator.api.status import build_launched_status, read_waiting_for
from retraining_operator.kube.event_recorder import build_event

Build = Callable[..., dict[str, Any]]
StatusAfter = Callable[..., Status]
HOLD = PodProblem("ImagePullFailed", "The image cannot be pulled: not found. Check it.")
AWAY = Condition(ConditionType.RECORDED, "False", "DatabaseUnavailable", "It is away.")
DONE = Condition(ConditionType.RECORDED, "True", "Recorded", "It is there.")


@pytest.fixture
def status_after(request_body: Build, job_body: Build, now: datetime) -> StatusAfter:
    """Return a function that builds the status after a change of the Job."""

    def build(
        before: Status | None = None,
        /,
        *,
        retries: int = 3,
        changes: dict[str, Any] | None = None,
        **of: Any,
    ) -> Status:
        body = job_body(**of)
        body["spec"]["backoffLimit"] = retries
        job = read_job(body)
        assert job
        return build_launched_status(
            read_request(request_body(status=before)), replace(job, **(changes or {})), now
        )

    return build


def read_succeeded(status: Status) -> tuple[str, str]:
    condition = read_conditions(status)[ConditionType.SUCCEEDED]
    return condition.reason, condition.message


def test_job_whose_pod_waits_does_not_run(status_after: StatusAfter) -> None:
    reason, message = read_succeeded(status_after(active=1, changes={"waiting_for": HOLD}))
    assert reason == "ImagePullFailed"
    assert message.startswith(HOLD.message)
    assert "continues by itself" in message


def test_job_whose_pod_stops_waiting_runs(status_after: StatusAfter) -> None:
    waits = status_after(active=1, changes={"waiting_for": HOLD})
    starts = status_after(waits, active=1, changes={"is_starting": True})
    assert read_succeeded(starts)[0] == "JobCreated"
    assert waits["waitingFor"] == {"reason": HOLD.reason, "message": HOLD.message}
    assert starts["waitingFor"] is None
    assert (
        read_succeeded(status_after(waits, active=1, ready=1, changes={"is_starting": True}))[0]
        == "Running"
    )


def test_what_a_pod_waited_for_is_stored_while_the_pod_ends(
    status_after: StatusAfter, request_body: Build
) -> None:
    waits = status_after(active=1, changes={"waiting_for": HOLD})
    ends = status_after(waits, active=0)
    assert read_succeeded(ends) == read_succeeded(waits)
    assert read_waiting_for(read_request(request_body(status=ends))) == HOLD


def test_message_of_a_retry_has_the_failure_of_the_attempt_before(
    status_after: StatusAfter,
) -> None:
    setback = {"last_failure": PodProblem("OutOfMemory", "It used more memory than its limit.")}
    again = status_after(status_after(active=1, ready=1), failed=1, changes=setback)
    assert read_succeeded(again) == (
        "Retrying",
        "Attempt 1 of 4 failed: It used more memory than its limit. Another attempt follows.",
    )
    runs = status_after(again, active=1, ready=1, failed=1, changes=setback)
    assert read_succeeded(runs) == (
        "Running",
        "The Job first-7d81d2356d31 is running (attempt 2 of 4), after: It used more memory than "
        "its limit.",
    )


def test_eviction_does_not_count_as_an_attempt(status_after: StatusAfter) -> None:
    taken = {"last_failure": PodProblem("Evicted", "Kubernetes removed the pod.")}
    assert read_succeeded(status_after(status_after(active=1, ready=1), changes=taken)) == (
        "Retrying",
        "Kubernetes removed the pod. Another pod follows.",
    )


@pytest.mark.parametrize(
    "of",
    [{"failed": 0}, {"failed": 4}, {"failed": 1, "succeeded": 1}, {"failed": 1, "failing": True}],
    ids=["not counted yet", "the last attempt", "it has succeeded", "it will not be tried again"],
)
def test_message_announces_no_attempt_that_may_not_follow(
    status_after: StatusAfter, of: dict[str, Any]
) -> None:
    changes = {
        "last_failure": PodProblem("BadData", "No events."),
        "is_failing": of.pop("failing", False),
    }
    runs = status_after(active=1, ready=1)
    assert read_succeeded(status_after(runs, changes=changes, **of)) == read_succeeded(runs)


def test_problem_with_a_varying_message_is_reported_once(
    status_after: StatusAfter, request_body: Build
) -> None:
    first = status_after(active=1, changes={"waiting_for": HOLD})
    again = status_after(
        first,
        active=1,
        changes={"waiting_for": replace(HOLD, message="Not found, in other words.")},
    )
    assert [
        each.reason for each in select_reportable_conditions(read_request(request_body()), first)
    ] == ["ImagePullFailed"]
    assert select_reportable_conditions(read_request(request_body(status=first)), again) == []


@pytest.mark.parametrize("reason", sorted(WAITING_REASONS))
def test_pod_that_waits_for_a_person_is_a_warning(
    request_body: Build, now: datetime, reason: str
) -> None:
    event = build_event(
        read_request(request_body()),
        Condition(ConditionType.SUCCEEDED, "Unknown", reason, "x"),
        "me",
        now,
    )
    assert event["type"] == "Warning"


def ended(
    request_body: Build, now: datetime, before: Status | None, answer: Condition
) -> tuple[list[str], Status]:
    request = read_request(request_body(status=before))
    status = set_recorded_condition(
        request,
        before or build_finished_status(request, JobOutcome("JobFailed", "x"), now),
        answer,
        now,
    )
    return [each.reason for each in select_reportable_conditions(request, status)], status


def test_recorded_outcome_is_reported_only_after_a_failure(
    request_body: Build, now: datetime
) -> None:
    assert ended(request_body, now, None, DONE)[0] == ["JobFailed"]
    changes, away = ended(request_body, now, None, AWAY)
    assert changes == ["JobFailed", "DatabaseUnavailable"]
    other = replace(AWAY, message="It is away, in other words.")
    assert ended(request_body, now, away, other)[0] == []
    changes, status = ended(request_body, now, away, DONE)
    assert changes == ["Recorded"]
    assert [each["type"] for each in status["conditions"]] == ["Succeeded", "Promoted", "Recorded"]


def test_stored_reason_with_control_characters_is_one_line(now: datetime) -> None:
    entry = {"type": "Succeeded", "status": "True", "reason": "\x1b[31m\r\nforged"}
    stored = read_conditions({"conditions": [entry]})
    [written] = format_conditions([stored[ConditionType.SUCCEEDED]], stored, 1, now)
    assert written["reason"].isprintable()
    assert written["message"].isprintable()
