"""Classification of a dependency's error: one row of a table."""

from __future__ import annotations

from dataclasses import dataclass

from retraining_job.contract.verdict import Failure


@dataclass(frozen=True)
class ErrorClass:
    """One row: what an error code means, and how a run fails because of it.

    Args:
        code: What is matched; see the table that the row is in.
        reason: How a run fails because of it.
        retried: Whether another attempt may succeed, so that the step is retried.
        meaning: What happened: the beginning of a sentence that the server's message completes.
        advice: What to do, in whole sentences.
    """

    code: str
    reason: Failure
    retried: bool
    meaning: str
    advice: str
