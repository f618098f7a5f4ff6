"""A trainer that has ended in a pod whose other containers still run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from retraining_operator.api.names import Task
from retraining_operator.contract import Result
from retraining_operator.planning.plan import plan
from retraining_operator.planning.snapshot import PlanInput
from retraining_operator.planning.steps import (
    Conclude,
    EndJob,
    EndPod,
    RecordOutcome,
    Settle,
    SetTtl,
    Step,
    WriteStatus,
)
from retraining_operator.settings import Triggers
from retraining_operator.watch.cache import ClusterCache
from tests.unit.operator.attempts import job_owner

Build = Callable[..., dict[str, Any]]
ENDED = {"retraining.dev/trainer-ended": "2026-03-01T11:04:00Z"}


def condition(kind: str, status: str, reason: str) -> dict[str, Any]:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": "m",
        "lastTransitionTime": "2026-03-01T11:04:00Z",
    }


SUCCEEDED = condition("Succeeded", "True", "Kept")
STORED = {"jobName": "first-job", "conditions": [SUCCEEDED]}
RECORDED = {
    "jobName": "first-job",
    "conditions": [SUCCEEDED, condition("Recorded", "True", "Recorded")],
}


def pod(
    now: datetime, code: int = 0, *, phase: str = "Running", proxy: str = "running", **more: Any
) -> dict[str, Any]:
    times = {
        "run_id": "uid-of-first",
        "reason": "x",
        "message": "m",
        "started_at": now,
        "finished_at": now,
    }
    document = Result(**times, verdict="Kept").document() if code == 0 else ""
    end = {"exitCode": code, "message": document, "finishedAt": "2026-03-01T11:04:00Z"}
    containers = [
        {"name": "trainer", "state": {"terminated": end}},
        {"name": "proxy", "state": {proxy: {}}},
    ]
    owner = job_owner()
    metadata: dict[str, Any] = {
        "uid": "p",
        "name": "first-p",
        "labels": {"retraining.dev/request-uid": "uid-of-first"},
    }
    metadata |= {"ownerReferences": [owner], "creationTimestamp": "2026-03-01T11:00:00Z", **more}
    return {"metadata": metadata, "status": {"phase": phase, "containerStatuses": containers}}


def planned(
    request: dict[str, Any],
    job: dict[str, Any],
    body: dict[str, Any],
    now: datetime,
    triggers: Triggers | None = None,
) -> Step | None:
    cache = ClusterCache()
    cache.update_request(request)
    cache.update_job(job)
    cache.update_pod(body)
    steps = plan(
        PlanInput(list(cache.requests.values()), cache.jobs), triggers or Triggers(), now
    ).steps
    assert len(steps) <= 1
    return steps[0] if steps else None


def test_success_is_concluded_at_once(request_body: Build, job_body: Build, now: datetime) -> None:
    assert isinstance(planned(request_body(), job_body(active=1), pod(now), now), Conclude)


def test_failure_deletes_the_pod_so_that_the_job_retries(
    request_body: Build, job_body: Build, now: datetime
) -> None:
    step = planned(request_body(), job_body(active=1), pod(now, 70), now)
    assert isinstance(step, EndPod)
    assert (step.trainer.pod, step.trainer.pod_uid, step.trainer.running_containers) == (
        "first-p",
        "p",
        ("proxy",),
    )


def test_pod_that_is_deleted_already_is_not_deleted_again(
    request_body: Build, job_body: Build, now: datetime
) -> None:
    deleted_pod = pod(now, 70, deletionTimestamp="2026-03-01T11:05:00Z")
    assert isinstance(planned(request_body(), job_body(active=1), deleted_pod, now), WriteStatus)


@pytest.mark.parametrize(
    "body",
    [
        {"phase": "Failed", "proxy": "terminated"},
        {"deletionTimestamp": "2026-03-01T11:05:00Z", "proxy": "terminated"},
    ],
    ids=["its sidecar failed", "it is deleted"],
)
def test_success_counts_although_kubernetes_counts_the_pod_as_failed(
    request_body: Build, job_body: Build, now: datetime, body: dict[str, Any]
) -> None:
    assert isinstance(planned(request_body(), job_body(active=1), pod(now, **body), now), Conclude)


@pytest.mark.parametrize("phase", ["Running", "Succeeded"])
def test_job_that_completes_by_itself_is_not_ended(
    request_body: Build, job_body: Build, now: datetime, phase: str
) -> None:
    alone = pod(now, phase=phase, proxy="terminated")
    assert isinstance(planned(request_body(), job_body(active=1), alone, now), WriteStatus)


@pytest.mark.parametrize("status", [STORED, RECORDED], ids=["not recorded yet", "recorded"])
def test_job_is_ended_once_its_outcome_is_stored(
    request_body: Build, job_body: Build, now: datetime, status: dict[str, Any]
) -> None:
    assert isinstance(
        planned(request_body(status=status), job_body(active=1), pod(now), now), EndJob
    )


def test_job_that_is_being_ended_gets_its_ttl_after_its_end(
    request_body: Build, job_body: Build, now: datetime
) -> None:
    job = job_body(active=1)
    job["metadata"]["annotations"] = ENDED
    assert isinstance(planned(request_body(status=STORED), job, pod(now), now), RecordOutcome)
    assert planned(request_body(status=RECORDED), job, pod(now), now) is None
    over = job_body(end="Failed", reason="DeadlineExceeded")
    over["metadata"]["annotations"] = ENDED
    step = planned(request_body(status=RECORDED), over, pod(now), now)
    assert isinstance(step, SetTtl)
    assert step.job.is_ended_by_operator
    over["spec"]["ttlSecondsAfterFinished"] = 1
    assert isinstance(planned(request_body(status=RECORDED), over, pod(now), now), Settle)


def test_another_run_may_start_after_the_outcome_is_stored(
    request_body: Build, job_body: Build, now: datetime
) -> None:
    cache = ClusterCache()
    cache.update_request(request_body(status=RECORDED))
    cache.update_job(job_body(active=1))
    cache.update_pod(pod(now))
    cache.update_request(request_body("second"))
    found = plan(
        PlanInput(list(cache.requests.values()), cache.jobs), Triggers(max_concurrent=1), now
    )
    assert sorted(type(step).__name__ for step in found.steps) == ["EndJob", "Launch"]
    assert cache.jobs[Task.TRAIN]


def test_newer_request_does_not_replace_a_run_that_has_its_outcome(
    request_body: Build, job_body: Build, now: datetime
) -> None:
    replace = Triggers(max_concurrent=1, concurrency_policy="Replace")
    cache = ClusterCache()
    cache.update_request(request_body())
    cache.update_job(job_body(active=1))
    cache.update_pod(pod(now))
    cache.update_request(request_body("second", created="2026-03-01T11:30:00Z"))
    found = plan(PlanInput(list(cache.requests.values()), cache.jobs), replace, now)
    assert sorted(type(step).__name__ for step in found.steps) == ["Conclude", "WriteStatus"]
