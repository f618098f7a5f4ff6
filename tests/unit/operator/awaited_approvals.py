"""Plans for a request whose challenger awaits approval."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from retraining_operator.api.approval import Approval
from retraining_operator.api.conditions import Status
from retraining_operator.api.job import read_job
from retraining_operator.api.names import Task
from retraining_operator.api.request import RetrainRequest
from retraining_operator.api.retrain_approval import read_retrain_approval
from retraining_operator.contract import ApprovalAnswer
from retraining_operator.planning.plan import plan
from retraining_operator.planning.snapshot import PlanInput
from retraining_operator.planning.steps import Step, WriteStatus
from retraining_operator.settings import Triggers

Ask = Callable[..., RetrainRequest]
JANE = Approval(ApprovalAnswer.APPROVE, "jane", is_verified=True, comment="better on cards")
ANNOUNCED = {
    "approval": "approve",
    "approvalBy": "jane",
    "approvalVerified": True,
    "approvalComment": "better on cards",
}
"""The fields of the status that are written before the Job is created."""


def in_database(status: Status) -> Status:
    """Return a status whose outcome is recorded, which every later step requires."""
    *others, recorded = status["conditions"]
    return status | {"conditions": [*others, recorded | {"status": "True", "reason": "Recorded"}]}


def step_of(
    request: RetrainRequest,
    now: datetime,
    *bodies: dict[str, Any],
    approval: dict[str, Any] | None = None,
    four_eyes: bool = False,
) -> Step | None:
    """Plan for one request alone.

    Args:
        request: The request.
        now: The time.
        *bodies: The Jobs in the namespace.
        approval: The RetrainApproval of the request; None if there is none.
        four_eyes: Whether nobody may approve what they have requested.

    Returns:
        Its first step; None if there is nothing to do.
    """
    found = [job for body in bodies if (job := read_job(body))]
    jobs = {task: {job.request_uid: job for job in found if job.task is task} for task in Task}
    approvals = {request.uid: read_retrain_approval(approval)} if approval else {}
    known = PlanInput([request], jobs, approvals=approvals, needs_four_eyes=four_eyes)
    steps = plan(known, Triggers(max_concurrent=2), now).steps
    return steps[0] if steps else None


def message_of(step: Step | None) -> str:
    """Return the message of the condition Promoted that a step writes."""
    assert isinstance(step, WriteStatus)
    return str(step.status["conditions"][1]["message"])
