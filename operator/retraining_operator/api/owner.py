"""Who controls an object, read from its owner references.

A uid alone proves nothing: whoever may create an object may write any uid into it.
"""

from __future__ import annotations

from dataclasses import dataclass

from retraining_operator.api import names
from retraining_operator.api.fields import NAME_LIMIT_CHARACTERS, Fields

JOB_KIND, JOB_GROUP = "Job", "batch"


@dataclass(frozen=True)
class ControllerReference:
    """The object that controls another one.

    Args:
        name: Its name.
        uid: Its uid.
    """

    name: str
    uid: str


def read_request_owner(metadata: Fields) -> ControllerReference | None:
    """Return the RetrainRequest that controls an object, or None."""
    return find_controller(metadata, names.GROUP, names.KIND)


def read_job_owner(metadata: Fields) -> ControllerReference | None:
    """Return the Job that controls an object, or None."""
    return find_controller(metadata, JOB_GROUP, JOB_KIND)


def read_former_job_uid(metadata: Fields) -> str:
    """Return the uid of the Job of a pod, also if the Job was deleted without its pods.

    Kubernetes then removes the owner. The label that is left only serves to wait for such a pod.
    """
    owner = read_job_owner(metadata)
    if owner:
        return owner.uid
    is_orphan = not any(True for _ in metadata.items("ownerReferences"))
    label = metadata.fields("labels").text(names.LABEL_JOB_UID, NAME_LIMIT_CHARACTERS)
    return label if is_orphan else ""


def find_controller(metadata: Fields, group: str, kind: str) -> ControllerReference | None:
    """Return the controller of an object.

    Args:
        metadata: The metadata of the object.
        group: The API group that the controller must have.
        kind: The kind that it must have.

    Returns:
        The controller. None if there is none, or if it is of another group or kind.
    """
    for reference in metadata.items("ownerReferences"):
        if not reference.flag("controller"):
            continue
        if read_kind(reference) != (group, kind):
            return None
        name, uid = reference.text("name"), reference.text("uid")
        return ControllerReference(name, uid) if name and uid else None
    return None


def read_kind(reference: Fields) -> tuple[str, str]:
    """Return the API group and the kind of an object that a reference names."""
    group, separator, _ = reference.text("apiVersion").partition("/")
    return group if separator else "", reference.text("kind")


def find_task(job: str, owner: ControllerReference) -> names.Task | None:
    """Find the task of a Job by its name, which follows from its request.

    Args:
        job: The name of the Job.
        owner: The RetrainRequest that controls it.

    Returns:
        The task. None if no Job of this request has that name.
    """
    for task in names.Task:
        if job == names.build_job_name(owner.name, owner.uid, task):
            return task
    return None
