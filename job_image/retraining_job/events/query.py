"""The query for the newest events of a table or view, which depends on the types of its columns."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg2 import sql

from retraining_job.events.column_types import ColumnType

NEWEST = sql.SQL(
    'SELECT {columns} FROM {table} WHERE "timestamp" >= {first} AND "timestamp" < {end}'
    ' ORDER BY "timestamp" DESC, features_json::text COLLATE "C", {order} LIMIT {rows}'
)
"""Events of the same time are ordered by their whole content, so that the selection of the newest
ones does not depend on how they are stored. With an index on "timestamp", the database sorts only
events of the same time."""

ORDER_COLUMNS = ("amount", "anomaly_score", "is_anomaly", "truth", "amount_vs_user_avg")
"""The columns that order events of the same time and features."""

LEFT_OUT = sql.SQL(
    "SELECT count(*), min(written) FROM ("
    'SELECT "timestamp"::text AS written FROM {table}'
    ' WHERE "timestamp" IS NULL OR "timestamp" < {first} OR "timestamp" >= {end} LIMIT {rows}'
    ") AS left_out"
)

FIRST = sql.SQL("'0001-01-02'::{kind}")
"""Python has no earlier year."""
END = sql.SQL("(now() + interval '1 year')::{kind}")
"""An event with a later time is left out. Python has no year after 9999. In many tables, a time
such as 9999-12-31 means "unknown", and such a row would always be the newest."""


@dataclass(frozen=True)
class EventQuery:
    """Builds the queries for the events of one table or view."""

    table: sql.Composable
    truth: sql.Composable
    """The truth column."""
    types: dict[str, ColumnType]
    """The type of each column. The truth column has the name `truth`."""

    def select_newest(self, columns: sql.Composable, rows: int) -> sql.Composed:
        """Build the query for the newest rows.

        Args:
            columns: The expressions to select.
            rows: Most rows to select.

        Returns:
            The query.
        """
        order = sql.SQL(", ").join(map(self.get_order_expression, ORDER_COLUMNS))
        return NEWEST.format(columns=columns, order=order, **self._get_bounds(rows))

    def count_left_out(self, rows: int) -> sql.Composed:
        """Build the query that counts rows whose time cannot be used, up to a number of rows."""
        return LEFT_OUT.format(**self._get_bounds(rows))

    def get_value_expression(self, name: str) -> sql.Composable:
        """Return the expression for a column's value.

        Money is converted to a number, because its text depends on the server's language.
        """
        column = self._get_column(name)
        return column + sql.SQL("::numeric") if self.types[name].name == "money" else column

    def get_order_expression(self, name: str) -> sql.Composable:
        """Return the expression that orders by a column."""
        column = self._get_column(name)
        if self.types[name].has_stable_order:
            return column
        return column + sql.SQL('::text COLLATE "C"')

    def _get_column(self, name: str) -> sql.Composable:
        return self.truth if name == "truth" else sql.Identifier(name)

    def _get_bounds(self, rows: int) -> dict[str, sql.Composable]:
        kind = sql.SQL(self.types["timestamp"].name)
        return {
            "table": self.table,
            "first": FIRST.format(kind=kind),
            "end": END.format(kind=kind),
            "rows": sql.Literal(rows),
        }
