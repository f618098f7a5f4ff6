"""Train and evaluate both models of a scenario on one stream, as in production."""

from __future__ import annotations

import platform
from dataclasses import replace
from datetime import datetime
from importlib.metadata import version

import numpy as np

from retraining_job.contract import Calibration, Preset, Tunables
from retraining_job.evaluation.calibration_record import CalibrationRecord
from retraining_job.evaluation.decision import Decision
from retraining_job.evaluation.evidence import Contender, Evidence, Provenance
from retraining_job.evaluation.input_change import ChampionInput
from retraining_job.evaluation.input_counts import measure_columns
from retraining_job.evaluation.scores import Scores
from retraining_job.evaluation.split import compute_window
from retraining_job.events.columns import Columns
from retraining_job.model.model import Model, compute_deviation_scores, compute_forest_scores
from retraining_job.presets import recommended
from retraining_job.presets.recommended import SplitEvents
from retraining_job.presets.recommended_calibration import calibrate_challenger, describe_former
from retraining_job.presets.recommended_evaluation import (
    EvaluationContext,
    ScoredModel,
    combine_scores,
    evaluate,
)
from tests.quality.changes import ROWS, label_all
from tests.quality.scenarios import Features, Scenario
from tests.quality.stream import NAMES, build_stream

HOLD_OUT = 5_000


def run_scenario(scenario: Scenario, seed: int) -> tuple[Decision, Evidence]:
    """Train both models of a scenario on a stream, and evaluate them.

    Args:
        scenario: The scenario.
        seed: The seed of the stream.

    Returns:
        The decision and its evidence.
    """
    shared = Tunables(preset=Preset.RECOMMENDED, calibration=Calibration.NONE)
    shared = shared.model_copy(update=scenario.settings)
    champion_settings = shared.model_copy(update=scenario.champion_settings)
    before = prepare(
        scenario.history(build_columns(seed, scenario.champion_rows, scenario.champion_features)),
        champion_settings,
    )
    champion, _ = train(before, champion_settings, None)
    trained = before.parts.build_split(before.columns.times, before.columns.truth).training

    settings = shared.model_copy(update=scenario.challenger_settings)
    events = build_columns(seed, ROWS, scenario.challenger_features)
    events = scenario.events(scenario.history(events))
    truth = scenario.truth(events.truth, np.random.default_rng(seed))
    if scenario.labels is not label_all:
        newest = int(ROWS * settings.hold_out_share)  # no other label counts
        scores = score_newest(champion, events, newest, champion_settings)
        labels = scenario.labels(truth[-newest:], scores > settings.threshold)
        truth = np.append(truth[:-newest], labels)
    events = replace(events, truth=truth)
    now = prepare(events, settings, trained.last)
    shape = measure_columns(before.columns, before.parts.hold_out_start).shape
    champion_input = ChampionInput(1, set(champion.feature_names), shape)
    challenger, calibration = train(now, settings, champion)
    scored_champion = ScoredModel(
        recommended.score_hold_out(champion, now), Contender(version=1, trained=trained)
    )
    context = EvaluationContext(
        settings,
        settings.threshold,
        "setting",
        build_provenance(events, settings),
        change=recommended.compare_with_champion_input(now, champion_input, settings),
        calibration=calibration,
    )
    return evaluate(now, recommended.score_hold_out(challenger, now), scored_champion, context)


def train(
    prepared: SplitEvents, settings: Tunables, champion: Model | None
) -> tuple[Model, CalibrationRecord | None]:
    """Train a model, calibrated if the settings say so.

    Args:
        prepared: The split events.
        settings: The settings of the model.
        champion: The champion, whose alert rate a calibration keeps.

    Returns:
        The model, and what it was chosen from.
    """
    if settings.calibration is Calibration.AUTO:
        former = describe_former(champion, prepared, settings) if champion else None
        found = calibrate_challenger(prepared, settings, settings.threshold, former)
        if found is not None:
            return found.model, found.record
    return recommended.train_model(prepared, settings), None


def score_newest(model: Model, events: Columns, newest: int, settings: Tunables) -> np.ndarray:
    """Compute the combined scores of the newest events, as the live service does.

    Args:
        model: The model.
        events: The events.
        newest: The number of the newest events.
        settings: The weights.

    Returns:
        Shape (newest,), float64.
    """
    features = events.features[-newest:]
    scores = Scores(
        compute_forest_scores(model, events.names, features),
        compute_deviation_scores(model, events.names, features),
    )
    return combine_scores(scores, settings)


def prepare(
    events: Columns, settings: Tunables, champion_until: datetime | None = None
) -> SplitEvents:
    """Split and scale events.

    Args:
        events: The events.
        settings: The settings.
        champion_until: The time of the newest event that the champion was trained on.

    Returns:
        The prepared events.

    Raises:
        TypeError: There are too few events.
    """
    prepared = recommended.prepare(events, settings, champion_until)
    if isinstance(prepared, Decision):
        raise TypeError(prepared.message)
    return prepared


def build_columns(seed: int, rows: int, change: Features) -> Columns:
    """Build the oldest rows of a stream as the trainer reads them.

    Args:
        seed: The seed of the stream.
        rows: The number of rows.
        change: Changes the features of all rows but the hold-out.

    Returns:
        The events.
    """
    made = build_stream(seed, ROWS)
    features, none = made.features[:rows], np.zeros(len(NAMES), np.int64)
    features = np.concatenate([change(features[:-HOLD_OUT]), features[-HOLD_OUT:]])
    return Columns(
        times=made.times[:rows],
        names=NAMES,
        features=np.asfortranarray(features),
        truth=made.truth[:rows],
        missing=none,
        unusable=none,
        neutral=0,
        checksum="",
        unreadable=0,
        decoded=0,
        texts=none,
        left_out=0,
    )


def build_provenance(events: Columns, settings: Tunables) -> Provenance:
    """Build the provenance of an evaluation.

    Args:
        events: The events.
        settings: The settings.

    Returns:
        The provenance.
    """
    return Provenance(
        run_id="quality",
        river=version("river"),
        python=platform.python_version(),
        numpy=version("numpy"),
        preset=Preset.RECOMMENDED,
        source="tests.quality.stream",
        window=compute_window(events.times),
        checksum=events.checksum,
        seed=settings.forest_seed,
        settings={},
    )
