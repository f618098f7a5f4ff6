"""Which finished requests are deleted."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from retraining_operator.planning.finished import FinishedRun
from retraining_operator.planning.retention import select_prunable_runs
from retraining_operator.settings import Retention, Triggers


@pytest.fixture
def finished_runs(now: datetime) -> list[FinishedRun]:
    """Ten runs, one a day; r0 is the oldest."""
    return [run_of(f"r{day}", now - timedelta(days=10 - day)) for day in range(10)]


def run_of(name: str, end: datetime, **other: Any) -> FinishedRun:
    fields = {
        "reason": "Kept",
        "recorded": True,
        "ran": True,
        "failed": False,
        "merged_into": None,
        "trigger_reason": "",
    }
    fields |= {
        "started_at": end,
        "ended_at": end,
        "resource_version": 1,
        "arrival": ("", 0, 0, name),
        "uid": name,
    }
    return FinishedRun(**{"name": name, **fields, **other})


def gone(
    finished_runs: list[FinishedRun], now: datetime, busy: set[str] | None = None, **settings: Any
) -> list[str]:
    triggers = Triggers(
        **{
            key: settings.pop(key)
            for key in list(settings)
            if key not in {"max_count", "max_age_days"}
        }
    )
    return [
        run.name
        for run in select_prunable_runs(
            finished_runs, Retention(**settings), triggers, busy or set(), now
        )
    ]


def test_none_is_deleted_within_both_limits(
    finished_runs: list[FinishedRun], now: datetime
) -> None:
    assert gone(finished_runs, now, max_count=10, max_age_days=10) == []


def test_oldest_beyond_the_number_are_deleted(
    finished_runs: list[FinishedRun], now: datetime
) -> None:
    assert gone(finished_runs, now, max_count=8) == ["r0", "r1"]


def test_those_beyond_the_age_are_deleted(finished_runs: list[FinishedRun], now: datetime) -> None:
    assert gone(finished_runs, now, max_age_days=7) == ["r0", "r1", "r2"]


def test_none_is_deleted_before_its_outcome_is_in_the_database(
    finished_runs: list[FinishedRun], now: datetime
) -> None:
    finished_runs[0] = run_of("r0", finished_runs[0].ended_at, recorded=False)
    assert gone(finished_runs, now, max_count=8) == ["r1"]


def test_runs_that_the_trigger_policy_needs_are_not_deleted(
    finished_runs: list[FinishedRun], now: datetime
) -> None:
    assert gone(finished_runs, now, max_age_days=1, breaker_failures=3) == [
        f"r{day}" for day in range(7)
    ]
    today = [run_of(f"t{hour}", now - timedelta(hours=hour)) for hour in range(5)]
    assert gone(today, now, max_count=1, max_runs_per_day=9) == []
    assert gone(today, now, max_count=1) == ["t4", "t3", "t2", "t1"]


def test_merged_request_is_not_deleted_while_it_is_counted(
    finished_runs: list[FinishedRun], now: datetime
) -> None:
    finished_runs[0] = run_of("r0", finished_runs[0].ended_at, merged_into="waits", ran=False)
    assert gone(finished_runs, now, {"waits"}, max_count=9) == []
    assert gone(finished_runs, now, set(), max_count=9) == ["r0"]
