"""The query for the newest events, made to fit the types that a table or view has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg2
from psycopg2 import sql

from retraining_job.contract import Tunables, environment_name, value_name
from retraining_job.errors import BadConfigurationError

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor  # noqa: N812

TABLE_SETTING = f"{value_name('events_table')} ({environment_name('events_table')})"
TRUTH_COLUMN: str = Tunables.model_fields["truth_column"].default
TRUTH_SETTING = f"{value_name('truth_column')} ({environment_name('truth_column')})"

LOOK = sql.SQL(
    'SELECT "timestamp", amount, anomaly_score, is_anomaly, {truth}, amount_vs_user_avg, features_json'
    " FROM {table} LIMIT 0"
)
EVENT_COLUMNS = (
    "timestamp",
    "amount",
    "anomaly_score",
    "is_anomaly",
    "amount_vs_user_avg",
    "features_json",
)
COLUMNS = """
    SELECT attname::text FROM pg_catalog.pg_attribute
    WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped
"""
TYPES = """
    SELECT oid, typname, typcategory, pg_catalog.format_type(oid, NULL) FROM pg_catalog.pg_type WHERE oid = ANY(%s)
"""
NEWEST = sql.SQL(
    'SELECT {columns} FROM {table} WHERE "timestamp" >= {first} AND "timestamp" < {end}'
    ' ORDER BY "timestamp" DESC, features_json::text COLLATE "C", {order} LIMIT {rows}'
)
"""Events of the same time are ordered by all that is in them, so that it does not depend on how they are stored which
of them are among the newest. With an index on "timestamp" the database sorts no more than these."""

LEFT_OUT = sql.SQL(
    "SELECT count(*), min(written) FROM ("
    'SELECT "timestamp"::text AS written FROM {table}'
    ' WHERE "timestamp" IS NULL OR "timestamp" < {first} OR "timestamp" >= {end} LIMIT {rows}) AS left_out'
)

FIRST = sql.SQL("'0001-01-02'::{kind}")
"""Python knows no earlier year."""
END = sql.SQL("(now() + interval '1 year')::{kind}")
"""No event was scored after this. Python knows no year after 9999, and a time such as 9999-12-31, which stands for an
unknown one in many tables, would make the row the newest for good."""

TIMES = {"timestamptz", "timestamp", "date"}
NUMBERS = {"int2", "int4", "int8", "float4", "float8", "numeric", "money", "bool"}
JSONS = {"json", "jsonb"}
ORDERED = "NBDT"
"""Categories of types with an order of their own that depends on no setting: numbers, booleans, times and spans."""


@dataclass(frozen=True)
class ColumnKind:
    """The type of a column; of a domain, the type beneath."""

    name: str
    category: str
    """PostgreSQL's, see the documentation of `pg_type`."""
    title: str
    """As people write it."""

    @property
    def is_text(self) -> bool:
        """Whether its values are texts."""
        return self.category in "SE"

    @property
    def holds_numbers(self) -> bool:
        """Whether its values can be numbers, or texts that hold some."""
        return self.name in NUMBERS | JSONS or self.is_text

    @property
    def holds_truth(self) -> bool:
        """Whether its values can say what an event was."""
        return self.holds_numbers or self.name in {"bit", "varbit"}


@dataclass(frozen=True)
class EventQuery:
    """What to ask a table for."""

    table: sql.Composable
    truth: sql.Composable
    kinds: dict[str, ColumnKind]
    """The type of each column, the truth's under its own name here: `truth`."""

    def newest(self, columns: sql.Composable, rows: int) -> sql.Composed:
        """Return the query for the newest rows."""
        order = [
            self.ordered(name)
            for name in ("amount", "anomaly_score", "is_anomaly", "truth", "amount_vs_user_avg")
        ]
        return NEWEST.format(columns=columns, order=sql.SQL(", ").join(order), **self._bounds(rows))

    def left_out(self, rows: int) -> sql.Composed:
        """Return the query that counts the rows whose time cannot be used, up to a limit."""
        return LEFT_OUT.format(**self._bounds(rows))

    def value(self, name: str) -> sql.Composable:
        """Return the expression for a column; money is written in the server's language, so it becomes a number."""
        column = self._column(name)
        return column + sql.SQL("::numeric") if self.kinds[name].name == "money" else column

    def ordered(self, name: str) -> sql.Composable:
        """Return the expression to order by."""
        column, kind = self._column(name), self.kinds[name]
        if kind.category in ORDERED and not kind.name.startswith("reg"):
            return column
        return column + sql.SQL('::text COLLATE "C"')

    def _column(self, name: str) -> sql.Composable:
        return self.truth if name == "truth" else sql.Identifier(name)

    def _bounds(self, rows: int) -> dict[str, sql.Composable]:
        kind = sql.SQL(self.kinds["timestamp"].name)
        return {
            "table": self.table,
            "first": FIRST.format(kind=kind),
            "end": END.format(kind=kind),
            "rows": sql.Literal(rows),
        }


def event_query(cursor: Cursor, table: str, truth_column: str) -> EventQuery:
    """Look at a table or view, and build the query for what it has.

    Raises:
        BadConfigurationError: There is no such table or column, it may not be read, or a column has a
            type that cannot hold what it should.
    """
    source, truth = sql.Identifier(*table.split(".")), sql.Identifier(truth_column)
    look(cursor, LOOK.format(table=source, truth=truth), table, truth_column)
    codes = [column.type_code for column in cursor.description or ()]
    cursor.execute(TYPES, [codes])
    found = {
        oid: ColumnKind(name, category, title) for oid, name, category, title in cursor.fetchall()
    }
    names = (
        "timestamp",
        "amount",
        "anomaly_score",
        "is_anomaly",
        "truth",
        "amount_vs_user_avg",
        "features_json",
    )
    kinds = {name: found[code] for name, code in zip(names, codes, strict=True)}
    check(kinds, table, truth_column)
    return EventQuery(source, truth, kinds)


def check(kinds: dict[str, ColumnKind], table: str, truth_column: str) -> None:
    """Raise BadConfiguration for a column of a type that cannot hold what it should."""
    where = f'of "{table}", which {TABLE_SETTING} names,'
    time = kinds["timestamp"]
    if time.name not in TIMES:
        raise BadConfigurationError(
            f'The column "timestamp" {where} is of type {time.title} and holds no times: it must be of type timestamp '
            "with time zone, timestamp or date. Name a view that converts it, by to_timestamp for example."
        )
    for name in ("amount", "amount_vs_user_avg"):
        if not kinds[name].holds_numbers:
            raise BadConfigurationError(
                f'The column "{name}" {where} is of type {kinds[name].title} and holds no numbers.'
            )
    if not kinds["truth"].holds_truth:
        raise BadConfigurationError(
            f'The column "{truth_column}" {where} is of type {kinds["truth"].title} and cannot say what an event was: '
            f"it must hold numbers, booleans or texts. {TRUTH_SETTING} names the column."
        )
    features = kinds["features_json"]
    if features.name not in JSONS and features.category != "S":
        raise BadConfigurationError(
            f'The column "features_json" {where} is of type {features.title} and holds no JSON: it must be of type '
            "jsonb, json or text. Name a view that converts it, by to_jsonb for example."
        )


def look(cursor: Cursor, query: sql.Composable, table: str, truth_column: str) -> None:
    """Ask for the columns without any row."""
    try:
        cursor.execute("SAVEPOINT look")
        cursor.execute(query)
    except (psycopg2.errors.UndefinedTable, psycopg2.errors.InvalidSchemaName):
        raise BadConfigurationError(
            f'There is no table or view "{table}" in the database, which {TABLE_SETTING} names: '
            "name the one that holds the scored events."
        ) from None
    except psycopg2.errors.UndefinedColumn:
        cursor.execute("ROLLBACK TO SAVEPOINT look")
        cursor.execute(COLUMNS, [sql.Identifier(*table.split(".")).as_string(cursor)])
        there = {name for [name] in cursor.fetchall()}
        missing = [
            name for name in dict.fromkeys((*EVENT_COLUMNS, truth_column)) if name not in there
        ]
        raise lacking(table, missing, truth_column) from None
    except psycopg2.errors.InsufficientPrivilege:
        raise BadConfigurationError(
            f'The database\'s user may not read "{table}", which {TABLE_SETTING} names: grant it SELECT.'
        ) from None


def lacking(table: str, missing: list[str], truth_column: str) -> BadConfigurationError:
    """Build the failure for columns that are not there."""
    which = ", ".join(f'"{name}"' for name in missing)
    does = "does" if len(missing) == 1 else "do"
    columns = "a column" if len(missing) == 1 else "columns"
    problem = f'The table or view "{table}", which {TABLE_SETTING} names, lacks {columns}: {which} {does} not exist.'
    if truth_column in missing:
        problem += (
            f" {TRUTH_SETTING} names the one that holds what an event was: name one that is there."
        )
    return BadConfigurationError(problem)
