"""The RetrainRequest, read from the cluster's object or built from a trigger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from retraining_operator.api import names
from retraining_operator.api.conditions import Condition, ConditionType, read_conditions
from retraining_operator.api.reasons import ConditionReason
from retraining_operator.api.trigger import DEFAULT_REASON, Trigger
from retraining_operator.contract import (
    Alerts,
    Calibration,
    OnInconclusive,
    Preset,
    Promotion,
    PromotionPolicy,
    Scaling,
    Tunables,
    Withheld,
)
from retraining_operator.settings.scalars import Resources

Manifest = dict[str, Any]
"""A Kubernetes object as plain JSON."""


class TriggerSpec(BaseModel):
    """The Kafka record of a request."""

    model_config = ConfigDict(frozen=True)

    topic: str
    partition: int
    offset: int
    timestamp: str
    record: str


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
    def arrival(self) -> tuple[str, int, int, str]:
        """The sort key of arrival. Within one second, partition and offset of the record count."""
        trigger = self.spec.trigger
        return (
            self.created_at,
            trigger.partition if trigger else -1,
            trigger.offset if trigger else -1,
            self.name,
        )


def read_request(body: Mapping[str, Any]) -> RetrainRequest:
    """Read the cluster's object. If its spec is malformed, the request says why."""
    metadata = body["metadata"]
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
        status=dict(body.get("status") or {}),
    )


def build_request(trigger: Trigger, namespace: str) -> Manifest:
    """Build the RetrainRequest of a trigger.

    Args:
        trigger: The trigger.
        namespace: The namespace of the request.

    Returns:
        The manifest.
    """
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
    """Return whether an existing object of the same name is about the same record.

    Args:
        manifest: The RetrainRequest to create.
        existing: The object in the cluster.

    Returns:
        True if topic, partition, offset and timestamp are equal.
    """
    identity = ("topic", "partition", "offset", "timestamp")
    wanted = manifest["spec"]["trigger"]
    found = (existing.get("spec") or {}).get("trigger") or {}
    return all(wanted[field] == found.get(field) for field in identity)
