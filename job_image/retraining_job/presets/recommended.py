"""The steps of the `recommended` preset before evaluation: prepare, train, score.

What is evaluated is what goes live: a challenger is not trained again on the hold-out after its
evaluation. The next run's hold-out is newer, so it evaluates a champion on events that the champion
has never learned.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from retraining_job.contract import (
    EvaluationSettings,
    ModelSettings,
    Scaling,
    Tunables,
    Verdict,
    VerdictReason,
)
from retraining_job.evaluation.decision import Decision
from retraining_job.evaluation.input_change import ChampionInput, InputChange, compare_input
from retraining_job.evaluation.input_counts import measure_columns
from retraining_job.evaluation.scores import Scores
from retraining_job.evaluation.split import SplitRows, split_rows
from retraining_job.model.scaling import FeatureScaling, build_unscale
from retraining_job.model.scaling_choice import choose_scalings
from retraining_job.presets.feature_records import build_feature_record

if TYPE_CHECKING:
    from retraining_job.evaluation.evidence import FeatureRecord
    from retraining_job.events.columns import Columns
    from retraining_job.model.model import Model


@dataclass(frozen=True)
class SplitEvents:
    """Events that are split into training and hold-out, with the scalings of their features.

    Args:
        columns: The events, oldest first.
        parts: The split.
        scalings: The scalings of the features that the trees split, sorted by name. The model's
            state stores them.
        features: How each feature is used, for the evidence.
    """

    columns: Columns
    parts: SplitRows
    scalings: tuple[FeatureScaling, ...]
    features: list[FeatureRecord]

    @property
    def held_truth(self) -> np.ndarray:
        """The truth of the hold-out: shape (n,), 1 anomaly, 0 normal, -1 unknown."""
        return self.columns.truth[self.parts.hold_out]


def prepare(
    columns: Columns, settings: Tunables, champion_until: datetime | None = None
) -> SplitEvents | Decision:
    """Split the events and choose how their features are scaled.

    Args:
        columns: The events, oldest first.
        settings: The tunables of the run.
        champion_until: The time (UTC) of the newest event that the champion was trained on, or None
            if it is unknown.

    Returns:
        The prepared events, or the decision that ends the run if nothing can be trained on them.
    """
    parts = split_rows(
        columns.times,
        columns.truth,
        settings,
        window=settings.forest_window,
        champion_until=champion_until,
    )
    if isinstance(parts, Decision):
        return parts
    training = columns.features[parts.training]
    choices = choose_scalings(columns.names, training, columns.unusable.tolist(), settings.scaling)
    scalings = [choice.scaling for choice in choices if choice.scaling]
    records = [build_feature_record(choice) for choice in choices]
    if not scalings:
        reasons = [f"{record.name}: {record.note}" for record in records[:5]]
        why = "; ".join(reasons) or "the events have none"
        message = f"No feature can be split by a tree, so nothing was trained ({why})."
        return Decision(Verdict.INSUFFICIENT_DATA, VerdictReason.INSUFFICIENT_DATA, message)
    return SplitEvents(columns, parts, tuple(scalings), records)


def train_model(prepared: SplitEvents, settings: ModelSettings) -> Model:
    """Train a challenger on the training rows, oldest first.

    Args:
        prepared: The split events.
        settings: How it is trained.

    Returns:
        A model that takes raw features.
    """
    from retraining_job.deviation import StandardAbsoluteDeviation  # noqa: PLC0415
    from retraining_job.model.forest import train_forest_on_matrix  # noqa: PLC0415
    from retraining_job.model.model import Model  # noqa: PLC0415

    columns, rows, window = prepared.columns, prepared.parts.training_rows, settings.forest_window
    index_by_name = {name: index for index, name in enumerate(columns.names)}
    names = [scaling.name for scaling in prepared.scalings]
    # Rows before the last two full windows have no effect on the forest's masses.
    effective = slice(max(0, rows - 2 * window - rows % window), rows)
    hst = train_forest_on_matrix(
        names,
        columns.features[effective][:, [index_by_name[name] for name in names]],
        unscale=None if settings.scaling is Scaling.NONE else build_unscale(prepared.scalings),
        n_trees=settings.forest_trees,
        height=settings.forest_height,
        window_size=window,
        seed=settings.forest_seed,
    )
    sad = StandardAbsoluteDeviation(settings.deviation_feature)
    if sad.feature in index_by_name:
        values = columns.features[prepared.parts.training, index_by_name[sad.feature]]
        sad.learn_values(values.tolist())
    return Model(hst, sad)


def score_hold_out(model: Model, prepared: SplitEvents) -> Scores:
    """Score the hold-out. The model learns nothing from it.

    Args:
        model: The champion or the challenger.
        prepared: The split events.

    Returns:
        The scores of both parts of the model.
    """
    from retraining_job.model.model import (  # noqa: PLC0415
        compute_deviation_scores,
        compute_forest_scores,
    )

    columns, held = prepared.columns, prepared.columns.features[prepared.parts.hold_out]
    return Scores(
        compute_forest_scores(model, columns.names, held),
        compute_deviation_scores(model, columns.names, held),
    )


def compare_with_champion_input(
    prepared: SplitEvents, champion: ChampionInput | None, settings: EvaluationSettings
) -> InputChange:
    """Compare the input shape of the events with the input that the champion was trained for.

    Args:
        prepared: The split events.
        champion: What is known about the champion's input, or None if there is no champion.
        settings: The limit of the change, and whether a change is accepted.

    Returns:
        The change.
    """
    return compare_input(
        measure_columns(prepared.columns, prepared.parts.hold_out_start),
        champion,
        limit=settings.input_change_limit,
        accepted=settings.accept_input_change,
    )
