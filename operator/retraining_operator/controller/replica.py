"""One replica: it watches and keeps its view warm at all times, and consumes and reconciles while it leads.

What it does when is here, and what it says of itself on `/health` and `/ready`. Composed and run by
`__main__`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

from retraining_operator.controller.reconciler import Reconciler, keep_resyncing, seed_until_ready
from retraining_operator.intake.intake import Intake
from retraining_operator.kafka.consumer import Consumer
from retraining_operator.leader.lease import Elector
from retraining_operator.watch.cache import ClusterCache

SILENT_SECONDS = 60
"""What has not come by for so long hangs: the consumer polls every second, the Lease is tried for every two."""


class Replica:
    """The parts of one operator process, and how they stand to each other."""

    def __init__(
        self,
        *,
        cache: ClusterCache,
        reconciler: Reconciler,
        consumer: Consumer,
        elector: Elector,
        intake: Intake,
    ) -> None:
        self._cache = cache
        self._intake = intake
        self._reconciler = reconciler
        self._consumer = consumer
        self._elector = elector
        self._seeded = False
        self.acting = False
        """Whether it does the work: it leads, and what there is was listed."""
        self._seeding: asyncio.Task[None] | None = None
        """The first list, where it has all that was done before this process leads."""
        self._probe: asyncio.Task[None] | None = None

    async def run(self, watch: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Stand by, then lead, then stand by again where the Lease is lost, until cancelled."""
        resumes = await self._elector.resumes()
        async with asyncio.TaskGroup() as group:
            seeding = group.create_task(seed_until_ready(self._reconciler))
            if resumes:
                self._seeding = seeding
            else:
                await seeding
            group.create_task(self._elector.run(self._lead))
            await asyncio.gather(seeding, self._elector.tried.wait())
            self._seeded = True
            if not self._elector.leading:
                self._probe = group.create_task(self._consumer.probe())
            group.create_task(watch())
            group.create_task(keep_resyncing(self._reconciler))

    async def _lead(self) -> None:
        """Act, once what there is was listed and what was deleted lately is known; Kafka is connected meanwhile."""
        self._intake.close()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._consume())
                await asyncio.gather(self._list(), self._intake.prepare())
                self.acting = True
                self._intake.open()
                group.create_task(self._intake.keep_fresh())
                group.create_task(self._reconciler.run())
        finally:
            self.acting = False

    async def _list(self) -> None:
        """List what there is; again if the former leader may have acted after the last list."""
        seeding, self._seeding = self._seeding, None
        await (seeding or seed_until_ready(self._reconciler))

    async def _consume(self) -> None:
        if self._probe:
            self._probe.cancel()
            await asyncio.wait([self._probe])
        await self._consumer.run()

    def alive(self) -> str | None:
        """Say what hangs, so that a restart helps; the API server or Kafka being away is no reason for one."""
        now = time.monotonic()
        if trouble := self._cache.watch_health.trouble():
            return trouble
        if silent(self._elector.tried_at, now):
            return "the Lease is neither renewed nor looked at any more"
        if self.acting and silent(self._consumer.polled_at, now):
            return "the consumer does not poll Kafka any more"
        if (
            self.acting
            and self._cache.changed.is_set()
            and silent(self._reconciler.planned_at, now)
        ):
            return "the reconciler does not come by any more, though something has changed"
        return None

    def ready(self) -> str | None:
        """Say what is missing.

        A standby is ready too, or no rolling update would ever end. It must have read from the
        topic once by itself, without joining the group: else a wrong address or a missing right
        would only show after the old replica, which still works, is gone.
        """
        if not self._seeded:
            return "the RetrainRequests could not be listed yet"
        if not self._elector.leading and not self._elector.holder:
            return "it is not decided yet who leads"
        return self._consumer.describe_problem()


def silent(at: float | None, now: float) -> bool:
    """Tell whether something has not come by for too long; it must have come by at all."""
    return at is not None and now - at > SILENT_SECONDS
