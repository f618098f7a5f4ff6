"""Checks in its pod's status whether the process that holds the Lease has ended.

If it has, nobody has to wait for the Lease to expire.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from retraining_operator.api import names
from retraining_operator.api.fields import Fields
from retraining_operator.kube.client import KubeClient
from retraining_operator.leader.lease import parse_pod_name

ENDED_PHASES = {"Succeeded", "Failed"}


def is_operator_ended(pod: Mapping[str, Any]) -> bool:
    """Return whether the operator's container in a pod is not running.

    Only the kubelet writes the container's state. A container that waits for its restart has ended
    as well: its next process has another identity and takes the Lease like any other.
    """
    status = Fields.of(pod).fields("status")
    if status.text("phase") in ENDED_PHASES:
        return True
    for container in status.items("containerStatuses"):
        if container.text("name") == names.OPERATOR_CONTAINER:
            state = container.fields("state")
            return bool(state) and "running" not in state
    return False


class HolderPod:
    """Reads the pod of the Lease's holder.

    Args:
        cluster: The API server.
    """

    def __init__(self, cluster: KubeClient) -> None:
        self._cluster = cluster
        self._last_seen = ""
        """The name of the pod that existed at the last check."""

    async def has_ended(self, holder: str, seconds: float) -> bool:
        """Check whether a holder has certainly ended.

        A pod that existed and is gone counts. Kubernetes deletes it after its containers have
        ended, or because somebody forces the deletion and thereby states that they have.

        Args:
            holder: The identity in the Lease.
            seconds: Time limit of the check.

        Returns:
            Whether it has ended; False if that is not known.

        Raises:
            KubeError: If the API server is unavailable or rejects the call.
        """
        name = parse_pod_name(holder)
        if not name:
            return False
        pod = await self._cluster.find_pod(name, seconds)
        if pod is None:
            return self._last_seen == name
        self._last_seen = name
        return is_operator_ended(pod)
