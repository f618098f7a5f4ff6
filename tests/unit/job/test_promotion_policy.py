"""The verdict, as a table of sentences."""

from typing import Any

import pytest

from retraining_job.contract import (
    OnInconclusive,
    PromotionPolicy,
    Tunables,
    Verdict,
    VerdictReason,
)
from retraining_job.evaluation import promotion_policy
from retraining_job.evaluation.evidence import Evidence
from retraining_job.evaluation.promotion_rules import apply_reference, compute_margin
from tests.unit.job.policy_evidence import UNUSABLE, contender, evidence, first

MESSAGE_LIMIT = 900
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


@pytest.mark.parametrize("reason", ["uncertain", "no_truth", "champion_saw_hold_out"])
def test_inconclusive_promotes_if_set_and_stays_inconclusive(reason: str) -> None:
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


@pytest.mark.parametrize(
    ("champion", "margin"),
    [
        pytest.param(0.80, 0.05, id="far above chance, the setting counts"),
        pytest.param(0.07, 0.03, id="near it, half of what there is to lose"),
        pytest.param(0.01, 0.0, id="at it, nothing"),
    ],
)
def test_margin_is_at_most_half_of_the_lead_over_chance(champion: float, margin: float) -> None:
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
        "confidence the true difference is above -0.0123, and with the same confidence below "
        "+0.0300. The challenger is not inferior: it is worse by no more than the margin of 0.05 "
        "(trainer.margin), if at all."
    )


def test_message_mentions_that_the_champions_training_is_unknown() -> None:
    decision = promotion_policy.decide_promotion(
        evidence(champion=contender(0.8, trained=None, version=None)), Tunables()
    )
    assert decision.message.endswith(
        "It is not known which events the champion was trained on. "
        "If it was trained on these events, its metrics are too high."
    )


def test_evidence_without_a_split_is_refused() -> None:
    with pytest.raises(ValueError, match="has no split"):
        promotion_policy.decide_promotion(evidence(split=None), Tunables())


@pytest.mark.parametrize(
    ("lower", "sentence"),
    [
        (0.0001, " The challenger is better."),
        (0.0, "it is worse by no more than the margin of 0.05 (trainer.margin), if at all."),
    ],
)
def test_challenger_is_called_better_only_with_confidence(lower: float, sentence: str) -> None:
    decision = promotion_policy.decide_promotion(evidence(lower), Tunables())
    assert decision.message.endswith(sentence)


def test_message_of_the_old_rule_has_both_accuracies() -> None:
    decision = apply_reference(evidence(challenger=contender(0.8, right=0.91)), Tunables())
    assert decision.message == (
        "On 5,000 hold-out events with 61 known anomalies, at the threshold 0.7, the challenger's "
        "accuracy on the labelled events is 0.9100, that of the champion (version 7) is 0.9000. "
        "The challenger is better."
    )


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        pytest.param(
            evidence(challenger=contender(0.8, right=None)),
            VerdictReason.LOWER_PRECISION,
            id="the challenger has none",
        ),
        pytest.param(
            evidence(champion=contender(0.8, right=None)),
            VerdictReason.HIGHER_PRECISION,
            id="the champion has none",
        ),
        pytest.param(first(0.8), VerdictReason.HIGHER_PRECISION, id="there is no champion"),
    ],
)
def test_unknown_accuracy_counts_as_0_for_the_old_rule(
    found: Evidence, reason: VerdictReason
) -> None:
    assert apply_reference(found, Tunables()).reason is reason
