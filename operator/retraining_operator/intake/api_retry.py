"""Retries calls of the API server until it answers, with backpressure meanwhile."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import AsyncRetrying, retry_if_exception_type, wait_random_exponential

from retraining_operator.intake.backpressure import Backpressure, BackpressureReason
from retraining_operator.kube.errors import (
    ApiServerUnavailableError,
    ForbiddenError,
    KubeError,
    NotFoundError,
)

UNAVAILABLE = (ApiServerUnavailableError, ForbiddenError, NotFoundError)
"""Errors after which a call is repeated.

A missing right, a quota or a missing CRD is not a fault of the record. Waiting loses nothing, but
skipping the record would lose it.
"""
MIN_WAIT_SECONDS = 0.2
MAX_WAIT_SECONDS = 5

Answer = TypeVar("Answer")


class ApiRetry:
    """Retries calls without limit.

    Args:
        backpressure: Applied from the first failure of a call until it succeeds.
    """

    def __init__(self, backpressure: Backpressure) -> None:
        self._backpressure = backpressure

    async def call(
        self,
        call: Callable[[], Awaitable[Answer]],
        unavailable: tuple[type[KubeError], ...] = UNAVAILABLE,
    ) -> Answer:
        """Call the API server until it answers.

        Args:
            call: Starts one call.
            unavailable: Errors after which to call again.

        Returns:
            The answer.

        Raises:
            KubeError: Any other error of the call.
        """

        async def call_again() -> Answer:  # tenacity awaits only coroutine functions
            return await call()

        try:
            return await call()
        except unavailable as error:
            with self._backpressure.apply(
                BackpressureReason.API_SERVER,
                f"The API server does not accept RetrainRequests: {error}",
            ):
                return await AsyncRetrying(
                    retry=retry_if_exception_type(unavailable),
                    wait=wait_random_exponential(MIN_WAIT_SECONDS, max=MAX_WAIT_SECONDS),
                    reraise=True,
                )(call_again)
