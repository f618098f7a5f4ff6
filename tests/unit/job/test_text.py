"""Text of others is one line in log, rows, report and result document."""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retraining_job.audit.fitting import fit_row
from retraining_job.contract import (
    Result,
    escape_controls,
    escape_page,
    read_result,
    to_line,
    to_lines,
)
from retraining_job.infra.logs import PlainFormatter, build_json_formatter
from retraining_job.report.markup import tag
from retraining_job.settings import RunSettings

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FORGED = "drift\n2026-03-01T12:00:00Z Promoted (superior). It goes live."
HOSTILE = [
    FORGED,
    "a\rb",
    "\x1b[2J\x1b[31mred",
    "\x9b31m",
    "\u202edlrow",
    "\u2066isolated\u2069",
    "a\u2028b\u2029c",
    "zero\u200bwidth\ufeff",
    "\x00\x07\x08\x7f",
    "\ud800 half",
    "a\x85next line",
    "\U000e0041 tag",
    "\u061carabic mark",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_line_shows_what_no_line_may_contain(text: str) -> None:
    line = to_line(text)
    assert line.isprintable()
    assert "\\" in line
    line.encode()


@pytest.mark.parametrize(
    "text",
    [
        "Überfällige Prüfung",
        "漂移检测",
        "дрейф",
        "C:\\new\\table",
        "1 ≤ 2 ± 1 €",
        "🚀",
        "a  b",
        "e\u0301",
    ],
)
def test_text_in_any_language_stays_as_it_is(text: str) -> None:
    assert to_line(text) == text


@given(st.text(st.characters()), st.integers(3, 40))
def test_line_is_printable_and_short_and_the_same_when_it_is_made_again(
    text: str, limit: int
) -> None:
    line = to_line(text, limit)
    assert line.isprintable()
    assert len(line) <= limit
    assert to_line(line, limit) == line.strip()


def test_end_of_a_long_text_is_cut() -> None:
    assert to_line("x" * 10_000, 100) == "x" * 97 + "..."
    assert len(to_line("\n" * 10 + "\x01" * 10_000_000, 100)) == 100


def test_lines_keep_their_indentation_and_only_line_feeds_end_them() -> None:
    assert to_lines("a\r\n  b\x1b[0m\rc\u2028d\n\n") == "a\n  b\\x1b[0m\\rc\\u2028d"


@pytest.mark.parametrize("text", [text for text in HOSTILE if text != FORGED])
def test_page_shows_what_no_line_may_contain(text: str) -> None:
    page = escape_page(f"<p>\n\t{text}</p>\n")
    assert page == f"<p>\n\t{escape_controls(text)}</p>\n"
    assert page.replace("\n", "").replace("\t", "").isprintable()
    assert "\\" in page
    page.encode()


@given(st.text(st.characters()))
def test_page_of_any_text_keeps_its_lines_and_tabs_and_is_the_same_when_it_is_made_again(
    text: str,
) -> None:
    page = escape_page(text)
    assert re.sub(r"[^\n\t]", "", page) == re.sub(r"[^\n\t]", "", text)
    assert not re.search(
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\ud800-\udfff]", page
    )
    assert escape_page(page) == page


def format_record(formatter: logging.Formatter, message: str, *, raises: str = "") -> str:
    info: Any = None
    if raises:
        error = ValueError(raises)
        info = (ValueError, error, None)
    record = logging.LogRecord("x", logging.WARNING, "f.py", 1, "Reason: %s.", (message,), info)
    return formatter.format(record)


@pytest.mark.parametrize("text", HOSTILE)
def test_log_record_is_one_line(text: str) -> None:
    line = format_record(PlainFormatter(), text)
    assert line.isprintable()
    assert line.startswith("20")


@pytest.mark.parametrize("text", HOSTILE)
def test_no_line_of_a_traceback_looks_like_a_log_record(text: str) -> None:
    first, *others = format_record(PlainFormatter(), "x", raises=text).split("\n")
    assert first.isprintable()
    assert all(line.startswith("  | ") and line.isprintable() for line in others)


@pytest.mark.parametrize("text", HOSTILE)
def test_json_record_has_no_control_characters_in_its_message(text: str) -> None:
    line = format_record(build_json_formatter({"run": text}), text, raises=text)
    fields = json.loads(line)
    assert fields["message"].isprintable()
    assert fields["run"].isprintable()
    assert all(part.isprintable() for part in fields["exc_info"].split("\n"))


@pytest.mark.parametrize("text", HOSTILE)
def test_settings_result_row_and_report_have_one_line(text: str) -> None:
    assert RunSettings(reason=text, request=text, image=text).reason.isprintable()
    result = Result(run_id="r", reason="BadData", message=text, started_at=NOW, finished_at=NOW)
    assert result.message.isprintable()
    row = {"trigger_reason": text, "message": text, "request": text, "approval_by": text}
    assert all(value.isprintable() for value in fit_row(row, {}, "utf-8").values())
    assert escape_controls(tag("p", text)).count("\n") == 0
    tag("p", text).encode()


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"reason": "Promoted\nforged"}, id="a reason with a line break"),
        pytest.param({"reason": "x" * 200}, id="a long reason"),
        pytest.param({"version": 10**30}, id="a version that no status holds"),
        pytest.param({"version": -1}, id="a negative version"),
        pytest.param({"n_samples": 10**19}, id="a count that no status holds"),
        pytest.param({"started_at": "0001-01-01T00:00:00+14:00"}, id="a time before the year 1"),
        pytest.param({"finished_at": "9999-12-31T23:59:59-14:00"}, id="one after 9999"),
    ],
)
def test_document_with_an_impossible_value_is_none(fields: dict[str, object]) -> None:
    genuine = {
        "run_id": "r",
        "reason": "superior",
        "message": "m",
        "started_at": "2026-03-01T12:00:00Z",
        "finished_at": "2026-03-01T12:00:00Z",
    }
    assert read_result(json.dumps(genuine)) is not None
    assert read_result(json.dumps(genuine | fields)) is None


def test_metrics_that_are_not_finite_are_unknown_and_times_are_in_utc() -> None:
    document = (
        '{"run_id": "r", "reason": "superior", "message": "m", "verdict": "Kept", '
        '"window": {"first": "2026-03-01T12:00:00", "last": "2026-03-01T13:00:00+02:00", '
        '"rows": 1}, '
        '"metrics": {"challenger": {"precision": 1e999}}, '
        '"started_at": "2026-03-01T12:00:00Z", "finished_at": "2026-03-01T12:00:00Z"}'
    )
    result = read_result(document)
    assert result
    assert result.metrics
    assert result.metrics.challenger.precision is None
    assert result.window
    assert result.window.model_dump(mode="json")["first"] == "2026-03-01T12:00:00Z"
    assert result.window.model_dump(mode="json")["last"] == "2026-03-01T11:00:00Z"
