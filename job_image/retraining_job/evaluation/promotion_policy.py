"""The promotion policy: pure rules that turn the evidence of a run into a decision.

Guards come first. Then the configured policy compares both models. Last, a challenger is kept out
if it would raise far more or far fewer alerts than the champion.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from retraining_job.contract import (
    EvaluationSettings,
    OnInconclusive,
    PromotionPolicy,
    Verdict,
    value_name,
)
from retraining_job.evaluation.alert_rate import check_alert_rate
from retraining_job.evaluation.first_model import decide_without_comparison
from retraining_job.evaluation.guards import check_input
from retraining_job.evaluation.hold_out import check_comparable
from retraining_job.evaluation.promotion_rules import (
    apply_non_inferior,
    apply_reference,
    apply_superior,
)
from retraining_job.evaluation.remarks import add_remarks

if TYPE_CHECKING:
    from retraining_job.evaluation.decision import Decision
    from retraining_job.evaluation.evidence import Evidence

Rule = Callable[["Evidence", EvaluationSettings], "Decision"]

RULES: dict[PromotionPolicy, Rule] = {
    PromotionPolicy.NON_INFERIOR: apply_non_inferior,
    PromotionPolicy.SUPERIOR: apply_superior,
    PromotionPolicy.REFERENCE: apply_reference,
}


def decide_promotion(evidence: Evidence, settings: EvaluationSettings) -> Decision:
    """Decide about a challenger with all rules, and add the remarks.

    Args:
        evidence: The evidence, with a split. Without a champion, the challenger is a first model.
        settings: The settings of the run.

    Returns:
        The decision.
    """
    return add_remarks(_apply_rules(evidence, settings), evidence)


def _apply_rules(evidence: Evidence, settings: EvaluationSettings) -> Decision:
    if decision := check_input(evidence):
        return decision
    if evidence.champion is None:
        return decide_without_comparison(evidence, settings)
    decision = check_comparable(evidence, settings)
    if decision is None:
        decision = RULES[settings.policy](evidence, settings)
    if evidence.champion.trained is None and evidence.comparison is not None:
        note = (
            "It is not known which events the champion was trained on. "
            "If it was trained on these events, its metrics are too high."
        )
        decision = replace(decision, message=f"{decision.message} {note}")
    is_inconclusive = decision.verdict is Verdict.INCONCLUSIVE
    if is_inconclusive and settings.on_inconclusive is OnInconclusive.PROMOTE:
        note = (
            f"The challenger may still go live, because {value_name('on_inconclusive')} is Promote."
        )
        decision = replace(decision, message=f"{decision.message} {note}", promotes=True)
    if evidence.input is not None and evidence.input.beyond:
        # The change was accepted. The champion was trained on other events, so its alert rate on
        # these events is no standard.
        return decision
    if decision.promotes and (alert_decision := check_alert_rate(evidence, settings)):
        return alert_decision
    return decision
