"""The steps of a plan."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import pytest

from retraining_operator.api.job import Job, read_job
from retraining_operator.api.names import Task
from retraining_operator.api.reasons import ConditionReason
from retraining_operator.api.request import RetrainRequest, read_request
from retraining_operator.api.status import build_launching_status
from retraining_operator.planning.plan import plan
from retraining_operator.planning.snapshot import PlanInput
from retraining_operator.planning.steps import (
    Conclude,
    FindJob,
    Launch,
    RecordOutcome,
    Settle,
    SetTtl,
    Step,
    WriteStatus,
)
from retraining_operator.settings import Triggers

Build = Callable[..., dict[str, Any]]


def steps(
    requests: list[RetrainRequest],
    found: Mapping[Task, Mapping[str, Job]],
    max_concurrent: int,
    now: datetime,
) -> list[Step]:
    return plan(PlanInput(requests, found), Triggers(max_concurrent=max_concurrent), now).steps


SUCCEEDED = {"type": "Succeeded", "status": "True", "reason": "Kept", "message": ""}
DONE = {
    "conditions": [
        SUCCEEDED,
        {"type": "Recorded", "status": "True", "reason": "Recorded", "message": ""},
    ]
}


def jobs(*bodies: dict[str, Any]) -> dict[Task, dict[str, Job]]:
    found = [job for body in bodies if (job := read_job(body))]
    return {task: {job.request_uid: job for job in found if job.task is task} for task in Task}


def test_new_request_is_launched(request_body: Build, now: datetime) -> None:
    request = read_request(request_body())
    assert steps([request], jobs(), 2, now) == [Launch(request)]


def test_oldest_start_first_and_the_rest_wait(request_body: Build, now: datetime) -> None:
    third, first, second = (
        read_request(request_body(name, created=f"2026-03-01T11:00:0{age}Z"))
        for name, age in (("third", 3), ("first", 1), ("second", 2))
    )
    found = steps([third, first, second], jobs(), 2, now)
    assert found[:2] == [Launch(first), Launch(second)]
    assert isinstance(found[2], WriteStatus)
    assert found[2].status["conditions"][0]["reason"] == ConditionReason.QUEUED


def test_records_of_one_second_start_in_the_order_of_their_offsets(
    request_body: Build, now: datetime
) -> None:
    def of(offset: int) -> dict[str, Any]:
        return {
            "trigger": {
                "topic": "t",
                "partition": 0,
                "offset": offset,
                "timestamp": "x",
                "record": "{}",
            }
        }

    later, earlier = read_request(request_body("a", of(10))), read_request(request_body("b", of(9)))
    assert steps([later, earlier], jobs(), 1, now)[0] == Launch(earlier)


def test_running_jobs_count_for_concurrency(
    request_body: Build, job_body: Build, now: datetime
) -> None:
    waiting = read_request(request_body("second"))
    running = jobs(job_body("first", active=1), job_body("third", active=1))
    [step] = steps([waiting], running, 2, now)
    assert isinstance(step, WriteStatus)


def test_finished_jobs_do_not_count_for_concurrency(
    request_body: Build, job_body: Build, now: datetime
) -> None:
    waiting = read_request(request_body("second"))
    assert steps([waiting], jobs(job_body("first", end="Complete")), 1, now) == [Launch(waiting)]


def test_suspended_request_waits_and_does_not_count_for_concurrency(
    request_body: Build, now: datetime
) -> None:
    held = read_request(request_body("first", {"suspend": True}))
    free = read_request(request_body("second"))
    report, launch = steps([held, free], jobs(), 1, now)
    assert isinstance(report, WriteStatus)
    assert report.status["conditions"][0]["reason"] == ConditionReason.SUSPENDED
    assert launch == Launch(free)


def test_spec_that_cannot_be_read_ends_the_request(request_body: Build, now: datetime) -> None:
    [step] = steps([read_request(request_body(spec={"rows": "many"}))], jobs(), 2, now)
    assert isinstance(step, WriteStatus)
    succeeded = step.status["conditions"][0]
    assert (succeeded["status"], succeeded["reason"]) == ("False", ConditionReason.INVALID_REQUEST)
    assert "spec.rows" in succeeded["message"]


def test_finished_job_is_concluded(request_body: Build, job_body: Build, now: datetime) -> None:
    request, found = read_request(request_body()), jobs(job_body(end="Failed"))
    assert steps([request], found, 2, now) == [Conclude(request, found[Task.TRAIN][request.uid])]


def test_ttl_is_armed_only_after_the_outcome_is_stored(
    request_body: Build, job_body: Build, now: datetime
) -> None:
    request, found = read_request(request_body(status=DONE)), jobs(job_body(end="Complete"))
    assert steps([request], found, 2, now) == [SetTtl(request, found[Task.TRAIN][request.uid])]


@pytest.mark.parametrize("reason", ["Pending", "DatabaseUnavailable", "RecordRefused"])
def test_outcome_is_recorded_before_the_job_may_be_deleted(
    request_body: Build, job_body: Build, now: datetime, reason: str
) -> None:
    late = {"type": "Recorded", "status": "False", "reason": reason, "message": ""}
    request = read_request(request_body(status={"conditions": [SUCCEEDED, late]}))
    assert steps([request], jobs(job_body(end="Complete")), 2, now) == [RecordOutcome(request)]


@pytest.mark.parametrize("reason", ["NotMigrated", "NoDatabase"])
def test_job_may_be_deleted_if_there_is_no_database(
    request_body: Build, now: datetime, reason: str
) -> None:
    none = {"type": "Recorded", "status": "False", "reason": reason, "message": ""}
    request = read_request(request_body(status={"conditions": [SUCCEEDED, none]}))
    assert steps([request], jobs(), 2, now) == [Settle(request)]


@pytest.mark.parametrize("armed", [True, False], ids=["its TTL is armed", "its Job is gone"])
def test_finished_request_is_settled(
    request_body: Build, job_body: Build, now: datetime, armed: bool
) -> None:
    request, body = read_request(request_body(status=DONE)), job_body(end="Complete")
    body["spec"]["ttlSecondsAfterFinished"] = 60
    assert steps([request], jobs(body) if armed else jobs(), 2, now) == [Settle(request)]


def test_job_that_the_status_names_is_read_and_not_created_again(
    request_body: Build, now: datetime
) -> None:
    request = read_request(request_body(status={"jobName": "first-job"}))
    assert steps([request], jobs(), 2, now) == [FindJob(request, Task.TRAIN)]


def test_run_whose_pod_has_just_ended_still_runs(
    request_body: Build, job_body: Build, now: datetime
) -> None:
    [first] = steps([read_request(request_body())], jobs(job_body(active=1, ready=1)), 2, now)
    assert isinstance(first, WriteStatus)
    [second] = steps(
        [read_request(request_body(status=first.status))],
        jobs(job_body(succeeded=1, failed=1)),
        2,
        now,
    )
    assert isinstance(second, WriteStatus)
    assert second.status["conditions"] == first.status["conditions"]


def test_status_without_changes_is_not_written(
    request_body: Build, job_body: Build, now: datetime
) -> None:
    running = jobs(job_body(active=1, ready=1))
    [first] = steps([read_request(request_body())], running, 2, now)
    assert isinstance(first, WriteStatus)
    assert (
        steps([read_request(request_body(status=first.status))], running, 2, now.replace(hour=13))
        == []
    )


def test_interrupted_launch_is_repeated(request_body: Build, now: datetime) -> None:
    request = read_request(request_body())
    begun = read_request(request_body(status=build_launching_status(request, "first-job", now)))
    assert steps([begun], jobs(), 2, now) == [Launch(begun)]


def test_interrupted_launch_counts_for_concurrency(request_body: Build, now: datetime) -> None:
    request = read_request(request_body())
    begun = read_request(request_body(status=build_launching_status(request, "first-job", now)))
    launch, report = steps([begun, read_request(request_body("second"))], jobs(), 1, now)
    assert launch == Launch(begun)
    assert isinstance(report, WriteStatus)


def test_launch_in_progress_counts_for_concurrency(request_body: Build, now: datetime) -> None:
    first, second = read_request(request_body()), read_request(request_body("second"))
    found = plan(
        PlanInput([first, second], jobs(), launching={first.uid}), Triggers(max_concurrent=1), now
    )
    [report] = found.steps
    assert isinstance(report, WriteStatus)
    assert report.request == second
