"""The RetrainRequest of a Kafka record: how it is built, and how it is recognized.

Users can create objects under any name and with any spec, so an object of the right name is the
record's request only if it is in every way the one that the operator would have built. Anything
else belongs to somebody else, and the record's request gets another name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from retraining_operator.api import names
from retraining_operator.api.fields import Fields
from retraining_operator.api.request import Manifest, RequestSpec, TriggerSpec, read_spec
from retraining_operator.api.trigger import (
    DEFAULT_REASON,
    REASON_LIMIT_CHARACTERS,
    Trigger,
    parse_timestamp,
)
from retraining_operator.contract import to_line

OWN_FIELDS = {"reason", "trigger", "suspend"}
"""The fields of a record's request. Users may change `suspend` later."""
LATER_NAME = re.compile(r"-[0-9a-f]{8}-([1-9][0-9]{0,8})$", re.ASCII)
"""The end of a name after the first. A first name may look the same."""
DIGEST_CHARACTERS = 32


def build_request(trigger: Trigger, namespace: str, attempt: int = 0) -> Manifest:
    """Build the RetrainRequest of a trigger.

    Args:
        trigger: The trigger.
        namespace: The namespace of the request.
        attempt: How many of its names somebody else has taken.

    Returns:
        The manifest.
    """
    position = trigger.position
    fields = {
        "topic": position.topic,
        "partition": position.partition,
        "offset": position.offset,
        "timestamp": position.timestamp,
        "record": trigger.record,
    }
    return {
        "apiVersion": f"{names.GROUP}/{names.VERSION}",
        "kind": names.KIND,
        "metadata": {
            "name": build_name(TriggerSpec.model_validate(fields), attempt),
            "namespace": namespace,
            "labels": {names.LABEL_MANAGED_BY: names.MANAGED_BY},
        },
        "spec": {
            "reason": to_line(trigger.reason, REASON_LIMIT_CHARACTERS) or DEFAULT_REASON,
            "trigger": fields,
        },
    }


def build_name(trigger: TriggerSpec, attempt: int) -> str:
    """Build a name for the request of a record.

    Args:
        trigger: The record.
        attempt: How many of its names somebody else has taken.

    Returns:
        The name. From the second on, it follows from the content of the record as well, which fewer
        people can know in advance.

    Raises:
        ValueError: If the timestamp is not one that the operator writes.
    """
    timestamp_ms = parse_timestamp(trigger.timestamp)
    return names.build_request_name(
        trigger.topic,
        trigger.partition,
        trigger.offset,
        timestamp_ms,
        taken=(trigger.record_digest, attempt) if attempt else None,
    )


def is_own_form(name: str, spec: RequestSpec) -> bool:
    """Return whether a request has the form of those that the operator creates for records.

    Args:
        name: The name of the request.
        spec: Its spec.

    Returns:
        True if the name follows from the record and nothing else is asked for.
    """
    if spec.trigger is None or spec.model_fields_set - OWN_FIELDS:
        return False
    found = LATER_NAME.search(name)
    attempts = (0, int(found[1])) if found else (0,)
    try:
        return name in {build_name(spec.trigger, attempt) for attempt in attempts}
    except ValueError:
        return False


def build_record_key(namespace: str, spec: RequestSpec) -> str:
    """Build the key of a record that is the same under each name of its request.

    Args:
        namespace: The namespace of the request.
        spec: The spec of a request in the operator's own form.

    Returns:
        A digest.
    """
    trigger = spec.trigger.model_dump() if spec.trigger else {}
    text = json.dumps([namespace, spec.reason, trigger], sort_keys=True)
    return names.compute_digest(text, DIGEST_CHARACTERS)


def compute_record_key(body: Mapping[str, Any]) -> str | None:
    """Compute a key that is equal for two objects if they are the request of the same record.

    An object that was created suspended, or that Kubernetes deletes together with an owner, was
    created by somebody else.

    Args:
        body: A RetrainRequest, from the cluster or to be created.

    Returns:
        The key, or None if the operator has not created the object.
    """
    metadata, spec = Fields.of(body).fields("metadata"), Fields.of(body).fields("spec")
    if not spec.fields("trigger"):
        return None
    was_suspended = spec.values.get("suspend") and metadata.integer("generation", 1) == 1
    if was_suspended or metadata.values.get("ownerReferences"):
        return None
    parsed, malformed = read_spec(spec.values)
    if malformed is not None or not is_own_form(metadata.text("name"), parsed):
        return None
    return build_record_key(metadata.text("namespace"), parsed)
