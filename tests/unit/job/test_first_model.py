"""Decisions without a champion to compare with, as a table of sentences."""

import pytest

from retraining_job.contract import (
    Tunables,
    Verdict,
)
from retraining_job.evaluation import promotion_policy
from retraining_job.evaluation.evidence import Evidence
from retraining_job.evaluation.input_change import InputChange
from retraining_job.evaluation.input_shape import InputShape
from tests.unit.job.policy_evidence import UNUSABLE, first


@pytest.mark.parametrize(
    ("average_precision", "verdict", "reason"),
    [(0.9, "Promoted", "input_accepted"), (0.01, "Kept", "below_floor")],
)
def test_challenger_must_be_better_than_chance_if_the_champion_cannot_be_compared(
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
def test_first_model_must_be_better_than_chance(
    found: Evidence, reason: str, promotes: bool, said: str
) -> None:
    decision = promotion_policy.decide_promotion(found, Tunables())
    verdict = Verdict.FIRST_MODEL if promotes else Verdict.UNFIT
    assert (decision.verdict, decision.reason, decision.promotes) == (verdict, reason, promotes)
    assert said in decision.message
