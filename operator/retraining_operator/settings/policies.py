"""Leader election, trigger policy and retention."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from retraining_operator.settings.section import Section


class LeaderElection(Section):
    """Leader election, with the same three times as in other controllers."""

    enabled: bool = True
    lease_duration_seconds: int = Field(default=15, ge=1)
    renew_deadline_seconds: float = Field(default=10, gt=0)
    retry_period_seconds: float = Field(default=2, gt=0)

    @model_validator(mode="after")
    def check(self) -> Self:
        """Check that two processes cannot lead at once and that one lost answer ends no leader.

        Raises:
            PydanticCustomError: If the times are not in ascending order.
        """
        if (
            not self.retry_period_seconds
            < self.renew_deadline_seconds
            < self.lease_duration_seconds
        ):
            raise PydanticCustomError(
                "times",
                "retryPeriodSeconds must be less than renewDeadlineSeconds, "
                "and that less than leaseDurationSeconds",
            )
        return self


class ConcurrencyPolicy(StrEnum):
    """What happens to a request if the maximum number of runs is reached."""

    QUEUE = "Queue"
    FORBID = "Forbid"
    REPLACE = "Replace"


class Triggers(Section):
    """The trigger policy: when a request may start."""

    max_concurrent: int = Field(default=2, ge=1)
    concurrency_policy: ConcurrencyPolicy = ConcurrencyPolicy.QUEUE
    max_rollbacks: int = Field(default=1, ge=1)
    start_timeout_seconds: int = Field(default=600, ge=0)
    cooldown_seconds: int = Field(default=0, ge=0)
    coalesce: bool = False
    max_runs_per_day: int = Field(default=0, ge=0)
    breaker_failures: int = Field(default=0, ge=0)
    breaker_reset_seconds: int = Field(default=1800, ge=1)
    max_waiting: int = Field(default=1000, ge=0)
    paused: bool = False


class Approvals(Section):
    """Who may approve a challenger."""

    four_eyes: bool = False


class Retention(Section):
    """How many finished RetrainRequests are kept, and for how long."""

    max_count: int = Field(default=1000, ge=1)
    max_age_days: int = Field(default=30, ge=1, le=36_500)
