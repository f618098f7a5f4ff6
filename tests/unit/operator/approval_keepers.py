"""A keeper of RetrainApprovals, with an API server in memory that applies a policy or not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

from retraining_operator.api.approval import Approval
from retraining_operator.api.approval_rules import POLICY_MESSAGE
from retraining_operator.api.conditions import Status
from retraining_operator.api.request import RetrainRequest
from retraining_operator.controller.approval_keeper import ApprovalKeeper
from retraining_operator.controller.approval_policy import ApprovalPolicy
from retraining_operator.controller.status_writer import StatusWriter
from retraining_operator.kube.client import KubeClient
from retraining_operator.kube.errors import AlreadyExistsError, KubeError, NotFoundError, read_error
from retraining_operator.planning.steps import ApplyApproval
from retraining_operator.settings import Approvals
from retraining_operator.watch.cache import ClusterCache

DENIED = (
    '{"kind": "Status", "reason": "Forbidden", "message": "retrainapprovals.retraining.dev '
    "\\\"\\\" is forbidden: ValidatingAdmissionPolicy 'a' with binding 'a' denied request: "
    f'{POLICY_MESSAGE}, and this is system:serviceaccount:fraud:x"}}'
)


class ApiServer:
    """Stores RetrainApprovals, and applies a policy or not."""

    def __init__(self) -> None:
        self.namespace = "fraud"
        self.policy: KubeError | None = read_error(403, DENIED)
        self.stored: dict[str, dict[str, Any]] = {}
        self.marked: dict[str, Status] = {}
        self.marking_fails: KubeError | None = None
        self.missing_answer: KubeError = NotFoundError(404, "gone")

    @property
    def transport(self) -> ApiServer:
        return self

    async def request_object(
        self, method: str, path: str, body: dict[str, Any], *, query: dict[str, str]
    ) -> dict[str, Any]:
        """Answer the dry run."""
        assert (method, query) == ("POST", {"dryRun": "All"})
        assert path == "/apis/retraining.dev/v1alpha1/namespaces/fraud/retrainapprovals"
        if self.policy:
            raise self.policy
        return body

    def store(self, body: dict[str, Any]) -> None:
        """Store an object."""
        self.stored[body["metadata"]["name"]] = body

    async def create(self, _: object, manifest: dict[str, Any]) -> dict[str, Any]:
        name = manifest["metadata"]["name"]
        if name in self.stored:
            raise AlreadyExistsError(409, f"{name} exists")
        metadata = {**manifest["metadata"], "uid": f"uid-{name}", "resourceVersion": "20"}
        self.stored[name] = {**manifest, "metadata": metadata}
        return self.stored[name]

    async def read(self, _: object, name: str) -> dict[str, Any]:
        if name not in self.stored:
            raise NotFoundError(404, f"{name} is missing")
        return self.stored[name]

    async def patch(self, _: object, name: str, change: dict[str, Any]) -> dict[str, Any]:
        if self.marking_fails:
            raise self.marking_fails
        name = name.removesuffix("/status")
        if name not in self.stored:
            raise self.missing_answer
        self.marked[name] = change["status"]
        body = self.stored[name]
        version = int(change["metadata"]["resourceVersion"]) + 1
        metadata = body["metadata"] | {"resourceVersion": str(version)}
        return {**body, "metadata": metadata, "status": change["status"]}


class Keeper:
    """A keeper, and what it has done.

    Args:
        four_eyes: Whether nobody may approve what they have requested.
    """

    def __init__(self, *, four_eyes: bool = False) -> None:
        self.api, self.cache = ApiServer(), ClusterCache()
        self.applied: list[Approval] = []
        self.statuses: list[Status] = []
        cluster = cast("KubeClient", self.api)
        self.policy = ApprovalPolicy(cluster)
        self.keeper = ApprovalKeeper(
            cluster=cluster,
            cache=self.cache,
            status_writer=cast("StatusWriter", self),
            policy=self.policy,
            settings=Approvals(four_eyes=four_eyes),
            apply=self._apply,
            clock=lambda: datetime(2026, 3, 1, 12, 0, tzinfo=UTC),
        )

    async def _apply(self, step: ApplyApproval) -> None:
        self.applied.append(step.approval)

    async def announce(self, request: RetrainRequest, status: Status) -> RetrainRequest:
        self.statuses.append(status)
        return replace(request, status={**request.status, **status})

    async def write_if_changed(self, _: RetrainRequest, status: Status) -> None:
        self.statuses.append(status)
