"""The ways in which Kubernetes refuses a Job or its pod, with their meaning and what to do."""

from __future__ import annotations

from dataclasses import dataclass

from retraining_operator.api.reasons import ConditionReason


@dataclass(frozen=True)
class ErrorRow:
    """One row of the table.

    Args:
        code: What is matched, as text for the docs.
        reason: The reason that the condition shows.
        retried: Whether the same call may succeed later.
        meaning: The first half of the message, before what Kubernetes reports.
        advice: What to do.
    """

    code: str
    reason: ConditionReason
    retried: bool
    meaning: str
    advice: str


NAMESPACE_ENDS = ErrorRow(
    code="403 with the cause NamespaceTerminating, or 404",
    reason=ConditionReason.JOB_REFUSED_FOR_NOW,
    retried=True,
    meaning="The namespace does not exist or is being deleted, so no Job can be created in it",
    advice=(
        "The request is deleted together with its namespace. Apply a new one in another namespace."
    ),
)
FORBIDDEN = ErrorRow(
    code="403 Forbidden",
    reason=ConditionReason.JOB_REFUSED_FOR_NOW,
    retried=True,
    meaning="The API server does not allow the Job to be created at present",
    advice=(
        "Raise the quota, change the policy or restore the operator's Role, depending on the "
        "message."
    ),
)
DENIED = ErrorRow(
    code=(
        "422 whose causes name no field; 400, 409 or 413 with another reason than the API "
        "server's own"
    ),
    reason=ConditionReason.JOB_REFUSED_FOR_NOW,
    retried=True,
    meaning="An admission policy or an admission webhook denies the Job",
    advice=(
        "Change the policy that the message names, or the settings under job in the chart's values."
    ),
)
INVALID = ErrorRow(
    code="422 Invalid whose causes name a field",
    reason=ConditionReason.JOB_REFUSED,
    retried=False,
    meaning="The API server refuses the Job because a field is invalid",
    advice=(
        "Correct the setting under job in the chart's values, or in the request's spec, and "
        "apply a new request."
    ),
)
UNREADABLE = ErrorRow(
    code="400 BadRequest",
    reason=ConditionReason.JOB_REFUSED,
    retried=False,
    meaning="The API server cannot read the Job",
    advice=(
        "Correct the setting under job in the chart's values, or in the request's spec, and "
        "apply a new request."
    ),
)
TOO_LARGE = ErrorRow(
    code="413 RequestEntityTooLarge",
    reason=ConditionReason.JOB_REFUSED,
    retried=False,
    meaning="The Job is larger than the API server accepts",
    advice="Shorten the settings under job in the chart's values, and apply a new request.",
)
CONFLICT = ErrorRow(
    code="409 Conflict",
    reason=ConditionReason.LAUNCHING,
    retried=True,
    meaning="Another write to a ResourceQuota came first",
    advice="Nothing to do. The operator retries after a second.",
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
    advice="If this lasts, find out what sends too many requests.",
)
WEBHOOK_UNAVAILABLE = ErrorRow(
    code="500 InternalError",
    reason=ConditionReason.JOB_REFUSED_FOR_NOW,
    retried=True,
    meaning="The API server, or an admission webhook that it calls, failed",
    advice=(
        "If the message names a webhook, check that it runs and that the API server can reach it."
    ),
)
UNAVAILABLE = ErrorRow(
    code="503 ServiceUnavailable",
    reason=ConditionReason.JOB_REFUSED_FOR_NOW,
    retried=True,
    meaning="The API server is unavailable at present",
    advice="If this lasts, check the API server and its storage.",
)
TIMED_OUT = ErrorRow(
    code="504 Timeout, or no answer within the time limit",
    reason=ConditionReason.JOB_REFUSED_FOR_NOW,
    retried=True,
    meaning="The API server did not create the Job in time",
    advice=(
        "Check that the admission webhooks for Jobs and pods answer. Each may take its "
        "timeoutSeconds."
    ),
)
UNKNOWN = ErrorRow(
    code="every other answer",
    reason=ConditionReason.JOB_REFUSED_FOR_NOW,
    retried=True,
    meaning=(
        "The API server, or a proxy before it, answered in a way that the operator does not know"
    ),
    advice="The operator retries. If this lasts, check proxies and admission webhooks.",
)
POD_REFUSED = ErrorRow(
    code="Event FailedCreate of the Job",
    reason=ConditionReason.POD_REFUSED,
    retried=True,
    meaning="The API server does not allow the Job's pod to be created",
    advice=(
        "Correct what the message names: raise the ResourceQuota or LimitRange, or change "
        "job.resources (spec.resources of a request); change the policy or job.podSecurityContext; "
        "repair the webhook; create the ServiceAccount, PriorityClass or RuntimeClass."
    ),
)
IMAGE_PULL_FAILED = ErrorRow(
    code=(
        "container waits with ErrImagePull, ImagePullBackOff, InvalidImageName, "
        "ErrImageNeverPull, ImageInspectError, RegistryUnavailable or SignatureValidationFailed"
    ),
    reason=ConditionReason.IMAGE_PULL_FAILED,
    retried=True,
    meaning="The trainer's image cannot be pulled",
    advice=(
        "Check jobImage.repository, jobImage.tag and imagePullSecrets, and whether the node can"
        " reach the registry."
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
    advice=(
        "Check that the Secrets of database, redis and signing exist and have the configured keys."
    ),
)
INIT_BLOCKED = ErrorRow(
    code=(
        "init container (also a sidecar with restartPolicy Always) waits with one of these, or "
        "with CrashLoopBackOff"
    ),
    reason=ConditionReason.CONTAINER_NOT_CREATED,
    retried=True,
    meaning="A container that must start before the trainer does not start",
    advice=(
        "An admission webhook added it to the pod. Ask the owner of the webhook, or disable it "
        "with job.annotations."
    ),
)
UNSCHEDULABLE = ErrorRow(
    code="condition PodScheduled is False with Unschedulable",
    reason=ConditionReason.UNSCHEDULABLE,
    retried=True,
    meaning="No node can take the trainer's pod",
    advice=(
        "Free resources, or change job.resources (spec.resources of a request), "
        "job.nodeSelector, job.affinity or job.tolerations."
    ),
)
EVICTED = ErrorRow(
    code=(
        "condition DisruptionTarget is True, or the pod failed with Evicted, Preempting, "
        "Shutdown or NodeLost"
    ),
    reason=ConditionReason.EVICTED,
    retried=True,
    meaning="Kubernetes removed the pod",
    advice="Nothing to do. Another pod follows, and this one does not count as a failed attempt.",
)
NODE_REJECTED = ErrorRow(
    code=(
        "pod failed before the trainer ran: OutOfcpu, OutOfmemory, OutOfpods, NodeAffinity, "
        "UnexpectedAdmissionError"
    ),
    reason=ConditionReason.JOB_FAILED,
    retried=True,
    meaning="The pod failed before the trainer ran",
    advice=(
        "Check the node, or the init container that the message names. This counts as a failed "
        "attempt."
    ),
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
