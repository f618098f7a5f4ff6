"""The reconciler's loop ends when it is told to, whatever else happens at that moment."""

import asyncio
from datetime import UTC, datetime
from typing import Any, cast

from retraining_operator.context import Context
from retraining_operator.controller.reconciler import Reconciler
from retraining_operator.settings import Settings

NOBODY: Any = cast("Any", None)


async def test_stop_that_comes_together_with_a_change_is_heard(settings: Settings) -> None:
    context = Context(settings)
    with context.precedence.first():  # so that it waits for a change, or for some seconds
        running = asyncio.create_task(
            Reconciler(context, NOBODY, NOBODY, lambda: datetime.now(UTC)).run()
        )
        await asyncio.sleep(0.1)
        context.view.changed.set()
        running.cancel()
        await asyncio.wait([running], timeout=2)
    assert running.cancelled()
