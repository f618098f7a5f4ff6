"""The row of a run, which is built from the status."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from retraining_job.contract import RUN_COLUMNS
from retraining_operator.api.names import Task
from retraining_operator.api.outcome import JobOutcome
from retraining_operator.api.outcome_status import (
    build_applied_approval_status,
    build_finished_status,
    build_outcome_status,
)
from retraining_operator.api.record_request import build_request, compute_record_key
from retraining_operator.api.request import read_request
from retraining_operator.api.trigger import KafkaPosition, Trigger
from retraining_operator.audit.row import build_row
from retraining_operator.contract import Preset, Result

Build = Callable[..., dict[str, Any]]


def test_row_has_a_column_for_each_value(request_body: Build, now: datetime) -> None:
    request = read_request(request_body())
    status = build_finished_status(
        request, JobOutcome("InvalidRequest", "spec.rows is wrong."), now
    )
    row = build_row(request, status, Preset.RECOMMENDED, now)
    columns = {column.name for column in RUN_COLUMNS}
    assert set(row) - columns == {"is_answered"}


def test_failure_without_a_job_has_a_row(request_body: Build, now: datetime) -> None:
    request = read_request(request_body())
    status = build_finished_status(
        request, JobOutcome("InvalidRequest", "spec.rows is wrong."), now
    )
    row = build_row(request, status, Preset.RECOMMENDED, now)
    assert (row["run_id"], row["request"]) == ("uid-of-first", "fraud/first")
    assert (row["verdict"], row["reason"], row["message"]) == (
        None,
        "InvalidRequest",
        "spec.rows is wrong.",
    )
    assert (row["started_at"], row["finished_at"]) == (
        "2026-03-01T11:00:00Z",
        "2026-03-01T12:00:00Z",
    )
    assert (row["trigger_reason"], row["preset"]) == ("by hand", "recommended")


def test_row_is_the_same_whenever_it_is_read(request_body: Build, now: datetime) -> None:
    request = read_request(request_body(spec={"preset": "reference"}))
    status = build_finished_status(request, JobOutcome("JobDeleted", "Gone."), now) | {
        "logTail": "The end."
    }
    first = build_row(request, status, Preset.RECOMMENDED, now)
    later = build_row(
        read_request(request_body(spec={"preset": "reference"}, status=status)),
        {"logTail": status["logTail"]},  # it is read again, because the cache does not keep it
        Preset.RECOMMENDED,
        now.replace(hour=20),
    )
    assert first == later
    assert first["log_tail"] == "The end."


def test_row_has_the_same_record_under_each_name_of_its_request(now: datetime) -> None:
    trigger = Trigger(KafkaPosition("drift", 0, 7, 1_750_000_000_123), "drift", "{}")
    keys = set()
    for attempt in range(3):
        body = build_request(trigger, "fraud", attempt)
        body["metadata"] |= {"uid": f"uid-{attempt}", "resourceVersion": "1"}
        row = build_row(read_request(body), {}, Preset.RECOMMENDED, now)
        keys.add((row["record_key"], compute_record_key(body)))
    [(stored, searched)] = keys
    assert stored == searched
    assert stored


@pytest.mark.parametrize("field", ["name", "reason", "offset"])
def test_foreign_request_has_no_record_or_another_one(now: datetime, field: str) -> None:
    trigger = Trigger(KafkaPosition("drift", 0, 7, 1_750_000_000_123), "drift", "{}")
    body = build_request(trigger, "fraud")
    genuine = compute_record_key(body)
    body["metadata"] |= {"uid": "u", "resourceVersion": "1"}
    {
        "name": lambda: body["metadata"].update(name="mine"),
        "reason": lambda: body["spec"].update(reason="forged"),
        "offset": lambda: body["spec"]["trigger"].update(offset=8),
    }[field]()
    row = build_row(read_request(body), {}, Preset.RECOMMENDED, now)
    assert row["record_key"] != genuine


def test_failed_approval_keeps_the_verdict(request_body: Build, now: datetime) -> None:
    result = Result(
        run_id="r",
        verdict="Promoted",
        withheld="AwaitingApproval",
        reason="superior",
        message="Better.",
        started_at=now,
        finished_at=now,
    )
    status = build_outcome_status(
        read_request(request_body()), Task.TRAIN, JobOutcome("Promoted", "Better.", result), now
    )
    evaluated = build_row(read_request(request_body()), status, Preset.RECOMMENDED, now)
    assert (evaluated["verdict"], evaluated["withheld"], evaluated["is_answered"]) == (
        "Promoted",
        "AwaitingApproval",
        False,
    )
    request = read_request(request_body(status=status | {"approvalJobName": "first-approval"}))
    failed = build_row(
        request,
        build_applied_approval_status(request, JobOutcome("OutOfMemory", "Too large."), now),
        Preset.RECOMMENDED,
        now,
    )
    assert (failed["verdict"], failed["withheld"], failed["is_answered"]) == (
        "Promoted",
        None,
        True,
    )
    assert failed["reason"] == "OutOfMemory"
    assert failed["message"].startswith("Too large.")
    unknown = build_row(
        request,
        build_applied_approval_status(request, JobOutcome("JobDeleted", "Gone."), now),
        Preset.RECOMMENDED,
        now,
    )
    assert unknown["is_answered"] is False


def test_control_characters_of_a_reason_do_not_reach_the_database(
    request_body: Build, now: datetime
) -> None:
    request = read_request(request_body(spec={"reason": "drift\0ed\n2026-03-01 INFO forged"}))
    row = build_row(request, {}, Preset.RECOMMENDED, now)
    assert row["trigger_reason"] == r"drift\x00ed\n2026-03-01 INFO forged"
