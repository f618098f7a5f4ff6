"""Checks whether the chart's admission policy on approvals is in force."""

from __future__ import annotations

import asyncio
import logging

from retraining_operator.api.approval_rules import POLICY_MESSAGE, build_policy_probe
from retraining_operator.kube.client import KubeClient
from retraining_operator.kube.errors import KubeError, RequestRefusedError
from retraining_operator.kube.resources import APPROVALS

logger = logging.getLogger(__name__)

START_PROBES = 5
START_PROBE_SECONDS = 2.0
"""How long to wait between them. A policy takes a second or two from its creation until it acts."""


class ApprovalPolicy:
    """The policy as the API server applies it, not as its object describes it.

    Args:
        cluster: The API server.
    """

    def __init__(self, cluster: KubeClient) -> None:
        self._cluster = cluster

    async def is_in_force(self) -> bool:
        """Check whether the API server refuses an approval in the name of somebody else.

        A dry run asks it to create one. This needs no right to read policies, and it shows what
        counts: a policy that was deleted, relaxed to a warning, or bound to another namespace
        refuses nothing.

        Returns:
            True if the policy has refused it, False if it was accepted or refused for another
            reason.

        Raises:
            KubeError: If the API server did not answer.
        """
        namespace = self._cluster.namespace
        probe = build_policy_probe(namespace)
        try:
            await self._cluster.transport.request_object(
                "POST", APPROVALS.path(namespace), probe, query={"dryRun": "All"}
            )
        except RequestRefusedError as refusal:
            if POLICY_MESSAGE in refusal.server_message:
                return True
            logger.warning(
                "Whether the admission policy on approvals is in force cannot be checked, so "
                "approvers count as unverified. The API server refused the check: %s",
                refusal,
            )
        return False

    async def report(self) -> None:
        """Log whether the policy is in force."""
        for attempt in range(START_PROBES):
            if attempt:
                await asyncio.sleep(START_PROBE_SECONDS)
            try:
                is_in_force = await self.is_in_force()
            except KubeError as error:
                logger.warning("Whether approvers are verified could not be checked: %s", error)
                continue
            if is_in_force:
                logger.info(
                    "The admission policy on approvals is in force: approvers are verified."
                )
                return
        logger.warning(
            "The admission policy on approvals is not in force. Approvers are recorded as "
            "unverified, because whoever may answer a RetrainApproval may do so in any name. "
            "Install the chart with approvals.policy.create: true, or ask the administrator of the "
            "cluster to apply the policy (docs/how-to/approve.md)."
        )
