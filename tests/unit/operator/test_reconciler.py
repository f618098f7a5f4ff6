"""The control loop stops when it is cancelled."""

import asyncio
from datetime import UTC, datetime
from typing import Any, cast

from retraining_operator.controller.reconciler import Reconciler
from retraining_operator.priority import WritePriority
from retraining_operator.settings import Settings
from retraining_operator.watch.cache import ClusterCache

NOBODY: Any = cast("Any", None)


async def test_cancellation_together_with_a_change_is_not_lost(settings: Settings) -> None:
    cache = ClusterCache()
    write_priority = WritePriority(cache.changed.set)
    with write_priority.claim():  # so that it waits for a change, or for some seconds
        running = asyncio.create_task(
            Reconciler(
                cache=cache,
                executor=NOBODY,
                pruner=NOBODY,
                write_priority=write_priority,
                triggers=settings.triggers,
                approvals=settings.approvals,
                retention=settings.retention,
                clock=lambda: datetime.now(UTC),
            ).run()
        )
        await asyncio.sleep(0.1)
        cache.changed.set()
        running.cancel()
        await asyncio.wait([running], timeout=2)
    assert running.cancelled()
