"""A person's word on a challenger that awaits it, as an annotation of the RetrainRequest gives it.

Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from retraining_operator.api import names
from retraining_operator.contract import ApprovalDecision

AUTHOR_LIMIT_CHARACTERS = 100
TEXT_LIMIT_CHARACTERS = 200
"""More than any decision has; the rest of a longer annotation is not kept."""
FORM = re.compile(rf"({'|'.join(ApprovalDecision)})(?:\s+by\s+(\S.*))?")


class InvalidApprovalError(Exception):
    """An annotation that is no decision, with a sentence that says what is allowed."""


@dataclass(frozen=True)
class Approval:
    """A decision and who took it; the author is empty where the annotation names nobody."""

    decision: ApprovalDecision
    author: str = ""

    def __str__(self) -> str:
        return f"{self.decision} by {self.author}" if self.author else str(self.decision)


def read_approval(text: str) -> Approval:
    """Read an annotation: `approve` or `reject`, then perhaps `by` and a name.

    Raises:
        InvalidApprovalError: where it is anything else.
    """
    match = FORM.fullmatch(text.strip())
    author = match[2] or "" if match else ""
    if match is None or len(author) > AUTHOR_LIMIT_CHARACTERS or not author.isprintable():
        raise InvalidApprovalError(
            f"The annotation {names.ANNOTATION_APPROVAL} is no decision: it may be approve or reject, with a name of "
            f'at most {AUTHOR_LIMIT_CHARACTERS} printable characters if you like, as in "approve by Jane Doe". '
            f"It is {text[:TEXT_LIMIT_CHARACTERS]!r}."
        )
    return Approval(ApprovalDecision(match[1]), author)
