"""The `reference` preset: the old service's rules, as tables."""

from datetime import UTC, datetime, timedelta

import pytest
from river.anomaly import HalfSpaceTrees

from retraining_job.contract import ContenderMetrics, Tunables, Verdict, VerdictReason
from retraining_job.deviation import StandardAbsoluteDeviation
from retraining_job.events.features import Features
from retraining_job.events.scored_event import ScoredEvent
from retraining_job.model.model import Model
from retraining_job.presets import reference
from retraining_job.presets.reference import Sample


class Fixed:
    """A part of a model that scores every event the same."""

    def __init__(self, value: float) -> None:
        self.value = value

    def score_one(self, _features: Features) -> float:
        return self.value


@pytest.mark.parametrize(
    ("challenger", "champion", "verdict", "reason"),
    [
        pytest.param(
            0.9, None, Verdict.PROMOTED, VerdictReason.NO_CHAMPION, id="a first model is promoted"
        ),
        pytest.param(
            0.0, None, Verdict.PROMOTED, VerdictReason.NO_CHAMPION, id="however bad it is"
        ),
        pytest.param(
            0.91,
            0.905,
            Verdict.PROMOTED,
            VerdictReason.HIGHER_PRECISION,
            id="the better one is promoted",
        ),
        pytest.param(
            0.905,
            0.905,
            Verdict.PROMOTED,
            VerdictReason.EQUAL_PRECISION,
            id="a tie goes to the challenger",
        ),
        pytest.param(
            0.9, 0.905, Verdict.KEPT, VerdictReason.LOWER_PRECISION, id="the worse one is not"
        ),
    ],
)
def test_old_rule(
    challenger: float, champion: float | None, verdict: Verdict, reason: VerdictReason
) -> None:
    metrics = None if champion is None else ContenderMetrics(precision=champion)
    decision = reference.decide_by_accuracy(
        ContenderMetrics(precision=challenger), metrics, champion_version=7, hold_out_rows=200
    )
    assert (decision.verdict, decision.reason) == (verdict, reason)
    assert f"{challenger:.4f}" in decision.message
    assert "200 events" in decision.message
    assert champion is None or (
        f"{champion:.4f}" in decision.message and "version 7" in decision.message
    )


@pytest.mark.parametrize(("rows", "enough"), [(0, False), (499, False), (500, True), (600, True)])
def test_guard(rows: int, enough: bool) -> None:
    decision = reference.check_row_count(rows, Tunables().minimum_rows)
    assert (decision is None) is enough
    if decision:
        assert decision.verdict is Verdict.INSUFFICIENT_DATA
        assert decision.reason == "insufficient_data"


def test_reasons_of_the_old_service_are_unchanged() -> None:
    assert VerdictReason("insufficient_data") is VerdictReason.INSUFFICIENT_DATA
    assert VerdictReason("lower_precision") is VerdictReason.LOWER_PRECISION


@pytest.mark.parametrize(
    ("forest", "deviation", "right"),
    [
        pytest.param(1.0, 0.0, 0, id="0.7 is not above the threshold of 0.7"),
        pytest.param(1.0, 0.1, 3, id="0.73 is"),
        pytest.param(0.5, 1.0, 0, id="0.65 is not"),
    ],
)
def test_evaluation_weighs_the_parts_seven_to_three(
    forest: float, deviation: float, right: int
) -> None:
    model = Model(Fixed(forest), Fixed(deviation))  # type: ignore[arg-type]
    hold_out = [Sample({"amount": 1.0}, True)] * 3
    assert reference.compute_accuracy(model, hold_out, 0.7) == ContenderMetrics(precision=right / 3)


def test_precision_is_the_share_of_right_predictions() -> None:
    model = Model(Fixed(0.0), Fixed(0.0))  # type: ignore[arg-type]
    hold_out = [Sample({}, True), *[Sample({}, False)] * 3]
    assert reference.compute_accuracy(model, hold_out, 0.7).precision == 0.75


def test_challenger_learns_from_newest_to_oldest_with_the_old_settings() -> None:
    start = datetime(2025, 1, 1, tzinfo=UTC)
    newest_first = [
        ScoredEvent(
            start - timedelta(minutes=i),
            float(i),
            None,
            None,
            i % 2,
            None,
            f'{{"amount": {i / 600}, "hour": {i % 24}}}',
        )
        for i in range(600)
    ]
    samples = reference.build_samples(newest_first)
    assert [sample.is_anomaly for sample in samples[:4]] == [False, True, False, True]
    model = reference.train_model(samples, Tunables(forest_trees=2, forest_height=4))

    forest = HalfSpaceTrees(n_trees=2, height=4, window_size=250, seed=42)
    deviation = StandardAbsoluteDeviation("amount")
    for sample in samples:
        forest.learn_one(sample.features)
        deviation.learn_one(sample.features)
    assert vars(model.sad) == vars(deviation)
    assert [model.hst.score_one(one.features) for one in samples] == [
        forest.score_one(one.features) for one in samples
    ]
    assert len(set(map(model.hst.score_one, (one.features for one in samples)))) > 5


def test_defaults_are_the_old_services() -> None:
    defaults = Tunables()
    assert (
        defaults.forest_trees,
        defaults.forest_height,
        defaults.forest_window,
        defaults.forest_seed,
    ) == (
        25,
        15,
        250,
        42,
    )
    assert (defaults.rows, defaults.minimum_rows, defaults.hold_out_rows, defaults.threshold) == (
        50_000,
        500,
        200,
        0.7,
    )
    assert (defaults.database_retries, defaults.database_retry_delay_seconds) == (3, 30.0)
    assert (defaults.model_key, defaults.version_key) == ("active_model", "model_version")
    assert defaults.events_table == "scored_events"
