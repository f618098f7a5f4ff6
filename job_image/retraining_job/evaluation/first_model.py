"""Decide about a challenger that is not compared with a champion.

There is no live model, or the champion uses none of the events' features and the change of the
input was accepted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from retraining_job.contract import EvaluationSettings, Verdict, VerdictReason
from retraining_job.evaluation.comparison_messages import (
    describe_failed_permutation_test,
    describe_hold_out,
)
from retraining_job.evaluation.decision import Decision
from retraining_job.evaluation.hold_out import find_hold_out_problem
from retraining_job.evaluation.permutation import PERMUTATIONS
from retraining_job.evaluation.phrases import name_threshold

if TYPE_CHECKING:
    from retraining_job.evaluation.evidence import Evidence


def decide_without_comparison(evidence: Evidence, settings: EvaluationSettings) -> Decision:
    """Decide about a challenger without a champion to compare it with.

    Its scores must be usable. If the hold-out has enough labels, it must rank better than chance.

    Args:
        evidence: The evidence, with a split and without a champion.
        settings: The settings of the run.

    Returns:
        The decision.
    """
    has_champion = evidence.input is not None and evidence.input.has_champion
    start = "The champion cannot be compared" if has_champion else "There is no live model"
    fit, unfit, reason = Verdict.FIRST_MODEL, Verdict.UNFIT, VerdictReason.NO_CHAMPION
    if has_champion:
        fit, unfit, reason = Verdict.PROMOTED, Verdict.KEPT, VerdictReason.INPUT_ACCEPTED
    challenger = evidence.challenger
    if not challenger.usable:
        message = (
            f"{start}, but the challenger's scores cannot be used: {challenger.problem}. "
            "The challenger is not promoted."
        )
        return Decision(unfit, VerdictReason.UNUSABLE_SCORES, message)
    alerts = (
        f"At {name_threshold(evidence)} it raises an alert for "
        f"{challenger.combined.alert_rate or 0.0:.2%} of the events."
    )
    if evidence.best_random_precision is None:
        problem = find_hold_out_problem(evidence.get_split(), settings)
        message = f"{start}. {problem} The challenger may go live without an evaluation. {alerts}"
        return Decision(fit, reason, message, promotes=True)
    facts = (
        f"{start}. {describe_hold_out(evidence)}, the challenger's average precision is "
        f"{challenger.combined.average_precision or 0.0:.4f}."
    )
    if doubt := describe_failed_permutation_test(evidence):
        message = f"{facts} {doubt} The challenger is not promoted."
        return Decision(unfit, VerdictReason.BELOW_FLOOR, message)
    message = (
        f"{facts} {PERMUTATIONS} random orders of the labels reach "
        f"{evidence.best_random_precision:.4f} at most. {alerts}"
    )
    return Decision(fit, reason, message, promotes=True)
