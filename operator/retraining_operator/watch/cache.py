"""The cluster's objects in memory: unfinished requests, their Jobs and how their pods ended.

It is filled from a list before the first plan, then updated by the watch and by the answers to the
operator's own writes. Resource versions are compared as numbers: Kubernetes 1.35 guarantees that
they grow, as etcd's always did.
"""

from __future__ import annotations

import asyncio
from collections.abc import Container, Mapping
from dataclasses import replace
from typing import Any

from retraining_operator.api import names
from retraining_operator.api.fields import Fields
from retraining_operator.api.job import Job, read_job
from retraining_operator.api.names import Task
from retraining_operator.api.owner import JOB_KIND
from retraining_operator.api.pod import Attempt, Pod, read_pod
from retraining_operator.api.pod_problems import Refusal, read_refusal
from retraining_operator.api.reasons import ConditionReason
from retraining_operator.api.request import RetrainRequest, read_request
from retraining_operator.observability.gauges import WorkCounts
from retraining_operator.observability.problems import ProblemReporter
from retraining_operator.planning.finished import FinishedRun, read_finished_run
from retraining_operator.watch.approval_cache import ApprovalCache
from retraining_operator.watch.health import WatchHealth
from retraining_operator.watch.job_details import add_details, drop_surplus_pods
from retraining_operator.watch.object_fence import fence_object
from retraining_operator.watch.own_jobs import OwnJobs
from retraining_operator.watch.requested_positions import RequestedPositions
from retraining_operator.watch.work_counts import count_work, read_evaluation_time

POD_KIND, EVENT_KIND = "Pod", "Event"
REFUSALS_LIMIT = 5000
"""How many Jobs may have a rejected pod at a time. The oldest rejection is forgotten first."""


class ClusterCache:
    """Requests, and for each task their Jobs, by the request's uid.

    Args:
        problems: Reports objects that are ignored; by default in the log only.
    """

    def __init__(self, problems: ProblemReporter | None = None) -> None:
        self.problems = problems or ProblemReporter()
        """Reports objects that are ignored. One of them never affects another object."""
        self.watch_health = WatchHealth()
        """Checks that each version that is stored here also comes through the watch."""
        self.requested_positions = RequestedPositions()
        self.requests: dict[str, RetrainRequest] = {}
        self.jobs: dict[Task, dict[str, Job]] = {task: {} for task in Task}
        self.pods: dict[str, dict[str, Pod]] = {}
        """By request and by their own uid. An ended pod stays, because it may be deleted before its
        Job is finished."""
        self.refusals: dict[str, Refusal] = {}
        """For each Job, by its uid, the last rejection of one of its pods. The Job itself may not
        be in the cache yet."""
        self.settled: dict[str, FinishedRun] = {}
        """Finished requests. Their resource versions prevent older versions from replacing them."""
        self.own_jobs = OwnJobs(self.requests, self.jobs, self.settled)
        self.changed = asyncio.Event()
        self.approvals = ApprovalCache(self.problems, self.watch_health, self.changed)
        self._evaluated_at = 0.0
        """When a challenger was last evaluated, in seconds since 1970. It outlives the request."""

    def update_request(self, body: Mapping[str, Any]) -> None:
        """Store a request that was listed, watched or written, if it is newer."""
        with fence_object(self.problems, names.KIND, body):
            self.requested_positions.add(body)
            request = read_request(body)
            self.watch_health.expect_version(names.PLURAL, request.resource_version)
            self._evaluated_at = max(self._evaluated_at, read_evaluation_time(request))
            known = self.settled.get(request.uid) or self.requests.get(request.uid)
            if known is None or request.resource_version > known.resource_version:
                self.settled.pop(request.uid, None)
                self.requests[request.uid] = request
                self.changed.set()

    def update_job(self, body: Mapping[str, Any]) -> None:
        """Store a Job that was listed, watched or written, if it is newer.

        A Job that cannot be a request's own, by its name or owner, is reported and ignored. Whether
        it is the request's own is decided when a plan is made, because the request may be newer.
        """
        with fence_object(self.problems, JOB_KIND, body):
            job = read_job(body)
            if job is None:
                self.own_jobs.foreign.add(JOB_KIND, body)
                return
            self.watch_health.expect_version(names.JOBS, job.resource_version)
            jobs = self.jobs[job.task]
            known = jobs.get(job.request_uid)
            if known is None or job.resource_version > known.resource_version:
                jobs[job.request_uid] = self._add_details(job)
                self.changed.set()

    def add_created_job(self, body: Mapping[str, Any]) -> None:
        """Store a Job that this process has created or adopted. No other one counts from now on."""
        with fence_object(self.problems, JOB_KIND, body):
            if job := read_job(body):
                self.own_jobs.add_created(job)
        self.update_job(body)

    def update_pod(self, body: Mapping[str, Any], *, is_deleted: bool = False) -> None:
        """Store what a pod waits for or how its trainer ended, if its request is not settled.

        Args:
            body: The pod.
            is_deleted: Whether it no longer exists.
        """
        with fence_object(self.problems, POD_KIND, body):
            pod = read_pod(body)
            if pod is None:
                self.own_jobs.foreign.add(POD_KIND, body)
            elif pod.request_uid in self.requests:
                self._store_pod(pod, is_deleted=is_deleted)

    def _store_pod(self, pod: Pod, *, is_deleted: bool) -> None:
        pods = self.pods.setdefault(pod.request_uid, {})
        known = pods.get(pod.uid)
        if known and known.attempt:
            is_outdated = pod.attempt is None or pod.resource_version < known.resource_version
            if is_outdated:  # How the pod ended is known, so this version adds nothing.
                pod = known
        pods[pod.uid] = replace(pod, is_deleted=True, running_containers=()) if is_deleted else pod
        if is_deleted and pod.attempt is None:
            del pods[pod.uid]
        drop_surplus_pods(pods)
        self._refresh_jobs(pod.request_uid)

    def update_refusal(self, body: Mapping[str, Any], *, is_deleted: bool = False) -> None:
        """Store that the API server has rejected a pod of a Job, from the Job controller's Event.

        A deleted Event has only expired. Its message is removed here and stays in the status.

        Args:
            body: The Event.
            is_deleted: Whether it no longer exists.
        """
        with fence_object(self.problems, EVENT_KIND, body):
            refusal = read_refusal(body)
            if refusal is not None:
                self._store_refusal(refusal, is_deleted=is_deleted)

    def _store_refusal(self, refusal: Refusal, *, is_deleted: bool) -> None:
        known = self.refusals.get(refusal.job_uid)
        if is_deleted:
            self.refusals.pop(refusal.job_uid, None)
        elif known is None or refusal.at >= known.at:
            since = min(known.since, refusal.since) if known else refusal.since
            self.refusals.pop(refusal.job_uid, None)
            self.refusals[refusal.job_uid] = replace(refusal, since=since)
        if len(self.refusals) > REFUSALS_LIMIT:
            del self.refusals[next(iter(self.refusals))]
        for jobs in self.jobs.values():
            for request_uid, job in jobs.items():
                if job.uid == refusal.job_uid:
                    self._refresh_jobs(request_uid)

    def _refresh_jobs(self, request_uid: str) -> None:
        """Update a request's Jobs from their pods and Events."""
        for jobs in self.jobs.values():
            job = jobs.get(request_uid)
            if job and (updated := self._add_details(job)) != job:
                jobs[request_uid] = updated
                self.changed.set()

    def _add_details(self, job: Job) -> Job:
        pods = self.pods.get(job.request_uid, {}).values()
        return add_details(job, pods, self.refusals.get(job.uid))

    def list_attempts(self, request_uid: str) -> list[Attempt]:
        """Return the attempts of a request whose trainer has ended."""
        return [pod.attempt for pod in self.pods.get(request_uid, {}).values() if pod.attempt]

    def list_finished_runs(self) -> list[FinishedRun]:
        """Return all finished requests, settled or not."""
        unsettled = [request for request in self.requests.values() if request.is_finished]
        return [*self.settled.values(), *map(read_finished_run, unsettled)]

    def count_waiting(self) -> int:
        """Count the requests that have no Job yet and would start by themselves.

        A suspended request may stay suspended for ever, so it must not count.
        """
        launched = self.own_jobs.select()[Task.TRAIN]
        return sum(
            request.uid not in launched and not request.spec.suspend and not request.is_finished
            for request in self.requests.values()
        )

    def count_work(self, waiting_reasons: Mapping[str, ConditionReason]) -> WorkCounts:
        """Count the requests by state.

        Args:
            waiting_reasons: Why requests wait, by name. Requests that are gone or have started are
                ignored.

        Returns:
            The counts.
        """
        requests = list(self.requests.values())
        launched = self.own_jobs.select()[Task.TRAIN]
        return count_work(requests, launched, waiting_reasons, self._evaluated_at)

    def settle(self, request: RetrainRequest) -> None:
        """Reduce a finished request to what later plans need of it."""
        self.own_jobs.forget_created(request.uid)
        self.pods.pop(request.uid, None)
        self.settled[request.uid] = read_finished_run(request)
        self.requests.pop(request.uid, None)

    def remove_deleted_request(self, body: Mapping[str, Any]) -> None:
        """Remove a request that was deleted, and store the Kafka position of its record."""
        with fence_object(self.problems, names.KIND, body):
            self.requested_positions.add(body)
            self.remove_request(Fields.of(body).fields("metadata").require_name("uid"))

    def remove_settled(self, run: FinishedRun) -> None:
        """Remove a finished run whose request was deleted or changed. A newer version stays."""
        known = self.settled.get(run.uid)
        if known is not None and known.resource_version == run.resource_version:
            self.remove_request(run.uid)

    def remove_request(self, uid: str) -> None:
        """Remove a request that no longer exists. Another one may start in its place."""
        self.own_jobs.forget_created(uid)
        found = [known.pop(uid, None) for known in (self.settled, self.requests, self.pods)]
        if any(found):
            self.changed.set()

    def remove_job(self, body: Mapping[str, Any]) -> None:
        """Remove a Job that no longer exists."""
        with fence_object(self.problems, JOB_KIND, body):
            if job := read_job(body):
                self.forget_job(job)

    def forget_job(self, job: Job) -> None:
        """Remove a Job that the API server no longer has. Its request stays."""
        known = self.jobs[job.task].get(job.request_uid)
        if known is not None and known.uid == job.uid:
            del self.jobs[job.task][job.request_uid]
            self.refusals.pop(job.uid, None)
            self.changed.set()

    def retain_requests(self, uids: Container[str], resource_version: int) -> None:
        """Remove the requests that a list does not contain, whose deletion the watch has missed.

        Args:
            uids: The uids in the list.
            resource_version: The list's resource version. Newer requests stay.
        """
        known: list[FinishedRun | RetrainRequest] = [
            *self.settled.values(),
            *self.requests.values(),
        ]
        for request in known:
            if request.uid not in uids and request.resource_version <= resource_version:
                self.remove_request(request.uid)

    def retain_jobs(self, uids: Container[str], resource_version: int) -> None:
        """Remove the Jobs that a list does not contain. Each would occupy its place for ever.

        Args:
            uids: The uids in the list.
            resource_version: The list's resource version. Newer Jobs stay.
        """
        for jobs in self.jobs.values():
            for request_uid, job in list(jobs.items()):
                if job.uid not in uids and job.resource_version <= resource_version:
                    del jobs[request_uid]
                    self.refusals.pop(job.uid, None)
                    self.changed.set()
