"""Runs steps concurrently, at most one for each request, and handles their errors."""

from __future__ import annotations

import asyncio
import logging

from retraining_operator.controller.backoff import REFUSED_SECONDS, Backoff
from retraining_operator.controller.errors import RetryLaterError
from retraining_operator.controller.executor import Executor
from retraining_operator.controller.problem_reports import report_defect
from retraining_operator.kube.errors import (
    ApiServerUnavailableError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
)
from retraining_operator.planning.steps import (
    Conclude,
    Launch,
    RecordOutcome,
    Step,
    WriteStatus,
)
from retraining_operator.priority import WritePriority
from retraining_operator.watch.cache import ClusterCache

logger = logging.getLogger(__name__)

PARALLEL_STEPS = 16
"""Creates the Jobs of a burst in parallel without flooding the API server."""


class StepRunner:
    """Runs steps. A hanging call delays only its own request.

    Args:
        executor: Carries out the steps.
        cache: Marked as changed after each step, so that the reconciler plans again.
        write_priority: Launches go before writes that only inform.
        backoff: Stores which requests wait after a failure.
    """

    def __init__(
        self,
        *,
        executor: Executor,
        cache: ClusterCache,
        write_priority: WritePriority,
        backoff: Backoff,
    ) -> None:
        self._executor = executor
        self._cache = cache
        self._write_priority = write_priority
        self._backoff = backoff
        self._slots = asyncio.Semaphore(PARALLEL_STEPS)
        self._database_slots = asyncio.Semaphore(PARALLEL_STEPS)
        """For steps that may wait for the database, so that no launch waits behind them."""
        self._status_slots = asyncio.Semaphore(PARALLEL_STEPS)
        """For steps that only inform, so that no launch waits behind hundreds of them."""
        self._defects: set[str] = set()
        """Uids of requests whose last step failed because of a defect."""
        self._running: dict[str, Step] = {}
        """Running steps by the uid of their request."""

    def has_defect(self, uid: str) -> bool:
        """Return whether the last step of a request failed because of a defect of the operator."""
        return uid in self._defects

    def is_running(self, uid: str) -> bool:
        """Return whether a step of the request with this uid is running."""
        return uid in self._running

    def launching_uids(self) -> set[str]:
        """Return the uids of the requests whose Job is being created."""
        return {uid for uid, step in self._running.items() if isinstance(step, Launch)}

    def start(self, group: asyncio.TaskGroup, step: Step) -> None:
        """Start a step of a request that has none running.

        Args:
            group: The task group to run it in.
            step: The step.
        """
        self._running[step.request.uid] = step
        group.create_task(self._run(step))

    async def _run(self, step: Step) -> None:
        """Run a step. If it fails, its request waits."""
        request, backoff = step.request, self._backoff
        try:
            await self._execute_in_slot(step)
            backoff.reset(request)
        except ConflictError:
            backoff.wait_for_newer_version(request)
            logger.debug("%s: changed meanwhile. Waiting for the newer version.", request.key)
        except NotFoundError as error:
            if error.is_about_request:
                backoff.reset(request)
                self._cache.remove_request(request.uid)
            else:  # a Job or pod that was deleted meanwhile; the watch delivers that
                backoff.wait_longer(request)
                logger.debug("%s: %s", request.key, error)
        except ApiServerUnavailableError as error:
            seconds = backoff.wait_longer(request)
            logger.warning("%s: %s Trying again in %.1f s.", request.key, error, seconds)
        except RetryLaterError as error:
            backoff.wait(request, error.backoff_seconds)
        except ForbiddenError as error:
            backoff.wait(request, REFUSED_SECONDS)
            logger.warning(
                "%s: the API server rejected the call. Trying again in %d s. %s",
                request.key,
                REFUSED_SECONDS,
                error,
            )
        except Exception as error:  # noqa: BLE001  # one request must not stop all others
            backoff.wait(request, REFUSED_SECONDS)
            self._defects.add(request.uid)
            what = f"the step {type(step).__name__}"
            report_defect(self._cache.problems, request, what, error)
        else:
            self._defects.discard(request.uid)
        finally:
            del self._running[request.uid]
            self._cache.changed.set()

    async def _execute_in_slot(self, step: Step) -> None:
        """Execute a step once a slot is free.

        While urgent work is running, an informative step is skipped. A later plan repeats it.
        """
        if isinstance(step, Launch):
            with self._write_priority.claim():
                async with self._slots:
                    await self._executor.execute(step)
        elif is_informative(step):
            async with self._status_slots:
                if not self._write_priority.compute_wait():
                    await self._executor.execute(step)
        elif isinstance(step, Conclude | RecordOutcome):
            async with self._database_slots:
                await self._executor.execute(step)
        else:
            async with self._slots:
                await self._executor.execute(step)


def is_informative(step: Step) -> bool:
    """Return whether a step only informs about an unfinished request."""
    return isinstance(step, WriteStatus) and not step.is_final
