"""What the operator knows of the cluster: unfinished requests, their Jobs and how pods ended, as the watch shows them.

Seeded by one list before anything is decided, then kept up by the handlers and by the answers to
the operator's own writes. The reconciler waits on it. Resource versions are compared as numbers:
Kubernetes 1.35 promises that they grow, as etcd's always did.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Container, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from retraining_operator.api import names
from retraining_operator.api.job import EndedTrainer, Job, read_job
from retraining_operator.api.names import Task
from retraining_operator.api.outcome import explain_failed_attempt, is_decisive, select_job_attempts
from retraining_operator.api.pod import Attempt, Pod, PodProblem, Refusal, read_pod, read_refusal
from retraining_operator.api.reasons import ConditionReason
from retraining_operator.api.request import RetrainRequest, read_request
from retraining_operator.observability.gauges import WorkCounts
from retraining_operator.planning.finished import FinishedRun, read_finished_run
from retraining_operator.watch.health import WatchHealth
from retraining_operator.watch.requested_positions import RequestedPositions


class ClusterCache:
    """Requests, and for each task their Jobs, by the request's uid."""

    def __init__(self) -> None:
        self.watch_health = WatchHealth()
        """Told of each version of a request or Job that comes in here: the watch must bring it as well."""
        self.requested = RequestedPositions()
        self.requests: dict[str, RetrainRequest] = {}
        self.jobs: dict[Task, dict[str, Job]] = {task: {} for task in Task}
        self.pods: dict[str, dict[str, Pod]] = {}
        """By their own uid as well; one that has ended is kept, since it may be gone before its Job is finished."""
        self.refusals: dict[str, Refusal] = {}
        """The last refusal of a pod of each Job, by the Job's uid; also of Jobs that are not known here yet."""
        self.settled: dict[str, FinishedRun] = {}
        """Finished requests; their resource versions keep a late word of an older one from bringing them back."""
        self.changed = asyncio.Event()
        self._judged_at = 0.0
        """The latest time that a challenger was judged, in seconds since 1970; it outlives the request."""

    def see_request(self, body: Mapping[str, Any]) -> None:
        """Take in a request that was listed, watched or written."""
        self.requested.add(body)
        request = read_request(body)
        self.watch_health.exists(names.PLURAL, request.resource_version)
        self._judged_at = max(self._judged_at, judged_at(request))
        known = self.requests.get(request.uid)
        newest = self.settled.get(request.uid) or known
        if newest is None or request.resource_version > newest.resource_version:
            self.settled.pop(request.uid, None)
            self.requests[request.uid] = request
            self.changed.set()

    def see_job(self, body: Mapping[str, Any]) -> None:
        """Take in a Job that was listed, watched or written; others' Jobs are left out."""
        job = read_job(body)
        if job is None:
            return
        self.watch_health.exists(names.JOBS, job.resource_version)
        jobs = self.jobs[job.task]
        known = jobs.get(job.request_uid)
        if known is None or job.resource_version > known.resource_version:
            jobs[job.request_uid] = self._told(job)
            self.changed.set()

    def see_pod(self, body: Mapping[str, Any], *, gone: bool = False) -> None:
        """Take in what holds a pod up or how its trainer ended, if its request is not settled."""
        pod = read_pod(body)
        if pod is None or pod.request_uid not in self.requests:
            return
        pods = self.pods.setdefault(pod.request_uid, {})
        known = pods.get(pod.uid)
        if (
            known
            and known.attempt
            and (pod.attempt is None or pod.resource_version < known.resource_version)
        ):
            pod = known  # a word without the end, or an older one, changes nothing
        pods[pod.uid] = replace(pod, is_deleted=True, running_containers=()) if gone else pod
        if gone and pod.attempt is None:
            del pods[pod.uid]
        self._retell(pod.request_uid)

    def see_refusal(self, body: Mapping[str, Any], *, gone: bool = False) -> None:
        """Store that the API server has refused a pod of a Job, from the Job controller's Event.

        An Event that is gone has only become too old. What it said is dropped here and stays in the
        status.
        """
        refusal = read_refusal(body)
        if refusal is None:
            return
        known = self.refusals.get(refusal.job_uid)
        if gone:
            self.refusals.pop(refusal.job_uid, None)
        elif known is None or refusal.at >= known.at:
            self.refusals[refusal.job_uid] = refusal
        for jobs in self.jobs.values():
            for request_uid, job in jobs.items():
                if job.uid == refusal.job_uid:
                    self._retell(request_uid)

    def _retell(self, request_uid: str) -> None:
        """Add to a request's Jobs what their pods and Events tell, and note whether that is a change."""
        for jobs in self.jobs.values():
            job = jobs.get(request_uid)
            if job and (told := self._told(job)) != job:
                jobs[request_uid] = told
                self.changed.set()

    def attempts(self, request_uid: str) -> list[Attempt]:
        """Give how a request's pods ended, as far as they did."""
        return [pod.attempt for pod in self.pods.get(request_uid, {}).values() if pod.attempt]

    def _told(self, job: Job) -> Job:
        """Add to a Job what its pods and Events tell."""
        pods = [
            pod for pod in self.pods.get(job.request_uid, {}).values() if pod.job_uid == job.uid
        ]
        ends = select_job_attempts(job, (pod.attempt for pod in pods if pod.attempt))
        return replace(
            job,
            waiting_for=next((pod.problem for pod in pods if pod.problem), None)
            or self._refused(job, pods),
            is_starting=any(pod.is_alive and not pod.problem for pod in pods),
            last_failure=explain_failed_attempt(ends[-1])
            if ends and ends[-1].exit_code != 0
            else None,
            ended_trainer=ended_trainer(pods),
            is_trainer_running=any(pod.is_alive and pod.is_trainer_running for pod in pods),
        )

    def _refused(self, job: Job, pods: Collection[Pod]) -> PodProblem | None:
        """Return why the API server refuses the Job's next pod; None if a pod has been created since, or is there."""
        refusal = self.refusals.get(job.uid)
        if refusal is None or job.end or job.is_failing or job.active:
            return None
        if any(pod.is_alive or pod.created_at > refusal.at for pod in pods):
            return None
        return refusal.problem

    def count_waiting(self) -> int:
        """Count the requests that have no Job yet."""
        jobs = self.jobs[Task.TRAIN]
        return sum(
            request.uid not in jobs and not request.is_finished
            for request in self.requests.values()
        )

    def counts(self, held: Mapping[str, ConditionReason]) -> WorkCounts:
        """Count the requests by state.

        Args:
            held: why requests wait, by their names; those that are gone or have started meanwhile
                are left out.
        """
        jobs, requests = self.jobs[Task.TRAIN], list(self.requests.values())
        unfinished = [request for request in requests if not request.is_finished]
        waiting = [request for request in unfinished if request.uid not in jobs]
        oldest = min((request.created_at for request in waiting), default=None)
        return WorkCounts(
            waiting=len(waiting),
            running=len(unfinished) - len(waiting),
            awaiting_decision=sum(request.is_awaiting_approval for request in requests),
            unrecorded=sum(request.is_finished and not request.is_recorded for request in requests),
            oldest_waiting_at=seconds(oldest) if oldest else None,
            evaluated_at=self._judged_at,
            held=Counter(held[request.name] for request in waiting if request.name in held),
        )

    def settle(self, request: RetrainRequest) -> None:
        """Keep no more of a finished request than its past."""
        self.pods.pop(request.uid, None)
        self.settled[request.uid] = read_finished_run(request)
        self.requests.pop(request.uid, None)

    def past(self) -> list[FinishedRun]:
        """Give what is kept of all finished requests."""
        return [
            *self.settled.values(),
            *(
                read_finished_run(request)
                for request in self.requests.values()
                if request.is_finished
            ),
        ]

    def lose_request(self, body: Mapping[str, Any]) -> None:
        """Remove a request that somebody has deleted; that its record had one stays known."""
        self.requested.add(body)
        self.forget_request(body["metadata"]["uid"])

    def forget_request(self, uid: str) -> None:
        """Remove a request that is gone; others may have waited for its place."""
        found = [known.pop(uid, None) for known in (self.settled, self.requests, self.pods)]
        if any(found):
            self.changed.set()

    def keep_requests(self, uids: Container[str], resource_version: int) -> None:
        """Take out requests that a list of that version does not have: the watch has missed their end."""
        held: list[FinishedRun | RetrainRequest] = [*self.settled.values(), *self.requests.values()]
        for known in held:
            if known.uid not in uids and known.resource_version <= resource_version:
                self.forget_request(known.uid)
                self.changed.set()

    def keep_jobs(self, uids: Container[str], resource_version: int) -> None:
        """Take out Jobs that a list of that version does not have; each would hold its place for ever."""
        for jobs in self.jobs.values():
            for request_uid, job in list(jobs.items()):
                if job.uid not in uids and job.resource_version <= resource_version:
                    del jobs[request_uid]
                    self.refusals.pop(job.uid, None)
                    self.changed.set()

    def forget_job(self, body: Mapping[str, Any]) -> None:
        """Take out a Job that is gone."""
        job = read_job(body)
        if job and self.jobs[job.task].pop(job.request_uid, None):
            self.refusals.pop(job.uid, None)
            self.changed.set()


def judged_at(request: RetrainRequest) -> float:
    """Return when the request's challenger was judged, in seconds since 1970; 0 if it was not."""
    status = request.status
    return (
        seconds(status["completionTime"])
        if status.get("figures") and status.get("completionTime")
        else 0.0
    )


def seconds(timestamp: str) -> float:
    """Parse a time as Kubernetes writes it; returns seconds since 1970."""
    return datetime.fromisoformat(timestamp).timestamp()


def ended_trainer(pods: Iterable[Pod]) -> EndedTrainer | None:
    """Return the trainer that has ended in a pod that Kubernetes will not count as succeeded by itself.

    Another container of the pod goes on, has failed, or the pod is being deleted. A trainer that
    succeeded comes first: its verdict counts, whatever another pod does.
    """
    found = []
    for pod in pods:
        if pod.attempt is None or pod.phase == "Succeeded":
            continue
        succeeded = is_decisive(pod.attempt)
        if pod.running_containers or (succeeded and (pod.phase == "Failed" or pod.is_deleted)):
            finished_at = pod.attempt.finished_at
            found.append(
                EndedTrainer(
                    pod.name,
                    pod.uid,
                    finished_at,
                    succeeded,
                    pod.is_deleted,
                    pod.running_containers,
                )
            )
    return max(found, key=lambda each: (each.succeeded, each.finished_at), default=None)
