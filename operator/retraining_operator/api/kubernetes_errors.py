"""Every way in which Kubernetes refuses a Job or its pod, as one table: what it means, whether it is retried, advice.

Answers of the API server are classified by HTTP status, by the Status object's `reason` and by its
`details.causes`, never by their English text. For a pod, the kubelet's, the scheduler's or the Job
controller's reason counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from retraining_operator.api.reasons import ConditionReason

NAMESPACE_TERMINATING = "NamespaceTerminating"
CLIENT_TIMEOUT = "ClientTimeout"
"""The reason of an answer that did not come within the call's time limit."""


@dataclass(frozen=True)
class ErrorRow:
    """One row of the table.

    Args:
        code: what is matched, as text for the docs.
        reason: the reason that the RetrainRequest's condition shows.
        retried: whether the same call may succeed later.
        meaning: the first half of the message, in front of what Kubernetes says.
        advice: what to do.
    """

    code: str
    reason: ConditionReason
    retried: bool
    meaning: str
    advice: str


@dataclass(frozen=True)
class Answer:
    """An error answer of the API server, as far as it is classified.

    Args:
        status: the HTTP status; 0 if no answer came.
        reason: the Status object's `reason`; empty if there is none.
        causes: the `reason` of each of its `details.causes`.
        fields: the `field` of each of its `details.causes`.
        has_causes: whether there are any causes.
    """

    status: int
    reason: str = ""
    causes: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    has_causes: bool = False


def read_answer(status: int, body: Mapping[str, Any]) -> Answer:
    """Read an error answer from its HTTP status and its Status object.

    Anything may stand between the operator and the API server, so every part of the body may have
    any type.
    """
    details = body.get("details")
    causes = details.get("causes") if isinstance(details, Mapping) else None
    found = (
        [cause for cause in causes if isinstance(cause, Mapping)]
        if isinstance(causes, list)
        else []
    )
    return Answer(
        status=status,
        reason=str(body.get("reason") or ""),
        causes=tuple(str(cause["reason"]) for cause in found if cause.get("reason")),
        fields=tuple(str(cause["field"]) for cause in found if cause.get("field")),
        has_causes=bool(found),
    )


NAMESPACE_ENDS = ErrorRow(
    code="403 with the cause NamespaceTerminating, or 404",
    reason=ConditionReason.JOB_REFUSED_FOR_NOW,
    retried=True,
    meaning="The namespace is being deleted or is not there, so no Job can be created in it",
    advice="The request is deleted together with its namespace. Apply a new one in another namespace.",
)
FORBIDDEN = ErrorRow(
    code="403 Forbidden",
    reason=ConditionReason.JOB_REFUSED_FOR_NOW,
    retried=True,
    meaning="The API server does not let the Job be created at present",
    advice="Raise the quota, change the policy or restore the operator's Role, whichever the message names.",
)
DENIED = ErrorRow(
    code="422 whose causes name no field; 400, 409 or 413 with another reason than the API server's own",
    reason=ConditionReason.JOB_REFUSED_FOR_NOW,
    retried=True,
    meaning="An admission policy or an admission webhook denies the Job",
    advice="Change the policy that the message names, or the settings under job in the chart's values.",
)
INVALID = ErrorRow(
    code="422 Invalid whose causes name a field",
    reason=ConditionReason.JOB_REFUSED,
    retried=False,
    meaning="The API server refuses the Job because a field is invalid",
    advice="Correct the setting under job in the chart's values, or in the request's spec, and apply a new request.",
)
UNREADABLE = ErrorRow(
    code="400 BadRequest",
    reason=ConditionReason.JOB_REFUSED,
    retried=False,
    meaning="The API server cannot read the Job",
    advice="Correct the setting under job in the chart's values, or in the request's spec, and apply a new request.",
)
TOO_LARGE = ErrorRow(
    code="413 RequestEntityTooLarge",
    reason=ConditionReason.JOB_REFUSED,
    retried=False,
    meaning="The Job is larger than the API server accepts",
    advice="Shorten what is set under job in the chart's values, and apply a new request.",
)
CONFLICT = ErrorRow(
    code="409 Conflict",
    reason=ConditionReason.LAUNCHING,
    retried=True,
    meaning="Another write to a ResourceQuota came first",
    advice="Nothing. It is tried again after a second.",
)
UNAUTHORIZED = ErrorRow(
    code="401 Unauthorized",
    reason=ConditionReason.JOB_REFUSED_FOR_NOW,
    retried=True,
    meaning="The API server does not know the operator's token",
    advice="Restart the operator's pod if this lasts for more than a few minutes.",
)
THROTTLED = ErrorRow(
    code="429 TooManyRequests",
    reason=ConditionReason.JOB_REFUSED_FOR_NOW,
    retried=True,
    meaning="The API server is overloaded",
    advice="Nothing, unless it lasts: then look for what sends too many requests.",
)
WEBHOOK_UNAVAILABLE = ErrorRow(
    code="500 InternalError",
    reason=ConditionReason.JOB_REFUSED_FOR_NOW,
    retried=True,
    meaning="The API server, or an admission webhook that it has to ask, failed",
    advice="If the message names a webhook, check that it runs and that the API server reaches it.",
)
UNAVAILABLE = ErrorRow(
    code="503 ServiceUnavailable",
    reason=ConditionReason.JOB_REFUSED_FOR_NOW,
    retried=True,
    meaning="The API server cannot serve at present",
    advice="Nothing, unless it lasts: then look at the API server and its storage.",
)
TIMED_OUT = ErrorRow(
    code="504 Timeout, or no answer within the time limit",
    reason=ConditionReason.JOB_REFUSED_FOR_NOW,
    retried=True,
    meaning="The API server did not finish the creation of the Job in time",
    advice="Check that the admission webhooks for Jobs and pods answer; each may take as long as its timeoutSeconds.",
)
UNKNOWN = ErrorRow(
    code="every other answer",
    reason=ConditionReason.JOB_REFUSED_FOR_NOW,
    retried=True,
    meaning="The API server, or something in front of it, gave an answer to the Job that the operator does not know",
    advice="It is tried again. If it lasts, look for a proxy or an admission webhook that answers so.",
)
POD_REFUSED = ErrorRow(
    code="Event FailedCreate of the Job",
    reason=ConditionReason.POD_REFUSED,
    retried=True,
    meaning="The API server does not let the Job's pod be created",
    advice=(
        "Change what the message names: raise the ResourceQuota or LimitRange or change job.resources (spec.resources "
        "of a request); change the policy or job.podSecurityContext; make the webhook answer; create the "
        "ServiceAccount, PriorityClass or RuntimeClass."
    ),
)
IMAGE_PULL_FAILED = ErrorRow(
    code=(
        "container waits with ErrImagePull, ImagePullBackOff, InvalidImageName, ErrImageNeverPull, ImageInspectError, "
        "RegistryUnavailable or SignatureValidationFailed"
    ),
    reason=ConditionReason.IMAGE_PULL_FAILED,
    retried=True,
    meaning="The trainer's image cannot be pulled",
    advice=(
        "Check jobImage.repository, jobImage.tag and imagePullSecrets, and whether the node reaches the registry."
    ),
)
CONTAINER_NOT_CREATED = ErrorRow(
    code=(
        "container waits with CreateContainerConfigError, CreateContainerError, RunContainerError, "
        "CreatePodSandboxError or ConfigPodSandboxError"
    ),
    reason=ConditionReason.CONTAINER_NOT_CREATED,
    retried=True,
    meaning="The trainer's container cannot be created",
    advice="Check that the Secrets of database, redis and signing exist and have the keys that the values name.",
)
INIT_BLOCKED = ErrorRow(
    code="init container (also a sidecar with restartPolicy Always) waits with one of these, or with CrashLoopBackOff",
    reason=ConditionReason.CONTAINER_NOT_CREATED,
    retried=True,
    meaning="A container that must start before the trainer does not start",
    advice=(
        "An admission webhook has added it to the pod: ask whoever runs it, or switch it off by job.annotations."
    ),
)
UNSCHEDULABLE = ErrorRow(
    code="condition PodScheduled is False with Unschedulable",
    reason=ConditionReason.UNSCHEDULABLE,
    retried=True,
    meaning="No node takes the trainer's pod",
    advice=(
        "Make room, or change job.resources (spec.resources of a request), job.nodeSelector, job.affinity or "
        "job.tolerations."
    ),
)
EVICTED = ErrorRow(
    code="condition DisruptionTarget is True, or the pod failed with Evicted, Preempting, Shutdown or NodeLost",
    reason=ConditionReason.EVICTED,
    retried=True,
    meaning="Kubernetes took the pod away",
    advice="Nothing: another pod follows, and this one does not count as a failed attempt.",
)
NODE_REJECTED = ErrorRow(
    code="pod failed before the trainer ran: OutOfcpu, OutOfmemory, OutOfpods, NodeAffinity, UnexpectedAdmissionError",
    reason=ConditionReason.JOB_FAILED,
    retried=True,
    meaning="The pod failed before the trainer ran",
    advice="Look at the node, or at the init container that the message names. It counts as a failed attempt.",
)

KUBERNETES_ERRORS: tuple[ErrorRow, ...] = (
    NAMESPACE_ENDS,
    FORBIDDEN,
    DENIED,
    INVALID,
    UNREADABLE,
    TOO_LARGE,
    CONFLICT,
    UNAUTHORIZED,
    THROTTLED,
    WEBHOOK_UNAVAILABLE,
    UNAVAILABLE,
    TIMED_OUT,
    UNKNOWN,
    POD_REFUSED,
    IMAGE_PULL_FAILED,
    CONTAINER_NOT_CREATED,
    INIT_BLOCKED,
    UNSCHEDULABLE,
    EVICTED,
    NODE_REJECTED,
)

OWN_ANSWERS: dict[tuple[int, str], ErrorRow] = {
    (400, "BadRequest"): UNREADABLE,
    (401, "Unauthorized"): UNAUTHORIZED,
    (403, "Forbidden"): FORBIDDEN,
    (404, "NotFound"): NAMESPACE_ENDS,
    (409, "Conflict"): CONFLICT,
    (413, "RequestEntityTooLarge"): TOO_LARGE,
    (422, "Invalid"): DENIED,
    (429, "TooManyRequests"): THROTTLED,
    (500, "InternalError"): WEBHOOK_UNAVAILABLE,
    (503, "ServiceUnavailable"): UNAVAILABLE,
    (504, "Timeout"): TIMED_OUT,
    (0, CLIENT_TIMEOUT): TIMED_OUT,
}
"""Answers that the API server words itself, by HTTP status and reason."""
DENIALS = frozenset({400, 401, 403, 409, 413, 422})
"""Statuses with which an admission webhook or a policy denies; a webhook that names none gets 400 and no reason."""


def classify(answer: Answer) -> ErrorRow:
    """Return the row of the API server's answer to the creation of a Job."""
    if answer.status == 403 and NAMESPACE_TERMINATING in answer.causes:
        return NAMESPACE_ENDS
    if answer.fields and answer.status == 422:
        return INVALID
    if answer.has_causes and answer.status in DENIALS:
        # a ValidatingAdmissionPolicy may use any of these statuses; its causes name no field
        return DENIED
    row = OWN_ANSWERS.get((answer.status, answer.reason))
    if row:
        return row
    return DENIED if answer.status in DENIALS else UNKNOWN


def format_error(row: ErrorRow, said: str) -> str:
    """Build a message: what it means, what Kubernetes says, what to do."""
    words = " ".join(said.split()).rstrip(".")
    return f"{row.meaning}: {words}. {row.advice}"
