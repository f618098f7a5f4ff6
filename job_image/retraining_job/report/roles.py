"""Phrases about the models of a run: their role, a missing champion, the alert budget."""

from __future__ import annotations

from retraining_job.contract import Verdict
from retraining_job.evaluation.evidence import Contender, Evidence
from retraining_job.report.formats import format_number, format_percent


def get_role(evidence: Evidence, contender: Contender) -> str:
    """Return the role of a model, which is also its class in the style sheet.

    Args:
        evidence: The evidence.
        contender: One of its two models.

    Returns:
        `champion` or `challenger`.
    """
    return "champion" if contender is evidence.champion else "challenger"


def get_contenders(evidence: Evidence) -> list[Contender]:
    """Return the models of a run: the champion, if it was evaluated, and the challenger."""
    champion = [] if evidence.champion is None else [evidence.champion]
    return [*champion, evidence.challenger]


def describe_missing_champion(evidence: Evidence) -> str:
    """Return why there are no metrics of a champion, as a clause."""
    if evidence.verdict in {Verdict.FIRST_MODEL, Verdict.UNFIT}:
        return "there was no champion"
    if evidence.input is not None and not evidence.input.comparable:
        return "the champion uses none of the events' features"
    if evidence.verdict == Verdict.UNREADABLE_CHAMPION:
        return "the champion cannot be read"
    return "the champion was not evaluated"


def describe_budget(evidence: Evidence) -> str:
    """Return a phrase with the alert budget: `at a budget of 1 %`."""
    budget = evidence.provenance.settings.get("alert_budget")
    if not isinstance(budget, int | float):
        return "at the alert budget"
    return f"at a budget of {format_percent(budget)}"


def get_threshold(evidence: Evidence, contender: Contender) -> float:
    """Return the threshold that is live with a model.

    Args:
        evidence: The evidence.
        contender: One of its two models.

    Returns:
        The threshold.
    """
    is_challenger = contender is evidence.challenger
    return evidence.challenger_threshold if is_challenger else evidence.threshold


def describe_thresholds(evidence: Evidence) -> str:
    """Return the live threshold, and the challenger's if it differs: `0.7 (challenger: 0.83)`."""
    live, own = evidence.threshold, evidence.challenger_threshold
    note = "" if own == live else f" (challenger: {format_number(own)})"
    return f"{format_number(live)}{note}"
