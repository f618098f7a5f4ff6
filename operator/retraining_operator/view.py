"""What the operator knows of the cluster: unfinished requests, their Jobs and how pods ended, as the watch shows them.

Seeded by one list before anything is decided, then kept up by the handlers and by the answers to the operator's own
writes. The reconciler waits on it. Resource versions are compared as numbers: Kubernetes 1.35 promises that they
grow, as etcd's always did.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from retraining_operator import names
from retraining_operator.job import Job, read_job
from retraining_operator.names import Task
from retraining_operator.outcome import Attempt, read_attempt
from retraining_operator.past import Past, past_of
from retraining_operator.request import RetrainRequest, read_request


class View:
    """Requests, and for each task their Jobs, by the request's uid."""

    def __init__(self) -> None:
        self.requests: dict[str, RetrainRequest] = {}
        self.jobs: dict[Task, dict[str, Job]] = {task: {} for task in Task}
        self.attempts: dict[str, dict[str, Attempt]] = {}
        """How pods ended, by their own uid as well: a pod may be gone before its Job is finished."""
        self.settled: dict[str, Past] = {}
        """Finished requests; their resource versions keep a late word of an older one from bringing them back."""
        self.changed = asyncio.Event()

    def see_request(self, body: Mapping[str, Any]) -> None:
        """Take in a request that was listed, watched or written."""
        request = read_request(body)
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
        jobs = self.jobs[job.task]
        known = jobs.get(job.request_uid)
        if known is None or job.resource_version > known.resource_version:
            jobs[job.request_uid] = job
            self.changed.set()

    def see_pod(self, body: Mapping[str, Any]) -> None:
        """Take in how a pod's trainer ended, if it has and its request is not settled."""
        attempt = read_attempt(body)
        request_uid = body["metadata"].get("labels", {}).get(names.LABEL_REQUEST_UID)
        if attempt and request_uid in self.requests:
            self.attempts.setdefault(request_uid, {})[body["metadata"]["uid"]] = attempt

    def count_waiting(self) -> int:
        """Count the requests that have no Job yet."""
        jobs = self.jobs[Task.TRAIN]
        return sum(request.uid not in jobs and not request.finished for request in self.requests.values())

    def settle(self, request: RetrainRequest) -> None:
        """Keep no more of a finished request than its past."""
        self.attempts.pop(request.uid, None)
        self.settled[request.uid] = past_of(request)
        self.requests.pop(request.uid, None)

    def past(self) -> list[Past]:
        """Give what is kept of all finished requests."""
        return [*self.settled.values(), *(past_of(request) for request in self.requests.values() if request.finished)]

    def forget_request(self, uid: str) -> None:
        """Take out a request that is gone."""
        for known in (self.settled, self.requests, self.attempts):
            known.pop(uid, None)

    def forget_job(self, body: Mapping[str, Any]) -> None:
        """Take out a Job that is gone."""
        job = read_job(body)
        if job and self.jobs[job.task].pop(job.request_uid, None):
            self.changed.set()
