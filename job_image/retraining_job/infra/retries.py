"""How the trainer waits for a database or a Redis that is away: one policy for every step that needs either."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

import tenacity

from retraining_job.contract import Tunables
from retraining_job.errors import DependencyUnavailableError

T = TypeVar("T")

log = logging.getLogger(__name__)


def patiently(settings: Tunables, step: Callable[[], T]) -> T:
    """Do a step, again and again while a dependency is away, as often and as far apart as the settings say.

    Raises:
        DependencyUnavailableError: it was away at the last try, too.
    """
    tries = settings.database_retries + 1

    def say_so(state: tenacity.RetryCallState) -> None:
        log.warning(
            "%s Trying again in %g s (%d of %d).",
            state.outcome.exception() if state.outcome else "",
            settings.database_retry_delay_seconds,
            state.attempt_number,
            settings.database_retries,
        )

    return tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(DependencyUnavailableError),
        stop=tenacity.stop_after_attempt(tries),
        wait=tenacity.wait_fixed(settings.database_retry_delay_seconds),
        before_sleep=say_so,
        reraise=True,
    )(step)
