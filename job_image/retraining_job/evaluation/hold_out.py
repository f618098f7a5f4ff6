"""Check whether both models can be compared on the hold-out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retraining_job.contract import EvaluationSettings, Verdict, VerdictReason, value_name
from retraining_job.evaluation.decision import Decision
from retraining_job.evaluation.guards import check_labels
from retraining_job.evaluation.phrases import name_champion

if TYPE_CHECKING:
    from retraining_job.evaluation.evidence import Evidence, Split


def check_comparable(evidence: Evidence, settings: EvaluationSettings) -> Decision | None:
    """Return a decision if challenger and champion cannot be compared, else None.

    Args:
        evidence: The evidence, with a split and a champion.
        settings: The settings of the run.

    Returns:
        The decision, or None.
    """
    return (
        _check_scores(evidence)
        or _check_identical(evidence)
        or check_labels(evidence)
        or _check_hold_out(evidence, settings)
        or _check_champion_training(evidence, settings)
    )


def find_hold_out_problem(split: Split, settings: EvaluationSettings) -> str:
    """Return why no model can be evaluated on the hold-out.

    Args:
        split: The split.
        settings: The settings of the run.

    Returns:
        The sentences. Empty if models can be evaluated.
    """
    hold_out = f"the {split.hold_out.rows:,} hold-out events"
    if not split.anomalies + split.normal:
        column = f"{settings.truth_column} ({value_name('truth_column')})"
        return f"None of {hold_out} has a label in the column {column}."
    if split.anomalies < settings.hold_out_anomalies:
        return (
            f"Only {split.anomalies:,} of {hold_out} are known anomalies, but "
            f"{settings.hold_out_anomalies:,} are needed ({value_name('hold_out_anomalies')}). At "
            f"most {settings.hold_out_share:.0%} of all events are held out "
            f"({value_name('hold_out_share')})."
        )
    return "" if split.normal else f"None of {hold_out} is known to be normal."


def _check_scores(evidence: Evidence) -> Decision | None:
    challenger = evidence.challenger
    if challenger.usable:
        return None
    message = (
        f"The challenger's scores cannot be used: {challenger.problem}. The champion stays live."
    )
    return Decision(Verdict.KEPT, VerdictReason.UNUSABLE_SCORES, message)


def _check_identical(evidence: Evidence) -> Decision | None:
    if not evidence.identical:
        return None
    version = evidence.champion.version if evidence.champion else None
    message = (
        f"The challenger is identical to {name_champion(version)}: both give exactly the same "
        f"scores to the {evidence.get_split().hold_out.rows:,} hold-out events. "
        "There is nothing to replace."
    )
    return Decision(Verdict.IDENTICAL, VerdictReason.IDENTICAL, message)


def _check_hold_out(evidence: Evidence, settings: EvaluationSettings) -> Decision | None:
    split = evidence.get_split()
    why = find_hold_out_problem(split, settings)
    if not why:
        return None
    has_labels = split.anomalies + split.normal > 0
    reason = VerdictReason.TOO_FEW_ANOMALIES if has_labels else VerdictReason.NO_TRUTH
    message = f"{why} The challenger was not compared with the champion."
    return Decision(Verdict.INCONCLUSIVE, reason, message)


def _check_champion_training(evidence: Evidence, settings: EvaluationSettings) -> Decision | None:
    split = evidence.get_split()
    if not split.champion_saw:
        return None
    champion = name_champion(evidence.champion.version if evidence.champion else None)
    message = (
        f"{champion[0].upper()}{champion[1:]} was trained on {split.champion_saw:,} of the "
        f"{split.hold_out.rows:,} hold-out events. The newer events are too few to evaluate on: "
        f"{settings.hold_out_anomalies:,} known anomalies are needed "
        f"({value_name('hold_out_anomalies')}). A later run will have more newer events."
    )
    return Decision(Verdict.INCONCLUSIVE, VerdictReason.CHAMPION_SAW_HOLD_OUT, message)
