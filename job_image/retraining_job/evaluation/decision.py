"""The outcome of the promotion policy: a verdict, its reason and a message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retraining_job.contract import Verdict, VerdictReason


@dataclass(frozen=True)
class Decision:
    """The outcome of the promotion policy.

    Args:
        verdict: The verdict.
        reason: The reason of the verdict.
        message: Sentences with every number that led to the verdict.
        promotes: Whether the challenger may go live. The verdict alone does not determine this.
        remarks: Sentences about findings that did not influence the verdict. If there is too little
            room, the remarks are cut first.
    """

    verdict: Verdict
    reason: VerdictReason
    message: str
    promotes: bool = False
    remarks: str = ""

    @property
    def text(self) -> str:
        """The message, followed by the remarks."""
        return f"{self.message} {self.remarks}".strip()
