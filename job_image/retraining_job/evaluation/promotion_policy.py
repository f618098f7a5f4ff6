"""The verdict: pure functions from the evidence to a decision and its words. For `recommended`.

Guards come first; then the policy that is set compares the two; last, nothing goes live that would
raise far more or far fewer alerts than the champion does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from retraining_job.contract import (
    ContenderMetrics,
    OnInconclusive,
    PartMetrics,
    PromotionPolicy,
    Tunables,
    Verdict,
    VerdictReason,
    value_name,
)
from retraining_job.evaluation.decision import Decision
from retraining_job.evaluation.evidence import Comparison, Evidence, Split
from retraining_job.evaluation.guards import add_remarks, check_input, check_labels

FEW_ALERTS = 10
"""A champion with fewer alerts than this in the hold-out does not tell how many its successor ought to raise."""

Rule = Callable[[Evidence, Tunables], Decision]


def decide_promotion(evidence: Evidence, settings: Tunables) -> Decision:
    """Judge a challenger by all the rules, and say what else a reader of the verdict must know.

    `evidence.split` is there, and without a champion it is a first model.
    """
    return add_remarks(judged(evidence, settings), evidence)


def judged(evidence: Evidence, settings: Tunables) -> Decision:
    """Judge a challenger by all the rules."""
    if decision := check_input(evidence):
        return decision
    if evidence.champion is None:
        return first_model(evidence, settings)
    decision = unjudged(evidence, settings) or compared_by(settings.policy)(evidence, settings)
    if evidence.champion.trained is None and evidence.comparison is not None:
        said = "It is not known which events the champion was trained on: if these, its figures flatter it."
        decision = replace(decision, message=f"{decision.message} {said}")
    if (
        decision.verdict is Verdict.INCONCLUSIVE
        and settings.on_inconclusive is OnInconclusive.PROMOTE
    ):
        said = f"It may go live all the same, since {value_name('on_inconclusive')} is Promote."
        decision = replace(decision, message=f"{decision.message} {said}", promotes=True)
    if (
        evidence.input is not None and evidence.input.beyond
    ):  # accepted: the champion was made for other events
        return decision
    return (alert_rate_guard(evidence, settings) or decision) if decision.promotes else decision


def compared_by(policy: PromotionPolicy) -> Rule:
    """Give the function of a policy."""
    rules: dict[PromotionPolicy, Rule] = {
        PromotionPolicy.NON_INFERIOR: non_inferior,
        PromotionPolicy.SUPERIOR: superior,
        PromotionPolicy.REFERENCE: reference,
    }
    return rules[policy]


def unjudged(evidence: Evidence, settings: Tunables) -> Decision | None:
    """Guard: say why the two are not compared; None where they are."""
    challenger, split = evidence.challenger, split_of(evidence)
    if not challenger.usable:
        message = (
            f"The challenger's scores are of no use: {challenger.problem}. The champion stays."
        )
        return Decision(Verdict.KEPT, VerdictReason.UNUSABLE_SCORES, message)
    if evidence.identical:
        message = (
            f"The challenger is {champion(evidence)} again: on the {split.hold_out.rows:,} held-out events both score "
            "alike to the last bit. Nothing is to be replaced."
        )
        return Decision(Verdict.IDENTICAL, VerdictReason.IDENTICAL, message)
    if decision := check_labels(evidence):
        return decision
    if why := find_hold_out_problem(split, settings):
        reason = (
            VerdictReason.TOO_FEW_ANOMALIES
            if split.anomalies + split.normal
            else VerdictReason.NO_TRUTH
        )
        return Decision(
            Verdict.INCONCLUSIVE,
            reason,
            f"{why} So the challenger was not compared with the champion.",
        )
    if split.champion_saw:
        message = (
            f"{champion(evidence, capital=True)} was trained on {split.champion_saw:,} of the {split.hold_out.rows:,} "
            "held-out events, and those that came later are too few to judge on: they need "
            f"{settings.hold_out_anomalies:,} known anomalies ({value_name('hold_out_anomalies')}). A later run has "
            "more of them."
        )
        return Decision(Verdict.INCONCLUSIVE, VerdictReason.CHAMPION_SAW_HOLD_OUT, message)
    return None


def find_hold_out_problem(split: Split, settings: Tunables) -> str:
    """Say why the hold-out cannot judge anyone; empty where it can."""
    held = f"the {split.hold_out.rows:,} held-out events"
    if not split.anomalies + split.normal:
        return (
            f"None of {held} has a label in {settings.truth_column} ({value_name('truth_column')})."
        )
    if split.anomalies < settings.hold_out_anomalies:
        return (
            f"Only {split.anomalies:,} of {held} are known anomalies, and {settings.hold_out_anomalies:,} are needed "
            f"({value_name('hold_out_anomalies')}; no more than {settings.hold_out_share:.0%} of all events are held "
            f"out: {value_name('hold_out_share')})."
        )
    return "" if split.normal else f"None of {held} is known to be no anomaly."


def compute_margin(champion_precision: float, split: Split, settings: Tunables) -> float:
    """Give the margin that a challenger of this champion has: the setting, but at most half of what is there to lose.

    What is there to lose is what the champion has above chance, the share of anomalies. A margin
    wider than that would let a ranking pass that tells nothing (the half is what trials of
    medicines ask for: FDA, Non-Inferiority Clinical Trials to Establish Effectiveness, 2016).
    """
    chance = split.anomalies / (split.anomalies + split.normal)
    return min(settings.margin, max(0.0, (champion_precision - chance) / 2.0))


def non_inferior(evidence: Evidence, settings: Tunables) -> Decision:
    """Promote what is worse by no more than the margin, with confidence; keep out what is worse by more than it."""
    comparison, margin = comparison_of(evidence), evidence.margin
    said, asked = (
        compared_in_words(evidence, comparison),
        f"the margin of {margin:.4g} ({value_name('margin')})",
    )
    if margin < settings.margin:
        asked = (
            f"{margin:.4f}, half of what the champion has above chance "
            f"({value_name('margin')} is {settings.margin:g})"
        )
    if comparison.difference < -margin:
        return Decision(
            Verdict.KEPT,
            VerdictReason.INFERIOR,
            f"{said} That is worse by more than {asked}: the champion stays.",
        )
    if comparison.lower < -margin:
        message = f"{said} It may be worse by more than {asked}, or not: these events do not tell."
        return Decision(Verdict.INCONCLUSIVE, VerdictReason.UNCERTAIN, message)
    if doubt := by_chance(evidence):
        return Decision(Verdict.INCONCLUSIVE, VerdictReason.UNCERTAIN, f"{said} {doubt}")
    how = (
        "It is better"
        if comparison.lower > 0.0
        else f"If it is worse, then by no more than {asked}"
    )
    message = f"{said} {how}: the challenger is not inferior."
    return Decision(Verdict.PROMOTED, VerdictReason.NOT_INFERIOR, message, promotes=True)


def superior(evidence: Evidence, _settings: Tunables) -> Decision:
    """Promote what is better with confidence; keep out what is not better at all."""
    comparison = comparison_of(evidence)
    said = compared_in_words(evidence, comparison)
    if comparison.difference <= 0.0:
        return Decision(
            Verdict.KEPT,
            VerdictReason.NOT_SUPERIOR,
            f"{said} It is not better: the champion stays.",
        )
    if comparison.lower <= 0.0:
        message = f"{said} It may be better, or not: these events do not tell."
        return Decision(Verdict.INCONCLUSIVE, VerdictReason.UNCERTAIN, message)
    if doubt := by_chance(evidence):
        return Decision(Verdict.INCONCLUSIVE, VerdictReason.UNCERTAIN, f"{said} {doubt}")
    return Decision(
        Verdict.PROMOTED, VerdictReason.SUPERIOR, f"{said} The challenger is better.", promotes=True
    )


def by_chance(evidence: Evidence) -> str:
    """Say that the challenger ranks no better than chance may; empty where it does."""
    reached, chance = (
        get_combined_metrics(evidence.challenger.figures).average_precision or 0.0,
        evidence.chance,
    )
    if chance is None or reached > chance:
        return ""
    return (
        f"But random orders of these events reach up to {chance:.4f}: the challenger is not shown to rank better than "
        "chance, or the labels have little to do with the events."
    )


def reference(evidence: Evidence, _settings: Tunables) -> Decision:
    """Promote where the share of right predictions is at least the champion's: the old service's rule."""
    mine, theirs = (
        evidence.challenger.figures.precision or 0.0,
        champion_figures(evidence).precision or 0.0,
    )
    said = (
        f"{on_held_out(evidence)}, the challenger is right about {mine:.4f} of those with a label at the threshold "
        f"{evidence.threshold:g}, {champion(evidence)} about {theirs:.4f}"
    )
    if mine > theirs:
        message = f"{said}: the challenger wins."
        return Decision(Verdict.PROMOTED, VerdictReason.HIGHER_PRECISION, message, promotes=True)
    if mine == theirs:
        message = f"{said}: a tie goes to the challenger."
        return Decision(Verdict.PROMOTED, VerdictReason.EQUAL_PRECISION, message, promotes=True)
    return Decision(Verdict.KEPT, VerdictReason.LOWER_PRECISION, f"{said}: the champion stays.")


def alert_rate_guard(evidence: Evidence, settings: Tunables) -> Decision | None:
    """Guard: keep out what would flood or silence those who read the alerts; None where it would do neither.

    Too many: more than `alert_rate_factor` times the champion's rate, or times the alert budget
        where that is more, so that a champion that hardly ever speaks does not silence its
        successors. Too few: less than the champion's rate by the same factor, where the champion
        has raised `FEW_ALERTS` at least; but fewer alerts that still catch the known anomalies are
        what everybody wishes for, so that is let pass where recall is lower by no more than the
        margin. There is no comparison with a champion whose own scores are of no use.
    """
    if evidence.champion is None or not evidence.champion.usable:
        return None
    rows, factor = split_of(evidence).hold_out.rows, settings.alert_rate_factor
    mine = get_combined_metrics(evidence.challenger.figures).alert_rate or 0.0
    theirs = get_combined_metrics(evidence.champion.figures).alert_rate or 0.0
    if mine > factor * max(theirs, settings.alert_budget):
        how = "more"
    elif (
        mine < theirs / factor
        and theirs * rows >= FEW_ALERTS
        and not catches_as_many(evidence, settings)
    ):
        how = "fewer"
    else:
        return None
    matching = evidence.challenger.matching_threshold
    cure = (
        ""
        if matching is None
        else f"With a threshold of {matching:.8g} it would raise as many as the champion. "
    )
    message = (
        f"At the live threshold of {evidence.threshold:g} the challenger would raise an alert for {mine:.2%} of the "
        f"{rows:,} held-out events, {champion(evidence)} does for {theirs:.2%}: {how} by a factor of over {factor:g} "
        f"({value_name('alert_rate_factor')}). {cure}{ranking(evidence)}The champion stays."
    )
    return Decision(Verdict.KEPT, VerdictReason.ALERT_RATE, message)


def catches_as_many(evidence: Evidence, settings: Tunables) -> bool:
    """Tell whether the challenger's alerts at the live threshold catch about as many known anomalies as the champion's.

    Only where there were enough of them to compare the two at all.
    """
    if evidence.champion is None or evidence.comparison is None:
        return False
    return (evidence.challenger.threshold_recall or 0.0) >= (
        (evidence.champion.threshold_recall or 0.0) - settings.margin
    )


def first_model(evidence: Evidence, settings: Tunables) -> Decision:
    """Judge a challenger that has no champion to beat: it must not be broken, and where that shows, beat chance."""
    challenger, split = evidence.challenger, split_of(evidence)
    none, fit, unfit, reason = (
        "There is no live model to beat",
        Verdict.FIRST_MODEL,
        Verdict.UNFIT,
        VerdictReason.NO_CHAMPION,
    )
    if (
        evidence.input is not None and evidence.input.has_champion
    ):  # which uses none of the events' features
        none = "The champion cannot be compared"
        fit, unfit, reason = Verdict.PROMOTED, Verdict.KEPT, VerdictReason.INPUT_ACCEPTED
    if not challenger.usable:
        message = f"{none}, but the challenger's scores are of no use: {challenger.problem}. It does not go live."
        return Decision(unfit, VerdictReason.UNUSABLE_SCORES, message)
    figures = get_combined_metrics(challenger.figures)
    alerts = (
        f"At the live threshold of {evidence.threshold:g} it raises an alert for {figures.alert_rate or 0.0:.2%} of "
        "the events."
    )
    if evidence.chance is None:
        message = f"{none}. {find_hold_out_problem(split, settings)} So the challenger may go live untested. {alerts}"
        return Decision(fit, reason, message, promotes=True)
    said = (
        f"{none}. {on_held_out(evidence)}, the challenger's average precision is "
        f"{figures.average_precision or 0.0:.4f}."
    )
    if doubt := by_chance(evidence):
        return Decision(unfit, VerdictReason.BELOW_FLOOR, f"{said} {doubt} It does not go live.")
    message = f"{said} Random orders of these events reach {evidence.chance:.4f} at most. {alerts}"
    return Decision(fit, reason, message, promotes=True)


def compared_in_words(evidence: Evidence, comparison: Comparison) -> str:
    """Say how the two compare."""
    mine, theirs = (
        get_combined_metrics(evidence.challenger.figures),
        get_combined_metrics(champion_figures(evidence)),
    )
    return (
        f"{on_held_out(evidence)}, the challenger's average precision is {mine.average_precision or 0.0:.4f}, "
        f"that of {champion(evidence)} is {theirs.average_precision or 0.0:.4f}: a difference of "
        f"{comparison.difference:+.4f}, with {comparison.confidence:.0%} confidence above {comparison.lower:+.4f} and "
        f"as surely below {comparison.upper:+.4f}."
    )


def ranking(evidence: Evidence) -> str:
    """Say briefly how the two rank, where they were compared."""
    if evidence.comparison is None:
        return ""
    return f"(Its average precision differs from the champion's by {evidence.comparison.difference:+.4f}.) "


def on_held_out(evidence: Evidence) -> str:
    """Begin a sentence with what was judged on."""
    split = split_of(evidence)
    return f"On {split.hold_out.rows:,} held-out events with {split.anomalies:,} known anomalies"


def champion(evidence: Evidence, *, capital: bool = False) -> str:
    """Name the champion."""
    version = evidence.champion.version if evidence.champion else None
    named = "the champion" if version is None else f"the champion (version {version})"
    return named[0].upper() + named[1:] if capital else named


def get_combined_metrics(figures: ContenderMetrics) -> PartMetrics:
    """Give the figures of the score that the live service uses."""
    return figures.mixture or PartMetrics()


def champion_figures(evidence: Evidence) -> ContenderMetrics:
    """Give the champion's figures."""
    return evidence.champion.figures if evidence.champion else ContenderMetrics()


def split_of(evidence: Evidence) -> Split:
    """Give the split, which all judged evidence has."""
    if evidence.split is None:
        raise ValueError("Evidence without a split cannot be judged.")
    return evidence.split


def comparison_of(evidence: Evidence) -> Comparison:
    """Give the comparison, which is there where no guard has spoken."""
    if evidence.comparison is None:
        raise ValueError("Evidence without a comparison cannot be judged by a policy.")
    return evidence.comparison
