"""Challengers that await approval, and the chart's Roles and policies for one test's namespace."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from retraining_operator.api.outcome import JobOutcome
from retraining_operator.api.outcome_status import build_finished_status
from retraining_operator.api.request import read_request
from retraining_operator.contract import Result
from retraining_operator.controller.approval_policy import ApprovalPolicy
from retraining_operator.kube.client import KubeClient
from retraining_operator.kube.connection import connect
from tests.integration.operator.conftest import reconcile
from tests.integration.operator.parts import OperatorParts, build_reconciler, populate
from tests.system import environment, release
from tests.system.environment import STATE
from tests.system.kubectl import CommandError, Kubectl, run, wait_for

KINDS = {"apiVersion": "retraining.dev/v1alpha1"}
ROLES = {"vera": ["viewer"], "jane": ["requester"], "joe": ["approver"], "ann": ["approver"]}
"""The Roles of each user. `both` may request and approve."""
BOTH, OWNER = "both", "owner"
"""OWNER may do everything with the two resources, like the administrator of a namespace."""
NEEDED = (
    "--set=kafka.bootstrapServers=kafka:9092",
    "--set=redis.existingSecret=mine",
    "--set=database.existingSecret=mine",
)


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


@contextmanager
def installed_rights(namespace: Kubectl, *values: str) -> Iterator[None]:
    """Apply the chart's accounts, Roles and policies, and bind the Roles to the users.

    Args:
        namespace: The namespace.
        *values: Options of Helm, such as --set=approvals.fourEyes=true.

    Yields:
        When the API server applies them.
    """
    command = [environment.ours().helm, "template", release.NAME, str(release.CHART), *NEEDED]
    files = ("accounts", "roles", "approval-policy")
    shown = [f"--show-only=templates/{file}.yaml" for file in files]
    text = run([*command, *shown, *values, f"--namespace={namespace.namespace}"])
    objects = [document for document in yaml.safe_load_all(text) if document]
    for manifest in objects:
        namespace.apply(manifest)
    for user, roles in {**ROLES, BOTH: ["requester", "approver"]}.items():
        for role in roles:
            bound = (f"--role={release.DEPLOYMENT}-{role}", f"--user={user}")
            namespace("create", "rolebinding", f"{user}-{role}", *bound)
    kinds = "retrainrequests.retraining.dev,retrainapprovals.retraining.dev"
    namespace("create", "role", OWNER, "--verb=*", f"--resource={kinds}")
    namespace("create", "rolebinding", OWNER, f"--role={OWNER}", f"--user={OWNER}")
    policies = [each for each in objects if each["kind"].startswith("ValidatingAdmissionPolicy")]
    try:
        wait_for("the policies", lambda: not policies or is_forging_refused(namespace), 30)
        yield
    finally:
        for each in policies:
            namespace("delete", each["kind"], each["metadata"]["name"], "--ignore-not-found")


def is_forging_refused(namespace: Kubectl) -> bool:
    """Return whether both policies act, which takes a second or two after they are stored."""
    request_ = {**KINDS, "kind": "RetrainRequest", "metadata": {"generateName": "probe-"}}
    approval = {**KINDS, "kind": "RetrainApproval", "metadata": {"generateName": "probe-"}}
    probes = (
        {**request_, "spec": {"requestedBy": "somebody else"}},
        {**approval, "spec": {"request": "probe", "challenger": "probe"}},
    )
    for probe in probes:
        try:
            command = ("create", "--dry-run=server", "--filename", "-")
            as_user(namespace, OWNER, *command, stdin=json.dumps(probe))
        except CommandError as error:
            if "ValidatingAdmissionPolicy" in str(error):
                continue
            raise
        return False
    return True


@asynccontextmanager
async def connect_as_operator(namespace: Kubectl, folder: Path) -> AsyncIterator[KubeClient]:
    """Connect with the token of the operator's service account, so with its rights only.

    Args:
        namespace: The namespace, with the chart's accounts.
        folder: Where the kubeconfig is written.

    Yields:
        The client.
    """
    config = json.loads((STATE / "kubeconfig").read_text())
    token = namespace("create", "token", release.DEPLOYMENT).strip()
    for user in config["users"]:
        user["user"] = {"token": token}
    path = folder / "operator.kubeconfig"
    path.write_text(json.dumps(config))
    async with connect(namespace.namespace, str(path)) as cluster:
        yield cluster


async def is_policy_in_force(cluster: KubeClient) -> bool:
    """Return what the operator finds out about the policy."""
    return await ApprovalPolicy(cluster).is_in_force()
