"""The operator's figures and their goals, as a part of the page of benchmarks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from tests.bench.operator.burst import FEW, MANY, Few, Many
from tests.bench.operator.history import FINISHED, Rest, Resumption
from tests.bench.operator.latency import SAMPLES, Latency, percentile
from tests.bench.operator.promotion import PromotionTimes
from tests.bench.operator.recovery import BURST, Recovery
from tests.bench.page import markdown

HEAD = ("what", "measured", "against", "ratio", "goal", "")


@dataclass(frozen=True)
class Figures:
    """Everything that was measured in one run."""

    latency: Latency
    few: Few
    many: Many
    promotions: list[PromotionTimes]
    fresh: Rest
    full: Rest
    resumption: Resumption
    recovery: Recovery


def report(figures: Figures, where: str, seconds: float) -> str:
    """Write the part of the page.

    Args:
        figures: The measured figures.
        where: The machine and versions.
        seconds: The duration of the run.

    Returns:
        Markdown.
    """
    rows = [HEAD, *latency(figures.latency), *bursts(figures.few, figures.many)]
    rows += [promotion_row(promotion) for promotion in figures.promotions]
    rows += rest("at rest", figures.fresh)
    rows += rest(f"at rest with {FINISHED:,} finished requests", figures.full)
    resumed = figures.resumption
    rows.append(
        limit(f"start to ready with {FINISHED:,} finished requests", resumed.ready, 30, "s")
    )
    rows.append(limit("the same, to the Job of a record that waited", resumed.first_job, 30, "s"))
    rows += recoveries(figures.recovery)
    return (
        f"{where} The run took {seconds:.0f} s; each latency is of {SAMPLES} records."
        f"\n\n{markdown(rows)}"
    )


def latency(found: Latency) -> list[tuple[str, ...]]:
    """Compare produce to Job with the floor."""
    rows = []
    for percent, goal in ((50, 2.0), (99, 5.0)):
        floor, jobs = percentile(found.floor, percent), percentile(found.jobs, percent)
        rows.append(
            at_most(
                f"record produced → Job created, p{percent}",
                f"{jobs:.1f} ms",
                f"{floor:.1f} ms",
                jobs / floor,
                goal,
            )
        )
    for percent in (50, 99):
        name = f"of that, → RetrainRequest created, p{percent}"
        rows.append((name, f"{percentile(found.requests, percent):.1f} ms", "", "", "", ""))
    return rows


def bursts(few: Few, many: Many) -> list[tuple[str, ...]]:
    """Format the results of many records at once.

    Args:
        few: The results of fifty records.
        many: The results of a thousand records.

    Returns:
        Rows of the table.
    """
    ratio = many.ours / many.bare
    return [
        limit(f"{FEW} records at once → all requests", few.requests, 1, "s"),
        limit(f"{FEW} records at once → all Jobs", few.jobs, 1, "s"),
        (
            f"{MANY:,} records at once, requests a second",
            f"{many.ours:,.0f}",
            f"{many.bare:,.0f}",
            f"{ratio:.0%}",
            "≥ 50 %",
            word(ratio >= 0.5),
        ),
    ]


def promotion_row(found: PromotionTimes) -> tuple[str, ...]:
    """Compare a promotion with an empty Job."""
    name = f"record produced → promoted, {found.events:,} events"
    measured = f"{found.promoted:.1f} s (Job {found.trainer:.0f} s)"
    return at_most(name, measured, f"{found.empty:.1f} s", found.promoted / found.empty, 2.5)


def rest(when: str, found: Rest) -> list[tuple[str, ...]]:
    """Format what an idle operator uses.

    Args:
        when: The state of the operator.
        found: What it uses.

    Returns:
        Rows of the table.
    """
    memory, share = found.memory, 100 * found.core
    shown = (
        f"{memory.resident:.0f} MiB ({memory.proportional:.0f} of its own; peak {memory.peak:.0f})"
    )
    return [
        (f"memory {when}", shown, "", "", "≤ 150 MiB", word(memory.resident <= 150)),
        (f"processor {when}", f"{share:.1f} % of a core", "", "", "< 1 %", word(share < 1)),
    ]


def recoveries(found: Recovery) -> list[tuple[str, ...]]:
    """Compare the time from a kill to a burst's last Job with the restart of an empty container."""
    floor = median(found.floor)
    rows: list[tuple[str, ...]] = [
        ("kill → first line of an empty Python container", spread(found.floor), "", "", "", "")
    ]
    for name, seconds in (
        ("one replica", found.alone),
        ("a standby, the leader's pod is gone", found.standby),
    ):
        what = f"kill in a burst of {BURST} → its last Job, {name}"
        met = median(seconds) <= 2 and max(seconds) <= 4
        ratio = f"{median(seconds) / floor:.2f}"
        rows.append(
            (what, spread(seconds), f"{floor:.2f} s", ratio, "≤ 2 s, at most 4 s", word(met))
        )
    return rows


def spread(seconds: Sequence[float]) -> str:
    """Format the median and the maximum."""
    return f"{median(seconds):.2f} s (at most {max(seconds):.2f} s)"


def at_most(name: str, measured: str, against: str, ratio: float, goal: float) -> tuple[str, ...]:
    """Compare a ratio with its goal.

    Args:
        name: What was measured.
        measured: The figure with its unit.
        against: The floor with its unit.
        ratio: Measured by floor.
        goal: The largest ratio.

    Returns:
        A row of the table.
    """
    return name, measured, against, f"{ratio:.2f}", f"≤ {goal:g}", word(ratio <= goal)


def limit(name: str, measured: float, goal: float, unit: str) -> tuple[str, ...]:
    """Compare a figure with its goal.

    Args:
        name: What was measured.
        measured: The figure.
        goal: The largest figure.
        unit: The unit of both.

    Returns:
        A row of the table.
    """
    return name, f"{measured:.2f} {unit}", "", "", f"≤ {goal:g} {unit}", word(measured <= goal)


def word(met: bool) -> str:
    """Format whether a goal is met."""
    return "met" if met else "**missed**"
