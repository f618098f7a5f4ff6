"""The view holds the newest word of each object, whatever the order in which words come."""

from collections.abc import Callable
from typing import Any

import pytest

from retraining_operator.api.names import Task
from retraining_operator.api.request import read_request
from retraining_operator.watch.cache import ClusterCache

Build = Callable[..., dict[str, Any]]


def test_older_word_does_not_replace_a_newer_one(request_body: Build) -> None:
    view = ClusterCache()
    view.see_request(request_body(version=8, status={"jobName": "new"}))
    view.see_request(request_body(version=7))
    assert view.requests["uid-of-first"].status == {"jobName": "new"}


def test_late_word_does_not_bring_a_settled_request_back(request_body: Build) -> None:
    view = ClusterCache()
    view.settle(read_request(request_body(version=9)))
    view.changed.clear()
    view.see_request(request_body(version=8))
    assert view.requests == {}
    assert not view.changed.is_set()


def seen_pod(**status: Any) -> dict[str, Any]:
    owner = {"controller": True, "uid": "uid-of-job-of-first"}
    labels = {"retraining.dev/request-uid": "uid-of-first"}
    metadata = {"uid": "p", "name": "first-p", "labels": labels, "ownerReferences": [owner]}
    return {"metadata": {**metadata, "creationTimestamp": "2026-03-01T11:00:00Z"}, "status": status}


def trainer(**state: Any) -> dict[str, Any]:
    return {"containerStatuses": [{"name": "trainer", "state": state}]}


HELD = trainer(waiting={"reason": "ErrImagePull", "message": "not found"})


@pytest.mark.parametrize("job_first", [True, False], ids=["after its Job", "before its Job"])
def test_job_is_known_to_wait_for_what_its_pod_waits_for(
    request_body: Build, job_body: Build, job_first: bool
) -> None:
    view = ClusterCache()
    view.see_request(request_body())
    for see in [view.see_job, view.see_pod] if job_first else [view.see_pod, view.see_job]:
        see(job_body() if see == view.see_job else seen_pod(**HELD))
    [job] = view.jobs[Task.TRAIN].values()
    assert job.waiting_for
    assert job.waiting_for.reason == "ImagePullFailed"


@pytest.mark.parametrize("end", ["starts", "goes"])
def test_pod_that_waits_no_longer_is_news(request_body: Build, job_body: Build, end: str) -> None:
    view = ClusterCache()
    view.see_request(request_body())
    view.see_job(job_body())
    view.see_pod(seen_pod(**HELD))
    view.changed.clear()
    if end == "starts":
        view.see_pod(seen_pod(**trainer(running={})))
    else:
        view.see_pod(seen_pod(**HELD), gone=True)
    [job] = view.jobs[Task.TRAIN].values()
    assert (job.waiting_for, job.is_starting) == (None, end == "starts")
    assert view.changed.is_set()


def test_same_word_of_a_pod_is_no_news(request_body: Build, job_body: Build) -> None:
    view = ClusterCache()
    view.see_request(request_body())
    view.see_job(job_body())
    view.see_pod(seen_pod(**HELD))
    view.changed.clear()
    view.see_pod(seen_pod(**HELD))
    assert not view.changed.is_set()


def test_newer_word_brings_a_settled_request_back(request_body: Build) -> None:
    view = ClusterCache()
    view.settle(read_request(request_body(version=9)))
    view.see_request(request_body(version=10))
    assert list(view.requests) == ["uid-of-first"]


def test_jobs_of_others_are_left_out(job_body: Build) -> None:
    view, body = ClusterCache(), job_body()
    body["metadata"]["ownerReferences"][0]["kind"] = "CronJob"
    view.see_job(body)
    assert not any(view.jobs.values())


def test_end_of_a_pod_that_is_gone_is_kept_until_its_request_is_settled(
    request_body: Build,
) -> None:
    view, body = ClusterCache(), request_body()
    end = {"exitCode": 0, "message": "{}", "finishedAt": "2026-03-01T11:04:00Z"}
    metadata = {"uid": "p", "labels": {"retraining.dev/request-uid": "uid-of-first"}}
    ended = {
        "metadata": metadata,
        "status": {"containerStatuses": [{"name": "trainer", "state": {"terminated": end}}]},
    }
    view.see_request(body)
    view.see_pod(ended)
    view.see_pod({"metadata": metadata, "status": {}})  # a word without the end changes nothing
    assert [attempt.document for attempt in view.attempts("uid-of-first")] == ["{}"]
    view.settle(read_request(body))
    view.see_pod(ended)  # Kubernetes says so once more when it deletes the pod
    assert view.pods == {}


def test_list_takes_out_what_the_watch_has_missed(request_body: Build, job_body: Build) -> None:
    view = ClusterCache()
    view.see_request(request_body(version=7))
    view.settle(read_request(request_body("finished", version=6)))
    view.see_job(job_body())  # of version 9
    view.changed.clear()
    view.keep_jobs(set(), 9)
    view.keep_requests({"uid-of-first"}, 7)
    assert (list(view.requests), list(view.settled), view.jobs[Task.TRAIN]) == (
        ["uid-of-first"],
        [],
        {},
    )
    assert view.changed.is_set()


def test_list_does_not_take_out_what_is_newer_than_it(request_body: Build, job_body: Build) -> None:
    view = ClusterCache()
    view.see_request(request_body(version=8))
    view.see_job(job_body())
    view.keep_jobs(set(), 7)
    view.keep_requests(set(), 7)
    assert view.requests
    assert view.jobs[Task.TRAIN]
