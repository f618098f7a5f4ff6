"""The guard on the alert rate, as a table of sentences."""

import pytest

from retraining_job.contract import (
    OnInconclusive,
    Tunables,
    Verdict,
    VerdictReason,
)
from retraining_job.evaluation import promotion_policy
from retraining_job.evaluation.input_change import InputChange
from retraining_job.evaluation.input_shape import InputShape
from tests.unit.job.policy_evidence import contender, evidence


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
def test_alert_rate_of_a_champion_that_was_trained_on_other_events_is_no_standard(
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


def test_alert_rate_of_a_champion_with_unusable_scores_is_no_standard() -> None:
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
