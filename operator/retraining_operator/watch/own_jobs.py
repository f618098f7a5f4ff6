"""The Jobs in the cache that are the requests' own, and those that only claim to be."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping

from retraining_operator.api.job import Job
from retraining_operator.api.names import Task
from retraining_operator.api.ownership import is_own_job
from retraining_operator.api.request import RetrainRequest
from retraining_operator.observability.problems import ProblemReporter
from retraining_operator.watch.foreign_objects import ForeignObjects, report_foreign_job


class OwnJobs:
    """Decides which Jobs count. A request or its status may be newer than the Job.

    Args:
        requests: The requests by uid, which change.
        jobs: The Jobs of each task by the uid of their request, which change.
        settled: The uids of settled requests, which change.
    """

    def __init__(
        self,
        requests: Mapping[str, RetrainRequest],
        jobs: Mapping[Task, Mapping[str, Job]],
        settled: Container[str],
    ) -> None:
        self._requests = requests
        self._jobs = jobs
        self._settled = settled
        self._created: dict[tuple[str, Task], str] = {}
        """By request and task the uid of the Job that this process has created. It counts until the
        status has the uid."""
        self.foreign = ForeignObjects()

    def add_created(self, job: Job) -> None:
        """Store that this process has created or adopted a Job. No other one counts from now on."""
        self._created[job.request_uid, job.task] = job.uid

    def forget_created(self, request_uid: str) -> None:
        """Forget the Jobs of a request that is settled or gone."""
        for task in Task:
            self._created.pop((request_uid, task), None)

    def is_own(self, request: RetrainRequest, job: Job) -> bool:
        """Return whether the operator has created a Job for a request.

        Args:
            request: The request with its stored status.
            job: A Job whose name and owner are those of the request's Job.

        Returns:
            Whether the Job is the one that this process has created and that the status announces.
        """
        created = self._created.get((request.uid, job.task), job.uid)
        return created == job.uid and is_own_job(request, job)

    def select(self) -> dict[Task, dict[str, Job]]:
        """Select the Jobs that a plan looks at: the requests' own, and those without a request.

        The Job of a request that was deleted may run on for a while. The Job of a settled request
        has ended.
        """
        selected: dict[Task, dict[str, Job]] = {task: {} for task in Task}
        for job in self._iterate():
            request = self._requests.get(job.request_uid)
            if request is None or self.is_own(request, job):
                selected[job.task][job.request_uid] = job
        return selected

    def report_foreign(self, problems: ProblemReporter) -> None:
        """Report the Jobs and pods that only claim to belong to a request.

        Only the leader may do so: a Job that another process has just created may be known before
        the status that announces it.
        """
        self.foreign.report(problems, self._requests)
        for job in self._iterate():
            request = self._requests.get(job.request_uid)
            if request and not self.is_own(request, job):
                report_foreign_job(problems, job, request)

    def _iterate(self) -> Iterator[Job]:
        for jobs in self._jobs.values():
            for uid, job in jobs.items():
                if uid not in self._settled:
                    yield job
