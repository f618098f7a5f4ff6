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
from hypothesis import strategies as st
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812
from psycopg2.extras import execute_values
from pydantic import SecretStr

from retraining_job.contract import ExitCode, Preset
from retraining_job.errors import BadConfigurationError, BadDataError
from retraining_job.events import table as events_table
from retraining_job.events.source import TableSource
from retraining_job.infra import postgres
from retraining_job.presets.selection import load_events
from retraining_job.runs.execution import log_failure
from retraining_job.runs.offline import Files, train_and_evaluate
from retraining_job.settings import TrainSettings

EXAMPLES = 2_000
ROWS = 24
FULLY = 20
"""Every so many examples, the run also trains and evaluates."""

DEFAULTS = {
    "timestamp": "timestamptz", "amount": "float8", "anomaly_score": "float8", "is_anomaly": "boolean",
    "anomaly_label": "integer", "amount_vs_user_avg": "float8", "features_json": "jsonb",
}  # fmt: skip
MUST_FIT = ("timestamp", "amount", "anomaly_label", "amount_vs_user_avg", "features_json")

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
WORDS = st.sampled_from(
    [
        "1",
        "0",
        "yes",
        "fraud",
        " 1.5 ",
        "1e999",
        "nan",
        "-inf",
        "1_000",
        "0x10",
        "1,5",
        "",
        "null",
        "t",
    ]
)
NUMBERS = st.one_of(
    st.sampled_from(
        ["NaN", "Infinity", "-Infinity", "0", "-0", "1e308", "-1e-308", "1e1000", "9" * 400]
    ),
    st.decimals(
        allow_nan=False, allow_infinity=False, places=3, max_value=10**9, min_value=-(10**9)
    ).map(str),
)
INTEGERS = st.integers(-(2**63), 2**63 - 1).map(str)
TIMES = st.one_of(
    st.sampled_from(["infinity", "-infinity", "epoch", "4713-01-01 BC", "0001-01-01", "0001-01-01 00:00 BC", "now",
                     "9999-12-31 23:59:59.999999", "10000-01-01", "294276-12-31 23:59:59.999999", "5874897-12-31"]),
    st.builds(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:06}{}".format, st.integers(1, 300_000), st.integers(1, 12),
        st.integers(1, 28), st.integers(0, 24), st.integers(0, 59), st.integers(0, 60), st.integers(0, 999_999),
        st.sampled_from(["", " BC", "+15:59", "-12", " Europe/Berlin"]),
    ),
)  # fmt: skip
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
    | WORDS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["amount", "hour", "risk", "x"]) | TEXTS, inner, max_size=4
        )
        | inner.map(json.dumps)
    ),
    max_leaves=6,
)
JSON_TEXTS = st.one_of(
    JSON.map(json.dumps),
    st.sampled_from(['{"a": 1, "a": "2"}', '{"a\\u0000b": 1}', '{"\\ud800": 1}', '"\\ud800"', "[" * 60 + "]" * 60,
                     '{"amount": 1e400}', '{"amount": ' + "9" * 5_000 + "}", '{"amount": -0}', '{"": 1}',
                     '"{\\"amount\\": \\"7\\"}"', '{"amount": {"amount": 1}}']),
)  # fmt: skip


def texts_of(*strategies: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(*strategies)


KINDS = {
    "smallint": INTEGERS, "integer": INTEGERS, "bigint": INTEGERS, "numeric": NUMBERS, "numeric(6,2)": NUMBERS,
    "real": NUMBERS, "float8": NUMBERS, "money": NUMBERS, "boolean": st.sampled_from(["t", "f"]),
    "text": texts_of(TEXTS, WORDS, JSON_TEXTS), "varchar(20)": texts_of(TEXTS, WORDS),
    "char(8)": texts_of(TEXTS, WORDS),
    "name": texts_of(TEXTS, WORDS), '"char"': WORDS, "citext": texts_of(TEXTS, WORDS, JSON_TEXTS),
    "bytea": st.binary(max_size=8).map(lambda value: f"\\x{value.hex()}"), "uuid": st.uuids().map(str),
    "timestamptz": TIMES, "timestamp": TIMES, "timestamptz(0)": TIMES, "date": TIMES, "time": TIMES, "timetz": TIMES,
    "interval": st.sampled_from(["1 day", "-178000000 years", "1.5 s", "0"]), "json": JSON_TEXTS, "jsonb": JSON_TEXTS,
    "xml": st.sampled_from(["<a/>", "text", "<a>1</a>"]), "jsonpath": st.sampled_from(["$.a", "$[*]"]),
    "integer[]": st.sampled_from(["{}", "{1,NULL,3}", "{{1},{2}}"]), "text[]": st.sampled_from(['{"a,b",NULL}', "{}"]),
    "jsonb[]": st.sampled_from(["{}", '{"{}"}']), "timestamptz[]": st.sampled_from(["{infinity}"]),
    "int4range": st.sampled_from(["empty", "[1,5)", "(,)"]), "tstzrange": st.sampled_from(["[,)", "empty"]),
    "nummultirange": st.sampled_from(["{}", "{[1,2)}"]), "point": st.sampled_from(["(1,2)", "(NaN,Infinity)"]),
    "box": st.just("(1,1),(0,0)"), "circle": st.just("<(0,0),1>"), "line": st.just("{1,-1,0}"),
    "lseg": st.just("[(0,0),(1,1)]"), "path": st.just("[(0,0),(1,1)]"), "polygon": st.just("((0,0),(1,1))"),
    "inet": st.just("::1/64"), "cidr": st.just("10.0.0.0/8"), "macaddr": st.just("08:00:2b:01:02:03"),
    "bit(3)": st.sampled_from(["000", "101"]), "varbit": st.sampled_from(["", "1", "10"]),
    "tsvector": st.just("a fat cat"), "tsquery": st.just("fat & rat"), "oid": st.sampled_from(["0", "4294967295"]),
    "regclass": st.just("pg_class"), "pg_lsn": st.just("16/B374D848"), "pg_snapshot": st.just("10:20:10,14"),
    "mood": st.sampled_from(["1", "fraud", "legit"]), "pair": st.sampled_from(["(1,)", '(,"a")']),
    "short": st.sampled_from(["1", "yes"]), "positive": st.sampled_from(["1", "2.5"]), "documents": JSON_TEXTS,
    "hstore": st.just("a=>1"),
}  # fmt: skip
TYPES = """
    CREATE TYPE mood AS ENUM ('1', 'fraud', 'legit');
    CREATE TYPE pair AS (a int, b text);
    CREATE DOMAIN short AS varchar(5);
    CREATE DOMAIN positive AS numeric CHECK (VALUE > 0);
    CREATE DOMAIN documents AS jsonb;
    CREATE EXTENSION hstore;
    CREATE EXTENSION citext;
"""


@st.composite
def tables(draw: st.DrawFn) -> tuple[dict[str, str], list[tuple[str, str | None]]]:
    """Draw the types of the columns, most of them the default ones, and unusual values."""
    changed = draw(st.lists(st.sampled_from(list(DEFAULTS)), min_size=1, max_size=2, unique=True))
    kinds = {
        name: draw(st.sampled_from(list(KINDS))) if draw(st.booleans()) else DEFAULTS[name]
        for name in changed
    }
    odd = [
        (name, draw(st.none() | KINDS[kind]))
        for name, kind in kinds.items()
        for _ in range(draw(st.integers(1, 4)))
    ]
    return {**DEFAULTS, **kinds}, odd


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with closing(psycopg2.connect(database_url)) as connection, connection.cursor() as cursor:
        cursor.execute(TYPES)
        cursor.execute(
            "SET client_encoding = 'UTF8'; SET TIME ZONE 'America/New_York'; SET extra_float_digits = -5"
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
    execute_values(cursor, f"INSERT INTO scored_events ({names}) VALUES %s", rows)  # noqa: S608  # a test's own words
    for name, value in odd:
        try:
            cursor.execute(
                "SAVEPOINT odd; INSERT INTO scored_events SELECT * FROM scored_events LIMIT 1;"  # noqa: S608
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
            "DATABASE_URL": SecretStr("postgresql://u@h/d"), "REDIS_URL": SecretStr("redis://h"), "run_id": "r",
            "preset": preset, "rows": 20, "minimum_rows": 8, "hold_out_rows": 6, "forest_trees": 2, "forest_height": 3,
            "forest_window": 5, "hold_out_anomalies": 2,
        }
    )  # fmt: skip
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


def test_whatever_a_table_holds_a_run_ends_with_a_verdict_or_a_sentence(
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL)
    codes: list[SimpleNamespace] = []

    @contextmanager
    def same_connection(_url: object) -> Iterator[Connection]:
        try:
            yield connection
        except psycopg2.Error as error:
            raise postgres.convert_error(error) from None

    monkeypatch.setattr(events_table, "database", same_connection)

    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )  # fmt: skip
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
