"""All names that the operator sets or reads in the cluster.

Names are derived and never random: the same record leads to the same RetrainRequest, and the same
RetrainRequest to the same Job. "Already exists" therefore means that an earlier try has succeeded.
"""

from __future__ import annotations

import hashlib
import re
from enum import StrEnum

GROUP = "retraining.dev"
VERSION = "v1alpha1"
KIND = "RetrainRequest"
PLURAL = "retrainrequests"
APPROVAL_KIND = "RetrainApproval"
APPROVAL_PLURAL = "retrainapprovals"
JOBS = "jobs"
PODS = "pods"

MANAGED_BY = "retraining-operator"
LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
LABEL_COMPONENT = "app.kubernetes.io/component"
LABEL_REQUEST = "retraining.dev/request"
"""On Jobs, pods and RetrainApprovals: the name of the RetrainRequest.

It has at most 63 characters by a rule of the CRD.
"""
LABEL_REQUEST_UID = "retraining.dev/request-uid"
LABEL_JOB_UID = "batch.kubernetes.io/controller-uid"
"""On pods, set by Kubernetes: the uid of the Job. It stays if only the Job is deleted."""
LABEL_TASK = "retraining.dev/task"
"""On Jobs and pods: the task, of which a request has at most one Job each."""
LEASE = "retraining-operator"
"""Not the name of the release.

Two releases in one namespace would act on the same requests, so they share the Lease.
"""
ANNOTATION_LAUNCH = "retraining.dev/launch"
"""On Jobs and RetrainApprovals: a random text. The status had its digest before the creation."""
ANNOTATION_REPLACED_BY = "retraining.dev/replaced-by"
"""On a Job that is ended for a newer request: the name of that request."""
ANNOTATION_TOUCHED = "retraining.dev/touched-at"
"""On the ConfigMap of handled offsets: when it was last written although nothing was new.

It keeps the resource version recent.
"""
ANNOTATION_START_TIMEOUT = "retraining.dev/start-timeout-seconds"
"""On a Job that is ended because its trainer did not start: for how long it was waited."""
ANNOTATION_TRAINER_ENDED = "retraining.dev/trainer-ended"
"""On a Job whose trainer ended before the other containers of its pod: when the trainer ended."""
TRAINER_CONTAINER = "trainer"
OPERATOR_CONTAINER = "operator"
"""The name that the chart gives the operator's container."""


class Task(StrEnum):
    """What a Job does: the command of the trainer. A request has at most one Job per task."""

    TRAIN = "train"
    DECIDE = "decide"


NAME_CHARACTERS = 63
"""Limit for the name of a RetrainRequest, which is also the value of a label."""
TOPIC_CHARACTERS = 30
REQUEST_CHARACTERS = 46
"""Limit for the name of the request in the name of its Job or RetrainApproval.

63 characters of a label's value, less the digest of 12 characters and the dashes.
"""


def build_request_name(
    topic: str,
    partition: int,
    offset: int,
    timestamp_ms: int,
    taken: tuple[str, int] | None = None,
) -> str:
    """Build the name of the RetrainRequest of one record.

    The digest contains the timestamp too, because the offsets of a deleted and recreated topic
    start again at 0, and its records are new triggers.

    Args:
        topic: The topic of the record.
        partition: The partition.
        offset: The offset.
        timestamp_ms: The record's own timestamp, in milliseconds since 1970 (UTC).
        taken: If somebody else has taken names of the record: the record's digest, and how many.

    Returns:
        A name of at most 63 characters that is valid as a label's value.
    """
    identity, end = f"{topic}/{partition}/{offset}/{timestamp_ms}", ""
    if taken:
        digest, count = taken
        identity, end = f"{identity}/{digest}", f"-{count}"
    position = f"{partition}-{offset}-{compute_digest(identity, 8)}{end}"
    characters = min(TOPIC_CHARACTERS, NAME_CHARACTERS - len(position) - 1)
    slug = re.sub(r"[^a-z0-9]+", "-", topic.lower()).strip("-")[:characters].strip("-") or "topic"
    return f"{slug}-{position}"


def build_job_name(request: str, uid: str, task: Task = Task.TRAIN) -> str:
    """Build the name of a RetrainRequest's Job.

    Args:
        request: The name of the request.
        uid: The uid of the request. A request that was deleted and created again is a new run.
        task: The task of the Job.

    Returns:
        A name of at most 63 characters.
    """
    return _build_owned_name(request, uid if task is Task.TRAIN else f"{uid}/{task}")


def build_approval_name(request: str, uid: str) -> str:
    """Build the name of a RetrainRequest's RetrainApproval.

    Args:
        request: The name of the request.
        uid: The uid of the request.

    Returns:
        A name of at most 63 characters.
    """
    return _build_owned_name(request, f"{uid}/approval")


def _build_owned_name(request: str, identity: str) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", request.lower())[:REQUEST_CHARACTERS].strip("-")
    return f"{slug}-{compute_digest(identity, 12)}"


def build_handled_offsets_key(topic: str, partition: int) -> str:
    """Build the key of a partition in the ConfigMap of handled offsets.

    Args:
        topic: The topic, whose name may be longer than a key of a ConfigMap.
        partition: The partition.

    Returns:
        The key.
    """
    return f"{compute_digest(topic, 12)}.{partition}"


def compute_digest(text: str, characters: int) -> str:
    """Compute the first hexadecimal characters of the SHA-256 of a text.

    Args:
        text: The text. JSON may contain halves of surrogate pairs, which count as any character.
        characters: How many characters, at most 64.

    Returns:
        Lower-case hexadecimal digits.
    """
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:characters]
