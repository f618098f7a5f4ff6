"""Reports Jobs and pods that only claim to belong to a RetrainRequest. They have no effect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from retraining_operator.api import names
from retraining_operator.api.fields import Fields
from retraining_operator.api.job import Job
from retraining_operator.api.ownership import describe_foreign_job
from retraining_operator.api.request import RetrainRequest
from retraining_operator.observability.problems import ObjectProblem, ProblemReporter

ADVICE = "Find out who has created it, and delete it."


def report_foreign_object(
    problems: ProblemReporter,
    kind: str,
    body: Mapping[str, Any],
    requests: Mapping[str, RetrainRequest],
) -> None:
    """Report an object with the operator's label that is not named and owned as its own are.

    Args:
        problems: Reports it once.
        kind: `Job` or `Pod`.
        body: The object.
        requests: The known requests by uid.
    """
    metadata = Fields.of(body).fields("metadata")
    name, uid = metadata.text("name"), metadata.text("uid")
    claimed = find_claimed_request(metadata, requests)
    about = f"{claimed.key}: the" if claimed else "The"
    problems.report(
        ObjectProblem.FOREIGN,
        f"{kind}/{uid}",
        f"{about} {kind} {name} (uid {uid}) has the label {names.LABEL_MANAGED_BY}="
        f"{names.MANAGED_BY}, but it is not an object that the operator creates. Its name or its "
        f"controller differs. It is ignored. {ADVICE}",
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


def find_claimed_request(
    metadata: Fields, requests: Mapping[str, RetrainRequest]
) -> RetrainRequest | None:
    """Find the request that an object claims to belong to.

    Args:
        metadata: The metadata of the object.
        requests: The known requests by uid.

    Returns:
        The request whose uid is in an owner reference or in the label; None if there is none.
    """
    uids = [owner.text("uid") for owner in metadata.items("ownerReferences")]
    uids.append(metadata.fields("labels").text(names.LABEL_REQUEST_UID))
    return next((requests[uid] for uid in uids if uid in requests), None)
