"""The stages of a preset, as values: events, prepared events, trained model, evaluation result.

A pipeline touches neither Redis nor the audit trail.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from retraining_job.contract import Contenders, Window
from retraining_job.evaluation.input_change import ChampionInput

if TYPE_CHECKING:
    from retraining_job.evaluation.calibration_record import CalibrationRecord
    from retraining_job.evaluation.decision import Decision
    from retraining_job.evaluation.evidence import Evidence
    from retraining_job.evaluation.input_shape import InputShape
    from retraining_job.model.model import Model
    from retraining_job.model.scaling import FeatureScaling
    from retraining_job.registry.champion import Champion
    from retraining_job.registry.threshold import Threshold


@dataclass(frozen=True)
class TrainedModel:
    """A challenger, and what it was trained on.

    Args:
        model: The model.
        window: The time window of the events that it has learned.
        features: The names of the features that its trees split.
        scalings: The scalings that were written into its trees, one for each feature. Empty if the
            trees split raw values.
        calibration: What it was chosen from. None if it is not calibrated.
    """

    model: Model
    window: Window
    features: Sequence[str]
    scalings: Sequence[FeatureScaling] = ()
    calibration: CalibrationRecord | None = None


@dataclass(frozen=True)
class EvaluationResult:
    """The result of evaluating a challenger against the champion of one version.

    Args:
        decision: The outcome of the promotion policy, or of a guard before it.
        metrics: The metrics of both models, if they were computed.
        evidence: All numbers that led to the verdict, if the preset records them.
    """

    decision: Decision
    metrics: Contenders | None = None
    evidence: Evidence | None = None

    @property
    def thresholds(self) -> dict[str, float | None]:
        """The threshold of the evaluation, and the one at which the alert rate stays the same."""
        if self.evidence is None:
            return {}
        challenger = self.evidence.challenger
        threshold = challenger.published_threshold or self.evidence.threshold
        return {"threshold": threshold, "matching_threshold": challenger.matching_threshold}


class PreparedEvents(Protocol):
    """Events that are split, with the champion's scores of the hold-out."""

    @property
    def shape(self) -> InputShape:
        """The input shape, for the manifest."""

    def train(self, threshold: Threshold) -> TrainedModel:
        """Train a challenger on the training rows.

        Args:
            threshold: The live threshold, for which a challenger is calibrated.

        Returns:
            The challenger.
        """

    def evaluate(self, challenger: TrainedModel, threshold: Threshold) -> EvaluationResult:
        """Evaluate a challenger against the champion on the hold-out.

        Args:
            challenger: A model that these events have trained.
            threshold: The live threshold.

        Returns:
            The decision and the metrics.
        """

    def with_champion(self, champion: Champion) -> PreparedEvents:
        """Return these events prepared for another champion.

        Rows that the challenger has learned stay out of the hold-out.

        Raises:
            UnreadableModelError: The champion cannot score these events.
        """


class LoadedEvents(Protocol):
    """The events of a run, as they were read."""

    @property
    def n_samples(self) -> int:
        """The number of events."""

    @property
    def window(self) -> Window | None:
        """Their time window, or None if there are no events."""

    def check(self) -> Decision | None:
        """Check whether a challenger can be trained. Returns the decision if it cannot."""

    def prepare(self, champion: Champion) -> PreparedEvents:
        """Split the events and score the hold-out with the champion.

        The champion's model is not needed afterwards.

        Raises:
            UnreadableModelError: The champion cannot score these events.
        """


def get_champion_input(champion: Champion, deviation_feature: str) -> ChampionInput | None:
    """Get what is known about the input that the champion was trained for.

    Args:
        champion: The champion with its model.
        deviation_feature: The feature of the deviation score. It counts if the manifest records it.

    Returns:
        The input, or None if there is no champion.
    """
    if champion.model is None:
        return None

    shape = champion.manifest.input if champion.manifest else None
    names = set(champion.model.feature_names)
    if names and shape and deviation_feature in shape.features:
        names.add(deviation_feature)
    return ChampionInput(champion.version or None, names, shape)
