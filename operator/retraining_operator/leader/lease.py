"""The Lease, what was observed of it, and what a process may do with it. Pure."""

from __future__ import annotations

import platform
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto
from typing import Any

from retraining_operator.api import names
from retraining_operator.api.fields import (
    NAME_LIMIT_CHARACTERS,
    TIME_LIMIT_CHARACTERS,
    Fields,
)
from retraining_operator.api.request import Manifest
from retraining_operator.kube.resources import LEASES

DURATION_LIMIT_SECONDS = 3600
TRANSITIONS_LIMIT = 2**31 - 1
"""The API server stores an integer of 32 bits."""


@dataclass(frozen=True)
class Lease:
    """The Lease as it is in the cluster.

    Args:
        holder: The identity of its holder; empty if the last one has released it.
        seconds: How long its holder may be silent.
        renewed: The holder's time of the last renewal. It is only compared for equality.
        transitions: How often the holder has changed.
        version: The resource version. It does not count in comparisons.
    """

    holder: str
    seconds: float
    renewed: str
    transitions: int
    version: str = field(compare=False)


@dataclass(frozen=True)
class LeaseObservation:
    """What was last seen of the Lease.

    Args:
        lease: The Lease, or None if there is none.
        since: Since when it is unchanged, by the local monotonic clock in seconds.
    """

    lease: Lease | None
    since: float


class LeaseAction(Enum):
    """What to do with the Lease."""

    CREATE = auto()
    TAKE = auto()
    RENEW = auto()
    WAIT = auto()


def build_identity(pod: str) -> str:
    """Build the unique name of this process from its pod's name, which may be empty."""
    unique = uuid.uuid4().hex[:12]
    return f"{pod}_{unique}" if pod else f"{platform.node()}-{unique}"


def parse_pod_name(identity: str) -> str:
    """Return the pod's name in an identity; empty if the process does not run in a pod."""
    pod, separator, _ = identity.partition("_")
    return pod if separator else ""


def is_same_pod(holder: str, identity: str) -> bool:
    """Return whether two processes are of one pod.

    If they are, the earlier one has ended, because a pod restarts a container only after its end.

    Args:
        holder: The identity of one process.
        identity: The identity of the other.

    Returns:
        False also if either does not run in a pod.
    """
    return bool(parse_pod_name(identity)) and parse_pod_name(holder) == parse_pod_name(identity)


def observe(before: LeaseObservation | None, lease: Lease | None, now: float) -> LeaseObservation:
    """Build the observation of a Lease that was read. An unchanged Lease keeps its age.

    Args:
        before: The observation before, if any.
        lease: What was read; None if there is no Lease.
        now: The local monotonic clock, in seconds.

    Returns:
        The new observation.
    """
    return LeaseObservation(lease, before.since if before and before.lease == lease else now)


def choose_action(observation: LeaseObservation, identity: str, now: float) -> LeaseAction:
    """Choose what this process may do with the Lease.

    Args:
        observation: What was last seen of the Lease.
        identity: This process's identity.
        now: The local monotonic clock, in seconds.

    Returns:
        The action.
    """
    lease = observation.lease
    if lease is None:
        return LeaseAction.CREATE
    if lease.holder == identity:
        return LeaseAction.RENEW
    is_expired = now >= observation.since + lease.seconds
    if not lease.holder or is_same_pod(lease.holder, identity) or is_expired:
        return LeaseAction.TAKE
    return LeaseAction.WAIT


def read_lease(body: Mapping[str, Any], default_seconds: float) -> Lease:
    """Parse the cluster's object.

    Args:
        body: The object.
        default_seconds: How long a holder may be silent that does not state a duration.

    Returns:
        The Lease. A duration beyond DURATION_LIMIT_SECONDS was written by hand, and would keep a
        successor from taking over.

    Raises:
        MalformedObjectError: If the resource version is missing.
    """
    spec = Fields.of(body).fields("spec")
    seconds = spec.integer("leaseDurationSeconds", low=1, high=DURATION_LIMIT_SECONDS)
    return Lease(
        holder=spec.text("holderIdentity", NAME_LIMIT_CHARACTERS),
        seconds=seconds or default_seconds,
        renewed=spec.text("renewTime", TIME_LIMIT_CHARACTERS),
        transitions=spec.integer("leaseTransitions", high=TRANSITIONS_LIMIT - 1),
        version=str(Fields.of(body).fields("metadata").require_version()),
    )


def build_lease(
    action: LeaseAction, before: Lease | None, identity: str, seconds: int, now: datetime
) -> Manifest:
    """Build the Lease to create, or the patch of the one that was read.

    Args:
        action: What to do with the Lease.
        before: The Lease that was read; None to create one.
        identity: This process's identity.
        seconds: How long this process may be silent.
        now: The current time, UTC.

    Returns:
        The object, or a patch that names the resource version that was read.
    """
    timestamp = now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    spec: Manifest = {
        "holderIdentity": identity,
        "leaseDurationSeconds": seconds,
        "renewTime": timestamp,
    }
    if action is not LeaseAction.RENEW:
        spec["acquireTime"] = timestamp
        spec["leaseTransitions"] = before.transitions + 1 if before else 0
    if before:
        return {"metadata": {"resourceVersion": before.version}, "spec": spec}
    return {
        "apiVersion": f"{LEASES.group}/{LEASES.version}",
        "kind": "Lease",
        "metadata": {"name": names.LEASE, "labels": {names.LABEL_MANAGED_BY: names.MANAGED_BY}},
        "spec": spec,
    }
