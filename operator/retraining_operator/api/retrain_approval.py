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
from retraining_operator.api.conditions import format_time
from retraining_operator.api.fields import NAME_LIMIT_CHARACTERS, Fields
from retraining_operator.api.reasons import ConditionReason
from retraining_operator.api.request import Manifest, RetrainRequest
from retraining_operator.contract import ApprovalAnswer, to_line

ACCEPTED = "Accepted"
"""The only type of condition of a RetrainApproval. It is set if the operator ignores the object."""
ANSWERS = {"Approve": ApprovalAnswer.APPROVE, "Reject": ApprovalAnswer.REJECT}
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
        is_genuine: Whether its name and its owner are those that the operator gives it. Whether the
            operator has created it is decided by `is_own_approval`.
        is_marked: Whether its status says that it is ignored.
        requested_by: Who has requested the run; empty if nobody is named.
        verifies_approver: Whether the admission policy was in force when it was created.
        answer: The answer; None while nobody has answered.
        approver: Who answered.
        comment: Why, in one line.
        launch_token: The random text that the operator gave it; empty if it has none.
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
    launch_token: str

    @property
    def key(self) -> str:
        """Namespace and name, as log lines show them."""
        return f"{self.namespace}/{self.name}"


def read_retrain_approval(body: Mapping[str, Any]) -> RetrainApproval:
    """Read the cluster's object, which anybody may have written.

    Raises:
        MalformedObjectError: If name, namespace, uid or resource version is missing, or what it is
            about.
    """
    fields = Fields.of(body)
    metadata, spec = fields.fields("metadata"), fields.fields("spec")
    conditions = fields.fields("status").items("conditions")
    name = metadata.require_name("name")
    request, challenger = spec.require_name("request"), spec.require_name("challenger")
    owners = metadata.values.get("ownerReferences")
    is_named = name == names.build_approval_name(request, challenger)
    return RetrainApproval(
        name=name,
        namespace=metadata.require_name("namespace"),
        uid=metadata.require_name("uid"),
        resource_version=metadata.require_version(),
        request=request,
        challenger=challenger,
        is_genuine=is_named and owners == [build_owner_reference(request, challenger)],
        is_marked=any(condition.text("type") == ACCEPTED for condition in conditions),
        requested_by=to_line(spec.text("requestedBy"), NAME_LIMIT_CHARACTERS),
        verifies_approver=spec.flag("verifiesApprover"),
        answer=ANSWERS.get(spec.text("answer")),
        approver=to_line(spec.text("approver"), NAME_LIMIT_CHARACTERS),
        comment=to_line(spec.text("comment"), COMMENT_LIMIT_CHARACTERS),
        launch_token=metadata.fields("annotations").text(names.ANNOTATION_LAUNCH),
    )


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
