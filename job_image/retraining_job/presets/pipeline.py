"""One preset at work on one run: from events to a judgement. What `run` drives, whichever the preset is.

A contest reads the events, lets the champion score the hold-out, trains a challenger and judges the
two. It touches neither Redis nor the database's audit trail.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from retraining_job.contract import Contenders, Window
from retraining_job.evaluation.input_change import ChampionInput

if TYPE_CHECKING:
    from retraining_job.evaluation.decision import Decision
    from retraining_job.evaluation.evidence import Evidence
    from retraining_job.evaluation.input_shape import InputShape
    from retraining_job.events.source import EventSource
    from retraining_job.model.model import Model
    from retraining_job.model.scaling import FeatureScaling
    from retraining_job.registry.champion import Champion
    from retraining_job.registry.threshold import Threshold


@dataclass(frozen=True)
class EvaluationResult:
    """How the challenger was judged against the champion of one version."""

    decision: Decision
    figures: Contenders | None = None
    evidence: Evidence | None = None

    @property
    def thresholds(self) -> dict[str, float | None]:
        """Give what readers should know of thresholds: the one judged at, and the one that keeps the alert rate."""
        if self.evidence is None:
            return {}
        matching = self.evidence.challenger.matching_threshold
        return {"threshold": self.evidence.threshold, "matching_threshold": matching}


class Pipeline(Protocol):
    """The steps of one preset, in the order in which they are called; `meet` and `judge` may come again."""

    n_samples: int
    """Events read."""
    window: Window | None
    """Where they lie in time; None where there are none."""
    trained: Window | None
    """The events that the challenger was trained on; None before `train`."""
    features: list[str]
    """The names of the features that its trees split."""
    scalings: Sequence[FeatureScaling]
    """Those that were written into its trees, one for each of its features; none where they split raw values."""

    @property
    def shape(self) -> InputShape | None:
        """The shape of the events, for the manifest; None before they are read."""

    def read(self, source: EventSource) -> None:
        """Read the events; called again from the start where the source was away."""

    def hopeless(self) -> Decision | None:
        """Say why no challenger can be trained on these events, if that is so."""

    def meet(self, champion: Champion) -> None:
        """Let the champion score the hold-out; afterwards its model is needed no more.

        Raises:
            UnreadableModel: it cannot score these events.
        """

    def train(self) -> Model:
        """Train the challenger, and let it score the hold-out."""

    def judge(self, threshold: Threshold) -> EvaluationResult:
        """Judge challenger against champion."""


def champion_input(champion: Champion, deviation_feature: str) -> ChampionInput | None:
    """Return what is known of the input that the champion was made for; None where there is no champion.

    Args:
        champion: With its model.
        deviation_feature: The feature whose deviation is scored, which counts where it is recorded.
    """
    if champion.model is None:
        return None

    shape = champion.manifest.input if champion.manifest else None
    names = set(champion.model.feature_names)
    if names and shape and deviation_feature in shape.features:
        names.add(deviation_feature)
    return ChampionInput(champion.version or None, names, shape)
