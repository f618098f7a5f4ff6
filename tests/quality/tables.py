"""Count verdicts and compute medians of the metrics, as rows of tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import median

from retraining_job.contract import ContenderMetrics
from retraining_job.evaluation.decision import Decision
from retraining_job.evaluation.evidence import Evidence
from tests.quality.scenarios import INPUT_SCENARIOS, PART_SCENARIOS, Scenario

Table = list[list[str]]
Outcomes = Sequence[tuple[Decision, Evidence]]

PARTS = {"combined": "combined score", "hst": "`hst`", "sad": "`sad`"}


def count_verdicts(scenarios: Iterable[Scenario], outcomes: dict[str, Outcomes]) -> Table:
    """Count the verdicts of scenarios.

    Args:
        scenarios: The scenarios.
        outcomes: Their outcomes by name.

    Returns:
        The head and one row for each scenario.
    """
    rows = [["scenario", "champion", "challenger", "promoted", "reasons", *PARTS.values()]]
    for scenario in scenarios:
        runs = outcomes[scenario.name]
        promoted = sum(decision.promotes for decision, _ in runs) / len(runs)
        rows.append(
            [
                scenario.name,
                scenario.champion,
                scenario.challenger,
                f"{promoted:.0%}",
                count_reasons(runs),
                *(describe_change(runs, part) for part in PARTS),
            ]
        )
    return rows


def count_hidden_losses(outcomes: dict[str, Outcomes]) -> Table:
    """Count how often the message mentions a loss that the combined score hides."""
    rows = [["challenger", "in detail", "mentioned", "reasons", *PARTS.values()]]
    for scenario in PART_SCENARIOS:
        runs = outcomes[scenario.name]
        mentioned = sum(bool(evidence.hidden) for _, evidence in runs)
        rows.append(
            [
                scenario.name,
                scenario.challenger,
                f"{mentioned} of {len(runs)}",
                count_reasons(runs),
                *(describe_change(runs, part) for part in PARTS),
            ]
        )
    return rows


def count_input_changes(outcomes: dict[str, Outcomes]) -> Table:
    """Count how often a change of the input was mentioned, and how often it stopped a promotion."""
    rows = [["what happened", "in detail", "mentioned", "stopped", "reasons"]]
    for scenario in INPUT_SCENARIOS:
        runs = outcomes[scenario.name]
        changes = [evidence.input for _, evidence in runs if evidence.input]
        mentioned = sum(bool(change.noticed or change.beyond) for change in changes)
        stopped = sum(change.stops for change in changes)
        rows.append(
            [
                scenario.name,
                scenario.challenger,
                f"{mentioned} of {len(runs)}",
                f"{stopped} of {len(runs)}",
                count_reasons(runs),
            ]
        )
    return rows


def count_reasons(outcomes: Outcomes) -> str:
    """Count verdicts with their reasons: `23 Kept `inferior`, 1 Inconclusive `uncertain``."""
    counts = Counter(f"{decision.verdict} `{decision.reason}`" for decision, _ in outcomes)
    return ", ".join(f"{count} {reason}" for reason, count in counts.most_common())


def describe_change(outcomes: Outcomes, part: str) -> str:
    """Return the medians of the average precision of both models: `0.240 → 0.301`.

    Args:
        outcomes: The outcomes.
        part: `combined`, `hst` or `sad`.

    Returns:
        The medians, or `unknown`.
    """
    champions, challengers = [], []
    for _, evidence in outcomes:
        if evidence.champion is None:
            continue
        champion = get_precision(evidence.champion.metrics, part)
        challenger = get_precision(evidence.challenger.metrics, part)
        if champion is None or challenger is None:
            return "unknown"
        champions.append(champion)
        challengers.append(challenger)
    return f"{median(champions):.3f} → {median(challengers):.3f}"


def get_precision(metrics: ContenderMetrics, part: str) -> float | None:
    """Return the average precision of a part.

    Args:
        metrics: The metrics of a model.
        part: `combined`, `hst` or `sad`.

    Returns:
        The average precision, or None if unknown.
    """
    value: float | None = getattr(metrics, part).average_precision
    return value


def format_markdown(rows: Table) -> str:
    """Format a table as Markdown. The first row is the head."""
    head, *body = rows
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
