"""One operator process: it watches at all times, and consumes and reconciles while it leads."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

from retraining_operator.controller.approval_policy import ApprovalPolicy
from retraining_operator.controller.reconciler import Reconciler
from retraining_operator.controller.resynchronizer import Resynchronizer
from retraining_operator.intake.intake import Intake
from retraining_operator.kafka.consumer import Consumer
from retraining_operator.leader.elector import Elector
from retraining_operator.watch.cache import ClusterCache

SILENT_SECONDS = 60
"""A loop that makes no progress for this time hangs. The consumer polls every second, and the Lease
is tried every two seconds."""


class Replica:
    """Runs the parts of one operator process, and reports on `/health` and `/ready`.

    Args:
        cache: The watched objects.
        resynchronizer: Fills the cache.
        reconciler: The control loop.
        consumer: The Kafka consumer.
        elector: The leader election.
        intake: Turns records into requests.
        approval_policy: The admission policy on approvals.
    """

    def __init__(  # noqa: PLR0913  # its dependencies, by keyword
        self,
        *,
        cache: ClusterCache,
        resynchronizer: Resynchronizer,
        reconciler: Reconciler,
        consumer: Consumer,
        elector: Elector,
        intake: Intake,
        approval_policy: ApprovalPolicy,
    ) -> None:
        self._cache = cache
        self._resynchronizer = resynchronizer
        self._reconciler = reconciler
        self._consumer = consumer
        self._elector = elector
        self._intake = intake
        self._approval_policy = approval_policy
        self._is_populated = False
        self._populating: asyncio.Task[None] | None = None
        """The first list, if nobody else can have acted since it started. Leading waits for it."""
        self._probe: asyncio.Task[None] | None = None
        self.is_acting = False
        """Whether it does the work: it leads and has listed all objects."""

    async def run(self, watch: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run until cancelled: stand by, lead, and stand by again if the Lease is lost.

        Args:
            watch: Runs the watch.
        """
        resumes = await self._elector.resumes()
        async with asyncio.TaskGroup() as group:
            populating = group.create_task(self._resynchronizer.populate_until_done())
            if resumes:
                self._populating = populating
            else:
                await populating
            group.create_task(self._elector.run(self._lead))
            await asyncio.gather(populating, self._elector.tried.wait())
            self._is_populated = True
            if not self._elector.is_leading:
                self._probe = group.create_task(self._consumer.probe())
            group.create_task(watch())
            group.create_task(self._resynchronizer.run())

    async def _lead(self) -> None:
        """Connect to Kafka, and work after the cache is filled and recent deletions are known."""
        self._intake.close()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._consume())
                await asyncio.gather(self._populate(), self._intake.prepare())
                self.is_acting = True
                self._intake.open()
                group.create_task(self._intake.keep_fresh())
                group.create_task(self._reconciler.run())
                group.create_task(self._approval_policy.report())
        finally:
            self.is_acting = False

    async def _populate(self) -> None:
        """Fill the cache again, unless nobody else can have acted since the first list started."""
        populating, self._populating = self._populating, None
        await (populating or self._resynchronizer.populate_until_done())

    async def _consume(self) -> None:
        if self._probe:
            self._probe.cancel()
            await asyncio.wait([self._probe])
        await self._consumer.run()

    def check_liveness(self) -> str | None:
        """Check whether a part hangs.

        An unavailable API server or Kafka is not reported, because a restart would not help.

        Returns:
            What hangs, or None.
        """
        now = time.monotonic()
        if problem := self._cache.watch_health.describe_problem():
            return problem
        if is_silent(self._elector.tried_at, now):
            return f"the Lease was neither renewed nor checked for {SILENT_SECONDS} s"
        if self.is_acting and is_silent(self._consumer.polled_at, now):
            return f"the consumer has not polled Kafka for {SILENT_SECONDS} s"
        has_work = self.is_acting and self._cache.changed.is_set()
        if has_work and is_silent(self._reconciler.planned_at, now):
            return f"the reconciler has not planned for {SILENT_SECONDS} s after a change"
        return None

    def check_readiness(self) -> str | None:
        """Check whether this replica could take over at any time.

        A standby is ready too, because otherwise no rolling update would end. It must have read
        from the topic once, without joining the group. Otherwise a wrong address or a missing right
        would only show after the old replica, which still works, is gone.

        Returns:
            What is missing, or None.
        """
        if not self._is_populated:
            return "the RetrainRequests have not been listed yet"
        if not self._elector.is_leading and not self._elector.holder:
            return "no leader is known yet"
        return self._consumer.describe_problem()


def is_silent(last_progress: float | None, now: float) -> bool:
    """Return whether a loop has made no progress for too long.

    Args:
        last_progress: When it last made progress, by the monotonic clock in seconds; None if it
            has not started.
        now: The current time of the same clock.

    Returns:
        Whether SILENT_SECONDS have passed since.
    """
    return last_progress is not None and now - last_progress > SILENT_SECONDS
