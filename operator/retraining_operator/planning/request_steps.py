"""The next steps of one request, from its admission to its end.

Each function yields the steps that are due, the first one first. The plan takes the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from retraining_operator.api.admission import Admission, Allow, Wait
from retraining_operator.api.approval_rules import find_objection
from retraining_operator.api.approval_status import (
    build_applying_approval_status,
    build_asked_status,
    build_awaiting_approval_status,
    describe_ignored_answer,
)
from retraining_operator.api.condition_changes import has_changes
from retraining_operator.api.conditions import Status
from retraining_operator.api.fields import parse_time
from retraining_operator.api.job import Job
from retraining_operator.api.names import Task
from retraining_operator.api.outcome import JobOutcome
from retraining_operator.api.outcome_status import (
    build_finished_status,
    build_not_launched_status,
)
from retraining_operator.api.ownership import is_own_approval
from retraining_operator.api.reasons import ConditionReason
from retraining_operator.api.request import RetrainRequest
from retraining_operator.api.status import build_launched_status, build_waiting_status
from retraining_operator.contract import Withheld
from retraining_operator.planning.finished import FinishedRun, build_merged_field
from retraining_operator.planning.snapshot import ApprovalState
from retraining_operator.planning.steps import (
    AcceptAnswer,
    ApplyApproval,
    Conclude,
    CreateApproval,
    EndJob,
    EndPod,
    EndUnstarted,
    FindJob,
    Launch,
    RecordOutcome,
    Settle,
    SetTtl,
    Step,
    WriteStatus,
)


def plan_admission(
    request: RetrainRequest, admission: Admission, merged: Sequence[FinishedRun], now: datetime
) -> Iterator[Step]:
    """Plan the steps of a request that the trigger policy has answered.

    Args:
        request: The request.
        admission: The answer.
        merged: The requests that were merged into it.
        now: The present time, UTC.

    Yields:
        The steps.
    """
    if isinstance(admission, Allow):
        yield Launch(request)
    elif isinstance(admission, Wait):
        status = build_waiting_status(request, admission.reason, admission.message, now)
        yield from plan_status(request, status | build_merged_field(merged))
    else:
        yield from plan_status(request, build_not_launched_status(request, admission, now))


def plan_training(
    request: RetrainRequest, job: Job | None, start_timeout: timedelta, now: datetime
) -> Iterator[Step]:
    """Plan the steps of a request that has started and has no outcome.

    Args:
        request: The request.
        job: Its Job of the task `train`, if it is known.
        start_timeout: How long its trainer may take to start; zero for no limit.
        now: The present time, UTC.

    Yields:
        The steps.
    """
    if job and (job.end or job.has_outcome):
        yield Conclude(request, job)
    elif job:
        yield from plan_end_of_pod(request, job)
        # The status comes first: after the end of the Job, it shows what the pod waited for.
        yield from plan_status(request, build_launched_status(request, job, now))
        deadline = find_start_deadline(job, start_timeout)
        if deadline and deadline <= now:
            yield EndUnstarted(request, job, int(start_timeout.total_seconds()))
    elif request.malformed:
        outcome = JobOutcome(ConditionReason.INVALID_REQUEST, request.malformed)
        yield from plan_status(request, build_finished_status(request, outcome, now))
    elif request.is_launching:
        yield Launch(request)
    elif request.status.get("jobName"):
        yield FindJob(request, Task.TRAIN)


def find_start_deadline(job: Job, timeout: timedelta) -> datetime | None:
    """Find until when the trainer of a Job may still start.

    Args:
        job: The Job.
        timeout: How long it may take; zero for no limit.

    Returns:
        The time, UTC; None if the trainer has started, or nothing is limited.
    """
    since = parse_time(job.unstarted_since)
    if not timeout or since is None or job.end or job.start_timeout_seconds:
        return None
    return since + timeout


def plan_after_outcome(
    request: RetrainRequest, job: Job | None, approval: ApprovalState, now: datetime
) -> Iterator[Step]:
    """Plan the steps of a request whose outcome is stored.

    Args:
        request: The request.
        job: Its Job of the task `train`, if it is known.
        approval: What is known of its approval.
        now: The present time, UTC.

    Yields:
        The steps.
    """
    concluded = [job]
    if request.is_awaiting_approval:
        yield from plan_approval(request, approval, now)
    else:
        concluded.append(approval.job)
    ended = [each for each in concluded if each]
    for each in ended:
        if each.end is None and not each.is_ended_by_operator:
            yield EndJob(request, each)
    if not request.is_recorded:
        yield RecordOutcome(request)
        return
    for each in ended:
        if each.end and not each.has_ttl:
            yield SetTtl(request, each)
    if not request.is_awaiting_approval and all(each.end for each in ended):
        yield Settle(request)


def plan_end_of_pod(request: RetrainRequest, job: Job) -> Iterator[EndPod]:
    """Plan to end a pod that continues to run although its trainer has failed.

    Args:
        request: The request.
        job: The Job of the pod.

    Yields:
        The step, if there is such a pod.
    """
    trainer = job.ended_trainer
    if trainer and not trainer.succeeded and not trainer.is_deleted:
        yield EndPod(request, trainer)


def plan_approval(
    request: RetrainRequest, approval: ApprovalState, now: datetime
) -> Iterator[Step]:
    """Plan the steps of a request whose challenger awaits approval.

    Args:
        request: The request.
        approval: What is known of its approval.
        now: The present time, UTC.

    Yields:
        The steps.
    """
    job = approval.job
    if job and (job.end or job.has_outcome):
        yield Conclude(request, job)
    elif job:
        yield from plan_end_of_pod(request, job)
        yield from plan_status(request, build_applying_approval_status(request, job, now))
    elif request.is_launching_approval and request.given_approval:
        yield ApplyApproval(request, request.given_approval)
    elif request.status.get("approvalJobName"):
        yield FindJob(request, Task.DECIDE)
    else:
        yield from plan_answer(request, approval, now)


def plan_answer(request: RetrainRequest, approval: ApprovalState, now: datetime) -> Iterator[Step]:
    """Plan the steps of a request whose approval no Job applies yet.

    Args:
        request: The request.
        approval: What is known of its approval.
        now: The present time, UTC.

    Yields:
        The steps.
    """
    answered, reason = approval.retrain_approval, Withheld.AWAITING_APPROVAL
    if answered is None or not is_own_approval(request, answered):
        yield CreateApproval(request)
    elif answered.answer is None or answered.uid != request.status.get("retrainApprovalUid"):
        yield from plan_status(request, build_asked_status(request, answered, now))
    elif objection := find_objection(
        request,
        answered,
        four_eyes=approval.needs_four_eyes,
        is_verified=answered.verifies_approver,
    ):
        message = describe_ignored_answer(answered.name, objection)
        yield from _plan_awaiting(request, ConditionReason.APPROVAL_IGNORED, message, now)
    elif request.spec.suspend:
        message = (
            f"spec.suspend is true. To apply the answer of {answered.approver} "
            f"({answered.answer}), set it to false."
        )
        yield from _plan_awaiting(request, reason, message, now)
    else:
        yield AcceptAnswer(request, answered)


def _plan_awaiting(
    request: RetrainRequest, reason: str, message: str, now: datetime
) -> Iterator[WriteStatus]:
    yield from plan_status(request, build_awaiting_approval_status(request, reason, message, now))


def plan_status(request: RetrainRequest, status: Status) -> Iterator[WriteStatus]:
    """Plan to write a status, unless it is already stored.

    Args:
        request: The request with its stored status.
        status: The status to write.

    Yields:
        The step, if the status has changes.
    """
    if has_changes(request, status):
        yield WriteStatus(request, status)
