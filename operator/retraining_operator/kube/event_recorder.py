"""Events on a RetrainRequest, so that `kubectl describe` tells its story. Driven by the reconciler.

An Event is a courtesy: where it cannot be written, the condition and the log still say the same.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime

from retraining_operator.api import names
from retraining_operator.api.pod import WAITING_REASONS
from retraining_operator.api.reasons import ConditionReason
from retraining_operator.api.request import Manifest, RetrainRequest
from retraining_operator.contract import Verdict, Withheld
from retraining_operator.kube.client import EVENTS, KubeClient, KubeError

logger = logging.getLogger(__name__)

AS_MEANT = {
    *Verdict,
    *Withheld,
    ConditionReason.MERGED,
    ConditionReason.REPLACED,
    ConditionReason.FORBIDDEN,
}
"""Where the challenger did not go live for one of these, nothing went wrong."""
LOUD = {
    Verdict.UNREADABLE_CHAMPION,
    ConditionReason.DECISION_IGNORED,
    ConditionReason.BREAKER_OPEN,
    ConditionReason.RETRYING,
    *WAITING_REASONS,
}
"""What a person should look at although nothing has failed for good."""
NOTE_LIMIT_BYTES = 1000
"""The API server refuses notes of more than 1 kB."""


class EventRecorder:
    """Writes the Events of one operator."""

    def __init__(self, cluster: KubeClient, instance: str) -> None:
        self._cluster = cluster
        self._instance = instance

    async def tell(self, request: RetrainRequest, condition: Mapping[str, str]) -> None:
        """Write what became of a request."""
        try:
            await self._cluster.create(
                EVENTS, build_event(request, condition, self._instance, datetime.now(UTC))
            )
        except KubeError as error:
            logger.warning("%s: its Event could not be written: %s", request.key, error)


def build_event(
    request: RetrainRequest, condition: Mapping[str, str], instance: str, now: datetime
) -> Manifest:
    """Build one Event from a condition; its name makes the same turn of the same request one Event."""
    fails = condition["status"] == "False" and condition["reason"] not in AS_MEANT
    warning = fails or condition["reason"] in LOUD
    turn = f"{request.uid}/{request.resource_version}/{condition['reason']}"
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {
            "name": f"{request.name}.{names.compute_digest(turn, 16)}",
            "namespace": request.namespace,
        },
        "eventTime": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "type": "Warning" if warning else "Normal",
        "reason": condition["reason"],
        "action": "Retrain",
        "note": condition["message"].encode()[:NOTE_LIMIT_BYTES].decode(errors="ignore"),
        "reportingController": f"{names.GROUP}/{names.MANAGED_BY}",
        "reportingInstance": instance[:128],
        "regarding": {
            "apiVersion": f"{names.GROUP}/{names.VERSION}",
            "kind": names.KIND,
            "name": request.name,
            "namespace": request.namespace,
            "uid": request.uid,
        },
    }
