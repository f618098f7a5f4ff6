"""Reads and scores made-up rows: `python -m tests.bench.rows select|text|ours URL TABLE ROWS`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial

from pydantic import SecretStr

from tests.bench.child import Stopwatch

TABLE = """
    CREATE TABLE {name} (
        "timestamp" timestamptz, amount float8, anomaly_score float8, is_anomaly boolean,
        anomaly_label integer, amount_vs_user_avg float8, features_json jsonb);
    INSERT INTO {name} SELECT
        timestamptz '2026-01-01' + n * interval '1 second', a, random(), false, label, random(),
        jsonb_build_object('amount', a, 'amount_vs_user_avg', random(),
            'amount_zscore', random() + label, 'tx_velocity_ratio', random() + label,
            'is_high_risk_merchant', round(random()), 'is_odd_hour', 0.0,
            'location_match', random(), 'device_known', random(),
            'risk_score_raw', random() + label,
            'hour_of_day', n % 24, 'day_of_week', n % 7)
    FROM (
        SELECT n, random() * 100 AS a, (n % 80 = 0)::int AS label
        FROM generate_series(1, {rows}) AS n
    ) AS made;
    CREATE INDEX ON {name} ("timestamp" DESC);
    ANALYZE {name};
"""
SELECT = (
    'SELECT "timestamp", amount, anomaly_score, is_anomaly, anomaly_label, amount_vs_user_avg,'
    " features_json{cast}"
    ' FROM {name} ORDER BY "timestamp" DESC LIMIT {rows}'
)


def plain_select(url: str, name: str, rows: int, cast: str = "") -> None:
    """Read the rows with a plain SELECT. `cast` may leave the features as text.

    Args:
        url: The database's URL.
        name: The table.
        rows: The number of rows.
        cast: A cast of the features, such as `::text`.
    """
    import psycopg2  # noqa: PLC0415

    clock = Stopwatch()
    with clock.step("read"):
        connection = psycopg2.connect(url)
        cursor = connection.cursor()
        cursor.execute(SELECT.format(name=name, rows=rows, cast=cast))
        found = cursor.fetchall()
    clock.leave(rows=len(found))


def recommended_columns(url: str, name: str, rows: int) -> None:
    """Read, train and evaluate as the recommended preset does.

    Args:
        url: The database's URL.
        name: The table.
        rows: The number of rows.

    Raises:
        TypeError: There are too few rows to train.
    """
    from retraining_job.contract import Tunables  # noqa: PLC0415
    from retraining_job.events.copy_columns import read_table_columns  # noqa: PLC0415
    from retraining_job.presets import recommended  # noqa: PLC0415
    from retraining_job.presets.recommended import SplitEvents  # noqa: PLC0415

    clock, settings = Stopwatch(), Tunables(rows=rows)
    with clock.step("read"):
        columns = read_table_columns(SecretStr(url), name, rows)
    with clock.step("train"):
        prepared = recommended.prepare(columns, settings)
        if not isinstance(prepared, SplitEvents):
            raise TypeError(prepared.message)
        model = recommended.train_model(prepared, settings)
    with clock.step("evaluate"):
        recommended.score_hold_out(model, prepared)
    clock.leave(rows=len(columns.truth))


if __name__ == "__main__":
    side, address, table, count = sys.argv[1:]
    sides: dict[str, Callable[[str, str, int], None]] = {
        "select": plain_select,
        "text": partial(plain_select, cast="::text"),
        "ours": recommended_columns,
    }
    sides[side](address, table, int(count))
