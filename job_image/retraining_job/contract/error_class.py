"""How an error of a dependency is classified: one row of a table. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from retraining_job.contract.verdict import Failure


@dataclass(frozen=True)
class ErrorClass:
    """One row: what an error code means and what becomes of the run."""

    code: str
    """What is matched; see the table that the row is in."""
    reason: Failure
    """How a run fails because of it."""
    retried: bool
    """Whether another try may succeed, so that one is made."""
    meaning: str
    """What has happened: the beginning of a sentence that the server's own words end."""
    advice: str
    """What a person does about it, in whole sentences."""
