"""What becomes of a challenger, and why.

Pure; made by `split`, `policy` and `reference`, acted upon by `run`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retraining_job.contract import Verdict, VerdictReason


@dataclass(frozen=True)
class Decision:
    """A verdict with its reason in one word, and in plain sentences with every number that decided."""

    verdict: Verdict
    reason: VerdictReason
    message: str
    promotes: bool = False
    """Whether the challenger may go live: not every verdict of the same name does the same."""
    remarks: str = ""
    """What does not decide and must not be overlooked, as sentences; cut first where there is no room."""

    @property
    def text(self) -> str:
        """The message with the remarks."""
        return f"{self.message} {self.remarks}".strip()
