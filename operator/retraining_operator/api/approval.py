"""The approval of a challenger, read from an annotation of the RetrainRequest."""

from __future__ import annotations

import re
from dataclasses import dataclass

from retraining_operator.api import names
from retraining_operator.contract import ApprovalAnswer

AUTHOR_LIMIT_CHARACTERS = 100
TEXT_LIMIT_CHARACTERS = 200
"""Longer than any valid annotation. The rest of a longer one is not stored."""
PATTERN = re.compile(rf"({'|'.join(ApprovalAnswer)})(?:\s+by\s+(\S.*))?")


class InvalidApprovalError(Exception):
    """The annotation is not an approval. The message says what is allowed."""


@dataclass(frozen=True)
class Approval:
    """What a person answers to a challenger that awaits approval.

    Args:
        answer: Approve or reject.
        author: Who answered; empty if the annotation names nobody.
    """

    answer: ApprovalAnswer
    author: str = ""

    def __str__(self) -> str:
        return f"{self.answer} by {self.author}" if self.author else str(self.answer)


def read_approval(text: str) -> Approval:
    """Parse an annotation: `approve` or `reject`, optionally followed by `by` and a name.

    Raises:
        InvalidApprovalError: If it is anything else.
    """
    match = PATTERN.fullmatch(text.strip())
    author = match[2] or "" if match else ""
    if match is None or len(author) > AUTHOR_LIMIT_CHARACTERS or not author.isprintable():
        raise InvalidApprovalError(
            f"The annotation {names.ANNOTATION_APPROVAL} has the invalid value "
            f"{text[:TEXT_LIMIT_CHARACTERS]!r}. Set it to approve or reject, optionally with a "
            f"name of at most {AUTHOR_LIMIT_CHARACTERS} printable characters, such as "
            '"approve by Jane Doe".'
        )
    return Approval(ApprovalAnswer(match[1]), author)
