"""The RetrainRequest, read from the cluster's object or built from a trigger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from retraining_operator.api import names
from retraining_operator.api.approval import Approval
from retraining_operator.api.conditions import Condition, ConditionType, read_conditions
from retraining_operator.api.fields import Fields
from retraining_operator.api.reasons import ConditionReason
from retraining_operator.api.stored_status import read_status
from retraining_operator.api.trigger import DEFAULT_REASON
from retraining_operator.contract import (
    Alerts,
    ApprovalAnswer,
    Calibration,
    OnInconclusive,
    Preset,
    Promotion,
    PromotionPolicy,
    Scaling,
    Tunables,
    Withheld,
    to_line,
)
from retraining_operator.settings.scalars import Resources

Manifest = dict[str, Any]
"""A Kubernetes object as plain JSON."""
TOPIC_LIMIT_CHARACTERS = 249
TIME_LIMIT_CHARACTERS = 40
RECORD_DIGEST_CHARACTERS = 32
PROBLEMS_LIMIT = 5
"""How many problems of a malformed spec are reported."""
UNKNOWN_TIME = "1970-01-01T00:00:00Z"


def compute_record_digest(record: str) -> str:
    """Compute the digest of a record."""
    return names.compute_digest(record, RECORD_DIGEST_CHARACTERS)


class TriggerSpec(BaseModel):
    """The Kafka record of a request. The record itself stays in the cluster."""

    model_config = ConfigDict(frozen=True)

    topic: str = Field(max_length=TOPIC_LIMIT_CHARACTERS)
    partition: int
    offset: int
    timestamp: str = Field(max_length=TIME_LIMIT_CHARACTERS)
    record_digest: Annotated[str, AfterValidator(compute_record_digest)] = Field(
        "", validation_alias="record"
    )


class RequestSpec(BaseModel):
    """The spec of a RetrainRequest. Fields without a value come from the operator's settings."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)

    reason: str = DEFAULT_REASON
    requested_by: str | None = None
    """The user who has created it. The admission policy compares it with the API server's user."""
    trigger: TriggerSpec | None = None
    preset: Preset | None = None
    rows: int | None = None
    minimum_rows: int | None = None
    hold_out_rows: int | None = None
    threshold: float | None = None
    policy: PromotionPolicy | None = None
    margin: float | None = None
    on_inconclusive: OnInconclusive | None = None
    accept_input_change: bool | None = None
    promotion: Promotion | None = None
    dry_run: bool | None = None
    scaling: Scaling | None = None
    calibration: Calibration | None = None
    alerts: Alerts | None = None
    alert_budget: float | None = None
    rollback_to: int | None = None
    """A former version that the Job makes live again instead of training."""
    deadline_seconds: int | None = None
    retries: int | None = None
    resources: Resources | None = None
    suspend: bool = False

    def tunables(self) -> dict[str, Any]:
        """Return the trainer's settings that the request sets."""
        fields = self.model_dump(include=set(Tunables.model_fields), exclude_none=True)
        if self.hold_out_rows is not None:
            # The preset `recommended` reads the same setting under another name.
            fields["hold_out_size"] = self.hold_out_rows
        return fields


@dataclass(frozen=True)
class RetrainRequest:
    """One RetrainRequest at one resource version.

    Args:
        name: The name.
        namespace: The namespace.
        uid: The uid.
        generation: The generation of the spec.
        resource_version: The resource version, as a number.
        created_at: When it was created, in UTC and whole seconds as Kubernetes formats times. Such
            texts sort by time.
        spec: The spec; empty if it is malformed.
        malformed: Why the spec cannot be read; None if it can.
        status: The stored status as JSON.
    """

    name: str
    namespace: str
    uid: str
    generation: int
    resource_version: int
    created_at: str
    spec: RequestSpec
    malformed: str | None
    status: Mapping[str, Any]

    @property
    def key(self) -> str:
        """Namespace and name, as log lines show them."""
        return f"{self.namespace}/{self.name}"

    @cached_property
    def conditions(self) -> Mapping[ConditionType, Condition]:
        """The stored conditions. A condition that is not set is Unknown without a reason."""
        return read_conditions(self.status)

    @property
    def is_rollback(self) -> bool:
        """Whether its Job makes a former version live again instead of training."""
        return self.spec.rollback_to is not None

    @property
    def is_finished(self) -> bool:
        """Whether the status has an outcome."""
        return self.conditions[ConditionType.SUCCEEDED].status != "Unknown"

    @property
    def is_launching(self) -> bool:
        """Whether its Job is being created, or may have been created.

        After some errors it is unknown whether the API server has stored the Job. The status then
        keeps the name of the Job.
        """
        reason = self.conditions[ConditionType.SUCCEEDED].reason
        is_unconfirmed = reason == ConditionReason.JOB_REFUSED_FOR_NOW and bool(
            self.status.get("jobName")
        )
        return reason == ConditionReason.LAUNCHING or is_unconfirmed

    @property
    def is_refused(self) -> bool:
        """Whether the API server has refused its Job for now."""
        reason = self.conditions[ConditionType.SUCCEEDED].reason
        return reason == ConditionReason.JOB_REFUSED_FOR_NOW and not self.is_launching

    @property
    def is_recorded(self) -> bool:
        """Whether the database has the outcome, or there is no database that could have it."""
        recorded = self.conditions[ConditionType.RECORDED]
        return recorded.status == "True" or recorded.reason in {
            ConditionReason.NOT_MIGRATED,
            ConditionReason.NO_DATABASE,
        }

    @property
    def is_awaiting_approval(self) -> bool:
        """Whether its challenger awaits approval, or the Job that applies the approval."""
        return self.is_finished and self.status.get("withheld") == Withheld.AWAITING_APPROVAL

    @property
    def is_launching_approval(self) -> bool:
        """Whether the Job that applies the approval is being created, or may have been created."""
        reason = self.conditions[ConditionType.PROMOTED].reason
        is_open = reason in {ConditionReason.LAUNCHING, ConditionReason.JOB_REFUSED_FOR_NOW}
        return self.is_awaiting_approval and is_open and bool(self.status.get("approvalJobName"))

    @property
    def given_approval(self) -> Approval | None:
        """The approval that is or was applied, as the status stores it."""
        answer = self.status.get("approval")
        if answer not in list(ApprovalAnswer):
            return None
        return Approval(
            answer=ApprovalAnswer(answer),
            author=self.status.get("approvalBy") or "",
            is_verified=self.status.get("approvalVerified") is True,
            comment=self.status.get("approvalComment") or "",
        )

    @property
    def arrival(self) -> tuple[str, int, int, str]:
        """The sort key of arrival. Within one second, partition and offset of the record count."""
        trigger = self.spec.trigger
        return (
            self.created_at,
            trigger.partition if trigger else -1,
            trigger.offset if trigger else -1,
            self.name,
        )


def read_spec(fields: object) -> tuple[RequestSpec, str | None]:
    """Read a spec.

    Args:
        fields: The spec of the cluster's object.

    Returns:
        The spec and None, or an empty spec and why it cannot be read.
    """
    try:
        return RequestSpec.model_validate(fields), None
    except ValidationError as error:
        problems = [
            f"spec.{'.'.join(map(str, detail['loc']))}: {detail['msg']}."
            for detail in islice(error.errors(include_input=False), PROBLEMS_LIMIT)
        ]
        return RequestSpec(), to_line(" ".join(problems))


def read_request(body: Mapping[str, Any]) -> RetrainRequest:
    """Read the cluster's object. If its spec is malformed, the request says why.

    Raises:
        MalformedObjectError: If name, namespace, uid or resource version is missing.
    """
    fields = Fields.of(body)
    metadata = fields.fields("metadata")
    spec, malformed = read_spec(fields.values.get("spec") or {})
    return RetrainRequest(
        name=metadata.require_name("name"),
        namespace=metadata.require_name("namespace"),
        uid=metadata.require_name("uid"),
        generation=metadata.integer("generation", 1),
        resource_version=metadata.require_version(),
        created_at=metadata.time("creationTimestamp") or UNKNOWN_TIME,
        spec=spec,
        malformed=malformed,
        status=read_status(fields.values.get("status")),
    )
