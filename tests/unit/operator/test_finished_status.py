"""The status of a finished run."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from retraining_operator.api.condition_changes import select_reportable_conditions
from retraining_operator.api.outcome_status import (
    build_finished_status,
)
from retraining_operator.api.request import read_request
from tests.unit.operator.finished_runs import outcome, promoted

Build = Callable[..., dict[str, Any]]


def test_dry_run_says_that_nothing_was_published(request_body: Build, now: datetime) -> None:
    status = build_finished_status(
        read_request(request_body()), outcome(now, verdict="Promoted", withheld="DryRun"), now
    )
    assert promoted(status) == ("False", "DryRun")


def test_both_conditions_are_reported_if_they_differ(request_body: Build, now: datetime) -> None:
    request = read_request(request_body())
    manual = build_finished_status(
        request, outcome(now, verdict="Promoted", withheld="AwaitingApproval"), now
    )
    assert [condition.reason for condition in select_reportable_conditions(request, manual)] == [
        "Promoted",
        "AwaitingApproval",
    ]
    kept = build_finished_status(request, outcome(now, verdict="Kept"), now)
    assert [condition.reason for condition in select_reportable_conditions(request, kept)] == [
        "Kept"
    ]
    assert select_reportable_conditions(read_request(request_body(status=kept)), kept) == []


@pytest.mark.parametrize(
    "verdict", ["Inconclusive", "Identical", "FirstModel", "UnreadableChampion"]
)
def test_verdict_that_promotes_nothing_is_the_reason(
    request_body: Build, now: datetime, verdict: str
) -> None:
    status = build_finished_status(read_request(request_body()), outcome(now, verdict=verdict), now)
    assert [(c["status"], c["reason"]) for c in status["conditions"][:2]] == [
        ("True", verdict),
        ("False", verdict),
    ]


def test_first_model_is_promoted_without_a_champion(request_body: Build, now: datetime) -> None:
    status = build_finished_status(
        read_request(request_body()),
        outcome(now, verdict="FirstModel", promoted=True, version=1),
        now,
    )
    assert promoted(status) == ("True", "FirstModel")


def test_metrics_in_the_status_have_camel_case_names(request_body: Build, now: datetime) -> None:
    metrics = {"challenger": {"precision": 0.9, "combined": {"average_precision": 0.5}}}
    status = build_finished_status(
        read_request(request_body()), outcome(now, verdict="Kept", metrics=metrics), now
    )
    assert status["metrics"] == {
        "challenger": {"precision": 0.9, "combined": {"averagePrecision": 0.5}}
    }
