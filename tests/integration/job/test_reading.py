"""Tables of events with unusual values and types, read by both presets."""

import json
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import psycopg2
import pytest
from pydantic import SecretStr

from retraining_job.errors import BadConfigurationError
from retraining_job.events.copy_columns import read_table_columns
from retraining_job.events.event_columns import build_columns
from retraining_job.events.table import read_table_events
from tests.integration.job.test_events import fill, read_events, table, url  # noqa: F401
from tests.integration.job.world import RECOMMENDED, SMALL, World
from tests.system.endpoints import at

PRESETS = pytest.mark.parametrize("preset", [SMALL, RECOMMENDED], ids=["reference", "recommended"])
BAD_TIMES = [
    "to_timestamp(1700000000000)", "'infinity'", "'-infinity'", "'0044-03-15 BC'",
    "'4713-01-01 BC'", "NULL",
    "'294276-12-31 23:59:59.999999Z'", "'9999-12-31'", "now() + interval '400 days'",
    "'10000-01-01'",
]  # fmt: skip


@pytest.fixture
def any_time(world: World) -> World:
    """A world whose events may lack a time."""
    world.sql("ALTER TABLE scored_events ALTER timestamp DROP NOT NULL")
    return world


@PRESETS
@pytest.mark.parametrize("kind", ["timestamptz", "timestamp"])
def test_row_with_an_unusable_time_is_ignored_and_reported(
    any_time: World, preset: dict[str, Any], kind: str
) -> None:
    world = any_time
    world.seed_separable()
    world.sql(f"ALTER TABLE scored_events ALTER timestamp TYPE {kind}")
    for time in BAD_TIMES:
        world.sql(
            "INSERT INTO scored_events"  # noqa: S608
            " (timestamp, amount, features_json, anomaly_label)"
            f" SELECT {time}, amount, features_json, anomaly_label FROM scored_events LIMIT 100"
        )
    run = world.start(**{**preset, "rows": 2_000, "minimum_rows": 500}).wait()
    assert run.result.promoted, run.log
    assert "Left out 1,000 rows of scored_events, because their time cannot be used" in run.log
    assert run.result.window
    assert run.result.n_samples == run.result.window.rows == 2_000
    assert run.result.window.last.year == 2025


@PRESETS
def test_table_with_only_unusable_times_has_too_few_events(
    any_time: World, preset: dict[str, Any]
) -> None:
    world = any_time
    world.sql("UPDATE scored_events SET timestamp = to_timestamp(1700000000000)")
    run = world.start(**preset).wait()
    assert (run.code, run.result.verdict) == (0, "InsufficientData"), run.log


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kathmandu"])
def test_first_and_last_days_that_python_knows_are_read_in_any_time_zone(
    table: World, url: SecretStr, zone: str
) -> None:
    name = table.sql("SELECT current_database()")[0][0]
    table.sql(f"ALTER DATABASE {name} SET timezone = '{zone}'")
    fill(table, [("0001-01-02 00:00Z", 1, 1, '{"a": 1}'), ("1850-01-01Z", 1, 1, '{"a": 1}')])
    assert [event.timestamp.year for event in read_events(url, "scored_events", 10)] == [1850, 1]
    assert len(read_table_columns(url, "scored_events", 10).times) == 2


def test_rows_that_are_left_out_are_counted_for_both_presets(table: World, url: SecretStr) -> None:
    fill(
        table,
        [
            ("infinity", 1, 1, '{"a": 1}'),
            (None, 1, 1, '{"a": 1}'),
            ("2026-01-01Z", 1, 1, '{"a": 1}'),
        ],
    )
    events, left_out = read_table_events(url, "scored_events", 10)
    found = read_table_columns(url, "scored_events", 10)
    assert (len(events), left_out, len(found.times), found.left_out) == (1, 2, 1, 2)


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        ("jsonb", "to_jsonb(features_json::text)"),
        ("json", "to_json(to_jsonb(features_json::text)::text)"),
        ("text", "to_json(to_json(to_json(features_json::text)::text)::text)::text"),
    ],
)
def test_json_in_a_json_string_is_read_like_the_json_itself(
    table: World, url: SecretStr, kind: str, written: str
) -> None:
    fill(
        table,
        [
            (f"2026-01-0{number}Z", 1, 1, json.dumps({"a": number, "b": "x\n"}))
            for number in (1, 2, 3)
        ],
    )
    before = read_table_columns(url, "scored_events", 10)
    table.sql(f"ALTER TABLE scored_events ALTER features_json TYPE {kind} USING {written}")
    after = read_table_columns(url, "scored_events", 10)
    assert (after.checksum, after.decoded, before.decoded) == (before.checksum, 3, 0)
    assert build_columns([read_events(url, "scored_events", 10)], 10).decoded == 3


@PRESETS
def test_numbers_as_text_train_the_same_model(world: World, preset: dict[str, Any]) -> None:
    world.sql("TRUNCATE scored_events")
    world.seed_separable()
    first = world.start("numbers", **preset, dry_run=True).wait()
    world.sql(
        "UPDATE scored_events SET features_json = (SELECT jsonb_object_agg(key, value #>> '{}') "
        "FROM jsonb_each(features_json))"
    )
    second = world.start("texts", **preset, dry_run=True).wait()
    assert first.result.withheld == second.result.withheld == "DryRun", second.log
    assert second.result.metrics == first.result.metrics


SETTINGS = ["extra_float_digits = -15", "datestyle = 'German'", "timezone = 'Asia/Tokyo'",
    "intervalstyle = 'postgres'",
            "bytea_output = 'escape'", "standard_conforming_strings = off",
            "client_encoding = 'LATIN1'",
            "default_transaction_isolation = 'serializable'"]  # fmt: skip


def test_reading_depends_on_no_setting_of_the_database(table: World, url: SecretStr) -> None:
    fill(
        table,
        [
            ("2026-01-01 12:00:00.123457Z", 1 / 3, 1, None),
            ("2026-01-02Z", 2 / 3, 1, '{"amount": 0.1, "é\\\\": 1}'),
        ],
    )
    before = read_table_columns(url, "scored_events", 10), read_events(url, "scored_events", 10)
    name = table.sql("SELECT current_database()")[0][0]
    for setting in SETTINGS:
        table.sql(f"ALTER DATABASE {name} SET {setting}")
    after = read_table_columns(url, "scored_events", 10), read_events(url, "scored_events", 10)
    assert (after[0].checksum, after[1]) == (before[0].checksum, before[1])


@pytest.mark.parametrize(
    ("column", "kind", "expected"),
    [
        ("timestamp", "bigint", "has the type bigint, which cannot hold times"),
        ("timestamp", "text", "has the type text, which cannot hold times"),
        (
            "timestamp",
            "timestamptz[]",
            r"has the type timestamp with time zone\[\], which cannot hold times",
        ),
        ("timestamp", "tstzrange", "has the type tstzrange, which cannot hold times"),
        ("amount", "uuid", "has the type uuid, which cannot hold numbers"),
        ("amount", "numeric[]", r"has the type numeric\[\], which cannot hold numbers"),
        ("anomaly_label", "timestamptz", "cannot hold labels"),
        ("features_json", "bytea", "has the type bytea, which cannot hold JSON"),
        ("features_json", "jsonb[]", r"has the type jsonb\[\], which cannot hold JSON"),
        ("features_json", "xml", "has the type xml, which cannot hold JSON"),
        ("features_json", "hstore", "has the type hstore, which cannot hold JSON"),
    ],
)
def test_message_about_a_column_of_a_wrong_type_has_its_name_and_type(
    table: World,
    url: SecretStr,
    column: str,
    kind: str,
    expected: str,
) -> None:
    table.sql("CREATE EXTENSION IF NOT EXISTS hstore")
    table.sql(f"ALTER TABLE scored_events ALTER {column} TYPE {kind} USING NULL")
    for read in (read_events, read_table_columns):
        with pytest.raises(BadConfigurationError, match=expected):
            read(url, "scored_events", 10)


@pytest.mark.parametrize(
    ("kind", "written", "amount"),
    [
        ("numeric", "12.5", 12.5), ("money", "12.50", 12.5), ("real", "12.5", 12.5),
         ("smallint", "12", 12.0),
        ("boolean", "true", 1.0), ("text", " 12.5 ", 12.5), ("citext", "12.5", 12.5),
         ("amount_of_money", "12.5", 12.5),
        ("json", "12.5", 12.5), ("numeric", "NaN", None), ("double precision", "-Infinity", None),
    ],
)  # fmt: skip
def test_amount_of_any_type_of_number_is_read_the_same_by_both_presets(
    table: World,
    url: SecretStr,
    kind: str,
    written: str,
    amount: object,
) -> None:
    table.sql(
        "CREATE EXTENSION IF NOT EXISTS citext; CREATE DOMAIN amount_of_money AS numeric(8, 2)"
    )
    table.sql(f"ALTER TABLE scored_events ALTER amount TYPE {kind} USING NULL")
    fill(table, [("2026-01-01Z", written, 1, None)])
    found = read_table_columns(url, "scored_events", 10)
    again = build_columns([read_events(url, "scored_events", 10)], 10)
    assert found.checksum == again.checksum
    assert found.unusable.sum() == (2 if amount is None else 1)  # the other column has no value
    if amount is not None:
        assert found.features[0, 0] == amount


@pytest.mark.parametrize(
    "statements",
    [
        ["ALTER TABLE scored_events ALTER anomaly_score TYPE point USING NULL, ALTER is_anomaly"
            " TYPE xml USING NULL"],
        ["ALTER TABLE scored_events ALTER anomaly_score TYPE json USING NULL, ALTER is_anomaly"
            " TYPE int[] USING NULL"],
        ["CREATE TYPE pair AS (a int, b text)",
         "ALTER TABLE scored_events ALTER is_anomaly TYPE pair USING NULL"],
        ["ALTER TABLE scored_events ALTER anomaly_label TYPE bit(1) USING anomaly_label::bit(1)"],
        ["ALTER TABLE scored_events RENAME TO parts", "CREATE TABLE scored_events (LIKE parts)"
         " PARTITION BY RANGE (timestamp)", "CREATE TABLE one PARTITION OF scored_events DEFAULT",
         "INSERT INTO scored_events SELECT * FROM parts"],
        ["ALTER TABLE scored_events RENAME TO parts",
         "CREATE MATERIALIZED VIEW scored_events AS SELECT * FROM parts"],
        ["ALTER TABLE scored_events ALTER timestamp TYPE date"],
        ["ALTER TABLE scored_events DROP amount",
         "ALTER TABLE scored_events ADD amount numeric GENERATED ALWAYS AS (1.5) STORED"],
    ],
    ids=["point and xml", "json and array", "composite", "bit", "partitioned", "materialized",
    "date", "generated"],
)  # fmt: skip
def test_table_of_other_types_and_kinds_is_read(
    table: World, url: SecretStr, statements: Sequence[str]
) -> None:
    fill(
        table,
        [(f"2026-01-0{number}Z", 1, number % 2, json.dumps({"a": number})) for number in (1, 2, 3)],
    )
    for statement in statements:
        table.sql(statement)
    assert read_table_columns(url, "scored_events", 10).truth.tolist() == [1, 0, 1]
    assert len(read_events(url, "scored_events", 2)) == 2


def test_materialized_view_that_was_never_filled_is_a_wrong_setting(
    table: World, url: SecretStr
) -> None:
    table.sql("CREATE MATERIALIZED VIEW empty AS SELECT * FROM scored_events WITH NO DATA")
    with pytest.raises(BadConfigurationError, match=r"not ready for use.*SQLSTATE 55000"):
        read_table_columns(url, "empty", 10)


def test_bytes_that_are_not_text_affect_only_their_own_row(
    table: World, database_server_url: str
) -> None:
    name = f"{table.sql('SELECT current_database()')[0][0]}_ascii"
    with (
        closing(psycopg2.connect(database_server_url)) as connection,
        connection.cursor() as cursor,
    ):
        connection.autocommit = True
        cursor.execute(f"CREATE DATABASE {name} ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
        try:
            address = at(database_server_url, path=name)
            with closing(psycopg2.connect(address)) as there, there, there.cursor() as at_work:
                at_work.execute(
                    'CREATE TABLE scored_events ("timestamp" timestamptz, amount float8,'
                    " anomaly_score text, is_anomaly"
                    " text, anomaly_label text, amount_vs_user_avg float8, features_json text)"
                )
                at_work.execute("SET client_encoding = 'SQL_ASCII'")
                at_work.execute(
                    "INSERT INTO scored_events (timestamp, anomaly_label, features_json) VALUES"
                    " ('2026-01-01Z',"
                    """ '1', '{"a": 1}'), ('2026-01-02Z', E'\\xfc', E'{"a": 2, "\\xfc": 3}')"""
                )
            found = read_table_columns(SecretStr(address), "scored_events", 10)
            assert (found.features[:, 0].tolist(), found.truth.tolist()) == ([1, 2], [1, -1])
            assert len(read_events(SecretStr(address), "scored_events", 10)) == 2
        finally:
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
