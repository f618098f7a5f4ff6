"""Whether the process that holds the Lease has ended, as its pod shows: then nobody has to wait for the Lease's end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from retraining_operator.api import names
from retraining_operator.kube.client import KubeClient

ENDED_PHASES = {"Succeeded", "Failed"}


def pod_of(holder: str) -> str:
    """Return the name of a holder's pod; empty if it runs in none. See `lease.identify`."""
    pod, separator, _ = holder.partition("_")
    return pod if separator else ""


def has_ended(pod: Mapping[str, Any]) -> bool:
    """Return whether the operator's container in a pod does not run.

    The kubelet alone writes that. A container that waits for its next start has ended as well: its
    next process has another name and takes the Lease like everybody else.
    """
    status = pod.get("status") or {}
    if status.get("phase") in ENDED_PHASES:
        return True
    found = {one["name"]: one.get("state") or {} for one in status.get("containerStatuses") or ()}
    state = found.get(names.OPERATOR_CONTAINER, {})
    return bool(state) and "running" not in state


class HolderPod:
    """Looks at the pod of the Lease's holder.

    Args:
        cluster: the API server.
    """

    def __init__(self, cluster: KubeClient) -> None:
        self._cluster = cluster
        self._seen = ""
        """The pod that was there when it was last looked at."""

    async def has_ended(self, holder: str, seconds: float) -> bool:
        """Return whether a holder has ended for sure; False if it is not known.

        A pod that was there and is gone counts: Kubernetes deletes it once its containers have
            ended, or because somebody says by force that they have.

        Args:
            holder: as the Lease names it.
            seconds: how long the look may take.

        Raises:
            ClusterError: the API server is unavailable or refuses.
        """
        name = pod_of(holder)
        if not name:
            return False
        pod = await self._cluster.find_pod(name, seconds)
        if pod is None:
            return self._seen == name
        self._seen = name
        return has_ended(pod)
