"""For any value of any PostgreSQL type, a run ends with a verdict or with an error message.

Each example is a table with unusual values of any type among good rows. All run in one transaction
of a real server.
"""

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg2
import pytest
from hypothesis import HealthCheck, given, settings
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812
from psycopg2.extras import execute_values
from pydantic import SecretStr

from retraining_job.contract import ExitCode, Preset
from retraining_job.errors import BadConfigurationError, BadDataError
from retraining_job.events import table as events_table
from retraining_job.events.source import TableSource
from retraining_job.infra import postgres
from retraining_job.infra.read_only import ReadTransaction
from retraining_job.presets.selection import load_events
from retraining_job.runs.execution import log_failure
from retraining_job.runs.offline import Files, train_and_evaluate
from retraining_job.settings import ReadLimits, TrainSettings
from tests.integration.job.postgres_values import DEFAULTS, MUST_FIT, TYPES, tables

EXAMPLES = 800
ROWS = 24
FULLY = 20
"""Every so many examples, the run also trains and evaluates."""


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with closing(psycopg2.connect(database_url)) as connection, connection.cursor() as cursor:
        cursor.execute(TYPES)
        cursor.execute(
            "SET client_encoding = 'UTF8'; SET TIME ZONE 'America/New_York'; SET"
            " extra_float_digits = -5"
        )
        yield connection
        connection.rollback()


def good_row(number: int) -> tuple[Any, ...]:
    hour = {"amount": number % 5, "hour": number % 24, "risk": (number % 7) / 7}
    return (f"2026-01-01 00:{number:02}:00Z", number, 0.1, False, number % 2, 1.0, json.dumps(hour))


def fill(cursor: Cursor, kinds: dict[str, str], odd: Sequence[tuple[str, str | None]]) -> None:
    """Create the table with good rows, and one more row for each unusual value."""
    columns = ", ".join(f'"{name}" {kind}' for name, kind in kinds.items())
    cursor.execute(f"SAVEPOINT example; CREATE TEMP TABLE scored_events ({columns})")
    kept = [place for place, (name, kind) in enumerate(kinds.items()) if kind == DEFAULTS[name]]
    names = ", ".join(f'"{list(DEFAULTS)[place]}"' for place in kept)
    rows = [tuple(good_row(number)[place] for place in kept) for number in range(ROWS)]
    execute_values(cursor, f"INSERT INTO scored_events ({names}) VALUES %s", rows)  # noqa: S608
    for name, value in odd:
        try:
            cursor.execute(
                "SAVEPOINT odd;"  # noqa: S608
                " INSERT INTO scored_events SELECT * FROM scored_events LIMIT 1;"
                f' UPDATE scored_events SET "{name}" = %s::{kinds[name]}'
                " WHERE ctid = (SELECT max(ctid) FROM scored_events)",
                [value],
            )
        except psycopg2.Error:  # no value of this type
            cursor.execute("ROLLBACK TO SAVEPOINT odd")


def exit_code(preset: Preset, number: int, folder: Path) -> int:
    """Run as the trainer does, up to the point where it would publish."""
    chosen = TrainSettings.model_validate(
        {
            "DATABASE_URL": SecretStr("postgresql://u@h/d"),
            "REDIS_URL": SecretStr("redis://h"),
            "run_id": "r",
            "preset": preset,
            "rows": 20,
            "minimum_rows": 8,
            "hold_out_rows": 6,
            "forest_trees": 2,
            "forest_height": 3,
            "forest_window": 5,
            "hold_out_anomalies": 2,
        }
    )
    failure: Exception | None = None
    try:
        loaded = load_events(TableSource(chosen), chosen)
        assert loaded.n_samples <= 20
        if not loaded.check() and number % FULLY == 0:
            train_and_evaluate(loaded, chosen, Files(folder, folder, None))
    except Exception as error:  # noqa: BLE001  # as in `execution.run_with_result`
        code = log_failure(error)
        failure = error
    if failure is not None:
        assert isinstance(failure, (BadDataError, BadConfigurationError)), repr(failure)
        assert str(failure).endswith(".")
        return code
    if loaded.window:
        assert datetime(1, 1, 1, tzinfo=UTC) <= loaded.window.first <= loaded.window.last
        assert loaded.window.model_dump_json()
    return ExitCode.VERDICT


def test_run_ends_with_a_verdict_or_one_error_message_for_any_table(
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL)
    codes: list[SimpleNamespace] = []

    @contextmanager
    def same_transaction(
        _url: object, limits: ReadLimits | None, subject: str, session: str
    ) -> Iterator[ReadTransaction]:
        reading = ReadTransaction(connection, limits, subject, session)
        try:
            reading.begin_statement()
            yield reading
        except psycopg2.Error as error:
            raise postgres.convert_error(error) from None

    monkeypatch.setattr(events_table, "read_only", same_transaction)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=[
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
            HealthCheck.filter_too_much,
        ],
    )
    @given(tables())
    def hold(table: tuple[dict[str, str], list[tuple[str, str | None]]]) -> None:
        kinds, odd = table
        with connection.cursor() as cursor:
            fill(cursor, kinds, odd)
            cursor.execute("SAVEPOINT filled")
            for preset in (Preset.REFERENCE, Preset.RECOMMENDED):
                code = exit_code(preset, len(codes), tmp_path)
                codes.append(SimpleNamespace(code=code, kinds=kinds))
                cursor.execute("ROLLBACK TO SAVEPOINT filled")
            cursor.execute("ROLLBACK TO SAVEPOINT example")
        assert {one.code for one in codes[-2:]} <= {
            ExitCode.VERDICT,
            ExitCode.BAD_DATA,
            ExitCode.BAD_CONFIGURATION,
        }
        usual = all(kinds[name] == DEFAULTS[name] for name in MUST_FIT)
        assert not usual or ExitCode.BAD_CONFIGURATION not in {one.code for one in codes[-2:]}

    hold()
    assert len(codes) >= 2 * EXAMPLES
    assert {one.code for one in codes} >= {ExitCode.VERDICT, ExitCode.BAD_CONFIGURATION}
