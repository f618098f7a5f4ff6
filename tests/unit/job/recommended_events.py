"""A small synthetic stream for tests of the `recommended` preset, its split and its evaluation."""

from datetime import datetime
from typing import Any

import numpy as np

from retraining_job.contract import Preset, Tunables
from retraining_job.evaluation.decision import Decision
from retraining_job.evaluation.evidence import Contender, Evidence
from retraining_job.evaluation.scores import Scores
from retraining_job.events.columns import Columns
from retraining_job.presets import recommended
from retraining_job.presets.recommended import SplitEvents
from retraining_job.presets.recommended_evaluation import (
    EvaluationContext,
    ScoredModel,
    evaluate,
)
from tests.quality.stream import NAMES, build_stream
from tests.quality.trial import build_provenance

ROWS = 8_070
SETTINGS = Tunables(
    preset=Preset.RECOMMENDED,
    forest_trees=25,
    forest_height=5,
    forest_window=100,
    forest_weight=1.0,
    deviation_weight=0.0,
    hold_out_anomalies=15,
)


def build_events(rows: int = ROWS, seed: int = 1) -> Columns:
    made, none = build_stream(seed, rows), np.zeros(len(NAMES), np.int64)
    features = np.asfortranarray(made.features)
    return Columns(made.times, NAMES, features, made.truth, none, none, 0, "0" * 64, 0, 0, none, 0)


def split(
    events: Columns, settings: Tunables = SETTINGS, until: datetime | None = None
) -> SplitEvents:
    prepared = recommended.prepare(events, settings, until)
    assert isinstance(prepared, SplitEvents)
    return prepared


def evaluate_scores(
    prepared: SplitEvents,
    challenger: Scores,
    champion: tuple[Scores, Contender] | None,
    settings: Tunables = SETTINGS,
    **more: Any,
) -> tuple[Decision, Evidence]:
    context = EvaluationContext(
        settings, 0.7, "setting", build_provenance(prepared.columns, settings), **more
    )
    return evaluate(prepared, challenger, champion and ScoredModel(*champion), context)


def train_and_score(prepared: SplitEvents) -> Scores:
    """Train a model on split events and score their hold-out."""
    return recommended.score_hold_out(recommended.train_model(prepared, SETTINGS), prepared)
