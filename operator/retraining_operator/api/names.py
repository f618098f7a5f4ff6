"""Every name that this operator gives or reads in the cluster, in one place.

Names are derived, never drawn: the same record gives the same RetrainRequest, the same
    RetrainRequest the same Job, so that "already exists" tells a repeated try from a new one.
"""

from __future__ import annotations

import hashlib
import re
from enum import StrEnum

GROUP = "retraining.dev"
VERSION = "v1alpha1"
KIND = "RetrainRequest"
PLURAL = "retrainrequests"
JOBS = "jobs"
PODS = "pods"

MANAGED_BY = "retraining-operator"
LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
LABEL_COMPONENT = "app.kubernetes.io/component"
LABEL_REQUEST = "retraining.dev/request"
"""On Jobs and pods: the RetrainRequest's name, at most 63 characters by the CRD's own rule."""
LABEL_REQUEST_UID = "retraining.dev/request-uid"
LABEL_TASK = "retraining.dev/task"
"""On Jobs and pods: which of its request's Jobs it is."""
LEASE = "retraining-operator"
"""Not the release's name: two releases in one namespace would act on the same requests, so they share it."""
ANNOTATION_APPROVAL = "retraining.dev/approval"
"""On a RetrainRequest: a person's word on its challenger.

On the Job that carries it out: the word that it took.
"""
ANNOTATION_REPLACED_BY = "retraining.dev/replaced-by"
"""On a Job that is ended for a newer request: that request's name."""
ANNOTATION_TOUCHED = "retraining.dev/touched-at"
"""On the ledger: when it was last written though nothing was new, so that its resource version is a young one."""
ANNOTATION_TRAINER_ENDED = "retraining.dev/trainer-ended"
"""On a Job whose trainer has ended and whose pod went on because of other containers: when the trainer ended."""
TRAINER_CONTAINER = "trainer"
OPERATOR_CONTAINER = "operator"
"""As the chart names it."""


class Task(StrEnum):
    """What a Job is for: the trainer's command. A request has at most one Job for each."""

    TRAIN = "train"
    DECIDE = "decide"


NAME_CHARACTERS = 63
"""Of a RetrainRequest, whose name becomes a label's value."""
TOPIC_CHARACTERS = 30
REQUEST_CHARACTERS = 46
"""63 characters of a label's value, less the Job's own digest and the dash before it."""


def build_request_name(topic: str, partition: int, offset: int, timestamp_ms: int) -> str:
    """Name the RetrainRequest of one record.

    The digest holds the timestamp too: a topic that was deleted and made again starts its offsets
        anew, and its records are new triggers.
    """
    place = (
        f"{partition}-{offset}-{compute_digest(f'{topic}/{partition}/{offset}/{timestamp_ms}', 8)}"
    )
    characters = min(TOPIC_CHARACTERS, NAME_CHARACTERS - len(place) - 1)
    slug = re.sub(r"[^a-z0-9]+", "-", topic.lower()).strip("-")[:characters].strip("-") or "topic"
    return f"{slug}-{place}"


def build_job_name(request: str, uid: str, task: Task = Task.TRAIN) -> str:
    """Name a RetrainRequest's one Job for a task.

    The uid makes a request that was deleted and made again a new run.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", request.lower())[:REQUEST_CHARACTERS].strip("-")
    return f"{slug}-{compute_digest(uid if task is Task.TRAIN else f'{uid}/{task}', 12)}"


def build_handled_offsets_key(topic: str, partition: int) -> str:
    """Name a partition's line in the ledger; a topic's own name may be longer than a ConfigMap's key."""
    return f"{compute_digest(topic, 12)}.{partition}"


def compute_digest(text: str, characters: int) -> str:
    """Give the first hexadecimal characters of a text's SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:characters]
