"""Every reason that the operator itself gives.

With the trainer's verdicts and failures this is one vocabulary: the same word stands in the condition, the log, the
metrics and the database.
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
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
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    JOB_FAILED = "JobFailed"
    """The Job failed and left no result document."""
