"""The view holds the newest word of each object, whatever the order in which words come."""

from collections.abc import Callable
from typing import Any

from retraining_operator.request import read_request
from retraining_operator.view import View

Build = Callable[..., dict[str, Any]]


def test_older_word_does_not_replace_a_newer_one(request_body: Build) -> None:
    view = View()
    view.see_request(request_body(version=8, status={"jobName": "new"}))
    view.see_request(request_body(version=7))
    assert view.requests["uid-of-first"].status == {"jobName": "new"}


def test_late_word_does_not_bring_a_settled_request_back(request_body: Build) -> None:
    view = View()
    view.settle(read_request(request_body(version=9)))
    view.changed.clear()
    view.see_request(request_body(version=8))
    assert view.requests == {}
    assert not view.changed.is_set()


def test_newer_word_brings_a_settled_request_back(request_body: Build) -> None:
    view = View()
    view.settle(read_request(request_body(version=9)))
    view.see_request(request_body(version=10))
    assert list(view.requests) == ["uid-of-first"]


def test_jobs_of_others_are_left_out(job_body: Build) -> None:
    view, body = View(), job_body()
    body["metadata"]["ownerReferences"][0]["kind"] = "CronJob"
    view.see_job(body)
    assert not any(view.jobs.values())


def test_end_of_a_pod_that_is_gone_is_kept_until_its_request_is_settled(request_body: Build) -> None:
    view, body = View(), request_body()
    end = {"exitCode": 0, "message": "{}", "finishedAt": "2026-03-01T11:04:00Z"}
    metadata = {"uid": "p", "labels": {"retraining.dev/request-uid": "uid-of-first"}}
    ended = {"metadata": metadata, "status": {"containerStatuses": [{"name": "trainer", "state": {"terminated": end}}]}}
    view.see_request(body)
    view.see_pod(ended)
    view.see_pod({"metadata": metadata, "status": {}})  # a word without the end changes nothing
    assert [attempt.document for attempt in view.attempts["uid-of-first"].values()] == ["{}"]
    view.settle(read_request(body))
    view.see_pod(ended)  # Kubernetes says so once more when it deletes the pod
    assert view.attempts == {}
