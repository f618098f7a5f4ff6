"""Reports Jobs and pods that only claim to belong to a RetrainRequest. They have no effect."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any, NamedTuple

from retraining_operator.api import names
from retraining_operator.api.fields import NAME_LIMIT_CHARACTERS, Fields
from retraining_operator.api.job import Job
from retraining_operator.api.owner import JOB_KIND
from retraining_operator.api.ownership import describe_foreign_job
from retraining_operator.api.request import RetrainRequest
from retraining_operator.observability.problems import ObjectProblem, ProblemReporter

FOREIGN_LIMIT = 1000
OWNERS_LIMIT = 5
ADVICE = "Find out who has created it, and delete it."


class ForeignObject(NamedTuple):
    """What is kept of an object for its report."""

    kind: str
    name: str
    claimed_uids: tuple[str, ...]


class ForeignObjects:
    """Jobs and pods that have the operator's label and are not named and owned as its own are."""

    def __init__(self) -> None:
        self._found: dict[str, ForeignObject] = {}

    def add(self, kind: str, body: Mapping[str, Any]) -> None:
        """Add an object. Beyond FOREIGN_LIMIT it is ignored without a report.

        A pod without any owner is not reported: its Job may have been deleted without its pods.

        Args:
            kind: `Job` or `Pod`.
            body: The object.
        """
        metadata = Fields.of(body).fields("metadata")
        uid = metadata.text("uid", NAME_LIMIT_CHARACTERS)
        has_owner = any(True for _ in metadata.items("ownerReferences"))
        if len(self._found) < FOREIGN_LIMIT and (has_owner or kind == JOB_KIND):
            name = metadata.text("name", NAME_LIMIT_CHARACTERS)
            self._found[uid] = ForeignObject(kind, name, find_claimed_uids(metadata))

    def report(self, problems: ProblemReporter, requests: Mapping[str, RetrainRequest]) -> None:
        """Report each object once.

        Args:
            problems: Reports them.
            requests: The known requests by uid.
        """
        found, self._found = self._found, {}
        for uid, (kind, name, claimed_uids) in found.items():
            claimed = next((requests[one] for one in claimed_uids if one in requests), None)
            about = f"{claimed.key}: the" if claimed else "The"
            problems.report(
                ObjectProblem.FOREIGN,
                f"{kind}/{uid}",
                f"{about} {kind} {name} (uid {uid}) has the label {names.LABEL_MANAGED_BY}="
                f"{names.MANAGED_BY}, but it is not an object that the operator creates. Its name "
                f"or its controller differs. It is ignored. {ADVICE}",
                request_uid=claimed.uid if claimed else "",
            )


def report_foreign_job(problems: ProblemReporter, job: Job, request: RetrainRequest) -> None:
    """Report a Job that has the name and the owner of a request's Job and is not its own.

    Args:
        problems: Reports it once.
        job: The Job.
        request: The request.
    """
    problems.report(
        ObjectProblem.FOREIGN,
        f"Job/{job.uid}",
        f"{request.key}: {describe_foreign_job(job.name, job.uid)} {ADVICE}",
        request_uid=job.request_uid,
    )


def find_claimed_uids(metadata: Fields) -> tuple[str, ...]:
    """Return the uids of the objects that an object claims to belong to.

    They are in its owner references and in the label of the operator's pods.
    """
    owners = islice(metadata.items("ownerReferences"), OWNERS_LIMIT)
    uids = [owner.text("uid", NAME_LIMIT_CHARACTERS) for owner in owners]
    label = metadata.fields("labels").text(names.LABEL_REQUEST_UID, NAME_LIMIT_CHARACTERS)
    return (*uids, label)
