"""The cache stores the newest version of each object, in whatever order versions arrive."""

from collections.abc import Callable
from typing import Any

import pytest

from retraining_operator.api.names import Task
from retraining_operator.api.request import read_request
from retraining_operator.watch.cache import ClusterCache
from tests.unit.operator.attempts import job_owner

Build = Callable[..., dict[str, Any]]


def test_older_version_does_not_replace_a_newer_one(request_body: Build) -> None:
    cache = ClusterCache()
    cache.update_request(request_body(version=8, status={"jobName": "new"}))
    cache.update_request(request_body(version=7))
    assert cache.requests["uid-of-first"].status == {"jobName": "new"}


def test_older_version_does_not_restore_a_settled_request(request_body: Build) -> None:
    cache = ClusterCache()
    cache.settle(read_request(request_body(version=9)))
    cache.changed.clear()
    cache.update_request(request_body(version=8))
    assert cache.requests == {}
    assert not cache.changed.is_set()


def seen_pod(**status: Any) -> dict[str, Any]:
    owner = job_owner()
    labels = {"retraining.dev/request-uid": "uid-of-first"}
    metadata = {"uid": "p", "name": "first-p", "labels": labels, "ownerReferences": [owner]}
    return {"metadata": {**metadata, "creationTimestamp": "2026-03-01T11:00:00Z"}, "status": status}


def trainer(**state: Any) -> dict[str, Any]:
    return {"containerStatuses": [{"name": "trainer", "state": state}]}


HELD = trainer(waiting={"reason": "ErrImagePull", "message": "not found"})


@pytest.mark.parametrize("job_first", [True, False], ids=["after its Job", "before its Job"])
def test_job_shows_what_its_pod_waits_for(
    request_body: Build, job_body: Build, job_first: bool
) -> None:
    cache = ClusterCache()
    cache.update_request(request_body())
    for see in (
        [cache.update_job, cache.update_pod] if job_first else [cache.update_pod, cache.update_job]
    ):
        see(job_body() if see == cache.update_job else seen_pod(**HELD))
    [job] = cache.jobs[Task.TRAIN].values()
    assert job.waiting_for
    assert job.waiting_for.reason == "ImagePullFailed"


@pytest.mark.parametrize("end", ["starts", "goes"])
def test_end_of_a_wait_is_a_change(request_body: Build, job_body: Build, end: str) -> None:
    cache = ClusterCache()
    cache.update_request(request_body())
    cache.update_job(job_body())
    cache.update_pod(seen_pod(**HELD))
    cache.changed.clear()
    if end == "starts":
        cache.update_pod(seen_pod(**trainer(running={})))
    else:
        cache.update_pod(seen_pod(**HELD), is_deleted=True)
    [job] = cache.jobs[Task.TRAIN].values()
    assert (job.waiting_for, job.is_starting) == (None, end == "starts")
    assert cache.changed.is_set()


def test_repeated_event_of_a_pod_is_no_change(request_body: Build, job_body: Build) -> None:
    cache = ClusterCache()
    cache.update_request(request_body())
    cache.update_job(job_body())
    cache.update_pod(seen_pod(**HELD))
    cache.changed.clear()
    cache.update_pod(seen_pod(**HELD))
    assert not cache.changed.is_set()


def test_newer_version_restores_a_settled_request(request_body: Build) -> None:
    cache = ClusterCache()
    cache.settle(read_request(request_body(version=9)))
    cache.update_request(request_body(version=10))
    assert list(cache.requests) == ["uid-of-first"]


def test_jobs_of_other_owners_are_ignored(job_body: Build) -> None:
    cache, body = ClusterCache(), job_body()
    body["metadata"]["ownerReferences"][0]["kind"] = "CronJob"
    cache.update_job(body)
    assert not any(cache.jobs.values())


def test_end_of_a_deleted_pod_is_stored_until_its_request_is_settled(
    request_body: Build,
) -> None:
    cache, body = ClusterCache(), request_body()
    end = {"exitCode": 0, "message": "{}", "finishedAt": "2026-03-01T11:04:00Z"}
    labels = {"retraining.dev/request-uid": "uid-of-first"}
    metadata = {"uid": "p", "labels": labels, "ownerReferences": [job_owner()]}
    ended = {
        "metadata": metadata,
        "status": {"containerStatuses": [{"name": "trainer", "state": {"terminated": end}}]},
    }
    cache.update_request(body)
    cache.update_pod(ended)
    cache.update_pod({"metadata": metadata, "status": {}})  # a word without the end changes nothing
    assert [attempt.document for attempt in cache.list_attempts("uid-of-first")] == ["{}"]
    cache.settle(read_request(body))
    cache.update_pod(ended)  # Kubernetes sends the same status again when it deletes the pod
    assert cache.pods == {}


def test_list_removes_what_the_watch_has_missed(request_body: Build, job_body: Build) -> None:
    cache = ClusterCache()
    cache.update_request(request_body(version=7))
    cache.settle(read_request(request_body("finished", version=6)))
    cache.update_job(job_body())  # of version 9
    cache.changed.clear()
    cache.retain_jobs(set(), 9)
    cache.retain_requests({"uid-of-first"}, 7)
    assert (list(cache.requests), list(cache.settled), cache.jobs[Task.TRAIN]) == (
        ["uid-of-first"],
        [],
        {},
    )
    assert cache.changed.is_set()


def test_list_does_not_remove_newer_objects(request_body: Build, job_body: Build) -> None:
    cache = ClusterCache()
    cache.update_request(request_body(version=8))
    cache.update_job(job_body())
    cache.retain_jobs(set(), 7)
    cache.retain_requests(set(), 7)
    assert cache.requests
    assert cache.jobs[Task.TRAIN]
