"""The RetrainRequest as the operator sees it: read from the cluster's object, or built from a trigger. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from retraining_operator.api import names
from retraining_operator.api.approval import TEXT_LIMIT_CHARACTERS, Approval
from retraining_operator.api.reasons import ConditionReason
from retraining_operator.api.trigger import DEFAULT_REASON, Trigger
from retraining_operator.contract import (
    ApprovalDecision,
    OnInconclusive,
    Preset,
    Promotion,
    PromotionPolicy,
    Scaling,
    Tunables,
    Withheld,
)
from retraining_operator.scalars import Resources

Manifest = dict[str, Any]
"""A Kubernetes object as plain JSON."""


class TriggerSpec(BaseModel):
    """The Kafka record behind a request."""

    model_config = ConfigDict(frozen=True)

    topic: str
    partition: int
    offset: int
    timestamp: str
    record: str


class RequestSpec(BaseModel):
    """What a RetrainRequest asks for; what it leaves out comes from the operator's settings."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)

    reason: str = DEFAULT_REASON
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
    rollback_to: int | None = None
    """A former version that the Job is to put live again instead of training."""
    deadline_seconds: int | None = None
    retries: int | None = None
    resources: Resources | None = None
    suspend: bool = False

    def tunables(self) -> dict[str, Any]:
        """Give what the request sets of the trainer's settings."""
        fields = self.model_dump(include=set(Tunables.model_fields), exclude_none=True)
        if self.hold_out_rows is not None:
            fields["hold_out_size"] = self.hold_out_rows  # of whichever preset runs
        return fields


@dataclass(frozen=True)
class RetrainRequest:
    """One RetrainRequest at one resource version."""

    name: str
    namespace: str
    uid: str
    generation: int
    resource_version: int
    created_at: str
    """As Kubernetes writes times, in whole seconds; such texts sort by time."""
    spec: RequestSpec
    malformed: str | None
    """Why the spec cannot be read; None where it can."""
    approval_text: str | None
    """The annotation with a person's word on the challenger, as it stands there; None where there is none."""
    status: Mapping[str, Any]

    @property
    def key(self) -> str:
        """Namespace and name, as every log line names the request."""
        return f"{self.namespace}/{self.name}"

    def condition(self, kind: Literal["Succeeded", "Promoted", "Recorded"]) -> Mapping[str, Any]:
        """Give one condition; empty before the first pass."""
        conditions = self.status.get("conditions", ())
        return next((condition for condition in conditions if condition["type"] == kind), {})

    @property
    def is_finished(self) -> bool:
        """Whether the outcome stands in the status."""
        return self.condition("Succeeded").get("status") in {"True", "False"}

    @property
    def is_launching(self) -> bool:
        """Whether its Job is about to be created, or has been a moment ago.

        Also after an error that does not tell whether the API server has stored the Job: its name
            is kept then.
        """
        reason = self.condition("Succeeded").get("reason")
        kept = reason == ConditionReason.JOB_REFUSED_FOR_NOW and bool(self.status.get("jobName"))
        return reason == ConditionReason.LAUNCHING or kept

    @property
    def is_refused(self) -> bool:
        """Whether the API server has refused its Job for now."""
        return (
            self.condition("Succeeded").get("reason") == ConditionReason.JOB_REFUSED_FOR_NOW
            and not self.is_launching
        )

    @property
    def is_recorded(self) -> bool:
        """Whether the database has the outcome, or there is none that could have it."""
        recorded = self.condition("Recorded")
        return recorded.get("status") == "True" or recorded.get("reason") in {
            ConditionReason.NOT_MIGRATED,
            ConditionReason.NO_DATABASE,
        }

    @property
    def is_awaiting_approval(self) -> bool:
        """Whether its challenger awaits a person's decision, or the Job that carries it out."""
        return self.is_finished and self.status.get("withheld") == Withheld.AWAITING_DECISION

    @property
    def given_approval(self) -> Approval | None:
        """The decision that was taken, as the status keeps it."""
        taken = self.status.get("approval")
        return (
            Approval(ApprovalDecision(taken), self.status.get("approvalBy", "")) if taken else None
        )

    @property
    def arrival(self) -> tuple[str, int, int, str]:
        """The order of arrival; within one second, of the records' partitions and offsets."""
        trigger = self.spec.trigger
        return (
            self.created_at,
            trigger.partition if trigger else -1,
            trigger.offset if trigger else -1,
            self.name,
        )


def read_request(body: Mapping[str, Any]) -> RetrainRequest:
    """Read the cluster's object; a spec that cannot be read is kept as the sentence that says why."""
    metadata = body["metadata"]
    approval_text = (metadata.get("annotations") or {}).get(names.ANNOTATION_APPROVAL)
    spec, malformed = RequestSpec(), None
    try:
        spec = RequestSpec.model_validate(body.get("spec") or {})
    except ValidationError as error:
        malformed = " ".join(
            f"spec.{'.'.join(map(str, detail['loc']))}: {detail['msg']}."
            for detail in error.errors()
        )
    return RetrainRequest(
        name=metadata["name"],
        namespace=metadata["namespace"],
        uid=metadata["uid"],
        generation=metadata.get("generation", 1),
        resource_version=int(metadata["resourceVersion"]),
        created_at=metadata["creationTimestamp"],
        spec=spec,
        malformed=malformed,
        approval_text=None if approval_text is None else approval_text[:TEXT_LIMIT_CHARACTERS],
        status=dict(body.get("status") or {}),
    )


def build_request(trigger: Trigger, namespace: str) -> Manifest:
    """Build the RetrainRequest of one trigger."""
    position = trigger.position
    return {
        "apiVersion": f"{names.GROUP}/{names.VERSION}",
        "kind": names.KIND,
        "metadata": {
            "name": names.build_request_name(
                position.topic, position.partition, position.offset, position.timestamp_ms
            ),
            "namespace": namespace,
            "labels": {names.LABEL_MANAGED_BY: names.MANAGED_BY},
        },
        "spec": {
            "reason": trigger.reason,
            "trigger": {
                "topic": position.topic,
                "partition": position.partition,
                "offset": position.offset,
                "timestamp": position.timestamp,
                "record": trigger.record,
            },
        },
    }


def is_same_trigger(manifest: Manifest, existing: Mapping[str, Any]) -> bool:
    """Tell whether an object of the same name stands for the same record."""
    identity = ("topic", "partition", "offset", "timestamp")
    asked = manifest["spec"]["trigger"]
    found = (existing.get("spec") or {}).get("trigger") or {}
    return all(asked[field] == found.get(field) for field in identity)
