"""Ended pods and their result documents."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from retraining_operator.api.job import Job, read_job
from retraining_operator.api.pod import Attempt, read_attempt
from retraining_operator.contract import Result

Build = Callable[..., dict[str, Any]]
"""Builds the body of an object."""


def job_owner(uid: str = "uid-of-job-of-first") -> dict[str, Any]:
    """Build the owner reference of a pod that a Job controls.

    Args:
        uid: The uid of the Job.

    Returns:
        The reference.
    """
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "name": "first-job",
        "uid": uid,
        "controller": True,
    }


def document(now: datetime, **fields: Any) -> str:
    return Result(
        **{
            "run_id": "uid-of-first",
            "reason": "x",
            "message": "Said why.",
            "started_at": now,
            "finished_at": now,
            **fields,
        }
    ).document()


def pod(
    code: int,
    message: str = "",
    reason: str = "Error",
    *,
    at: str = "2026-03-01T11:04:00Z",
    job: str = "job-of-first",
    taken: str = "",
) -> Attempt:
    end = {"exitCode": code, "reason": reason, "message": message, "finishedAt": at}
    owner = job_owner(f"uid-of-{job}")
    labels = {"retraining.dev/request-uid": "uid-of-first"}
    conditions = [{"type": "DisruptionTarget", "status": "True", "reason": taken}] if taken else []
    status = {
        "conditions": conditions,
        "containerStatuses": [{"name": "trainer", "state": {"terminated": end}}],
    }
    attempt = read_attempt(
        {
            "metadata": {"name": f"{job}-x", "labels": labels, "ownerReferences": [owner]},
            "status": status,
        }
    )
    assert attempt is not None
    return attempt


def finished_job(body: dict[str, Any]) -> Job:
    job = read_job(body)
    assert job is not None
    return job
