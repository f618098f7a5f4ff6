"""A rejected pod is known from the Job controller's Event until a newer pod exists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from retraining_operator.api.job import Job
from retraining_operator.api.names import Task
from retraining_operator.api.pod_problems import read_refusal
from retraining_operator.watch.cache import ClusterCache
from tests.unit.operator.attempts import job_owner

Build = Callable[..., dict[str, Any]]
JOB_UID = "uid-of-job-of-first"


def event(at: str = "2026-03-01T11:02:00Z", name: str = "abcde", **changes: Any) -> dict[str, Any]:
    note = f'Error creating: pods "first-job-{name}" is forbidden: exceeded quota: team'
    regarding = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "name": "first-job",
        "uid": JOB_UID,
    }
    body = {"metadata": {}, "reason": "FailedCreate", "note": note, "regarding": regarding}
    return {**body, "deprecatedLastTimestamp": at, **changes}


def seen_pod(created: str, **status: Any) -> dict[str, Any]:
    owner = job_owner(JOB_UID)
    labels = {"retraining.dev/request-uid": "uid-of-first"}
    metadata = {"uid": created, "name": "first-p", "labels": labels, "ownerReferences": [owner]}
    return {"metadata": {**metadata, "creationTimestamp": created}, "status": status}


FAILED = {
    "phase": "Failed",
    "containerStatuses": [{"name": "trainer", "state": {"terminated": {"exitCode": 70}}}],
}


def job_of(cache: ClusterCache) -> Job:
    [job] = cache.jobs[Task.TRAIN].values()
    return job


@pytest.fixture
def cache(request_body: Build, job_body: Build) -> ClusterCache:
    cache = ClusterCache()
    cache.update_request(request_body())
    cache.update_job(job_body())
    return cache


def test_message_is_the_same_for_each_repetition_of_a_refusal(cache: ClusterCache) -> None:
    cache.update_refusal(event())
    held = job_of(cache).waiting_for
    assert held
    assert held.reason == "PodRefused"
    assert 'pods "first-job-" is forbidden: exceeded quota: team' in held.message
    cache.changed.clear()
    cache.update_refusal(event(at="2026-03-01T11:03:00Z", name="fghij"))
    assert not cache.changed.is_set()


@pytest.mark.parametrize("event_first", [True, False])
def test_event_counts_whether_it_comes_before_or_after_its_job(
    request_body: Build, job_body: Build, event_first: bool
) -> None:
    cache = ClusterCache()
    cache.update_request(request_body())
    for see in (0, 1) if event_first else (1, 0):
        cache.update_job(job_body()) if see else cache.update_refusal(event())
    assert job_of(cache).waiting_for


def test_older_event_does_not_replace_a_newer_one(cache: ClusterCache) -> None:
    cache.update_refusal(event(note="Error creating: newer"))
    cache.update_refusal(event(at="2026-03-01T11:01:00Z", note="Error creating: older"))
    held = job_of(cache).waiting_for
    assert held
    assert "newer" in held.message


def test_existing_pod_ends_the_wait_and_a_later_refusal_starts_one(
    cache: ClusterCache,
) -> None:
    cache.update_refusal(event())
    cache.update_pod(seen_pod("2026-03-01T11:02:30Z"))
    assert job_of(cache).waiting_for is None
    cache.update_pod(
        seen_pod("2026-03-01T11:02:30Z", **FAILED)
    )  # its refusal of before is not news again
    assert job_of(cache).waiting_for is None
    cache.update_refusal(event(at="2026-03-01T11:03:00Z"))
    assert job_of(cache).waiting_for


def test_event_before_a_restart_does_not_affect_a_running_job(
    request_body: Build, job_body: Build
) -> None:
    cache = ClusterCache()
    cache.update_request(request_body())
    cache.update_refusal(event())
    cache.update_job(job_body(active=1))
    assert job_of(cache).waiting_for is None


def test_finished_job_waits_for_nothing(request_body: Build, job_body: Build) -> None:
    cache = ClusterCache()
    cache.update_request(request_body())
    cache.update_refusal(event())
    cache.update_job(job_body(end="Failed", reason="DeadlineExceeded"))
    assert job_of(cache).waiting_for is None


def test_suspended_job_waits_for_its_queue_and_not_for_a_pod_of_before(
    request_body: Build, job_body: Build
) -> None:
    cache = ClusterCache()
    cache.update_request(request_body())
    cache.update_refusal(event())
    body = job_body()
    body.setdefault("status", {})["conditions"] = [{"type": "Suspended", "status": "True"}]
    cache.update_job(body)
    assert job_of(cache).is_suspended
    assert job_of(cache).waiting_for is None


def test_event_of_a_deleted_job_is_removed(cache: ClusterCache, job_body: Build) -> None:
    cache.update_refusal(event())
    cache.remove_job(job_body())
    assert cache.refusals == {}


@pytest.mark.parametrize(
    "changes",
    [
        {"reason": "SuccessfulCreate"},
        {"regarding": {"apiVersion": "apps/v1", "kind": "ReplicaSet", "uid": JOB_UID}},
        {"regarding": {"apiVersion": "evil.example/v1", "kind": "Job", "uid": JOB_UID}},
        {"regarding": {}},
        {"regarding": None, "note": None},
    ],
)
def test_other_events_are_ignored(changes: dict[str, Any]) -> None:
    assert read_refusal(event(**changes)) is None


def test_event_without_a_time_or_a_note_is_read(cache: ClusterCache) -> None:
    cache.update_refusal(event(deprecatedLastTimestamp=None, note=None))
    assert job_of(cache).waiting_for
