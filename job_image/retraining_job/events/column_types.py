"""Types of the columns of the events' table, and which types each column can have."""

from __future__ import annotations

from dataclasses import dataclass

from retraining_job.contract import Tunables, environment_name, value_name
from retraining_job.errors import BadConfigurationError

TABLE_SETTING = f"{value_name('events_table')} ({environment_name('events_table')})"
TRUTH_COLUMN: str = Tunables.model_fields["truth_column"].default
TRUTH_SETTING = f"{value_name('truth_column')} ({environment_name('truth_column')})"

TIME_TYPES = {"timestamptz", "timestamp", "date"}
NUMBER_TYPES = {"int2", "int4", "int8", "float4", "float8", "numeric", "money", "bool"}
JSON_TYPES = {"json", "jsonb"}
BIT_TYPES = {"bit", "varbit"}
ORDERED_CATEGORIES = "NBDT"
"""Types whose order depends on no setting: numbers, booleans, times and intervals."""


@dataclass(frozen=True)
class ColumnType:
    """The type of a column. For a domain, the type that it is based on."""

    name: str
    category: str
    """PostgreSQL's `typcategory`, one letter; see the documentation of `pg_type`."""
    title: str
    """The name that people write, as `format_type` returns it."""

    @property
    def is_text(self) -> bool:
        """Whether its values are texts."""
        return self.category in "SE"

    @property
    def can_hold_numbers(self) -> bool:
        """Whether its values can be numbers, or texts that contain numbers."""
        return self.name in NUMBER_TYPES | JSON_TYPES or self.is_text

    @property
    def can_hold_truth(self) -> bool:
        """Whether its values can be labels."""
        return self.can_hold_numbers or self.name in BIT_TYPES

    @property
    def has_stable_order(self) -> bool:
        """Whether the order of its values depends on no setting."""
        return self.category in ORDERED_CATEGORIES and not self.name.startswith("reg")


def check_column_types(types: dict[str, ColumnType], table: str, truth_column: str) -> None:
    """Check that each column has a type that can hold its values.

    Args:
        types: The type of each column. The truth column has the name `truth`.
        table: Name of the table or view.
        truth_column: Name of its truth column.

    Raises:
        BadConfigurationError: A column has a type that cannot hold its values.
    """
    where = f'of "{table}" ({TABLE_SETTING})'
    time = types["timestamp"]
    if time.name not in TIME_TYPES:
        raise BadConfigurationError(
            f'The column "timestamp" {where} has the type {time.title}, which cannot hold times. '
            "Change it to timestamp with time zone, timestamp or date, or name a view that "
            "converts it, for example with to_timestamp."
        )
    for name in ("amount", "amount_vs_user_avg"):
        if not types[name].can_hold_numbers:
            raise BadConfigurationError(
                f'The column "{name}" {where} has the type {types[name].title}, which cannot hold '
                "numbers. Change its type, or name a view that converts it."
            )
    if not types["truth"].can_hold_truth:
        raise BadConfigurationError(
            f'The column "{truth_column}" {where} has the type {types["truth"].title}, which '
            "cannot hold labels. Name a column of numbers, booleans or texts in "
            f"{TRUTH_SETTING}."
        )
    features = types["features_json"]
    if features.name not in JSON_TYPES and features.category != "S":
        raise BadConfigurationError(
            f'The column "features_json" {where} has the type {features.title}, which cannot hold '
            "JSON. Change it to jsonb, json or text, or name a view that converts it, for example "
            "with to_jsonb."
        )
