"""Which Jobs and RetrainApprovals are a request's own: those that the operator has created.

Whoever may create Jobs can create one that has the name, the labels and the owner of the Job that a
request will get. So the status stores the digest of a random text before the Job is created, and
the Job carries the text. Once the API server has stored the Job, its uid is in the status, and only
the uid counts. Changes of the Job by webhooks, queues or people do not matter.
"""

from __future__ import annotations

import hmac
import secrets

from retraining_operator.api import names
from retraining_operator.api.conditions import Status
from retraining_operator.api.job import Job
from retraining_operator.api.request import Manifest, RetrainRequest
from retraining_operator.api.retrain_approval import RetrainApproval

LAUNCHES_LIMIT = 8
"""How many digests are kept. Each try to create a Job adds one."""
TOKEN_BYTES = 16
DIGEST_CHARACTERS = 32
FIELDS = {
    names.Task.TRAIN: ("jobName", "jobUid"),
    names.Task.DECIDE: ("approvalJobName", "approvalJobUid"),
}
"""For each task the status fields that name its Job."""


def create_launch_token() -> str:
    """Create a random text for a Job that nobody can know before the Job exists."""
    return secrets.token_hex(TOKEN_BYTES)


def compute_launch_digest(job: str, token: str) -> str:
    """Compute the digest of a launch, which the status stores.

    Args:
        job: The name of the Job.
        token: Its random text.

    Returns:
        Hexadecimal digits.
    """
    return names.compute_digest(f"{job}/{token}", DIGEST_CHARACTERS)


def add_launch_token(manifest: Manifest, token: str) -> Manifest:
    """Return the manifest of an object with the random text by which it is recognized.

    Args:
        manifest: The manifest.
        token: The random text.

    Returns:
        A copy with one annotation more.
    """
    metadata = manifest["metadata"]
    annotations = {**metadata.get("annotations", {}), names.ANNOTATION_LAUNCH: token}
    return {**manifest, "metadata": {**metadata, "annotations": annotations}}


def read_launches(request: RetrainRequest) -> list[str]:
    """Return the digests of the Jobs that the operator has tried to create."""
    found = request.status.get("launches") or []
    return [digest for digest in found if isinstance(digest, str)][-LAUNCHES_LIMIT:]


def build_launches_field(request: RetrainRequest, digest: str) -> Status:
    """Build the status field with the digests of all launches.

    Args:
        request: The request with its stored status.
        digest: The digest of the next launch; empty for none.

    Returns:
        The field, empty without a digest.
    """
    if not digest:
        return {}
    return {"launches": [*read_launches(request), digest][-LAUNCHES_LIMIT:]}


def is_own_job(request: RetrainRequest, job: Job) -> bool:
    """Return whether the operator has created a Job for a request.

    Args:
        request: The request with its stored status.
        job: A Job whose name and owner are those of the request's Job.

    Returns:
        Whether the status names the Job by its uid or, as long as the uid is not stored, whether
        the Job carries the random text of a launch.
    """
    name_field, uid_field = FIELDS[job.task]
    if job.request_uid != request.uid or job.name != request.status.get(name_field):
        return False
    uid = request.status.get(uid_field)
    if uid:
        return bool(uid == job.uid)
    return has_launched(request, compute_launch_digest(job.name, job.launch_token))


def compute_asking_digest(request: RetrainRequest, token: str) -> str:
    """Compute the digest of a RetrainApproval, which the status stores before its creation.

    If somebody deletes a RetrainApproval, the operator creates another one. The digest contains
    the uid of the former one, so that its random text, which people could read, is worth nothing.

    Args:
        request: The request with its stored status.
        token: The random text.

    Returns:
        Hexadecimal digits.
    """
    name = names.build_approval_name(request.name, request.uid)
    former_uid = request.status.get("retrainApprovalUid") or ""
    return compute_launch_digest(f"{name}/{former_uid}", token)


def is_own_approval(request: RetrainRequest, approval: RetrainApproval) -> bool:
    """Return whether the operator has created a RetrainApproval for a request.

    Args:
        request: The request with its stored status.
        approval: The RetrainApproval.

    Returns:
        Whether name and owner are right, and whether the status names it by its uid or, as long as
        the uid is not stored, whether it carries the random text that was announced.
    """
    if not approval.is_genuine or approval.challenger != request.uid:
        return False
    if approval.uid == request.status.get("retrainApprovalUid"):
        return True
    return has_launched(request, compute_asking_digest(request, approval.launch_token))


def has_launched(request: RetrainRequest, digest: str) -> bool:
    """Return whether an object was announced before its creation.

    Args:
        request: The request with its stored status.
        digest: The digest of the object's random text.

    Returns:
        Whether the status has the digest.
    """
    return any(hmac.compare_digest(digest, known) for known in read_launches(request))


def is_pod_of(request: RetrainRequest, task: names.Task, job_uid: str) -> bool:
    """Return whether a Job that was deleted may have had a pod.

    Args:
        request: The request of the Job.
        task: The task of the Job.
        job_uid: The uid of the Job that controls the pod.

    Returns:
        Whether that is the uid in the status. If the status has none, any uid counts.
    """
    uid = request.status.get(FIELDS[task][1])
    return not uid or uid == job_uid


def describe_foreign_job(job: str, uid: str) -> str:
    """Describe a Job that only looks like a request's own.

    Args:
        job: The name of the Job.
        uid: Its uid.

    Returns:
        A message without advice.
    """
    return (
        f"The Job {job} (uid {uid}) claims to belong to this request, but the operator has not "
        "created it. Its result is not believed."
    )
