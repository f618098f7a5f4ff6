"""How times in files of events are read."""

from datetime import UTC, datetime

import pytest

from retraining_job.events.files import parse_time_text


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("20260131", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31T12:00:00+02:00", datetime(2026, 1, 31, 10, tzinfo=UTC)),
        ("1769817600", datetime(2026, 1, 31, tzinfo=UTC)),
        ("1769817600.5", datetime(2026, 1, 31, 0, 0, 0, 500_000, tzinfo=UTC)),
    ],
)
def test_time_in_a_text_is_a_date_or_seconds(text: str, time: datetime) -> None:
    assert parse_time_text(text) == time


def test_eight_digits_that_are_no_date_are_refused() -> None:
    with pytest.raises(ValueError, match="month"):
        parse_time_text("20261331")
