"""The approval that is applied to a challenger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from retraining_operator.api import names
from retraining_operator.contract import ApprovalAnswer

UNVERIFIED = " (unverified)"
"""Follows the name of an author whom the API server has not verified, wherever it is recorded."""


@dataclass(frozen=True)
class Approval:
    """The answer to a challenger that awaited approval, as it is recorded.

    Args:
        answer: Approve or reject.
        author: Who answered. If the API server has not verified that, `(unverified)` follows.
        is_verified: Whether the API server has verified the author.
        comment: Why, in one line; may be empty.
    """

    answer: ApprovalAnswer
    author: str
    is_verified: bool = False
    comment: str = ""

    def __str__(self) -> str:
        return f"{self.answer} by {self.author}"


def build_approval_annotations(approval: Approval) -> dict[str, str]:
    """Build the annotations of the Job that applies an approval."""
    return {
        names.ANNOTATION_APPROVAL: str(approval.answer),
        names.ANNOTATION_APPROVER: approval.author,
        names.ANNOTATION_APPROVER_VERIFIED: "true" if approval.is_verified else "false",
        names.ANNOTATION_COMMENT: approval.comment,
    }


def read_approval_annotations(annotations: Mapping[str, str]) -> Approval | None:
    """Read the approval from a Job's annotations. Returns None if they have none."""
    answer = annotations.get(names.ANNOTATION_APPROVAL)
    if answer not in list(ApprovalAnswer):
        return None
    return Approval(
        answer=ApprovalAnswer(answer),
        author=annotations.get(names.ANNOTATION_APPROVER, ""),
        is_verified=annotations.get(names.ANNOTATION_APPROVER_VERIFIED) == "true",
        comment=annotations.get(names.ANNOTATION_COMMENT, ""),
    )
