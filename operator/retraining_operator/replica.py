"""One replica: it watches and keeps its view warm at all times, and consumes and reconciles while it leads.

What it does when is here, and what it says of itself on `/health` and `/ready`. Composed and run by `__main__`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

from retraining_operator.context import Context
from retraining_operator.lease import Elector
from retraining_operator.reconciler import Reconciler, keep_resyncing, seed_until_ready
from retraining_operator.triggers.consumer import Consumer

SILENT_SECONDS = 60
"""What has not come by for so long hangs: the consumer polls every second, the Lease is tried for every two."""


class Replica:
    """The parts of one operator process, and how they stand to each other."""

    def __init__(self, context: Context, reconciler: Reconciler, consumer: Consumer, elector: Elector) -> None:
        self._view = context.view
        self._reconciler = reconciler
        self._consumer = consumer
        self._elector = elector
        self._seeded = False
        self.acting = False
        """Whether it does the work: it leads, and what there is was listed."""
        self._probe: asyncio.Task[None] | None = None

    async def run(self, watch: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Stand by, then lead, then stand by again where the Lease is lost, until cancelled."""
        await seed_until_ready(self._reconciler)
        self._seeded = True
        async with asyncio.TaskGroup() as group:
            group.create_task(watch())
            group.create_task(keep_resyncing(self._reconciler))
            self._probe = group.create_task(self._consumer.probe())
            group.create_task(self._elector.run(self._lead))

    async def _lead(self) -> None:
        await seed_until_ready(self._reconciler)  # anew: what the former leader did last may still be on its way
        self.acting = True
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._consume())
                group.create_task(self._reconciler.run())
        finally:
            self.acting = False

    async def _consume(self) -> None:
        if self._probe:
            self._probe.cancel()
            await asyncio.wait([self._probe])
        await self._consumer.run()

    def alive(self) -> str | None:
        """Say what hangs, so that a restart helps; the API server or Kafka being away is no reason for one."""
        now = time.monotonic()
        if trouble := self._view.canary.trouble():
            return trouble
        if silent(self._elector.tried_at, now):
            return "the Lease is neither renewed nor looked at any more"
        if self.acting and silent(self._consumer.polled_at, now):
            return "the consumer does not poll Kafka any more"
        if self.acting and self._view.changed.is_set() and silent(self._reconciler.planned_at, now):
            return "the reconciler does not come by any more, though something has changed"
        return None

    def ready(self) -> str | None:
        """Say what is missing.

        A standby is ready too, or no rolling update would ever end. It must have reached Kafka once by itself: else a
        wrong address would only show after the old replica, which still works, is gone.
        """
        if not self._seeded:
            return "the RetrainRequests could not be listed yet"
        if not self._elector.leading and not self._elector.holder:
            return "it is not decided yet who leads"
        return None if self._consumer.answered else "Kafka has not answered yet"


def silent(at: float | None, now: float) -> bool:
    """Tell whether something has not come by for too long; it must have come by at all."""
    return at is not None and now - at > SILENT_SECONDS
