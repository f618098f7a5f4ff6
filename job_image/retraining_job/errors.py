"""Why a run ends without a verdict: one exception for each exit code.

    RunError
    ├── BadConfigurationError       a setting is wrong; another attempt fails as well
    ├── BadDataError                the events cannot be trained on; another attempt fails as well
    ├── DependencyUnavailableError  the database or Redis does not answer; another may succeed
    └── AuditPendingError           the model is live, its audit row is missing; another writes it

The text of each is a sentence for a person and never contains a password.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from retraining_job.contract import ExitCode, Failure

if TYPE_CHECKING:
    from retraining_job.contract import Result


class RunError(Exception):
    """A run ended without a verdict."""

    failure: ClassVar[Failure]
    exit_code: ClassVar[ExitCode]


class BadConfigurationError(RunError):
    """A setting is wrong."""

    failure = Failure.BAD_CONFIGURATION
    exit_code = ExitCode.BAD_CONFIGURATION


class BadDataError(RunError):
    """The events cannot be trained on."""

    failure = Failure.BAD_DATA
    exit_code = ExitCode.BAD_DATA


class DependencyUnavailableError(RunError):
    """The database or Redis does not answer as it should, and another attempt may succeed."""

    failure = Failure.DEPENDENCY_UNAVAILABLE
    exit_code = ExitCode.DEPENDENCY_UNAVAILABLE


class AuditPendingError(RunError):
    """The model is live, and its audit row is missing.

    Args:
        message: What happened, as a sentence.
        result: The result of the run.
    """

    failure = Failure.AUDIT_PENDING
    exit_code = ExitCode.AUDIT_PENDING

    def __init__(self, message: str, result: Result) -> None:
        super().__init__(message)
        self.result = result
