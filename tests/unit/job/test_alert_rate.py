"""The guard on the alert rate, as a table of sentences."""

import pytest

from retraining_job.contract import (
    OnInconclusive,
    Tunables,
    Verdict,
    VerdictReason,
)
from retraining_job.evaluation import promotion_policy
from retraining_job.evaluation.alert_rate import check_alert_rate, has_comparable_recall
from retraining_job.evaluation.input_change import InputChange
from retraining_job.evaluation.input_shape import InputShape
from tests.unit.job.calibration_records import build_record
from tests.unit.job.policy_evidence import contender, evidence, first


@pytest.mark.parametrize(
    ("mine", "theirs", "recalls", "kept"),
    [
        pytest.param(0.06, 0.02, (0.5, 0.5), False, id="three times as many alerts"),
        pytest.param(0.061, 0.02, (0.5, 0.5), True, id="more than three times"),
        pytest.param(
            0.03,
            0.0,
            (0.5, 0.5),
            False,
            id="a silent champion counts as one that spends the budget",
        ),
        pytest.param(0.031, 0.0, (0.5, 0.5), True, id="but not as more"),
        pytest.param(0.007, 0.02, (0.1, 0.9), False, id="a third of the alerts"),
        pytest.param(0.01, 0.03, (0.1, 0.9), False, id="exactly a third"),
        pytest.param(0.006, 0.02, (0.1, 0.9), True, id="less than a third"),
        pytest.param(
            0.006,
            0.02,
            (0.85, 0.9),
            False,
            id="less than a third, which catch as many within the margin",
        ),
        pytest.param(
            0.006, 0.02, (0.84, 0.9), True, id="less than a third, which catch fewer by more"
        ),
        pytest.param(0.0, 0.0018, (0.0, 0.9), False, id="none, where the champion has raised nine"),
        pytest.param(0.0, 0.002, (0.0, 0.9), True, id="none, where the champion has raised ten"),
        pytest.param(
            0.94,
            0.45,
            (0.9, 0.9),
            False,
            id="another recipe moves the level, and both alert at random",
        ),
    ],
)
def test_alert_rate_guard(
    mine: float, theirs: float, recalls: tuple[float, float], kept: bool
) -> None:
    challenger = contender(
        0.9, alerts=mine, threshold_recall=recalls[0], matching_threshold=0.987654321
    )
    champion = contender(0.8, alerts=theirs, threshold_recall=recalls[1])
    decision = promotion_policy.decide_promotion(
        evidence(0.05, 0.1, challenger, champion), Tunables()
    )
    assert (decision.verdict is Verdict.KEPT) == kept
    assert decision.promotes != kept
    if kept:
        assert decision.reason is VerdictReason.ALERT_RATE
        for said in (
            f"{mine:.2%}",
            f"{theirs:.2%}",
            "0.98765432",
            "trainer.alertRateFactor",
            "+0.1000",
        ):
            assert said in decision.message


def test_greater_factor_accepts_more_alerts() -> None:
    found = evidence(challenger=contender(0.8, alerts=0.5))
    assert promotion_policy.decide_promotion(found, Tunables(alert_rate_factor=25.0)).promotes
    assert not promotion_policy.decide_promotion(found, Tunables(alert_rate_factor=24.0)).promotes


@pytest.mark.parametrize("accepted", [False, True])
def test_alert_rate_of_a_champion_that_was_trained_on_other_events_is_not_compared(
    accepted: bool,
) -> None:
    change = InputChange(
        now=InputShape(events=5_000), has_champion=True, beyond="They differ.", accepted=accepted
    )
    flooded = evidence(0.05, 0.1, contender(0.9, alerts=0.5), input=change)
    decision = promotion_policy.decide_promotion(flooded, Tunables())
    assert decision.promotes == accepted
    assert decision.reason == (
        VerdictReason.NOT_INFERIOR if accepted else VerdictReason.INPUT_CHANGED
    )
    assert decision.remarks == (
        "A change of the input was accepted: They differ." if accepted else ""
    )


def test_alert_rate_of_a_champion_with_unusable_scores_is_not_compared() -> None:
    silent = contender(0.012, alerts=0.0, usable=False)
    assert promotion_policy.decide_promotion(
        evidence(0.7, 0.79, contender(0.8, alerts=0.5), silent), Tunables()
    ).promotes


def test_inconclusive_does_not_promote_a_challenger_with_too_many_alerts() -> None:
    found = evidence(anomalies=0, normal=0, challenger=contender(None, alerts=0.9))
    decision = promotion_policy.decide_promotion(
        found, Tunables(on_inconclusive=OnInconclusive.PROMOTE)
    )
    assert (decision.verdict, decision.reason, decision.promotes) == (
        Verdict.KEPT,
        VerdictReason.ALERT_RATE,
        False,
    )


def test_message_has_both_rates_the_limit_and_the_threshold_that_matches() -> None:
    challenger = contender(0.9, alerts=0.5, matching_threshold=0.987654321)
    decision = check_alert_rate(evidence(0.05, 0.1, challenger), Tunables())
    assert decision is not None
    assert decision.message == (
        "At the live threshold of 0.7 the challenger would raise an alert for 50.00% of the 5,000 "
        "hold-out events, the champion (version 7) for 2.00%. This is more than 3 times "
        "(trainer.alertRateFactor) the champion's rate and the alert budget of 1.00% "
        "(trainer.alertBudget). With a threshold of 0.98765432 it would raise as many as the "
        "champion. Its average precision differs from the champion's by +0.1000. The champion "
        "stays live."
    )


def test_message_leaves_out_what_is_unknown() -> None:
    found = evidence(anomalies=0, normal=0, challenger=contender(None, alerts=0.5))
    decision = check_alert_rate(found, Tunables())
    assert decision is not None
    assert decision.message.endswith(" (trainer.alertBudget). The champion stays live.")


def test_recall_is_comparable_only_with_labels_and_a_champion() -> None:
    blind = contender(0.8, threshold_recall=0.0)
    without = evidence(anomalies=0, normal=0, challenger=contender(0.8, threshold_recall=1.0))
    assert has_comparable_recall(
        evidence(challenger=blind, champion=contender(0.8, threshold_recall=None)), Tunables()
    )
    assert not has_comparable_recall(without, Tunables())
    assert not has_comparable_recall(first(0.9), Tunables())


@pytest.mark.parametrize(("source", "is_kept"), [("Budget", False), ("KeepChampion", True)])
def test_challenger_calibrated_for_the_budget_may_raise_fewer_alerts_than_the_champion(
    source: str, is_kept: bool
) -> None:
    found = evidence(
        0.05,
        0.1,
        contender(0.9, alerts=0.01),
        contender(0.8, alerts=0.5, threshold_recall=1.0),
        calibration=build_record(target_source=source),
    )
    assert (check_alert_rate(found, Tunables()) is not None) is is_kept
