"""Every reason that the operator itself gives.

With the trainer's verdicts and failures this is one vocabulary: the same word stands in the
condition, the log, the metrics and the database.
"""

from __future__ import annotations

from enum import StrEnum


class ConditionReason(StrEnum):
    """Why a request stands where it stands, besides the trainer's own verdicts and failures."""

    QUEUED = "Queued"
    """As many retrains run as may run at once."""
    PAUSED = "Paused"
    """triggers.paused holds all back."""
    COOLDOWN = "Cooldown"
    """A retrain has ended a short while ago."""
    BUDGET_SPENT = "BudgetSpent"
    """As many retrains have started today as may."""
    BREAKER_OPEN = "BreakerOpen"
    """Several retrains in a row have failed."""
    MERGED = "Merged"
    """An older request that waited has taken this one in."""
    REPLACED = "Replaced"
    """A newer request has taken its place."""
    FORBIDDEN = "ConcurrencyForbidden"
    """Others ran when it came, and the policy lets none wait."""
    LAUNCHING = "Launching"
    """It may start: its Job is being created."""
    SUSPENDED = "Suspended"
    """spec.suspend holds it back."""
    JOB_REFUSED_FOR_NOW = "JobRefusedForNow"
    """The API server does not let the Job be created at present (a quota, say); it is tried again."""
    JOB_CREATED = "JobCreated"
    """The Job exists and its pod is not ready yet."""
    RUNNING = "Running"
    """The trainer's pod runs."""
    IMAGE_PULL_FAILED = "ImagePullFailed"
    """The pod waits for its image; at the end: the deadline passed meanwhile.

    So it is with the next three.
    """
    CONTAINER_NOT_CREATED = "ContainerNotCreated"
    """The pod's container cannot be created: a Secret is missing, say."""
    UNSCHEDULABLE = "Unschedulable"
    """No node takes the pod."""
    POD_REFUSED = "PodRefused"
    """The API server does not let the Job controller create the pod: a quota, a policy, a webhook."""
    JOB_SUSPENDED = "JobSuspended"
    """Somebody has set the Job's own spec.suspend; a queue of Jobs does so."""
    RETRYING = "Retrying"
    """A pod has failed or was taken away, and another one follows."""
    INVALID_REQUEST = "InvalidRequest"
    """The spec asks for what cannot be."""
    JOB_REFUSED = "JobRefused"
    """The API server refuses the Job for good."""
    JOB_NAME_TAKEN = "JobNameTaken"
    """A Job of that name exists that is not this request's."""
    JOB_DELETED = "JobDeleted"
    """The Job was deleted before its outcome was known; it is not started a second time."""
    DECIDING = "Deciding"
    """A person has decided on the challenger, and a Job carries it out."""
    DECISION_IGNORED = "DecisionIgnored"
    """A decision came when none was awaited; it changes nothing."""
    RESULT_LOST = "ResultLost"
    """The Job ended well, but its pod was gone before its result document could be read."""
    OUT_OF_MEMORY = "OutOfMemory"
    EVICTED = "Evicted"
    """Kubernetes took the pod away: eviction, preemption, a lost node.

    It counts as no failed attempt.
    """
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    JOB_FAILED = "JobFailed"
    """The Job failed and left no result document."""
    PENDING = "Pending"
    """There is nothing to record yet, or it is about to be recorded.

    This and the rest are about the database.
    """
    RECORDED = "Recorded"
    DATABASE_UNAVAILABLE = "DatabaseUnavailable"
    """It does not answer; it is tried again until it does."""
    RECORD_REFUSED = "RecordRefused"
    """It answers and refuses the row; it is tried again, a missing right may come."""
    NOT_MIGRATED = "NotMigrated"
    """It has no table of runs, so there is nothing to record in."""
    NO_DATABASE = "NoDatabase"
    """The operator was given no address of the database."""
