"""Evidence of made-up runs for tests. Curves, histograms and metrics are computed from scores."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from retraining_job.contract import ContenderMetrics, PartMetrics, PromotionPolicy, Tunables, Window
from retraining_job.evaluation.evidence import (
    Comparison,
    Contender,
    Curve,
    Evidence,
    FeatureRecord,
    LabelCoverage,
    Period,
    Provenance,
    ScoreHistogram,
    Split,
)
from retraining_job.evaluation.input_change import InputChange
from retraining_job.evaluation.input_losses import FeatureLoss, Scope
from retraining_job.evaluation.input_shape import FeatureShape, InputShape

START = datetime(2026, 11, 2, 6, 30, tzinfo=UTC)
END = datetime(2026, 11, 23, 14, 5, tzinfo=UTC)
HELD_OUT = datetime(2026, 11, 21, 9, 10, tzinfo=UTC)
EDGES = np.linspace(0.0, 1.0, 51)
THRESHOLD = 0.7


def scores(truth: np.ndarray, gap: float, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.clip(random.normal(0.55, 0.07, truth.size) + gap * truth, 0.0, 1.0)


def contender(truth: np.ndarray, scored: np.ndarray, **others: Any) -> Contender:
    order = np.argsort(-scored)
    hits = np.cumsum(truth[order])
    recall, precision = hits / truth.sum(), hits / np.arange(1, truth.size + 1)
    shown = np.unique(np.geomspace(1, truth.size, 120).astype(int)) - 1
    average = float(np.sum(precision * truth[order]) / truth.sum())
    above, budget = scored > THRESHOLD, truth.size // 100 - 1
    combined = PartMetrics(
        average_precision=average,
        roc_auc=0.95,
        budget_precision=float(precision[budget]),
        budget_recall=float(recall[budget]),
        alert_rate=float(above.mean()),
    )
    hst = PartMetrics(average_precision=average * 0.9, roc_auc=0.93, alert_rate=0.31)
    return Contender(
        metrics=ContenderMetrics(
            precision=0.97,
            combined=combined,
            hst=hst,
            sad=PartMetrics(average_precision=0.4, roc_auc=0.8),
        ),
        fingerprint="9f2c" * 16,
        trained=Window(first=START, last=HELD_OUT, rows=44_750),
        threshold_precision=float(truth[above].mean()),
        threshold_recall=float(truth[above].sum() / truth.sum()),
        curve=Curve(recall=recall[shown].tolist(), precision=precision[shown].tolist()),
        histogram=ScoreHistogram(
            edges=EDGES.tolist(),
            anomalies=np.histogram(scored[truth == 1], EDGES)[0].tolist(),
            normal=np.histogram(scored[truth == 0], EDGES)[0].tolist(),
        ),
        **others,
    )


def build_features(count: int) -> list[FeatureRecord]:
    named = [
        FeatureRecord(name=f"feature_{index:03}", scaling="linear", low=0.0, high=87.25)
        for index in range(count)
    ]
    named[0] = FeatureRecord(
        name="amount", scaling="log", low=0.5, high=25_691.16, note="heavy tail: log1p"
    )
    named[1] = FeatureRecord(
        name="country", scaling="left out", unusable=44_750, note="no finite number in any row"
    )
    named[2] = FeatureRecord(name="velocity", scaling="linear", low=0, high=31, missing=120)
    return named


def input_shape(**changes: FeatureShape) -> InputShape:
    """Build the shape of the input of a run."""
    whole = {
        one.name: FeatureShape(usable=1.0, newest=1.0, lowest=1.0) for one in build_features(11)
    }
    return InputShape(events=50_000, newest=5_000, labelled=0.93, features=whole | changes)


def input_change(**changes: Any) -> InputChange:
    """Build a small change of the input. `changes` replaces fields."""
    now = input_shape(velocity=FeatureShape(usable=0.98, newest=0.91, lowest=0.91, varies=False))
    values: dict[str, Any] = {
        "now": now,
        "then": input_shape(),
        "champion_version": 12,
        "has_champion": True,
        "losses": [FeatureLoss(name="velocity", before=1.0, after=0.91, scope=Scope.NEWEST)],
        "noticed": "Fewer events have velocity (91.0% of the newest events, 100.0% before).",
    }
    return InputChange(**(values | changes))


def build_evidence(**changes: Any) -> Evidence:
    """Build the evidence of a run that promoted its challenger. `changes` replaces fields."""
    truth = (np.random.default_rng(1).random(4640) < 0.012).astype(np.int8)
    anomalies = int(truth.sum())
    periods = [
        Period(
            first=HELD_OUT + index * (END - HELD_OUT) / 10,
            last=HELD_OUT + (index + 1) * (END - HELD_OUT) / 10 - timedelta(seconds=30),
            rows=500,
            anomalies=0 if index == 6 else 6,
            champion_average_precision=None
            if index == 6
            else 0.6 + 0.02 * (index % 3) - 0.02 * index,
            challenger_average_precision=None if index == 6 else 0.82 + 0.03 * (index % 4),
            champion_alert_rate=0.021 + 0.002 * index,
            challenger_alert_rate=0.024 - 0.001 * (index % 2),
        )
        for index in range(10)
    ]
    values: dict[str, Any] = {
        "provenance": Provenance(
            run_id="rtr-drift-alerts-0-1184-5c1f2b",
            request="fraud/drift-alerts-0-1184",
            trigger_reason="PSI of amount is 0.31, above 0.25",
            image="registry.example.org/retraining-job:0.2.0",
            evaluated_at=END + timedelta(minutes=3),
            river="0.26.1",
            python="3.11.2",
            numpy="2.4.0",
            preset="recommended",
            source="scored_events",
            window=Window(first=START, last=END, rows=50_000),
            checksum="3b1d9e0c52aa4f7e" * 4,
            seed=42,
            settings=Tunables(rows=20_000).model_dump(mode="json"),
        ),
        "split": Split(
            training=Window(first=START, last=HELD_OUT - timedelta(hours=2), rows=44_750),
            gap_rows=250,
            hold_out=Window(first=HELD_OUT, last=END, rows=5000),
            anomalies=anomalies,
            normal=4640 - anomalies,
            unlabelled=360,
        ),
        "features": build_features(11),
        "threshold": THRESHOLD,
        "threshold_source": "setting",
        "policy": PromotionPolicy.NON_INFERIOR,
        "margin": 0.05,
        "challenger": contender(truth, scores(truth, 0.24, 2), matching_threshold=0.713),
        "champion": contender(truth, scores(truth, 0.17, 3), version=12),
        "comparison": Comparison(
            difference=0.431, lower=0.351, upper=0.512, confidence=0.95, draws=1000, seed=42
        ),
        "periods": periods,
        "input": input_change(),
        "labels": LabelCoverage(
            flagged=104,
            flagged_labelled=104,
            flagged_anomalies=31,
            unflagged=4896,
            unflagged_labelled=4536,
            unflagged_anomalies=anomalies - 31,
        ),
        "notes": [
            "The champion's manifest says that it was trained on rows older than the hold-out."
        ],
        "verdict": "Promoted",
        "reason": "not_inferior",
        "message": "On 5,000 hold-out events with 53 known anomalies, the challenger's average "
        "precision is 0.8790, that of the champion (version 12) is 0.4500. The difference is "
        "+0.4310. With 95% confidence the true difference is above +0.3510, and with the same "
        "confidence below +0.5120. The challenger is better.",
        "promoted": True,
    }
    return Evidence(**(values | changes))


def build_unlabelled_evidence(**changes: Any) -> Evidence:
    """Build the evidence of a run whose hold-out has no labels. `changes` replaces fields."""
    whole = build_evidence()
    rate = PartMetrics(alert_rate=0.02)
    bare = {"metrics": ContenderMetrics(combined=rate), "curve": None, "histogram": None}
    bare |= {"threshold_precision": None, "threshold_recall": None}
    assert whole.split is not None
    assert whole.champion is not None
    return whole.model_copy(
        update={
            "split": whole.split.model_copy(
                update={"anomalies": 0, "normal": 0, "unlabelled": 5000}
            ),
            "challenger": whole.challenger.model_copy(update=bare),
            "champion": whole.champion.model_copy(update=bare),
            "comparison": None,
            "periods": [
                one.model_copy(
                    update={
                        "champion_average_precision": None,
                        "challenger_average_precision": None,
                    }
                )
                for one in whole.periods
            ],
            "verdict": "Inconclusive",
            "reason": "no_truth",
            "promoted": False,
            **changes,
        }
    )
