"""Reading events from a real PostgreSQL."""

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from pydantic import SecretStr

from retraining_job.errors import BadConfigurationError, BadDataError, DependencyUnavailableError
from retraining_job.events.copy_columns import read_table_columns
from retraining_job.events.event_columns import build_columns
from retraining_job.events.scored_event import ScoredEvent
from retraining_job.events.table import read_table_events
from tests.integration.job.proxy import Chunk, ThroughProxy
from tests.integration.job.world import World

TIED = 300


def read_events(*arguments: Any) -> list[ScoredEvent]:
    events, _ = read_table_events(*arguments)
    return events


READERS = [read_events, read_table_columns]


@pytest.fixture
def table(bare_world: World) -> World:
    """An empty table of events."""
    bare_world.sql(
        'CREATE TABLE scored_events ("timestamp" timestamptz, amount float8, anomaly_score'
        " float8, is_anomaly boolean,"
        " anomaly_label integer, amount_vs_user_avg float8, features_json jsonb)"
    )
    return bare_world


@pytest.fixture
def url(table: World) -> SecretStr:
    return SecretStr(table.database_url)


def fill(world: World, rows: Sequence[tuple[object, ...]]) -> None:
    with world.cursor() as cursor:
        cursor.executemany(
            'INSERT INTO scored_events ("timestamp", amount, anomaly_label, features_json)'
            " VALUES (%s, %s, %s, %s)",
            rows,
        )


def test_ties_at_the_limit_give_the_same_rows_in_any_physical_order(
    table: World, url: SecretStr
) -> None:
    rows = [
        ("2026-01-01Z", number % 5, number % 2, json.dumps({"a": number % 50}))
        for number in range(TIED)
    ]
    rows += [("2026-01-02Z", 1, 1, '{"a": 1}'), ("2025-01-01Z", 1, 1, '{"a": 1}')]
    found = []
    for seed in range(3):
        random.Random(seed).shuffle(rows)  # noqa: S311  # made-up data
        table.sql("TRUNCATE scored_events")
        fill(table, rows)
        if seed == 2:
            table.sql('CREATE INDEX ON scored_events ("timestamp" DESC)')
        found.append(
            (
                read_events(url, "scored_events", 100),
                read_table_columns(url, "scored_events", 100).checksum,
            )
        )
    assert found[0] == found[1] == found[2]
    assert len(found[0][0]) == 100
    assert found[0][0][0].timestamp.day == 2


def test_both_readers_give_the_same_columns(table: World, url: SecretStr) -> None:
    values = [
        '{"a": 1, "b\\t\\\\": "x\\ny"}',
        '{"a": -0.0, "é": 1e400}',
        "{}",
        "[1]",
        None,
        '{"a": null}',
        '"\\\\N"',
    ]
    rows = [
        (f"2026-01-01 00:00:{number:02}.000001Z", number, number % 3 or None, text)
        for number, text in enumerate(values)
    ]
    fill(table, rows)
    by_copy = read_table_columns(url, "scored_events", 100)
    by_query = build_columns([read_events(url, "scored_events", 100)], 100)
    assert by_copy.checksum == by_query.checksum
    assert by_copy.names == ("a", "b\t\\", "é")
    assert by_copy.truth.tolist() == [-1, 1, 1, -1, 1, 1, -1]
    assert str(by_copy.times[0]) == "2026-01-01T00:00:00.000001"
    assert by_copy.neutral == 4


@pytest.mark.parametrize("kind", ["json", "text"])
def test_features_may_be_in_a_text_column(table: World, url: SecretStr, kind: str) -> None:
    table.sql(
        f"ALTER TABLE scored_events ALTER features_json TYPE {kind} USING"
        f" features_json::text::{kind}"
    )
    fill(
        table,
        [
            ("2026-01-01Z", 1, 1, '{"a":\n\t1}'),
            ("2026-01-02Z", 1, 1, '{"a":\r2, "back\\\\slash": 3}'),
        ],
    )
    found = read_table_columns(url, "scored_events", 10)
    assert found.names == ("a", "back\\slash")
    np.testing.assert_array_equal(found.features, [[1, np.nan], [2, 3]])


def test_event_without_stored_features_gets_them_from_its_columns(
    table: World, url: SecretStr
) -> None:
    fill(table, [("2026-01-01Z", 12.5, 1, None), ("2026-01-02Z", 1, 1, '{"amount": 2}')])
    found = read_table_columns(url, "scored_events", 10)
    assert (found.features.tolist(), found.neutral) == ([[12.5], [2]], 1)


def test_event_without_a_finite_time_is_ignored(table: World, url: SecretStr) -> None:
    fill(
        table, [(time, 1, 1, '{"a": 1}') for time in (None, "infinity", "-infinity", "2026-01-01Z")]
    )
    assert (
        len(read_events(url, "scored_events", 10))
        == len(read_table_columns(url, "scored_events", 10).times)
        == 1
    )


@pytest.mark.parametrize("kind", ["integer", "boolean", "text", "numeric"])
def test_truth_comes_from_the_column_that_is_named(table: World, url: SecretStr, kind: str) -> None:
    table.sql(f"ALTER TABLE scored_events ADD chargeback {kind}")
    fill(table, [(f"2026-01-0{number}Z", 1, 0, '{"a": 1}') for number in (1, 2, 3)])
    for number, value in ((1, "1"), (2, "0")):
        table.sql(
            "UPDATE scored_events SET chargeback = %s WHERE extract(day FROM timestamp) = %s",
            value,
            number,
        )
    assert read_table_columns(url, "scored_events", 10, "chargeback").truth.tolist() == [1, 0, -1]
    by_query = build_columns([read_events(url, "scored_events", 10, "chargeback")], 10)
    assert by_query.truth.tolist() == [1, 0, -1]


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize("read", READERS)
def test_message_about_a_missing_truth_column_names_the_setting(
    url: SecretStr, read: Callable[..., Any]
) -> None:
    with pytest.raises(
        BadConfigurationError, match=r'"chargeback" does not exist.*trainer\.truthColumn'
    ):
        read(url, "scored_events", 10, "chargeback")


@pytest.mark.parametrize("read", READERS)
def test_column_without_times_is_refused_before_any_row_is_read(
    table: World, url: SecretStr, read: Callable[..., Any]
) -> None:
    table.sql("ALTER TABLE scored_events ALTER timestamp TYPE interval USING NULL")
    with pytest.raises(BadConfigurationError, match="cannot hold times"):
        read(url, "scored_events", 10)


@pytest.mark.parametrize("read", READERS)
def test_database_that_stops_during_reading_is_retried(
    table: World, url: SecretStr, read: Callable[..., Any]
) -> None:
    victim = (
        "SELECT pg_terminate_backend(pg_backend_pid()) FROM generate_series(1, 10) AS n WHERE n = 9"
    )
    table.sql(
        "CREATE FUNCTION fall() RETURNS integer LANGUAGE plpgsql AS "
        f"$$ BEGIN PERFORM 1 FROM ({victim}) AS gone; PERFORM pg_sleep(5); RETURN 1; END $$"
    )
    fill(table, [(f"2026-01-0{number}Z", 1, 0, '{"a": 1}') for number in (1, 2, 3)])
    table.sql("CREATE VIEW falling AS SELECT timestamp, amount, anomaly_score, is_anomaly,"
        " fall() AS anomaly_label,"
              " amount_vs_user_avg, features_json FROM scored_events")  # fmt: skip
    with pytest.raises(DependencyUnavailableError):
        read(url, "falling", 10)


def test_connection_that_is_cut_during_reading_is_retried(
    world: World, through_proxy: ThroughProxy
) -> None:
    world.seed(5_000, features=lambda number: {f"feature-{name}": number for name in range(10)})
    passed = 0

    def cut(chunk: Chunk) -> None:
        nonlocal passed
        passed += 0 if chunk.to_server else len(chunk.data)
        if passed > 300_000:
            raise ConnectionAbortedError

    with through_proxy(cut) as environment, pytest.raises(DependencyUnavailableError):
        read_table_columns(SecretStr(environment["DATABASE_URL"]), "scored_events", 5_000)


def test_too_many_feature_names_are_bad_data(table: World, url: SecretStr) -> None:
    table.sql(
        "INSERT INTO scored_events (timestamp, features_json)"
        " SELECT now(), jsonb_build_object('user-' || n, 1) FROM generate_series(1, 1001) AS n"
    )
    with pytest.raises(BadDataError, match="more than 1,000 different features"):
        read_table_columns(url, "scored_events", 2_000)
