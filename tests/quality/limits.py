"""Sentences about what samples of this size cannot detect."""

from __future__ import annotations

from statistics import median
from textwrap import fill

from retraining_job.contract import Verdict
from tests.quality.tables import Outcomes, get_precision

RAW_RECIPE = "worse: the raw recipe"


def describe_limits(default: dict[str, Outcomes], forest_decides: dict[str, Outcomes]) -> str:
    """Return what cannot be detected, as a list.

    Args:
        default: The outcomes with default settings, by scenario.
        forest_decides: The outcomes with settings with which the forest decides.

    Returns:
        The list in Markdown.
    """
    weak, strong = default[RAW_RECIPE], forest_decides[RAW_RECIPE]
    kept = sum(decision.verdict is Verdict.KEPT for decision, _ in weak)
    sentences = [
        f"With about {compute_anomalies(weak):.0f} frauds in the hold-out, the lower bound of the "
        f"difference between two recipes is about {compute_reach(weak):.3f} below the difference "
        f"itself ({compute_reach(strong):.3f} if the forest decides), between two runs of the same "
        f"recipe {compute_reach(default['same']):.3f}. A loss of less than the margin is accepted "
        "by design. A slightly greater loss is `Inconclusive` in about half of the cases.",
        f"Of {len(weak)} raw challengers with the default settings, {kept} were detected as "
        "inferior, and the others could not be distinguished with confidence: the median "
        f"difference of the combined score is {compute_difference(weak):+.3f}, that of the forest "
        f"alone {compute_part_difference(weak, 'hst'):+.3f}.",
        "The bootstrap measures the randomness of the events, but not that of the training: two "
        "seeds of one recipe also differ (`same, another seed`). The margin is therefore wider "
        "than the bounds, and the seed should not be changed.",
        "If features are exchanged between events, each with its usual values, a forest of "
        "half-spaces does not get worse (`mixed-up features`), because it hardly depends on the "
        "relations between features. No rule on its scores detects this.",
        "Frauds without a label count as unknown, and frauds that are labelled as normal count as "
        "normal. The section on labels that follow alerts shows which of these cases are detected.",
    ]
    return "\n".join(
        fill(sentence, 120, initial_indent="- ", subsequent_indent="  ") for sentence in sentences
    )


def compute_anomalies(outcomes: Outcomes) -> float:
    """Compute the median number of known anomalies in the hold-out."""
    return median(evidence.split.anomalies if evidence.split else 0 for _, evidence in outcomes)


def compute_reach(outcomes: Outcomes) -> float:
    """Compute the median distance of the lower bound from the difference."""
    comparisons = [evidence.comparison for _, evidence in outcomes if evidence.comparison]
    return median(one.difference - one.lower for one in comparisons)


def compute_difference(outcomes: Outcomes) -> float:
    """Compute the median difference of average precision."""
    return median(evidence.comparison.difference for _, evidence in outcomes if evidence.comparison)


def compute_part_difference(outcomes: Outcomes, part: str) -> float:
    """Compute the median difference of the average precision of one part.

    Args:
        outcomes: The outcomes.
        part: `hst` or `sad`.

    Returns:
        The difference, challenger minus champion.
    """
    differences = []
    for _, evidence in outcomes:
        if evidence.champion:
            challenger = get_precision(evidence.challenger.metrics, part) or 0.0
            champion = get_precision(evidence.champion.metrics, part) or 0.0
            differences.append(challenger - champion)
    return median(differences)
