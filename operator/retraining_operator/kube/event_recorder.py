"""Writes Kubernetes Events for a RetrainRequest, which `kubectl describe` shows.

Events are best effort: if one cannot be written, the condition and the log contain the same text.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from retraining_operator.api import names
from retraining_operator.api.conditions import Condition
from retraining_operator.api.pod_problems import WAITING_REASONS
from retraining_operator.api.reasons import ConditionReason
from retraining_operator.api.request import Manifest, RetrainRequest
from retraining_operator.contract import Verdict, Withheld, to_line
from retraining_operator.kube.client import KubeClient
from retraining_operator.kube.errors import KubeError
from retraining_operator.kube.resources import EVENTS

logger = logging.getLogger(__name__)

EXPECTED_REASONS = {
    *Verdict,
    *Withheld,
    ConditionReason.MERGED,
    ConditionReason.REPLACED,
    ConditionReason.FORBIDDEN,
}
"""If the challenger was not promoted for one of these reasons, nothing went wrong."""
WARNING_REASONS = {
    Verdict.UNREADABLE_CHAMPION,
    ConditionReason.APPROVAL_IGNORED,
    ConditionReason.BREAKER_OPEN,
    ConditionReason.FOREIGN_OBJECT,
    ConditionReason.OPERATOR_DEFECT,
    ConditionReason.RETRYING,
    *WAITING_REASONS,
}
"""Reasons that need attention although the run may still succeed."""
ONE_FOR_EACH_MESSAGE = {ConditionReason.FOREIGN_OBJECT, ConditionReason.OPERATOR_DEFECT}
"""Reasons of which one version of a request may have several Events."""
REASON_LIMIT_CHARACTERS = 128
NOTE_LIMIT_BYTES = 1000
"""The API server rejects notes of more than 1 kB."""


class EventRecorder:
    """Writes the Events of one operator process.

    Args:
        cluster: The API server.
        instance: The name of this process, for the field `reportingInstance`.
    """

    def __init__(self, cluster: KubeClient, instance: str) -> None:
        self._cluster = cluster
        self._instance = instance

    async def record(self, request: RetrainRequest, condition: Condition) -> None:
        """Write an Event. If that fails, log a warning.

        Args:
            request: The request that the Event regards.
            condition: The condition that it reports, with status, reason and message.
        """
        try:
            await self._cluster.create(
                EVENTS, build_event(request, condition, self._instance, datetime.now(UTC))
            )
        except KubeError as error:
            logger.warning("%s: the Event could not be written: %s", request.key, error)


def build_event(
    request: RetrainRequest, condition: Condition, instance: str, now: datetime
) -> Manifest:
    """Build an Event from a condition. Its name is the same for the same change of a request.

    Args:
        request: The request that the Event regards.
        condition: The condition that it reports.
        instance: The name of this process.
        now: The current time, UTC.

    Returns:
        The Event.
    """
    is_failure = condition.status == "False" and condition.reason not in EXPECTED_REASONS
    is_warning = is_failure or condition.reason in WARNING_REASONS
    reason = to_line(str(condition.reason), REASON_LIMIT_CHARACTERS)
    message = to_line(condition.message)
    change = f"{request.uid}/{request.resource_version}/{reason}"
    if condition.reason in ONE_FOR_EACH_MESSAGE:
        change += f"/{message}"
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {
            "name": f"{request.name}.{names.compute_digest(change, 16)}",
            "namespace": request.namespace,
        },
        "eventTime": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "type": "Warning" if is_warning else "Normal",
        "reason": reason,
        "action": "Retrain",
        "note": message.encode()[:NOTE_LIMIT_BYTES].decode(errors="ignore"),
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
