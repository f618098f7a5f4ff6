"""Creates RetrainApprovals, accepts the answers in them, and reports those that others created."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime

from retraining_operator.api import names
from retraining_operator.api.approval_rules import build_approval, find_objection
from retraining_operator.api.approval_status import (
    build_asked_status,
    build_asking_status,
    build_awaiting_approval_status,
    describe_ignored_answer,
)
from retraining_operator.api.ownership import (
    add_launch_token,
    compute_asking_digest,
    create_launch_token,
    is_own_approval,
)
from retraining_operator.api.reasons import ConditionReason
from retraining_operator.api.request import Manifest, RetrainRequest
from retraining_operator.api.retrain_approval import (
    CREATED_BY_OTHERS,
    RetrainApproval,
    build_mark,
    build_retrain_approval,
    read_retrain_approval,
)
from retraining_operator.controller.approval_policy import ApprovalPolicy
from retraining_operator.controller.backoff import REFUSED_SECONDS
from retraining_operator.controller.errors import RetryLaterError
from retraining_operator.controller.status_writer import StatusWriter
from retraining_operator.kube.client import KubeClient
from retraining_operator.kube.errors import (
    AlreadyExistsError,
    ApiServerUnavailableError,
    ConflictError,
    KubeError,
    NotFoundError,
)
from retraining_operator.kube.resources import APPROVALS
from retraining_operator.observability.problems import ObjectProblem
from retraining_operator.planning.steps import AcceptAnswer, ApplyApproval, CreateApproval
from retraining_operator.settings import Approvals
from retraining_operator.watch.cache import ClusterCache

logger = logging.getLogger(__name__)

Apply = Callable[[ApplyApproval], Awaitable[None]]
"""Creates the Job that applies an approval."""


class ApprovalKeeper:
    """Handles RetrainApprovals.

    Args:
        cluster: The API server.
        cache: Updated with each RetrainApproval.
        status_writer: Writes why an answer is not applied.
        policy: The admission policy.
        settings: Whether four eyes are needed.
        apply: Creates the Job that applies an approval.
        clock: Returns the current time, UTC.
    """

    def __init__(  # noqa: PLR0913  # its dependencies, by keyword
        self,
        *,
        cluster: KubeClient,
        cache: ClusterCache,
        status_writer: StatusWriter,
        policy: ApprovalPolicy,
        settings: Approvals,
        apply: Apply,
        clock: Callable[[], datetime],
    ) -> None:
        self._cluster = cluster
        self._cache = cache
        self._status_writer = status_writer
        self._policy = policy
        self._settings = settings
        self._apply = apply
        self._clock = clock

    async def create(self, step: CreateApproval) -> None:
        """Create the RetrainApproval of a request, unless an earlier try has done so.

        Its digest is stored before, and its uid afterwards. No other object counts.

        Raises:
            KubeError: If the API server did not do it; the step can be repeated.
            RetryLaterError: If somebody else has taken the name.
        """
        request = step.request
        try:
            name = names.build_approval_name(request.name, request.uid)
            body = await self._cluster.read(APPROVALS, name)
        except NotFoundError:
            request, body = await self._create(request)
        self._cache.approvals.update(body)
        asked = read_retrain_approval(body)
        if not is_own_approval(request, asked):
            await self._report_taken_name(request, asked)
            raise RetryLaterError(REFUSED_SECONDS)
        await self._status_writer.write_if_changed(
            request, build_asked_status(request, asked, self._clock())
        )

    async def _create(self, request: RetrainRequest) -> tuple[RetrainRequest, Manifest]:
        """Announce and create the RetrainApproval of a request.

        Returns:
            The request with its stored status, and the object that has the name now.
        """
        verifies_approver = await self._policy.is_in_force()
        manifest = build_retrain_approval(request, verifies_approver=verifies_approver)
        token = create_launch_token()
        digest = compute_asking_digest(request, token)
        request = await self._status_writer.announce(
            request, build_asking_status(request, self._clock(), digest)
        )
        name = manifest["metadata"]["name"]
        try:
            body = await self._cluster.create(APPROVALS, add_launch_token(manifest, token))
        except AlreadyExistsError:
            return request, await self._cluster.read(APPROVALS, name)
        logger.info("%s: created the RetrainApproval %s.", request.key, name)
        return request, body

    async def _report_taken_name(self, request: RetrainRequest, taken: RetrainApproval) -> None:
        """Report that somebody else has created an object with the name of a RetrainApproval."""
        self._cache.problems.report(
            ObjectProblem.FOREIGN,
            f"{names.APPROVAL_KIND}/{taken.uid}",
            f"{request.key}: the operator has not created the RetrainApproval {taken.name} (uid "
            f"{taken.uid}), so an answer in it has no effect, and nobody can answer. Find out who "
            f"has created it, and delete it (kubectl delete rta {taken.name}). The operator then "
            "creates the right one.",
            request_uid=request.uid,
        )
        if not taken.is_marked:
            await self.mark_foreign([taken])

    async def accept(self, step: AcceptAnswer) -> None:
        """Apply an answer, with its author as verified only if the policy is in force.

        Raises:
            KubeError: If the API server did not answer; the step can be repeated.
            RetryLaterError: If the API server rejected the Job for now, or the answer must not be
                applied.
        """
        request, answered = step.request, step.answered
        is_verified = answered.verifies_approver and await self._policy.is_in_force()
        objection = find_objection(
            request, answered, four_eyes=self._settings.four_eyes, is_verified=is_verified
        )
        if objection is None:
            approval = build_approval(answered, is_verified=is_verified)
            await self._apply(ApplyApproval(request, approval))
            return
        status = build_awaiting_approval_status(
            request,
            ConditionReason.APPROVAL_IGNORED,
            describe_ignored_answer(answered.name, objection),
            self._clock(),
        )
        await self._status_writer.write_if_changed(request, status)
        raise RetryLaterError(REFUSED_SECONDS)

    async def mark_foreign(self, approvals: Iterable[RetrainApproval]) -> None:
        """Write into the status of RetrainApprovals of others that they are ignored, and log it.

        One that cannot be changed is tried again after the next list. If the API server is
        unavailable, the rest is left to a later plan.
        """
        for approval in approvals:
            try:
                body = await self._cluster.patch(
                    APPROVALS, f"{approval.name}/status", build_mark(approval, self._clock())
                )
                self._cache.approvals.update(body)
                logger.warning("%s: %s", approval.key, CREATED_BY_OTHERS)
            except (NotFoundError, ConflictError):
                self._cache.approvals.forget_foreign(approval)
            except KubeError as error:
                logger.warning(
                    "%s: that this RetrainApproval is ignored could not be written to its status: "
                    "%s",
                    approval.key,
                    error,
                )
                if isinstance(error, ApiServerUnavailableError):
                    return
                self._cache.approvals.forget_foreign(approval)
