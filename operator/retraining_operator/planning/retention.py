"""Which finished RetrainRequests may go: the oldest beyond a number or an age. Pure; driven by the reconciler.

Never one whose outcome is not in the database, and none that the trigger policy still looks at.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from datetime import datetime, timedelta
from itertools import islice

from retraining_operator.planning.finished import FinishedRun
from retraining_operator.planning.snapshot import DAY
from retraining_operator.settings import Retention, Triggers

BATCH_LIMIT = 50
"""How many go in one pass: a cleaner must not be in the way of work."""


def select_prunable_runs(
    past: Iterable[FinishedRun],
    retention: Retention,
    triggers: Triggers,
    busy: Set[str],
    now: datetime,
) -> list[FinishedRun]:
    """Choose those that go now, the oldest first.

    Args:
        past: all finished requests that nothing is left to do for.
        retention: how many are kept, and for how long.
        triggers: the policy, which counts runs and failures among them.
        busy: names of requests that are not finished: what they have taken in is still counted.
        now: the time.
    """
    ordered = sorted(past, key=lambda run: run.ended_at)
    deadline = now - timedelta(days=retention.max_age_days)
    surplus = len(ordered) - retention.max_count
    needed = {
        run.uid for run in [run for run in ordered if run.ran][-max(1, triggers.breaker_failures) :]
    }
    chosen = (
        run
        for place, run in enumerate(ordered)
        if (place < surplus or run.ended_at < deadline)
        and run.recorded
        and run.uid not in needed
        and run.merged_into not in busy
        and not (triggers.max_runs_per_day and run.started_at and run.started_at > now - DAY)
    )
    return list(islice(chosen, BATCH_LIMIT))
