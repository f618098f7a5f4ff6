"""Retention: which finished RetrainRequests to delete."""

from __future__ import annotations

from collections.abc import Iterable, Set
from datetime import datetime, timedelta

from retraining_operator.planning.finished import FinishedRun
from retraining_operator.planning.snapshot import DAY
from retraining_operator.settings import Retention, Triggers

BATCH_LIMIT = 50
"""How many requests are deleted at once, so that deleting does not delay other work."""


def select_prunable_runs(
    runs: Iterable[FinishedRun],
    retention: Retention,
    triggers: Triggers,
    unfinished: Set[str],
    now: datetime,
) -> list[FinishedRun]:
    """Select the finished requests to delete now.

    A request is kept if its outcome is not in the database or the trigger policy still needs it.

    Args:
        runs: All finished requests for which nothing is left to do.
        retention: How many are kept, and for how long.
        triggers: The settings of the trigger policy, which counts runs and failures.
        unfinished: Names of requests that are not finished. Requests merged into them still count.
        now: The present time, UTC.

    Returns:
        At most BATCH_LIMIT of them, oldest first.
    """
    ordered = sorted(runs, key=lambda run: run.ended_at)
    deadline = now - timedelta(days=retention.max_age_days)
    surplus = len(ordered) - retention.max_count
    trained = [run for run in ordered if run.ran]
    needed = {run.uid for run in trained[-max(1, triggers.breaker_failures) :]}
    selected: list[FinishedRun] = []
    for index, run in enumerate(ordered):
        is_due = index < surplus or run.ended_at < deadline
        if not is_due or not run.recorded:
            continue
        if run.uid in needed or run.merged_into in unfinished:
            continue
        if triggers.max_runs_per_day and run.started_at and run.started_at > now - DAY:
            continue
        selected.append(run)
        if len(selected) == BATCH_LIMIT:
            break
    return selected
