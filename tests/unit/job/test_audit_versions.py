"""The highest version that the audit trail may name leaves room for later versions."""

import pytest

from retraining_job.audit.tables import Column
from retraining_job.audit.versions import get_version_limit
from retraining_job.contract import HIGHEST_VERSION


@pytest.mark.parametrize(
    ("column", "largest"),
    [
        (Column("int2", "smallint", None), 2**15 - 1),
        (Column("int4", "integer", None), 2**31 - 1),
        (Column("int8", "bigint", None), HIGHEST_VERSION),
        (Column("numeric", "numeric", None), HIGHEST_VERSION),
        (Column("text", "text", None), HIGHEST_VERSION),
        (Column("varchar", "character varying(64)", 64), HIGHEST_VERSION),
        (Column("varchar", "character varying(4)", 4), 9_999),
    ],
    ids=lambda value: value.title if isinstance(value, Column) else "",
)
def test_version_after_the_limit_fits_into_the_column(column: Column, largest: int) -> None:
    limit = get_version_limit(column)
    assert limit < largest
    assert largest - limit == largest // 1_000


@pytest.mark.parametrize("version", [20240115, 1_700_000_000, 2_024_011_512])
def test_versions_that_are_dates_or_seconds_count(version: int) -> None:
    assert version <= get_version_limit(Column("int4", "integer", None))


def test_forged_version_does_not_count() -> None:
    for kind in ("int4", "int8"):
        assert get_version_limit(Column(kind, kind, None)) < 999_999_999_999_999_999
