"""The trainer's side of the contract, as the operator sees it: the one place where the two packages meet."""

from retraining_job.contract import (
    DATABASE_URL,
    REDIS_URL,
    ExitCode,
    Failure,
    Preset,
    Result,
    Tunables,
    Verdict,
    environment_name,
    read_result,
)

__all__ = [
    "DATABASE_URL",
    "REDIS_URL",
    "ExitCode",
    "Failure",
    "Preset",
    "Result",
    "Tunables",
    "Verdict",
    "environment_name",
    "read_result",
]
