"""Retries while the database or Redis is unavailable."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import tenacity

from retraining_job.errors import DependencyUnavailableError

if TYPE_CHECKING:
    from retraining_job.settings import RetryPolicy

T = TypeVar("T")

log = logging.getLogger(__name__)


def call_with_retries(policy: RetryPolicy, step: Callable[[], T]) -> T:
    """Run a step, and repeat it while a dependency is unavailable.

    Args:
        policy: How often and how far apart the step is repeated.
        step: The step. It must be safe to repeat.

    Returns:
        What the step returns.

    Raises:
        DependencyUnavailableError: The dependency is still unavailable after the last retry.
    """

    def log_retry(state: tenacity.RetryCallState) -> None:
        log.warning(
            "%s Trying again in %g s (%d of %d).",
            state.outcome.exception() if state.outcome else "",
            policy.delay_seconds,
            state.attempt_number,
            policy.retries,
        )

    return tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(DependencyUnavailableError),
        stop=tenacity.stop_after_attempt(policy.retries + 1),
        wait=tenacity.wait_fixed(policy.delay_seconds),
        before_sleep=log_retry,
        reraise=True,
    )(step)
