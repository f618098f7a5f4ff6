"""Reasons of conditions that the operator itself sets.

Together with the trainer's verdicts and failures they are one vocabulary for conditions, log
lines, metrics and the database.
"""

from __future__ import annotations

from enum import StrEnum


class ConditionReason(StrEnum):
    """Why a condition has its status, apart from the trainer's verdicts and failures."""

    QUEUED = "Queued"
    """The maximum number of concurrent runs is reached."""
    PAUSED = "Paused"
    """triggers.paused is true."""
    COOLDOWN = "Cooldown"
    """Not enough time has passed since the end of the last run."""
    BUDGET_SPENT = "BudgetSpent"
    """The maximum number of runs in 24 hours is reached."""
    BREAKER_OPEN = "BreakerOpen"
    """Several consecutive runs failed."""
    MERGED = "Merged"
    """An older waiting request does the work of this one."""
    REPLACED = "Replaced"
    """A newer request replaced it."""
    FORBIDDEN = "ConcurrencyForbidden"
    """Others were running when it arrived, and the policy lets no request wait."""
    LAUNCHING = "Launching"
    """Its Job is being created."""
    SUSPENDED = "Suspended"
    """spec.suspend is true."""
    JOB_REFUSED_FOR_NOW = "JobRefusedForNow"
    """The API server does not allow the Job at present, for example because of a quota.

    It is retried.
    """
    JOB_CREATED = "JobCreated"
    """The Job exists and its pod is not ready yet."""
    RUNNING = "Running"
    """The trainer's pod is running."""
    IMAGE_PULL_FAILED = "ImagePullFailed"
    """The pod waits for its image.

    If the run has ended, this reason and the next three mean that `triggers.startTimeoutSeconds` or
    the deadline passed meanwhile.
    """
    CONTAINER_NOT_CREATED = "ContainerNotCreated"
    """The pod's container cannot be created, for example because a Secret is missing."""
    UNSCHEDULABLE = "Unschedulable"
    """No node can take the pod."""
    POD_REFUSED = "PodRefused"
    """The API server refuses the pod because of a quota, a policy or a webhook."""
    JOB_SUSPENDED = "JobSuspended"
    """The Job's own spec.suspend is true. A queue of Jobs sets it."""
    RETRYING = "Retrying"
    """A pod failed or was removed, and another one follows."""
    INVALID_REQUEST = "InvalidRequest"
    """The spec is invalid."""
    REQUEST_NOT_ALLOWED = "RequestNotAllowed"
    """The spec asks for more than the owner allows (`requests` in the chart's values)."""
    JOB_REFUSED = "JobRefused"
    """The API server refuses the Job, and retrying would not help."""
    JOB_NAME_TAKEN = "JobNameTaken"
    """A Job of that name exists that belongs to something else."""
    FOREIGN_OBJECT = "ForeignObject"
    """Only in an Event: a Job, pod or RetrainApproval was not created for the request.

    It only claims to belong to it, and has no effect.
    """
    OPERATOR_DEFECT = "OperatorDefect"
    """Only in an Event: reading or planning the request failed. Other requests are not affected."""
    JOB_DELETED = "JobDeleted"
    """The Job was deleted before its outcome was known. It is not started a second time."""
    APPLYING_APPROVAL = "ApplyingApproval"
    """A Job is applying the approval."""
    APPROVAL_IGNORED = "ApprovalIgnored"
    """The answer in a RetrainApproval is not applied, and the message says why."""
    RESULT_LOST = "ResultLost"
    """The Job succeeded, but its pod was gone before its result document could be read."""
    OUT_OF_MEMORY = "OutOfMemory"
    """The trainer used more memory than its limit. Raise `job.resources` or read fewer rows."""
    EVICTED = "Evicted"
    """Kubernetes removed the pod: eviction, preemption, a lost node.

    It does not count as a failed attempt.
    """
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    """The Job ran longer than `job.deadlineSeconds`, and Kubernetes ended it."""
    JOB_FAILED = "JobFailed"
    """The Job failed and left no result document."""
    PENDING = "Pending"
    """There is nothing to record yet, or it will be recorded.

    This and the rest are about the database.
    """
    RECORDED = "Recorded"
    """The outcome is in the table `retraining_runs`."""
    DATABASE_UNAVAILABLE = "DatabaseUnavailable"
    """The database does not answer. Recording is retried."""
    RECORD_REFUSED = "RecordRefused"
    """The database refuses the row. Recording is retried, as a right may be granted."""
    NOT_MIGRATED = "NotMigrated"
    """The database has no table of runs, so there is nothing to record in."""
    NO_DATABASE = "NoDatabase"
    """The operator has no address of a database."""
