"""The verdicts of the `recommended` preset on small real forests."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from retraining_job.contract import Verdict, VerdictReason
from retraining_job.evaluation.evidence import Contender, Evidence
from retraining_job.evaluation.scores import Scores
from retraining_job.presets import recommended
from retraining_job.presets.recommended import SplitEvents
from tests.unit.job.recommended_events import (
    ROWS,
    SETTINGS,
    build_events,
    evaluate_scores,
    split,
    train_and_score,
)


@pytest.fixture(scope="module")
def prepared() -> SplitEvents:
    return split(build_events())


@pytest.fixture(scope="module")
def healthy(prepared: SplitEvents) -> Scores:
    return train_and_score(prepared)


@pytest.fixture(scope="module")
def misled(prepared: SplitEvents) -> Scores:
    """Return the scores of a model that was trained on each feature under the next name."""
    other = split(replace(prepared.columns, features=np.roll(prepared.columns.features, 1, axis=1)))
    return recommended.score_hold_out(recommended.train_model(other, SETTINGS), prepared)


def test_better_model_replaces_a_worse_one_and_not_the_reverse(
    prepared: SplitEvents, healthy: Scores, misled: Scores
) -> None:
    facts = Contender(
        version=7,
        trained=prepared.parts.build_split(prepared.columns.times, prepared.columns.truth).training,
    )
    won, evidence = evaluate_scores(prepared, healthy, (misled, facts))
    lost, _ = evaluate_scores(prepared, misled, (healthy, facts))
    assert (won.verdict, won.reason, won.promotes) == (
        Verdict.PROMOTED,
        VerdictReason.NOT_INFERIOR,
        True,
    )
    assert (lost.verdict, lost.reason, lost.promotes) == (
        Verdict.KEPT,
        VerdictReason.INFERIOR,
        False,
    )
    assert evidence.comparison is not None
    assert evidence.comparison.lower > 0.0
    assert (evidence.verdict, evidence.reason, evidence.message) == (
        won.verdict,
        won.reason,
        won.message,
    )
    assert evidence.champion is not None
    assert evidence.champion.version == 7
    assert evidence.challenger.histogram is not None
    assert evidence.champion.histogram is not None
    assert evidence.challenger.histogram.edges == evidence.champion.histogram.edges
    assert sum(period.rows for period in evidence.periods) == len(healthy.hst)
    assert len(evidence.periods) == 10
    assert Evidence.model_validate_json(evidence.model_dump_json()) == evidence


def test_same_run_gives_the_same_evidence(
    prepared: SplitEvents, healthy: Scores, misled: Scores
) -> None:
    again = train_and_score(prepared)
    assert evaluate_scores(prepared, healthy, (misled, Contender())) == evaluate_scores(
        prepared, again, (misled, Contender())
    )


def test_challenger_that_is_the_champion_again_is_identical(
    prepared: SplitEvents, healthy: Scores, misled: Scores
) -> None:
    for champion, print_ in ((healthy, ""), (misled, "f" * 64)):
        decision, _ = evaluate_scores(
            prepared, healthy, (champion, Contender(fingerprint=print_)), fingerprint="f" * 64
        )
        assert (decision.verdict, decision.promotes) == (Verdict.IDENTICAL, False)


def test_champion_with_an_unknown_training_window_is_evaluated_and_mentioned(
    prepared: SplitEvents, healthy: Scores, misled: Scores
) -> None:
    decision, evidence = evaluate_scores(prepared, healthy, (misled, Contender(version=7)))
    assert decision.promotes
    assert "not known which events the champion was trained on" in decision.message
    assert any("not known which events" in note for note in evidence.notes)


def test_champion_that_has_learned_the_hold_out_is_not_compared(
    healthy: Scores, misled: Scores
) -> None:
    prepared = split(build_events(), until=datetime(2100, 1, 1, tzinfo=UTC))
    decision, _ = evaluate_scores(prepared, healthy, (misled, Contender(version=7)))
    assert (decision.verdict, decision.reason) == (
        Verdict.INCONCLUSIVE,
        VerdictReason.CHAMPION_SAW_HOLD_OUT,
    )


def test_first_model_goes_live_only_if_it_is_better_than_chance(
    prepared: SplitEvents, healthy: Scores
) -> None:
    decision, evidence = evaluate_scores(prepared, healthy, None)
    assert (decision.verdict, decision.reason, decision.promotes) == (
        Verdict.FIRST_MODEL,
        VerdictReason.NO_CHAMPION,
        True,
    )
    assert evidence.champion is None
    random = np.random.default_rng(1)
    noise = Scores(random.random(len(healthy.hst)), healthy.sad * 0.0)
    decision, _ = evaluate_scores(prepared, noise, None)
    assert (decision.reason, decision.promotes) == (VerdictReason.BELOW_FLOOR, False)


@pytest.mark.parametrize("seed", range(6))
def test_labels_of_other_events_promote_no_challenger(
    prepared: SplitEvents, healthy: Scores, misled: Scores, seed: int
) -> None:
    labels, held = prepared.columns.truth.copy(), prepared.parts.hold_out
    labels[held] = np.random.default_rng(seed).permutation(labels[held])
    shuffled = replace(prepared, columns=replace(prepared.columns, truth=labels))
    for challenger, champion in (
        (healthy, (misled, Contender())),
        (misled, (healthy, Contender())),
        (healthy, None),
    ):
        assert not evaluate_scores(shuffled, challenger, champion)[0].promotes


def test_verdict_without_labels_is_inconclusive(
    prepared: SplitEvents, healthy: Scores, misled: Scores
) -> None:
    blind = replace(prepared, columns=replace(prepared.columns, truth=np.full(ROWS, -1, np.int8)))
    decision, evidence = evaluate_scores(blind, healthy, (misled, Contender()))
    assert (decision.verdict, decision.reason) == (Verdict.INCONCLUSIVE, VerdictReason.NO_TRUTH)
    assert evidence.comparison is None
    assert evidence.challenger.metrics.precision is None
    assert evaluate_scores(blind, healthy, None)[
        0
    ].promotes  # a first model goes live untested, and the message mentions it


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_scores_that_are_no_numbers_are_refused(
    prepared: SplitEvents, healthy: Scores, misled: Scores, broken: float
) -> None:
    hst = healthy.hst.copy()
    hst[17] = broken
    decision, evidence = evaluate_scores(prepared, Scores(hst, healthy.sad), (misled, Contender()))
    assert (decision.verdict, decision.reason) == (Verdict.KEPT, VerdictReason.UNUSABLE_SCORES)
    assert "not a finite number for 1 of 1,614 events" in decision.message
    assert (
        Evidence.model_validate_json(evidence.model_dump_json()).reason
        == VerdictReason.UNUSABLE_SCORES
    )
    dead = Scores(np.ones_like(hst), healthy.sad)
    assert (
        evaluate_scores(prepared, dead, (misled, Contender()))[0].reason
        is VerdictReason.UNUSABLE_SCORES
    )
    decision, evidence = evaluate_scores(
        prepared, healthy, (Scores(hst * np.nan, healthy.sad), Contender())
    )
    assert decision.promotes  # over a champion whose scores nobody can use
    assert any("champion's own scores are unusable" in note for note in evidence.notes)
