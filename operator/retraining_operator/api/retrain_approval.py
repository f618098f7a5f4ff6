"""The RetrainApproval: the object in which a person answers a challenger that awaits approval.

The operator creates one for each request whose challenger awaits approval. Its name follows from
the uid of the request, so that it is created once and never applies to another request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from retraining_operator.api import names
from retraining_operator.api.conditions import format_time, to_one_line
from retraining_operator.api.reasons import ConditionReason
from retraining_operator.api.request import Manifest, RetrainRequest
from retraining_operator.contract import ApprovalAnswer

ACCEPTED = "Accepted"
"""The only type of condition of a RetrainApproval. It is set if the operator ignores the object."""
ANSWERS = {"Approve": ApprovalAnswer.APPROVE, "Reject": ApprovalAnswer.REJECT}
NAME_LIMIT_CHARACTERS = 253
COMMENT_LIMIT_CHARACTERS = 500
CREATED_BY_OTHERS = (
    "Only the operator creates RetrainApprovals, when a challenger awaits approval. This one has "
    "no effect. To answer, change the one that the operator has created (kubectl get rta), and "
    "delete this one."
)


@dataclass(frozen=True, slots=True)
class RetrainApproval:
    """One RetrainApproval at one resource version.

    Args:
        name: The name.
        namespace: The namespace.
        uid: The uid.
        resource_version: The resource version, as a number.
        request: The name of the request.
        challenger: The run that trained the challenger, which is the uid of the request.
        is_genuine: Whether its name and its owner are those that the operator gives it.
        is_marked: Whether its status says that it is ignored.
        requested_by: Who has requested the run; empty if nobody is named.
        verifies_approver: Whether the admission policy was in force when it was created.
        answer: The answer; None while nobody has answered.
        approver: Who answered.
        comment: Why, in one line.
    """

    name: str
    namespace: str
    uid: str
    resource_version: int
    request: str
    challenger: str
    is_genuine: bool
    is_marked: bool
    requested_by: str
    verifies_approver: bool
    answer: ApprovalAnswer | None
    approver: str
    comment: str

    @property
    def key(self) -> str:
        """Namespace and name, as log lines show them."""
        return f"{self.namespace}/{self.name}"


def read_retrain_approval(body: Mapping[str, Any]) -> RetrainApproval:
    """Read the cluster's object. Its schema guarantees the types of all fields."""
    metadata, spec = body["metadata"], body["spec"]
    conditions = (body.get("status") or {}).get("conditions") or ()
    return RetrainApproval(
        name=metadata["name"],
        namespace=metadata["namespace"],
        uid=metadata["uid"],
        resource_version=int(metadata["resourceVersion"]),
        request=spec["request"],
        challenger=spec["challenger"],
        is_genuine=_is_genuine(metadata, spec),
        is_marked=any(condition["type"] == ACCEPTED for condition in conditions),
        requested_by=spec.get("requestedBy", ""),
        verifies_approver=spec.get("verifiesApprover") is True,
        answer=ANSWERS.get(spec.get("answer", "")),
        approver=to_one_line(spec.get("approver", ""))[:NAME_LIMIT_CHARACTERS],
        comment=to_one_line(spec.get("comment", ""))[:COMMENT_LIMIT_CHARACTERS],
    )


def _is_genuine(metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> bool:
    """Return whether name, owner and spec of an object belong together."""
    request, uid = spec["request"], spec["challenger"]
    owners = metadata.get("ownerReferences") or ()
    is_named = metadata["name"] == names.build_approval_name(request, uid)
    return is_named and list(owners) == [build_owner_reference(request, uid)]


def build_owner_reference(request: str, uid: str) -> Manifest:
    """Build the reference from a RetrainApproval to its request, with which it is deleted.

    Args:
        request: The name of the request.
        uid: The uid of the request.

    Returns:
        The reference.
    """
    return {
        "apiVersion": f"{names.GROUP}/{names.VERSION}",
        "kind": names.KIND,
        "name": request,
        "uid": uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }


def build_retrain_approval(request: RetrainRequest, *, verifies_approver: bool) -> Manifest:
    """Build the RetrainApproval of a request whose challenger awaits approval.

    Args:
        request: The request.
        verifies_approver: Whether the admission policy is in force.

    Returns:
        The manifest.
    """
    requester = request.spec.requested_by
    return {
        "apiVersion": f"{names.GROUP}/{names.VERSION}",
        "kind": names.APPROVAL_KIND,
        "metadata": {
            "name": names.build_approval_name(request.name, request.uid),
            "namespace": request.namespace,
            "labels": {
                names.LABEL_MANAGED_BY: names.MANAGED_BY,
                names.LABEL_REQUEST: request.name,
            },
            "ownerReferences": [build_owner_reference(request.name, request.uid)],
        },
        "spec": {
            "request": request.name,
            "challenger": request.uid,
            "verifiesApprover": verifies_approver,
            **({"requestedBy": requester} if requester else {}),
        },
    }


def build_mark(approval: RetrainApproval, now: datetime) -> Manifest:
    """Build the patch of the status of a RetrainApproval that the operator has not created.

    Args:
        approval: The object.
        now: The present time.

    Returns:
        The patch. It fails if the object has changed since.
    """
    condition = {
        "type": ACCEPTED,
        "status": "False",
        "reason": str(ConditionReason.APPROVAL_IGNORED),
        "message": CREATED_BY_OTHERS,
        "lastTransitionTime": format_time(now),
    }
    return {
        "metadata": {"resourceVersion": str(approval.resource_version)},
        "status": {"conditions": [condition]},
    }
