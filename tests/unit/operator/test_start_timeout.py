"""A Job whose trainer does not start gives its place back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from retraining_operator.api.job import Job
from retraining_operator.api.names import Task, build_job_name
from retraining_operator.api.outcome import JobOutcome, read_outcome
from retraining_operator.api.pod_problems import PodProblem
from retraining_operator.api.request import read_request
from retraining_operator.api.status import build_launched_status
from retraining_operator.controller.job_cleanup import JobCleanup
from retraining_operator.fault_injection import FaultInjection
from retraining_operator.planning.plan import Plan, plan
from retraining_operator.planning.snapshot import PlanInput
from retraining_operator.planning.steps import EndUnstarted, Launch, WriteStatus
from retraining_operator.settings import Settings, Triggers
from retraining_operator.watch.cache import ClusterCache
from tests.unit.operator.test_pod_refusal import FAILED, event, job_of, seen_pod

Build = Callable[..., dict[str, Any]]
JOB_UID = "uid-of-job-of-first"
JOB = build_job_name("first", "uid-of-first")
CREATED = "2026-03-01T11:50:00Z"
UNSCHEDULABLE = {
    "phase": "Pending",
    "conditions": [
        {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": "0/3 nodes are available: 3 Insufficient cpu.",
        }
    ],
}
GATED = {
    "phase": "Pending",
    "conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}],
}
MOUNTING = {
    "phase": "Pending",
    "conditions": [
        {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-03-01T11:52:00Z"}
    ],
    "containerStatuses": [
        {"name": "trainer", "state": {"waiting": {"reason": "ContainerCreating"}}}
    ],
}
PULLING = {
    "phase": "Running",  # because of a sidecar
    "containerStatuses": [
        {"name": "sidecar", "state": {"running": {}}},
        {
            "name": "trainer",
            "state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off"}},
        },
    ],
}
STARTED = {
    "phase": "Running",
    "containerStatuses": [{"name": "trainer", "state": {"running": {}}}],
}


def cache_with(request_body: Build, body: dict[str, Any], *pods: dict[str, Any]) -> ClusterCache:
    cache = ClusterCache()
    cache.update_request(request_body(status={"jobName": JOB}))
    cache.update_job(body)
    for pod in pods:
        cache.update_pod(pod)
    return cache


def planned(cache: ClusterCache, now: datetime, **triggers: Any) -> Plan:
    """Plan after the status that shows the present state was stored."""
    for request in list(cache.requests.values()):
        job = cache.jobs[Task.TRAIN].get(request.uid)
        if job:
            status = {**request.status, **build_launched_status(request, job, now)}
            stored = read_request(
                {
                    "metadata": {
                        "name": request.name,
                        "namespace": request.namespace,
                        "uid": request.uid,
                        "resourceVersion": "99",
                        "generation": 1,
                        "creationTimestamp": request.created_at,
                    },
                    "spec": {},
                    "status": {
                        field: value for field, value in status.items() if value is not None
                    },
                }
            )
            cache.requests[request.uid] = stored
    known = PlanInput(list(cache.requests.values()), cache.jobs)
    return plan(known, Triggers(**triggers), now)


def ended(found: Plan) -> list[str]:
    return [step.job.name for step in found.steps if isinstance(step, EndUnstarted)]


@pytest.mark.parametrize(
    ("status", "since"),
    [
        pytest.param(UNSCHEDULABLE, CREATED, id="no node"),
        pytest.param(MOUNTING, "2026-03-01T11:52:00Z", id="a volume that cannot be mounted"),
        pytest.param(PULLING, CREATED, id="no image, beside a sidecar"),
        pytest.param({}, CREATED, id="nothing is reported"),
    ],
)
def test_job_is_ended_when_its_pod_has_waited_for_too_long(
    request_body: Build, job_body: Build, now: datetime, status: dict[str, Any], since: str
) -> None:
    cache = cache_with(request_body, job_body(active=1), seen_pod(CREATED, **status))
    deadline = datetime.fromisoformat(since) + timedelta(seconds=600)
    before = planned(cache, deadline - timedelta(seconds=1))
    assert ended(before) == []
    assert before.wake_at == deadline
    assert ended(planned(cache, deadline)) == [JOB]
    assert planned(cache, deadline).wake_at is None
    assert ended(planned(cache, now + timedelta(days=9), start_timeout_seconds=0)) == []
    assert ended(planned(cache, now + timedelta(days=9), start_timeout_seconds=10**6)) == []


@pytest.mark.parametrize(
    ("status", "changes"),
    [
        pytest.param(STARTED, {"active": 1, "ready": 1}, id="it runs"),
        pytest.param(GATED, {"active": 1}, id="a scheduling gate holds it back"),
        pytest.param(
            UNSCHEDULABLE,
            {"conditions": [{"type": "Suspended", "status": "True"}]},
            id="a queue has suspended the Job",
        ),
        pytest.param(FAILED, {"failed": 1}, id="the next pod follows"),
    ],
)
def test_job_that_runs_or_is_held_back_on_purpose_is_not_ended(
    request_body: Build,
    job_body: Build,
    now: datetime,
    status: dict[str, Any],
    changes: dict[str, Any],
) -> None:
    body = job_body(**{key: value for key, value in changes.items() if key != "conditions"})
    body["status"] |= changes
    cache = cache_with(request_body, body, seen_pod(CREATED, **status))
    assert ended(planned(cache, now + timedelta(days=9))) == []


def test_second_attempt_has_its_own_time_to_start(
    request_body: Build, job_body: Build, now: datetime
) -> None:
    second = seen_pod("2026-03-01T11:59:00Z", **UNSCHEDULABLE)
    body = job_body(active=1, failed=1)
    cache = cache_with(request_body, body, seen_pod("2026-03-01T11:00:00Z", **FAILED), second)
    assert ended(planned(cache, now)) == []
    assert ended(planned(cache, now + timedelta(minutes=9))) == [JOB]


def test_pod_that_is_refused_for_too_long_ends_its_job(
    request_body: Build, job_body: Build, now: datetime
) -> None:
    cache = cache_with(request_body, job_body())
    for minute in range(50, 60):  # each refusal is a new Event
        at = f"2026-03-01T11:{minute}:00Z"
        cache.update_refusal(event(at, metadata={"creationTimestamp": at}))
    assert job_of(cache).unstarted_since == CREATED
    assert ended(planned(cache, now - timedelta(seconds=1))) == []
    assert ended(planned(cache, now)) == [JOB]


def test_ended_job_is_not_ended_again_and_its_place_is_taken(
    request_body: Build, job_body: Build, now: datetime
) -> None:
    body = job_body(active=1)
    cache = cache_with(request_body, body, seen_pod(CREATED, **UNSCHEDULABLE))
    cache.update_request(request_body("next", created="2026-03-01T11:30:00Z"))
    assert len(ended(planned(cache, now, max_concurrent=1))) == 1
    body["metadata"] |= {
        "annotations": {"retraining.dev/start-timeout-seconds": "600"},
        "resourceVersion": "10",
    }
    cache.update_job(body)
    assert ended(planned(cache, now, max_concurrent=1)) == []
    failed = {"type": "Failed", "status": "True", "reason": "DeadlineExceeded"}
    body["status"]["conditions"] = [{**failed, "lastTransitionTime": "2026-03-01T12:00:01Z"}]
    body["metadata"]["resourceVersion"] = "11"
    cache.update_job(body)
    launched = [
        step.request.name
        for step in planned(cache, now, max_concurrent=1).steps
        if isinstance(step, Launch)
    ]
    assert launched == ["next"]


def test_status_shows_what_the_pod_waits_for_before_the_job_is_ended(
    request_body: Build, job_body: Build, now: datetime
) -> None:
    cache = cache_with(request_body, job_body(active=1), seen_pod(CREATED, **UNSCHEDULABLE))
    [step] = plan(PlanInput(list(cache.requests.values()), cache.jobs), Triggers(), now).steps
    assert isinstance(step, WriteStatus)
    assert step.status["waitingFor"]["reason"] == "Unschedulable"


def timed_out(job_body: Build) -> Job:
    cache = ClusterCache()
    body = job_body(end="Failed", reason="DeadlineExceeded")
    body["metadata"]["annotations"] = {"retraining.dev/start-timeout-seconds": "600"}
    cache.update_job(body)
    return job_of(cache)


def test_outcome_has_the_reason_and_the_schedulers_message(job_body: Build) -> None:
    problem = PodProblem("Unschedulable", "No node can take the pod: Insufficient cpu.")
    outcome = read_outcome(timed_out(job_body), [], problem)
    assert outcome == JobOutcome(
        "Unschedulable",
        "The trainer did not start within 600 s (triggers.startTimeoutSeconds), so others got its "
        "place. No node can take the pod: Insufficient cpu. Then apply a new RetrainRequest.",
    )


def test_outcome_of_a_pod_without_a_reported_problem_says_where_to_look(job_body: Build) -> None:
    outcome = read_outcome(timed_out(job_body), [])
    assert outcome.reason == "ContainerNotCreated"
    assert "kubectl get events" in outcome.message


class EndedJobs:
    """Answers with pods, and collects the Jobs that are ended."""

    def __init__(self, *pods: dict[str, Any]) -> None:
        self.pods = pods
        self.ended: list[tuple[str, dict[str, str]]] = []

    async def list_pods(self, _: str) -> tuple[dict[str, Any], ...]:
        return self.pods

    async def end_job(self, name: str, annotations: dict[str, str]) -> dict[str, Any]:
        self.ended.append((name, annotations))
        return {"metadata": {"name": name, "resourceVersion": "10"}, "spec": {}}


@pytest.mark.parametrize(("status", "count"), [(UNSCHEDULABLE, 1), (STARTED, 0)])
async def test_trainer_that_has_started_meanwhile_is_not_ended(
    request_body: Build,
    job_body: Build,
    settings: Settings,
    status: dict[str, Any],
    count: int,
) -> None:
    cache = cache_with(request_body, job_body(active=1), seen_pod(CREATED, **UNSCHEDULABLE))
    [request] = cache.requests.values()
    newer = seen_pod(CREATED, **status)
    newer["metadata"]["resourceVersion"] = "20"
    cluster = EndedJobs(newer)
    cleanup = JobCleanup(
        cluster=cast("Any", cluster),
        cache=cache,
        settings=settings.job,
        fault_injection=FaultInjection.disabled(),
        clock=lambda: datetime.now(UTC),
    )
    await cleanup.end_unstarted_job(EndUnstarted(request, job_of(cache), 600))
    assert len(cluster.ended) == count
    if count:
        assert cluster.ended == [(JOB, {"retraining.dev/start-timeout-seconds": "600"})]
