"""Text of others is one line in the operator's log, statuses, Events, rows and dead letters."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from retraining_operator.api.conditions import Condition, ConditionType, format_conditions
from retraining_operator.api.job_manifest import build_job
from retraining_operator.api.outcome import JobOutcome
from retraining_operator.api.outcome_status import build_finished_status
from retraining_operator.api.pod_problems import PodProblem
from retraining_operator.api.record_request import build_request
from retraining_operator.api.request import read_request
from retraining_operator.api.status import build_waiting_for_field
from retraining_operator.api.trigger import KafkaPosition
from retraining_operator.audit.log_tail import extract_tail
from retraining_operator.audit.row import build_row
from retraining_operator.contract import Preset
from retraining_operator.intake.record_parser import parse_trigger
from retraining_operator.intake.replay_command import print_line
from retraining_operator.kafka.dead_letter import build_dead_letter
from retraining_operator.kube.event_recorder import build_event
from retraining_operator.observability import logs
from retraining_operator.settings import Settings
from tests.unit.job.test_text import HOSTILE
from tests.unit.operator.test_dead_letter import MalformedRecord

Build = Callable[..., dict[str, Any]]


@pytest.fixture(params=["text", "json"])
def log_format(request: pytest.FixtureRequest) -> Any:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield request.param
    root.handlers[:], root.level = before, level


@pytest.mark.parametrize("text", HOSTILE)
def test_log_has_one_line_for_each_record(
    log_format: Any, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure(log_format, "INFO")
    logger = logging.getLogger("retraining_operator.test")
    logger.warning("Skipped: %s.", text)
    logger.error("It failed.", exc_info=RuntimeError(text))
    lines = capsys.readouterr().out.rstrip("\n").split("\n")
    assert all(line.isprintable() for line in lines)
    if log_format == "json":
        assert len(lines) == 2
        assert json.loads(lines[0])["message"].isprintable()
    else:
        assert [line for line in lines[2:] if not line.startswith("  | ")] == []


@pytest.mark.parametrize("text", HOSTILE)
def test_status_and_event_have_one_line(request_body: Build, now: datetime, text: str) -> None:
    request = read_request(request_body())
    status = build_finished_status(request, JobOutcome("JobFailed", text), now)
    condition = Condition(ConditionType.SUCCEEDED, "False", text, text)
    [formatted] = format_conditions([condition], request.conditions, 1, now)
    event = build_event(request, condition, "i", now)
    waiting = build_waiting_for_field(PodProblem("Unschedulable", text))["waitingFor"]
    for message in (
        status["conditions"][0]["message"],
        formatted["message"],
        event["note"],
        event["reason"],
        waiting["message"],
    ):
        assert message.isprintable()


@pytest.mark.parametrize("text", HOSTILE)
def test_row_has_one_line_for_each_column_and_the_log_only_its_own(
    request_body: Build, now: datetime, text: str
) -> None:
    request = read_request(request_body(spec={"reason": text.encode("utf-8", "replace").decode()}))
    row = build_row(request, {"logTail": f"first\n{text}"}, Preset.RECOMMENDED, now)
    assert row["trigger_reason"].isprintable()
    assert all(line.isprintable() for line in row["log_tail"].split("\n"))
    assert extract_tail("a\rb\x1b[0mc\u2028d", 5) == r"a\rb\x1b[0mc\u2028d"


@pytest.mark.parametrize("text", HOSTILE)
def test_reason_of_a_record_is_one_line_in_request_and_job(
    settings: Settings, request_body: Build, text: str
) -> None:
    storable = text.replace("\0", "").encode("utf-8", "replace").decode()
    value = json.dumps({"reason": storable}).encode()
    trigger = parse_trigger(KafkaPosition("drift", 0, 1, 0), value)
    body = build_request(trigger, "fraud")
    assert body["spec"]["reason"].isprintable()
    assert json.loads(body["spec"]["trigger"]["record"])["reason"] == storable  # as it was sent
    by_hand = read_request(request_body(spec={"reason": text}))
    [container] = build_job(by_hand, settings)["spec"]["template"]["spec"]["containers"]
    [reason] = [each["value"] for each in container["env"] if each["name"] == "RETRAIN_REASON"]
    assert reason.isprintable()


@pytest.mark.parametrize("text", HOSTILE)
def test_header_of_a_dead_letter_and_line_of_a_replay_are_one_line(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    letter = build_dead_letter(MalformedRecord(), "not_json", text)
    assert dict(letter.headers)["retraining-message"].decode().isprintable()
    print_line(text)
    assert capsys.readouterr().out.count("\n") == 1
    assert sys.stdout


def test_reason_of_ten_kilobytes_is_bounded_everywhere(
    request_body: Build, settings: Settings, now: datetime
) -> None:
    request = read_request(request_body(spec={"reason": "x" * 10_240}))
    [container] = build_job(request, settings)["spec"]["template"]["spec"]["containers"]
    [reason] = [each["value"] for each in container["env"] if each["name"] == "RETRAIN_REASON"]
    assert len(reason) == 1000
    assert len(build_row(request, {}, Preset.RECOMMENDED, now)["trigger_reason"]) == 2000
