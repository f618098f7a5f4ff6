"""The promotion policies `NonInferior`, `Superior` and `Reference`, and the margin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retraining_job.contract import (
    ContenderMetrics,
    EvaluationSettings,
    Verdict,
    VerdictReason,
    value_name,
)
from retraining_job.evaluation.comparison_messages import (
    describe_comparison,
    describe_failed_permutation_test,
    describe_hold_out,
)
from retraining_job.evaluation.decision import Decision
from retraining_job.evaluation.phrases import name_champion

if TYPE_CHECKING:
    from retraining_job.evaluation.evidence import Evidence, Split


def compute_margin(champion_precision: float, split: Split, settings: EvaluationSettings) -> float:
    """Compute the margin: the setting, but at most half of the champion's lead over chance.

    Chance is the share of anomalies, which a random ranking reaches on average. With a wider
    margin, a random ranking could pass. Half of the lead is what clinical trials use: FDA,
    Non-Inferiority Clinical Trials to Establish Effectiveness, 2016.

    Args:
        champion_precision: The average precision of the champion.
        split: The split, with at least one labelled event.
        settings: The settings of the run.

    Returns:
        The margin, from 0 to the setting.
    """
    base_rate = split.anomalies / (split.anomalies + split.normal)
    return min(settings.margin, max(0.0, (champion_precision - base_rate) / 2.0))


def apply_non_inferior(evidence: Evidence, settings: EvaluationSettings) -> Decision:
    """Promote a challenger that is, with confidence, worse by at most the margin.

    Args:
        evidence: The evidence, with a comparison.
        settings: The settings of the run.

    Returns:
        The decision.
    """
    comparison, margin = evidence.get_comparison(), evidence.margin
    facts, limit = describe_comparison(evidence), _describe_margin(margin, settings)
    if comparison.difference < -margin:
        message = f"{facts} The challenger is worse by more than {limit}. The champion stays live."
        return Decision(Verdict.KEPT, VerdictReason.INFERIOR, message)
    if comparison.lower < -margin:
        message = (
            f"{facts} The events do not show whether the challenger is worse by more than {limit}."
        )
        return Decision(Verdict.INCONCLUSIVE, VerdictReason.UNCERTAIN, message)
    if doubt := describe_failed_permutation_test(evidence):
        return Decision(Verdict.INCONCLUSIVE, VerdictReason.UNCERTAIN, f"{facts} {doubt}")
    result = (
        "The challenger is better."
        if comparison.lower > 0.0
        else f"The challenger is not inferior: it is worse by no more than {limit}, if at all."
    )
    return Decision(
        Verdict.PROMOTED, VerdictReason.NOT_INFERIOR, f"{facts} {result}", promotes=True
    )


def apply_superior(evidence: Evidence, _settings: EvaluationSettings) -> Decision:
    """Promote a challenger that is better with confidence.

    Args:
        evidence: The evidence, with a comparison.
        _settings: The settings of the run.

    Returns:
        The decision.
    """
    comparison, facts = evidence.get_comparison(), describe_comparison(evidence)
    if comparison.difference <= 0.0:
        message = f"{facts} The challenger is not better. The champion stays live."
        return Decision(Verdict.KEPT, VerdictReason.NOT_SUPERIOR, message)
    if comparison.lower <= 0.0:
        message = f"{facts} The events do not show whether the challenger is better."
        return Decision(Verdict.INCONCLUSIVE, VerdictReason.UNCERTAIN, message)
    if doubt := describe_failed_permutation_test(evidence):
        return Decision(Verdict.INCONCLUSIVE, VerdictReason.UNCERTAIN, f"{facts} {doubt}")
    message = f"{facts} The challenger is better."
    return Decision(Verdict.PROMOTED, VerdictReason.SUPERIOR, message, promotes=True)


def apply_reference(evidence: Evidence, _settings: EvaluationSettings) -> Decision:
    """Promote a challenger with at least the champion's accuracy: the rule of the old service.

    Args:
        evidence: The evidence, with a champion.
        _settings: The settings of the run.

    Returns:
        The decision.
    """
    metrics = evidence.champion.metrics if evidence.champion else ContenderMetrics()
    version = evidence.champion.version if evidence.champion else None
    challenger, champion = evidence.challenger.metrics.precision or 0.0, metrics.precision or 0.0
    facts = (
        f"{describe_hold_out(evidence)}, at the threshold {evidence.threshold:g}, the challenger's "
        f"accuracy on the labelled events is {challenger:.4f}, that of {name_champion(version)} is "
        f"{champion:.4f}."
    )
    if challenger > champion:
        message = f"{facts} The challenger is better."
        return Decision(Verdict.PROMOTED, VerdictReason.HIGHER_PRECISION, message, promotes=True)
    if challenger == champion:
        message = f"{facts} If both are equal, the challenger is promoted."
        return Decision(Verdict.PROMOTED, VerdictReason.EQUAL_PRECISION, message, promotes=True)
    message = f"{facts} The challenger is worse. The champion stays live."
    return Decision(Verdict.KEPT, VerdictReason.LOWER_PRECISION, message)


def _describe_margin(margin: float, settings: EvaluationSettings) -> str:
    if margin < settings.margin:
        return (
            f"{margin:.4f}, half of the champion's lead over a random ranking "
            f"({value_name('margin')} is {settings.margin:g})"
        )
    return f"the margin of {margin:.4g} ({value_name('margin')})"
