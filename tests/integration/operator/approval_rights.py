"""The chart's Roles and policies for one test's namespace, and a connection as the operator."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import yaml

from retraining_operator.controller.approval_policy import ApprovalPolicy
from retraining_operator.kube.client import KubeClient
from retraining_operator.kube.connection import connect
from tests.integration.operator.approvals import BOTH, KINDS, OWNER, as_user
from tests.system import environment, release
from tests.system.environment import STATE
from tests.system.kubectl import CommandError, Kubectl, run, wait_for

ROLES = {"vera": ["viewer"], "jane": ["requester"], "joe": ["approver"], "ann": ["approver"]}
"""The Roles of each user. `both` may request and approve."""
NEEDED = (
    "--set=kafka.bootstrapServers=kafka:9092",
    "--set=redis.existingSecret=mine",
    "--set=database.existingSecret=mine",
)


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
