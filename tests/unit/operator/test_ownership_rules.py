"""Each condition under which an object counts as the operator's own, alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from retraining_operator.api import names
from retraining_operator.api.job import Job, read_job
from retraining_operator.api.names import Task, build_job_name
from retraining_operator.api.ownership import (
    add_launch_token,
    compute_asking_digest,
    compute_launch_digest,
    create_launch_token,
    describe_foreign_job,
    is_own_approval,
    is_own_job,
)
from retraining_operator.api.request import RetrainRequest, read_request
from retraining_operator.api.retrain_approval import read_retrain_approval

Build = Callable[..., dict[str, Any]]
UID = "uid-of-first"


@pytest.fixture
def job(job_body: Build) -> Job:
    found = read_job(job_body())
    assert found is not None
    return found


def launched(request_body: Build, job: Job, **status: Any) -> RetrainRequest:
    """Return a request whose status announces a Job."""
    digest = compute_launch_digest(job.name, job.launch_token)
    fields = {"jobName": build_job_name("first", UID), "launches": [digest], **status}
    return read_request(request_body(status=fields))


def test_announced_job_is_own_and_each_difference_makes_it_foreign(
    request_body: Build, job: Job
) -> None:
    job = replace(job, launch_token="secret")  # noqa: S106  # a random text, no password
    request = launched(request_body, job)
    assert is_own_job(request, job)
    assert not is_own_job(request, replace(job, request_uid="another"))
    assert not is_own_job(request, replace(job, name="another"))
    assert not is_own_job(request, replace(job, launch_token="guessed"))  # noqa: S106
    assert not is_own_job(request, replace(job, task=Task.DECIDE))


@pytest.mark.parametrize("change", [{"request_uid": "another"}, {"name": "another"}])
def test_job_with_the_stored_uid_is_own_only_with_name_and_owner(
    request_body: Build, job: Job, change: dict[str, Any]
) -> None:
    request = launched(request_body, job, jobUid=job.uid)
    assert is_own_job(request, job)
    assert not is_own_job(request, replace(job, **change))
    assert not is_own_job(request, replace(job, uid="another"))


def test_approval_is_own_only_if_it_is_genuine_and_of_this_challenger(
    request_body: Build, approval_body: Build
) -> None:
    approval = read_retrain_approval(approval_body())
    request = read_request(request_body(status={"retrainApprovalUid": approval.uid}))
    assert is_own_approval(request, approval)
    assert not is_own_approval(request, replace(approval, is_genuine=False))
    assert not is_own_approval(request, replace(approval, challenger="another"))
    assert not is_own_approval(request, replace(approval, uid="another"))


def test_announced_approval_is_own_until_another_one_takes_its_place(
    request_body: Build, approval_body: Build
) -> None:
    approval = replace(read_retrain_approval(approval_body()), launch_token="secret")  # noqa: S106
    name = names.build_approval_name("first", UID)
    assert compute_asking_digest(read_request(request_body()), "secret") == compute_launch_digest(
        f"{name}/", "secret"
    )
    announced = compute_launch_digest(f"{name}/", "secret")
    request = read_request(request_body(status={"launches": [announced]}))
    assert is_own_approval(request, approval)
    later = {"launches": [announced], "retrainApprovalUid": "of-the-next-one"}
    assert not is_own_approval(read_request(request_body(status=later)), approval)


def test_digest_of_a_launch_depends_on_name_and_text_and_reveals_neither() -> None:
    digest = compute_launch_digest("job", "secret")
    assert len(digest) == 32
    assert digest not in {compute_launch_digest("job", "x"), compute_launch_digest("y", "secret")}
    assert "secret" not in digest
    tokens = {create_launch_token() for _ in range(10)}
    assert len(tokens) == 10
    assert {len(token) for token in tokens} == {32}


def test_token_is_added_beside_other_annotations_in_a_copy() -> None:
    manifest = {"metadata": {"name": "n", "annotations": {"a": "b"}}, "kind": "Job"}
    assert add_launch_token(manifest, "t") == {
        "metadata": {"name": "n", "annotations": {"a": "b", names.ANNOTATION_LAUNCH: "t"}},
        "kind": "Job",
    }
    assert manifest["metadata"] == {"name": "n", "annotations": {"a": "b"}}
    assert add_launch_token({"metadata": {}}, "t")["metadata"]["annotations"] == {
        names.ANNOTATION_LAUNCH: "t"
    }


def test_foreign_job_is_described_with_name_and_uid() -> None:
    assert describe_foreign_job("job", "u-1") == (
        "The Job job (uid u-1) claims to belong to this request, but the operator has not created "
        "it. Its result is not believed."
    )
