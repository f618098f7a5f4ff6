"""The verdict, as a table of sentences."""

from datetime import UTC, datetime
from typing import Any

import pytest

from retraining_job.contract import (
    ContenderMetrics,
    OnInconclusive,
    PartMetrics,
    PromotionPolicy,
    Tunables,
    Verdict,
    VerdictReason,
    Window,
)
from retraining_job.evaluation import promotion_policy
from retraining_job.evaluation.evidence import Comparison, Contender, Evidence, Provenance, Split
from retraining_job.evaluation.input_change import InputChange
from retraining_job.evaluation.input_shape import InputShape
from retraining_job.evaluation.promotion_rules import compute_margin

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
WINDOW = Window(first=MOMENT, last=MOMENT, rows=5_000)
MESSAGE_LIMIT = 900


def contender(
    average_precision: float | None, *, alerts: float = 0.02, right: float = 0.9, **more: Any
) -> Contender:
    mixture = PartMetrics(average_precision=average_precision, alert_rate=alerts)
    return Contender(
        **{
            "figures": ContenderMetrics(precision=right, mixture=mixture),
            "trained": WINDOW,
            "version": 7,
        }
        | more
    )


def evidence(  # noqa: PLR0917
    lower: float = 0.0,
    difference: float = 0.01,
    challenger: Contender | None = None,
    champion: Contender | None = None,
    anomalies: int = 61,
    normal: int = 4_900,
    **more: Any,
) -> Evidence:
    split = Split(
        training=WINDOW,
        gap_rows=250,
        hold_out=WINDOW,
        anomalies=anomalies,
        normal=normal,
        unlabelled=5_000 - anomalies - normal,
        champion_saw=more.pop("champion_saw", 0),
    )
    comparison = Comparison(
        difference=difference,
        lower=lower,
        upper=difference + 0.02,
        confidence=0.95,
        draws=1_000,
        seed=42,
    )
    provenance = Provenance(
        run_id="a",
        river="",
        python="",
        numpy="",
        preset="",
        source="",
        window=WINDOW,
        checksum="",
        seed=1,
        settings={},
    )
    fields = {
        "provenance": provenance,
        "split": split,
        "threshold": 0.7,
        "threshold_source": "setting",
        "policy": PromotionPolicy.NON_INFERIOR,
        "margin": 0.05,
        "chance": 0.06 if anomalies >= 30 and normal else None,
        "challenger": challenger or contender(0.81),
        "champion": champion or contender(0.80),
        "comparison": comparison if anomalies >= 30 and normal else None,
    }
    return Evidence(**fields | more)


UNUSABLE = contender(0.1, usable=False, problem="its score is 0.7 for every one of 5,000 events")
OLD_RULE = {"policy": PromotionPolicy.REFERENCE}
BETTER = {"policy": PromotionPolicy.SUPERIOR}


@pytest.mark.parametrize(
    ("found", "settings", "verdict", "reason"),
    [
        pytest.param(evidence(0.01), {}, "Promoted", "not_inferior", id="it is better"),
        pytest.param(
            evidence(-0.05, -0.02),
            {},
            "Promoted",
            "not_inferior",
            id="it is worse by no more than the margin",
        ),
        pytest.param(
            evidence(-0.051, 0.02), {}, "Inconclusive", "uncertain", id="it may be worse by more"
        ),
        pytest.param(
            evidence(-0.051, -0.05),
            {},
            "Inconclusive",
            "uncertain",
            id="it is worse by the margin, perhaps",
        ),
        pytest.param(
            evidence(-0.09, -0.051),
            {},
            "Kept",
            "inferior",
            id="it is worse by more than the margin",
        ),
        pytest.param(
            evidence(-0.09, -0.051, margin=0.1),
            {},
            "Promoted",
            "not_inferior",
            id="a wider margin lets it",
        ),
        pytest.param(
            evidence(-0.001, challenger=contender(0.06)),
            {},
            "Inconclusive",
            "uncertain",
            id="chance ranks as well",
        ),
        pytest.param(
            evidence(0.001, challenger=contender(0.06)),
            BETTER,
            "Inconclusive",
            "uncertain",
            id="superior: so does chance",
        ),
        pytest.param(
            evidence(0.001),
            BETTER,
            "Promoted",
            "superior",
            id="superior: it is better with confidence",
        ),
        pytest.param(
            evidence(0.0), BETTER, "Inconclusive", "uncertain", id="superior: it is better, perhaps"
        ),
        pytest.param(
            evidence(-0.02, 0.0),
            BETTER,
            "Kept",
            "not_superior",
            id="superior: as good is not better",
        ),
        pytest.param(
            evidence(-0.9, -0.8, contender(0.1, right=0.91)),
            OLD_RULE,
            "Promoted",
            "higher_precision",
            id="old rule: more",
        ),
        pytest.param(evidence(), OLD_RULE, "Promoted", "equal_precision", id="old rule: a tie"),
        pytest.param(
            evidence(0.1, 0.2, contender(0.9, right=0.89)),
            OLD_RULE,
            "Kept",
            "lower_precision",
            id="old rule: less",
        ),
        pytest.param(
            evidence(challenger=UNUSABLE),
            {},
            "Kept",
            "unusable_scores",
            id="its scores are all the same",
        ),
        pytest.param(
            evidence(challenger=UNUSABLE, anomalies=0, normal=0),
            {},
            "Kept",
            "unusable_scores",
            id="and nobody knows better",
        ),
        pytest.param(
            evidence(identical=True), {}, "Identical", "identical", id="it is the champion again"
        ),
        pytest.param(
            evidence(anomalies=0, normal=0), {}, "Inconclusive", "no_truth", id="no labels"
        ),
        pytest.param(
            evidence(anomalies=0), {}, "Inconclusive", "too_few_anomalies", id="no anomalies"
        ),
        pytest.param(
            evidence(anomalies=29), {}, "Inconclusive", "too_few_anomalies", id="too few anomalies"
        ),
        pytest.param(
            evidence(normal=0), {}, "Inconclusive", "too_few_anomalies", id="nothing but anomalies"
        ),
        pytest.param(
            evidence(anomalies=29),
            OLD_RULE,
            "Inconclusive",
            "too_few_anomalies",
            id="the old rule needs some too",
        ),
        pytest.param(
            evidence(champion_saw=3_000),
            {},
            "Inconclusive",
            "champion_saw_hold_out",
            id="the champion has learned them",
        ),
    ],
)
def test_verdict(found: Evidence, settings: dict[str, Any], verdict: str, reason: str) -> None:
    found = found.model_copy(update={"policy": settings.get("policy", found.policy)})
    decision = promotion_policy.decide_promotion(found, Tunables(**settings))
    assert (decision.verdict, decision.reason) == (verdict, reason)
    assert decision.promotes == (verdict == "Promoted")
    assert len(decision.message) < MESSAGE_LIMIT


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


def test_wider_factor_lets_pass() -> None:
    found = evidence(challenger=contender(0.8, alerts=0.5))
    assert promotion_policy.decide_promotion(found, Tunables(alert_rate_factor=25.0)).promotes
    assert not promotion_policy.decide_promotion(found, Tunables(alert_rate_factor=24.0)).promotes


@pytest.mark.parametrize("accepted", [False, True])
def test_alerts_of_a_champion_that_was_made_for_other_events_are_no_measure(accepted: bool) -> None:
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


@pytest.mark.parametrize(
    ("average_precision", "verdict", "reason"),
    [(0.9, "Promoted", "input_accepted"), (0.01, "Kept", "below_floor")],
)
def test_champion_that_cannot_be_compared_leaves_the_floor_of_a_first_model(
    average_precision: float, verdict: str, reason: str
) -> None:
    shape = InputShape(events=5_000)
    change = InputChange(
        now=shape, has_champion=True, beyond="All.", accepted=True, comparable=False
    )
    decision = promotion_policy.decide_promotion(first(average_precision, input=change), Tunables())
    assert (decision.verdict, decision.reason, decision.promotes) == (
        verdict,
        reason,
        verdict == "Promoted",
    )


def test_champion_without_useful_scores_tells_nothing_of_alerts() -> None:
    silent = contender(0.012, alerts=0.0, usable=False)
    assert promotion_policy.decide_promotion(
        evidence(0.7, 0.79, contender(0.8, alerts=0.5), silent), Tunables()
    ).promotes


@pytest.mark.parametrize("reason", ["uncertain", "no_truth", "champion_saw_hold_out"])
def test_inconclusive_promotes_where_that_is_set_and_stays_inconclusive(reason: str) -> None:
    found = {
        "uncertain": evidence(-0.1, 0.0),
        "no_truth": evidence(anomalies=0, normal=0),
        "champion_saw_hold_out": evidence(champion_saw=1),
    }[reason]
    kept, promoted = (
        promotion_policy.decide_promotion(found, Tunables(on_inconclusive=what))
        for what in OnInconclusive
    )
    assert (kept.verdict, promoted.verdict, promoted.reason) == (
        Verdict.INCONCLUSIVE,
        Verdict.INCONCLUSIVE,
        reason,
    )
    assert (kept.promotes, promoted.promotes) == (False, True)
    assert "trainer.onInconclusive is Promote" in promoted.message


def test_inconclusive_does_not_promote_a_flood_of_alerts() -> None:
    found = evidence(anomalies=0, normal=0, challenger=contender(None, alerts=0.9))
    decision = promotion_policy.decide_promotion(
        found, Tunables(on_inconclusive=OnInconclusive.PROMOTE)
    )
    assert (decision.verdict, decision.reason, decision.promotes) == (
        Verdict.KEPT,
        VerdictReason.ALERT_RATE,
        False,
    )


def first(average_precision: float, **more: Any) -> Evidence:
    return evidence(challenger=contender(average_precision), **more).model_copy(
        update={"champion": None}
    )


@pytest.mark.parametrize(
    ("found", "reason", "promotes", "said"),
    [
        pytest.param(first(0.0601), "no_champion", True, "0.0600 at most", id="better than chance"),
        pytest.param(
            first(0.06),
            "below_floor",
            False,
            "not shown to rank better than chance",
            id="no better",
        ),
        pytest.param(
            first(0.01, anomalies=3),
            "no_champion",
            True,
            "may go live without an evaluation",
            id="nobody can tell",
        ),
        pytest.param(
            first(0.8).model_copy(update={"challenger": UNUSABLE}),
            "unusable_scores",
            False,
            "cannot be used",
            id="broken",
        ),
    ],
)
def test_first_model_has_a_floor(found: Evidence, reason: str, promotes: bool, said: str) -> None:
    decision = promotion_policy.decide_promotion(found, Tunables())
    verdict = Verdict.FIRST_MODEL if promotes else Verdict.UNFIT
    assert (decision.verdict, decision.reason, decision.promotes) == (verdict, reason, promotes)
    assert said in decision.message


@pytest.mark.parametrize(
    ("champion", "margin"),
    [
        pytest.param(0.80, 0.05, id="far above chance, the setting counts"),
        pytest.param(0.07, 0.03, id="near it, half of what there is to lose"),
        pytest.param(0.01, 0.0, id="at it, nothing"),
    ],
)
def test_margin_is_at_most_half_of_what_there_is_to_lose(champion: float, margin: float) -> None:
    split = evidence(anomalies=50, normal=4_950).split
    assert split is not None
    assert compute_margin(champion, split, Tunables()) == pytest.approx(margin)


def test_smaller_margin_is_explained() -> None:
    decision = promotion_policy.decide_promotion(evidence(-0.02, -0.01, margin=0.0211), Tunables())
    assert (
        "by no more than 0.0211, half of the champion's lead over a random ranking "
        "(trainer.margin is 0.05), if at all." in decision.message
    )


def test_message_names_every_number_that_decided() -> None:
    decision = promotion_policy.decide_promotion(evidence(-0.0123, 0.01), Tunables())
    assert decision.message == (
        "On 5,000 hold-out events with 61 known anomalies, the challenger's average precision is "
        "0.8100, that of the champion (version 7) is 0.8000. The difference is +0.0100. With 95% "
        "confidence it is above -0.0123, and with the same confidence below +0.0300. The challenger "
        "is not inferior: it is worse by no more than the margin of 0.05 (trainer.margin), if at all."
    )


def test_unknown_training_of_the_champion_is_said() -> None:
    decision = promotion_policy.decide_promotion(
        evidence(champion=contender(0.8, trained=None, version=None)), Tunables()
    )
    assert decision.message.endswith(
        "It is not known which events the champion was trained on. "
        "If it was trained on these events, its metrics are too high."
    )


def test_what_has_no_split_is_not_judged() -> None:
    with pytest.raises(ValueError, match="has no split"):
        promotion_policy.decide_promotion(evidence(split=None), Tunables())
