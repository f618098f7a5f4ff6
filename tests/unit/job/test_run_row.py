"""A row that no trainer has written becomes a result or one error, and never anything else."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from retraining_job.audit.rows import build_result_of_version
from retraining_job.contract import (
    HIGHEST_VERSION,
    RUN_COLUMNS,
    Result,
    UnreadableRowError,
    read_row,
    select_verdict,
)
from retraining_job.contract.run_row import (
    COLUMNS,
    TEXT_LIMIT_CHARACTERS,
    parse_time,
)

GOOD: dict[str, Any] = {
    "run_id": "run-1",
    "verdict": "Promoted",
    "withheld": None,
    "reason": "superior",
    "message": "Better.",
    "version": "7",
    "champion_version": "6",
    "n_samples": "600",
    "metrics": '{"challenger": {"precision": 0.5}}',
    "window_first": "2025-06-01 11:00:00+00",
    "window_last": "2025-06-01 12:00:00+00",
    "started_at": "2025-06-01 12:00:00.5+00",
    "finished_at": "2025-06-01 12:00:01+00",
}
TIMES = ["infinity", "-infinity", "0044-03-15 00:00:00+00 BC", "99999-01-01 00:00:00+00", "", "now"]


def test_row_of_a_trainer_is_read() -> None:
    result = read_row(GOOD)
    assert (result.verdict, result.promoted, result.version) == ("Promoted", True, 7)
    assert result.started_at == datetime(2025, 6, 1, 12, 0, 0, 500_000, UTC)
    assert result.window
    assert result.window.rows == 600
    assert result.metrics
    assert result.metrics.challenger.precision == 0.5


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("verdict", "NoSuchVerdict"),
        ("verdict", None),
        ("withheld", "NoSuchWord"),
        ("reason", None),
        ("reason", "two words"),
        ("reason", "x" * 200),
        ("run_id", None),
        ("started_at", None),
        *(("finished_at", time) for time in TIMES),
        *(
            ("version", number)
            for number in (
                "999999999999999999",
                str(HIGHEST_VERSION + 1),
                "-1",
                "NaN",
                "1.5",
                "1e3",
            )
        ),
        ("version", "9" * 5_000),
    ],
)
def test_row_that_no_trainer_can_have_written_is_refused_by_the_name_of_its_column(
    column: str, value: object
) -> None:
    with pytest.raises(UnreadableRowError) as refused:
        read_row({**GOOD, column: value})
    assert str(refused.value) == f"the value of {column} cannot be read"


@pytest.mark.parametrize(
    ("column", "value", "field", "expected"),
    [
        ("n_samples", "NaN", "n_samples", None),
        ("n_samples", "-600", "n_samples", None),
        ("n_samples", "99999999999", "n_samples", None),
        ("champion_version", "999999999999999999", "champion_version", None),
        ("metrics", '{"challenger": []}', "metrics", None),
        ("metrics", "[1]", "metrics", None),
        ("metrics", "[" * TEXT_LIMIT_CHARACTERS, "metrics", None),
        ("message", None, "message", ""),
        ("window_first", "infinity", "window", None),
        ("window_last", None, "window", None),
    ],
)
def test_value_that_only_informs_is_left_out(
    column: str, value: object, field: str, expected: object
) -> None:
    assert getattr(read_row({**GOOD, column: value}), field) == expected


@pytest.mark.parametrize("text", ['{"precision": NaN}', '{"precision": 1e999}'])
def test_metric_that_is_not_finite_is_left_out(text: str) -> None:
    metrics = read_row({**GOOD, "metrics": f'{{"challenger": {text}}}'}).metrics
    assert metrics is not None
    assert metrics.challenger.precision is None


VALUES = st.one_of(
    st.none(),
    st.text(max_size=40),
    st.integers().map(str),
    st.floats().map(str),
    st.datetimes().map(str),
    st.sampled_from([*TIMES, "9" * 5_000, "[" * 2_000, "{}", "\x00", "NoChampion", "figures"]),
    st.sampled_from([value for value in GOOD.values() if value]),
)


@given(st.dictionaries(st.sampled_from(COLUMNS), VALUES))
@example(GOOD)
def test_any_row_is_a_result_or_one_error_without_its_values(row: dict[str, object]) -> None:
    try:
        result = read_row({**GOOD, **row})
    except UnreadableRowError as error:
        names = str(error).removeprefix("the value of ").removesuffix(" cannot be read")
        assert set(names.split(", ")) <= set(COLUMNS)
        return
    assert isinstance(result, Result)
    assert result.version is None or 1 <= result.version <= HIGHEST_VERSION
    assert result.started_at.tzinfo
    assert Result.model_validate_json(result.model_dump_json()) == result


@given(st.dictionaries(st.sampled_from(COLUMNS), VALUES))
def test_row_that_lacks_columns_is_a_result_or_an_error(row: dict[str, object]) -> None:
    try:
        read_row(row)
    except UnreadableRowError:
        return


@given(VALUES, VALUES, VALUES)
def test_any_row_of_a_version_is_a_result_or_one_error(
    version: object, trained_at: object, n_samples: object
) -> None:
    row = {
        "run_id": "r",
        "version": version,
        "trained_at": trained_at,
        "n_samples": n_samples,
    }
    try:
        result = build_result_of_version(row)
    except UnreadableRowError:
        return
    assert result.promoted is (version is not None)


def test_time_without_a_zone_is_in_utc() -> None:
    assert parse_time("2025-06-01 12:00:00") == datetime(2025, 6, 1, 12, tzinfo=UTC)
    assert parse_time("0001-01-01 00:00:00+01") is None


def test_every_value_is_selected_as_a_text_of_limited_length() -> None:
    present = {column.name for column in RUN_COLUMNS}
    statement = select_verdict(present)
    for name in set(COLUMNS) & present:
        assert f"left({name}::text, {TEXT_LIMIT_CHARACTERS}) AS {name}" in statement
    for large in ("report", "evidence", "log_tail", "*"):
        assert large not in statement
    assert statement.endswith("ORDER BY retraining_runs.finished_at DESC NULLS LAST LIMIT 1")


def test_statement_needs_only_the_columns_that_exist() -> None:
    statement = select_verdict({"run_id", "verdict", "figures"})
    assert "figures" in statement
    assert "metrics" not in statement
    assert "finished_at" not in statement
