"""What the trigger policy looks at: what waits, what runs, what ended when.

Gathered by `plan`. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from retraining_operator.api.admission import Admission, Allow, Wait
from retraining_operator.api.job import Job
from retraining_operator.api.request import RetrainRequest
from retraining_operator.planning.finished import FinishedRun, parse_time
from retraining_operator.settings import Triggers

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Snapshot:
    """What the policy looks at, as it stands when one request's turn comes."""

    triggers: Triggers
    now: datetime
    running: int
    """Retrains whose Job is not finished, or is about to be created."""
    starts: Sequence[datetime] = ()
    """When the retrains of the last day started, oldest first."""
    ends: Sequence[FinishedRun] = ()
    """Retrains that have ended, oldest first."""
    waiting: tuple[RetrainRequest, ...] = ()
    """Those whose turn came before and that wait."""
    newer: int = 0
    """How many requests that could start have arrived later."""
    newest: str = ""
    """The name of the last of them."""

    def after(self, request: RetrainRequest, admission: Admission) -> Snapshot:
        """Give what the next request in order finds."""
        if isinstance(admission, Allow):
            return replace(self, running=self.running + 1, starts=[*self.starts, self.now])
        if isinstance(admission, Wait) and not request.spec.suspend:
            return replace(self, waiting=(*self.waiting, request))
        return self


def build_snapshot(
    triggers: Triggers,
    now: datetime,
    running_since: Sequence[datetime],
    past: Sequence[FinishedRun],
) -> Snapshot:
    """Gather what the rules need; what no rule asks for is left out, since the past may be long."""
    found = Snapshot(triggers=triggers, now=now, running=len(running_since))
    if triggers.max_runs_per_day:
        started = (run.started_at for run in past if run.started_at and run.started_at > now - DAY)
        found = replace(found, starts=sorted([*started, *running_since]))
    if triggers.cooldown_seconds or triggers.breaker_failures:
        found = replace(
            found, ends=sorted((run for run in past if run.ran), key=lambda run: run.ended_at)
        )
    return found


def is_candidate(request: RetrainRequest, jobs: Mapping[str, Job]) -> bool:
    """Tell whether a request asks to be launched."""
    begun = request.is_finished or request.uid in jobs or request.status.get("jobName")
    return not begun and request.malformed is None


def find_start_times(
    requests: Iterable[RetrainRequest], jobs: Mapping[str, Job], launching: Set[str], now: datetime
) -> list[datetime]:
    """Give when each retrain that takes a place started: its Job is not finished, is being created, or was deleted.

    A deleted Job's pod may run on for a while, and so may the sidecars of a trainer that has ended;
    the place is free once the request has its outcome.
    """
    requests = list(requests)
    finished = {request.uid for request in requests if request.is_finished}
    unfinished = [
        job.started_at for uid, job in jobs.items() if job.end is None and uid not in finished
    ]
    unseen = [
        request.status.get("startTime")
        for request in requests
        if request.uid not in jobs
        and not request.is_finished
        and (request.uid in launching or request.status.get("jobName"))
    ]
    return [parse_time(started) if started else now for started in unfinished + unseen]
