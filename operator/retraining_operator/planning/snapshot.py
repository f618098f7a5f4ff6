"""What is known when a plan is made, and what the trigger policy looks at."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from retraining_operator.api.admission import Admission, Allow, Wait
from retraining_operator.api.fields import parse_time
from retraining_operator.api.job import Job
from retraining_operator.api.names import Task
from retraining_operator.api.request import RetrainRequest
from retraining_operator.api.retrain_approval import RetrainApproval
from retraining_operator.planning.finished import FinishedRun
from retraining_operator.settings import Triggers

DAY = timedelta(days=1)
CLOCK_SKEW = timedelta(hours=1)
"""How far clocks may differ. Later times were written by hand or by a broken clock. They do not
count, because a cooldown from the year 2999 on would never end."""


@dataclass(frozen=True)
class ApprovalState:
    """What is known of the approval of one request's challenger.

    Args:
        job: The Job of the task `decide`, if it is known.
        retrain_approval: The RetrainApproval that the operator has created, if it is known.
        needs_four_eyes: Whether nobody may approve what they have requested.
    """

    job: Job | None = None
    retrain_approval: RetrainApproval | None = None
    needs_four_eyes: bool = False


@dataclass(frozen=True)
class PlanInput:
    """What is known when a plan is made.

    Args:
        requests: The requests that are not settled.
        jobs: The Jobs of each task, by the uid of their request.
        finished_runs: What is stored of finished requests.
        launching: Uids of requests whose Job is being created, even if the status does not show it.
        refused: Uids of requests whose Job was just refused. Until they are tried again, others
            take their places.
        refusals: Why requests may not run, by their uids.
        approvals: The RetrainApprovals that the operator has created, by the uid of their request.
        needs_four_eyes: Whether nobody may approve what they have requested.
    """

    requests: Collection[RetrainRequest]
    jobs: Mapping[Task, Mapping[str, Job]]
    finished_runs: Sequence[FinishedRun] = ()
    launching: Set[str] = frozenset()
    refused: Set[str] = frozenset()
    refusals: Mapping[str, str] = field(default_factory=dict)
    approvals: Mapping[str, RetrainApproval] = field(default_factory=dict)
    needs_four_eyes: bool = False

    def find_approval(self, request: RetrainRequest) -> ApprovalState:
        """Find what is known of the approval of a request's challenger."""
        return ApprovalState(
            job=self.jobs[Task.DECIDE].get(request.uid),
            retrain_approval=self.approvals.get(request.uid),
            needs_four_eyes=self.needs_four_eyes,
        )


@dataclass(frozen=True)
class Snapshot:
    """What the trigger policy looks at for one request.

    Args:
        triggers: The settings of the trigger policy.
        now: The present time, UTC.
        running: Number of runs whose Job is not finished, or is about to be created. Rollbacks have
            a limit of their own and are not among them.
        starts: When the runs of the last 24 hours started, oldest first.
        ends: The runs that have ended, oldest first.
        waiting: The earlier requests that wait.
        newer: Number of later requests that could start.
        newest: The name of the last of them.
        rollbacks: Number of rollbacks whose Job is not finished, or is about to be created.
    """

    triggers: Triggers
    now: datetime
    running: int
    starts: Sequence[datetime] = ()
    ends: Sequence[FinishedRun] = ()
    waiting: tuple[RetrainRequest, ...] = ()
    newer: int = 0
    newest: str = ""
    rollbacks: int = 0

    def after(self, request: RetrainRequest, admission: Admission) -> Snapshot:
        """Return the snapshot for the next request.

        Args:
            request: The request that was admitted.
            admission: The answer for it.

        Returns:
            This snapshot with the consequences of the answer.
        """
        if isinstance(admission, Allow) and request.is_rollback:
            return replace(self, rollbacks=self.rollbacks + 1)
        if isinstance(admission, Allow):
            return replace(self, running=self.running + 1, starts=[*self.starts, self.now])
        if isinstance(admission, Wait) and not request.spec.suspend:
            return replace(self, waiting=(*self.waiting, request))
        return self


def build_snapshot(
    triggers: Triggers,
    now: datetime,
    running_since: Sequence[datetime],
    finished_runs: Sequence[FinishedRun],
    rollbacks: int = 0,
) -> Snapshot:
    """Build the snapshot for the first request.

    Only what the rules need is collected, because there may be thousands of finished runs.

    Args:
        triggers: The settings of the trigger policy.
        now: The present time, UTC.
        running_since: The start times of all runs that count as running, UTC.
        finished_runs: What is stored of finished requests.
        rollbacks: Number of rollbacks that count as running.

    Returns:
        The snapshot.
    """
    running = len(running_since)
    snapshot = Snapshot(triggers=triggers, now=now, running=running, rollbacks=rollbacks)
    if triggers.max_runs_per_day:
        finished_starts = [run.started_at for run in finished_runs if run.started_at]
        starts = [*finished_starts, *running_since]
        recent = [start for start in starts if now - DAY < start < now + CLOCK_SKEW]
        snapshot = replace(snapshot, starts=sorted(recent))
    if triggers.cooldown_seconds or triggers.breaker_failures:
        ended = [run for run in finished_runs if run.ran and run.ended_at < now + CLOCK_SKEW]
        snapshot = replace(snapshot, ends=sorted(ended, key=lambda run: run.ended_at))
    return snapshot


def is_candidate(request: RetrainRequest, jobs: Mapping[str, Job]) -> bool:
    """Return whether a request waits to be launched.

    Args:
        request: The request.
        jobs: The Jobs of the task `train`, by the uid of their request.

    Returns:
        True if the trigger policy has to answer.
    """
    has_started = request.is_finished or request.uid in jobs or request.status.get("jobName")
    return not has_started and request.malformed is None


def find_start_times(
    requests: Iterable[RetrainRequest], jobs: Mapping[str, Job], launching: Set[str], now: datetime
) -> list[datetime]:
    """Find the start times of all runs that count as running.

    A run counts if its Job is not finished, is being created, or was deleted. The pod of a deleted
    Job may run on for a while, and so may the sidecars of a trainer that has ended. The run counts
    until its request has an outcome. Rollbacks do not count.

    Args:
        requests: The requests that are not settled.
        jobs: The Jobs of the task `train`, by the uid of their request.
        launching: Uids of requests whose Job is being created.
        now: The start of a run whose Job has not started.

    Returns:
        One time per run, UTC.
    """
    requests = list(requests)
    excluded = {request.uid for request in requests if request.is_finished or request.is_rollback}
    with_job = [
        job.started_at for uid, job in jobs.items() if job.end is None and uid not in excluded
    ]
    without_job = [
        request.status.get("startTime")
        for request in requests
        if request.uid not in excluded and is_started_without_job(request, jobs, launching)
    ]
    return [parse_time(started) or now for started in with_job + without_job]


def count_rollbacks(
    requests: Iterable[RetrainRequest], jobs: Mapping[str, Job], launching: Set[str]
) -> int:
    """Count the rollbacks that count as running.

    Args:
        requests: The requests that are not settled.
        jobs: The Jobs of the task `train`, by the uid of their request.
        launching: Uids of requests whose Job is being created.

    Returns:
        Their number.
    """
    rollbacks = [request for request in requests if request.is_rollback and not request.is_finished]
    with_job = [
        request for request in rollbacks if request.uid in jobs and jobs[request.uid].end is None
    ]
    without_job = [
        request for request in rollbacks if is_started_without_job(request, jobs, launching)
    ]
    return len(with_job) + len(without_job)


def is_started_without_job(
    request: RetrainRequest, jobs: Mapping[str, Job], launching: Set[str]
) -> bool:
    """Return whether a request has started although its Job is not known, or is not there yet.

    Args:
        request: A request without an outcome.
        jobs: The Jobs of the task `train`, by the uid of their request.
        launching: Uids of requests whose Job is being created.

    Returns:
        True if it occupies a place.
    """
    is_started = request.uid in launching or bool(request.status.get("jobName"))
    return is_started and request.uid not in jobs
