"""Answers of the trigger policy, and plans with them."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from retraining_operator.api.job import read_job
from retraining_operator.api.names import Task
from retraining_operator.api.request import RetrainRequest
from retraining_operator.planning.finished import FinishedRun
from retraining_operator.planning.plan import Plan, plan
from retraining_operator.planning.snapshot import PlanInput, build_snapshot
from retraining_operator.planning.trigger_policy import admit
from retraining_operator.settings import Triggers

Named = Callable[..., RetrainRequest]
"""Builds a request by its name."""
Ended = Callable[..., FinishedRun]
"""Builds a finished run by the minutes since its end."""


def answer(
    request: RetrainRequest,
    now: datetime,
    past: list[FinishedRun] | None = None,
    running: int = 0,
    **triggers: Any,
) -> Any:
    return admit(request, build_snapshot(Triggers(**triggers), now, [now] * running, past or []))


def planned(
    requests: list[RetrainRequest], now: datetime, jobs: list[Any] | None = None, **triggers: Any
) -> Plan:
    found = {job.request_uid: job for body in jobs or [] if (job := read_job(body))}
    return plan(
        PlanInput(requests, {Task.TRAIN: found, Task.DECIDE: {}}), Triggers(**triggers), now
    )
