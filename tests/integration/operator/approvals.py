"""Challengers that await approval, and answers to them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from retraining_operator.api.outcome import JobOutcome
from retraining_operator.api.outcome_status import build_finished_status
from retraining_operator.api.request import read_request
from retraining_operator.contract import Result
from retraining_operator.kube.client import KubeClient
from retraining_operator.settings import Approvals, Settings
from tests.integration.operator.parts import OperatorParts, build_reconciler, populate, reconcile
from tests.system.kubectl import Kubectl

KINDS = {"apiVersion": "retraining.dev/v1alpha1"}


BOTH, OWNER = "both", "owner"
"""OWNER may do everything with the two resources, like the administrator of a namespace."""


def result(**fields: Any) -> Result:
    """Build a result document."""
    now = datetime.now(UTC)
    document = {
        "run_id": "r",
        "reason": "x",
        "message": "Said why.",
        "started_at": now,
        "finished_at": now,
    }
    return Result(**{**document, "verdict": "Promoted", **fields})


def as_user(namespace: Kubectl, user: str, *arguments: str, stdin: str | None = None) -> str:
    """Run kubectl as another user.

    Args:
        namespace: The namespace.
        user: The name of the user.
        *arguments: The command line.
        stdin: What the command reads from standard input.

    Returns:
        The standard output.
    """
    return namespace(*arguments, f"--as={user}", stdin=stdin)


def request(
    namespace: Kubectl, user: str | None = None, metadata: dict[str, Any] | None = None, **spec: Any
) -> str:
    """Create a RetrainRequest. Returns its name.

    Args:
        namespace: The namespace.
        user: Who creates it; None for the administrator of the cluster.
        metadata: Its metadata; by default its name is `waiting`.
        **spec: Its spec, in addition to manual promotion.

    Returns:
        The name.
    """
    spec = {"promotion": "Manual", "preset": "recommended", **spec}
    body = {**KINDS, "kind": "RetrainRequest", "metadata": metadata or {"name": "waiting"}}
    command = ["create", "--filename", "-", "--output", "name"]
    options = [f"--as={user}"] if user else []
    created = namespace(*command, *options, stdin=json.dumps({**body, "spec": spec}))
    return created.strip().rpartition("/")[2]


async def await_approval(namespace: Kubectl, cluster: KubeClient, name: str) -> dict[str, Any]:
    """Write into a request's status, as its Job would, that its challenger awaits approval.

    Args:
        namespace: The namespace.
        cluster: The API server.
        name: The request.

    Returns:
        The request as stored.
    """
    found = read_request(namespace.get("rtr", name))
    verdict = result(withheld="AwaitingApproval")
    status = build_finished_status(
        found, JobOutcome("Promoted", "Said why.", verdict), datetime.now(UTC)
    )
    return await cluster.patch_status(name, found.resource_version, status)


async def make_passes(parts: OperatorParts, cluster: KubeClient, passes: int = 3) -> None:
    """Make a few passes, as an operator that has just started would.

    Args:
        parts: The process that it belongs to.
        cluster: The API server.
        passes: How often to plan.
    """
    reconciler = build_reconciler(parts, cluster)
    await populate(parts, cluster)
    for _ in range(passes):
        await reconcile(reconciler)


def four_eyed(settings: Settings) -> OperatorParts:
    """Return the parts of an operator that needs four eyes."""
    return OperatorParts(settings.model_copy(update={"approvals": Approvals(four_eyes=True)}))


def promoted(namespace: Kubectl, name: str = "waiting") -> tuple[str, str]:
    """Return status and reason of the condition Promoted.

    Args:
        namespace: The namespace.
        name: The request.

    Returns:
        Both.
    """
    conditions = namespace.get("retrainrequest", name)["status"]["conditions"]
    return next((c["status"], c["reason"]) for c in conditions if c["type"] == "Promoted")


def status_of(namespace: Kubectl) -> dict[str, Any]:
    """Return the status of the request `waiting`."""
    status: dict[str, Any] = namespace.get("rtr", "waiting")["status"]
    return status


def find_approval(namespace: Kubectl, of: str = "waiting") -> dict[str, Any]:
    """Return the only RetrainApproval of a request.

    Args:
        namespace: The namespace.
        of: The request.

    Returns:
        The object.
    """
    approvals = namespace.items("retrainapprovals")
    [found] = [each for each in approvals if each["spec"]["request"] == of]
    return found


async def ask(
    namespace: Kubectl, cluster: KubeClient, parts: OperatorParts, user: str = "jane", **spec: Any
) -> dict[str, Any]:
    """Create a request as a user, and let its challenger wait.

    Args:
        namespace: The namespace.
        cluster: The API server.
        parts: The process that creates the RetrainApproval.
        user: Who creates the request.
        **spec: Its spec, in addition to manual promotion.

    Returns:
        The RetrainApproval.
    """
    name = request(namespace, user, **spec)
    await await_approval(namespace, cluster, name)
    await make_passes(parts, cluster)
    return find_approval(namespace, name)


def answer(
    namespace: Kubectl, word: str, approver: str, user: str | None = None, **spec: Any
) -> str:
    """Answer the RetrainApproval of the request `waiting`.

    Args:
        namespace: The namespace.
        word: Approve or Reject.
        approver: The name in the answer.
        user: Who answers; None for the administrator of the cluster.
        **spec: Further fields.

    Returns:
        What kubectl says.
    """
    change = json.dumps({"spec": {"answer": word, "approver": approver, **spec}})
    name = find_approval(namespace)["metadata"]["name"]
    options = [f"--as={user}"] if user else []
    return namespace("patch", "rta", name, "--type=merge", "--patch", change, *options)
