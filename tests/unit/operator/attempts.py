"""Ended pods and their result documents."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from retraining_operator.api.job import Job, read_job
from retraining_operator.api.pod import Attempt, read_attempt
from retraining_operator.contract import Result

Build = Callable[..., dict[str, Any]]
"""Builds the body of an object."""


def document(now: datetime, **fields: Any) -> str:
    return Result(
        **{
            "run_id": "r",
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
    owner = {"controller": True, "uid": f"uid-of-{job}"}
    conditions = [{"type": "DisruptionTarget", "status": "True", "reason": taken}] if taken else []
    status = {
        "conditions": conditions,
        "containerStatuses": [{"name": "trainer", "state": {"terminated": end}}],
    }
    attempt = read_attempt(
        {"metadata": {"name": f"{job}-x", "ownerReferences": [owner]}, "status": status}
    )
    assert attempt is not None
    return attempt


def finished_job(body: dict[str, Any]) -> Job:
    job = read_job(body)
    assert job is not None
    return job
