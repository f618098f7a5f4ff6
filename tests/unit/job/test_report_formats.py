"""The headline, numbers, times and colours of the report."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import pytest

from retraining_job.contract import Verdict, VerdictReason, Withheld
from retraining_job.report.formats import (
    format_difference,
    format_number,
    format_percent,
    format_points,
    format_time_range,
)
from retraining_job.report.headline import get_headline
from tests.unit.job.sample_evidence import (
    build_evidence,
)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "The challenger is live."),
        ({"promoted": None}, "The challenger may go live."),
        ({"promoted": False, "withheld": Withheld.DRY_RUN}, "not published: this was a dry run"),
        ({"promoted": False, "withheld": Withheld.AWAITING_APPROVAL}, "waits for approval"),
        ({"verdict": Verdict.KEPT, "promoted": False}, "The champion stays live."),
        (
            {"verdict": Verdict.INCONCLUSIVE, "promoted": True},
            "The challenger is live because of onInconclusive",
        ),
        ({"verdict": Verdict.INCONCLUSIVE, "promoted": False}, "The events do not show"),
        ({"verdict": Verdict.FIRST_MODEL}, "live as the first model"),
        (
            {"verdict": Verdict.UNFIT, "reason": VerdictReason.BELOW_FLOOR, "promoted": False},
            "not fit to be the first",
        ),
        ({"verdict": Verdict.UNREADABLE_CHAMPION, "promoted": False}, "cannot be read"),
        ({"verdict": Verdict.IDENTICAL, "promoted": False}, "identical to the champion"),
        ({"verdict": "", "promoted": None}, "no verdict"),
    ],
)
def test_headline_states_the_verdict_and_whether_the_challenger_is_live(
    changes: dict[str, Any], words: str
) -> None:
    assert words in get_headline(build_evidence(**changes)).words


def test_numbers_and_times_are_formatted() -> None:
    thin = "\N{NARROW NO-BREAK SPACE}"
    assert [
        format_percent(value) for value in (0.123, 0.0042, 0.95, 0.0, 1.0, None, float("nan"))
    ] == [
        *(f"{shown}{thin}%" for shown in ("12.3", "0.42", "95", "0", "100")),
        *("\N{EN DASH}", "\N{EN DASH}"),
    ]
    assert [format_difference(value) for value in (0.0314, -0.0041, None)] == [
        "+0.031",
        "\N{MINUS SIGN}0.004",
        "\N{EN DASH}",
    ]
    assert format_points(-0.012) == f"\N{MINUS SIGN}1.2{thin}pp"
    assert [format_number(value) for value in (0.7, 12_500.4, 1e300, -0.05)] == [
        "0.7",
        "12,500",
        "1e+300",
        "\N{MINUS SIGN}0.05",
    ]
    morning, evening = (
        datetime(2026, 11, 23, 6, 5, tzinfo=UTC),
        datetime(2026, 11, 23, 18, 0, tzinfo=UTC),
    )
    assert format_time_range(morning, evening) == "23 Nov 2026, 06:05 to 18:00 UTC"


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_colours_have_enough_contrast(theme: int) -> None:
    style = files("retraining_job.report").joinpath("style.css").read_text(encoding="utf-8")
    colours = dict(re.findall(r"--([\w-]+): #(\w{6})", style.split(":root {")[theme + 1]))

    def luminance(name: str) -> float:
        parts = [int(colours[name][place : place + 2], 16) / 255 for place in (0, 2, 4)]
        red, green, blue = (
            one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    for name in ("ink", "soft", "champion", "challenger", "good", "plain", "open", "bad"):
        for ground in ("page", "panel"):
            light, dark = sorted((luminance(name), luminance(ground)), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, f"{name} on {ground}"  # WCAG 2.2, 1.4.3
