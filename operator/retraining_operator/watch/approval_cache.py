"""The cluster's RetrainApprovals in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Container, Mapping
from typing import Any

from retraining_operator.api import names
from retraining_operator.api.fields import Fields
from retraining_operator.api.retrain_approval import RetrainApproval, read_retrain_approval
from retraining_operator.observability.problems import ProblemReporter
from retraining_operator.watch.health import WatchHealth
from retraining_operator.watch.object_fence import fence_object

FOREIGN_LIMIT = 100
"""How many RetrainApprovals of others are stored until their status says that they are ignored."""


class ApprovalCache:
    """RetrainApprovals: those named and owned as the operator's own, by request, and all others.

    There is at most one for each request, and Kubernetes deletes it together with the request.

    Args:
        problems: Reports objects that are ignored. One of them never affects another object.
        watch_health: Informed of each version.
        changed: Set after each change.
    """

    def __init__(
        self, problems: ProblemReporter, watch_health: WatchHealth, changed: asyncio.Event
    ) -> None:
        self._problems = problems
        self._watch_health = watch_health
        self._changed = changed
        self.by_request: dict[str, RetrainApproval] = {}
        self.foreign: dict[str, RetrainApproval] = {}
        """By their own uid, those whose status does not say yet that they are ignored."""

    def update(self, body: Mapping[str, Any]) -> None:
        """Store a RetrainApproval that was listed, watched or written, if it is newer."""
        with fence_object(self._problems, names.APPROVAL_KIND, body):
            approval = read_retrain_approval(body)
            self._watch_health.expect_version(names.APPROVAL_PLURAL, approval.resource_version)
            self._store(approval)

    def _store(self, approval: RetrainApproval) -> None:
        if not approval.is_genuine:
            self.forget(approval.uid)  # somebody may have changed its owner
            if not approval.is_marked and len(self.foreign) < FOREIGN_LIMIT:
                self.foreign[approval.uid] = approval
                self._changed.set()
            return
        known = self.by_request.get(approval.challenger)
        if known is None or approval.resource_version > known.resource_version:
            self.by_request[approval.challenger] = approval
            self._changed.set()

    def remove(self, body: Mapping[str, Any]) -> None:
        """Remove a RetrainApproval that was deleted."""
        self.forget(Fields.of(body).fields("metadata").text("uid"))

    def forget(self, uid: str) -> None:
        """Remove a RetrainApproval that no longer exists."""
        self.foreign.pop(uid, None)
        for request_uid, approval in list(self.by_request.items()):
            if approval.uid == uid:
                del self.by_request[request_uid]
                self._changed.set()

    def forget_foreign(self, approval: RetrainApproval) -> None:
        """Forget a RetrainApproval of others until it changes, or is listed the next time."""
        self.foreign.pop(approval.uid, None)

    def retain(self, uids: Container[str], resource_version: int) -> None:
        """Remove the RetrainApprovals that a list does not contain.

        Args:
            uids: The uids in the list.
            resource_version: The list's resource version. Newer objects stay.
        """
        for approval in [*self.by_request.values(), *self.foreign.values()]:
            if approval.uid not in uids and approval.resource_version <= resource_version:
                self.forget(approval.uid)
