"""The approval that is applied to a challenger."""

from __future__ import annotations

from dataclasses import dataclass

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
