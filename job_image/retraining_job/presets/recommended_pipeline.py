"""The pipeline of the `recommended` preset.

Events are ordered from oldest to newest. The hold-out is made of events that neither model has
learned, features are scaled, and models are compared by average precision with its confidence
bound.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

from retraining_job.contract import Calibration, Contenders, Tunables, Window
from retraining_job.evaluation.decision import Decision
from retraining_job.evaluation.evidence import Contender, Provenance
from retraining_job.evaluation.reading_notes import add_reading_remarks
from retraining_job.evaluation.split import compute_window
from retraining_job.model.model import UnreadableModelError
from retraining_job.presets import recommended
from retraining_job.presets.pipeline import EvaluationResult, TrainedModel, get_champion_input
from retraining_job.presets.recommended_calibration import (
    FormerModel,
    calibrate_challenger,
    describe_former,
    find_published_threshold,
)
from retraining_job.presets.recommended_evaluation import EvaluationContext, ScoredModel, evaluate

if TYPE_CHECKING:
    from retraining_job.evaluation.input_change import InputChange
    from retraining_job.evaluation.input_shape import InputShape
    from retraining_job.events.columns import Columns
    from retraining_job.events.source import EventSource
    from retraining_job.presets.recommended import SplitEvents
    from retraining_job.registry.champion import Champion
    from retraining_job.registry.threshold import Threshold
    from retraining_job.settings import RunSettings


@dataclass(frozen=True)
class RecommendedEvents:
    """The events of a run, as columns.

    Args:
        columns: The events, oldest first.
        source: The name of the table or file.
        settings: The settings of the run.
    """

    columns: Columns
    source: str
    settings: RunSettings

    @classmethod
    def read(cls, source: EventSource, settings: RunSettings) -> RecommendedEvents:
        """Read the events.

        Args:
            source: A table or a file.
            settings: The settings of the run.

        Returns:
            The events.
        """
        return cls(source.read_columns(), source.name, settings)

    @property
    def n_samples(self) -> int:
        """The number of events."""
        return len(self.columns.truth)

    @property
    def window(self) -> Window | None:
        """Their time window, or None if there are no events."""
        return compute_window(self.columns.times) if self.n_samples else None

    def check(self) -> Decision | None:
        """Check whether there are enough events to train on, without regard to the champion.

        Returns:
            The decision that ends the run, or None if a challenger can be trained.
        """
        prepared = recommended.prepare(self.columns, self.settings)
        if isinstance(prepared, Decision):
            return add_reading_remarks(prepared, self.columns.facts)
        return None

    def prepare(
        self, champion: Champion, learned: SplitEvents | None = None
    ) -> RecommendedComparison:
        """Split the events so that neither model has learned the hold-out, and score the champion.

        Args:
            champion: The champion with its model.
            learned: The split of an earlier preparation, if a challenger was trained on it.

        Returns:
            The prepared events.

        Raises:
            UnreadableModelError: The champion cannot score these events.
            TypeError: The events became too few, which `check` rules out.
        """
        trained = champion.manifest.trained if champion.manifest else None
        prepared = recommended.prepare(
            self.columns, self.settings, trained.last if trained else None
        )
        # `check` has split the events without a champion. With a champion, the hold-out can only be
        # smaller, so there are at least as many training rows.
        if isinstance(prepared, Decision):
            raise TypeError(prepared.message)
        if learned is not None:
            prepared = exclude_learned_rows(prepared, learned)
        known = get_champion_input(champion, self.settings.deviation_feature)
        change = recommended.compare_with_champion_input(prepared, known, self.settings)
        if champion.model is None or not change.comparable:
            return RecommendedComparison(self, prepared, None, change)
        try:
            scored = score_champion_model(champion, prepared)
            former = describe_former(champion.model, prepared, self.settings)
        except Exception as error:  # noqa: BLE001  # a forged model can raise anything
            raise UnreadableModelError(
                f"it cannot score an event ({type(error).__name__}: {error})"
            ) from None
        return RecommendedComparison(self, prepared, scored, change, former)


@dataclass(frozen=True)
class RecommendedComparison:
    """Split events with the champion's scores of the hold-out.

    Args:
        events: The events.
        prepared: Their split and the scalings of their features.
        champion: The champion's scores, or None if there is no champion to compare with.
        change: How the input shape has changed since the champion was trained.
        former: What a calibration takes over from the champion, or None if there is none.
    """

    events: RecommendedEvents
    prepared: SplitEvents
    champion: ScoredModel | None
    change: InputChange
    former: FormerModel | None = None

    @property
    def shape(self) -> InputShape:
        """The input shape, for the manifest."""
        return self.change.now

    def train(self, threshold: Threshold) -> TrainedModel:
        """Train the challenger on the rows that are older than the hold-out.

        Args:
            threshold: The live threshold, for which it is calibrated.

        Returns:
            The challenger.
        """
        prepared, settings = self.prepared, self.events.settings
        window = compute_window(prepared.columns.times[prepared.parts.training])
        if settings.calibration is Calibration.AUTO:
            found = calibrate_challenger(prepared, settings, threshold.value, self.former)
            if found is not None:
                names = [scaling.name for scaling in found.scalings]
                return TrainedModel(found.model, window, names, found.scalings, found.record)
        return TrainedModel(
            model=recommended.train_model(prepared, settings),
            window=window,
            features=[scaling.name for scaling in prepared.scalings],
            scalings=prepared.scalings,
        )

    def evaluate(self, challenger: TrainedModel, threshold: Threshold) -> EvaluationResult:
        """Evaluate the challenger against the champion on the hold-out.

        Args:
            challenger: A model that these events have trained.
            threshold: The live threshold.

        Returns:
            The decision, the metrics and the evidence.
        """
        decision, evidence = evaluate(
            self.prepared,
            recommended.score_hold_out(challenger.model, self.prepared),
            self.champion,
            EvaluationContext(
                self.events.settings,
                threshold.value,
                threshold.source,
                self._describe_provenance(),
                change=self.change,
                calibration=challenger.calibration,
                published_threshold=find_published_threshold(
                    challenger.calibration, self.events.settings
                ),
            ),
        )
        metrics = Contenders(
            challenger=evidence.challenger.metrics,
            champion=evidence.champion.metrics if evidence.champion else None,
        )
        return EvaluationResult(decision, metrics, evidence)

    def with_champion(self, champion: Champion) -> RecommendedComparison:
        """Return these events prepared for another champion.

        Raises:
            UnreadableModelError: The champion cannot score these events.
        """
        return self.events.prepare(champion, self.prepared)

    def _describe_provenance(self) -> Provenance:
        settings, columns = self.events.settings, self.events.columns
        return Provenance(
            run_id=settings.run_id,
            request=settings.request,
            trigger_reason=settings.reason,
            image=settings.image,
            evaluated_at=datetime.now(UTC),
            river=version("river"),
            python=platform.python_version(),
            numpy=version("numpy"),
            preset=settings.preset,
            source=self.events.source,
            window=compute_window(columns.times),
            checksum=columns.checksum,
            seed=settings.forest_seed,
            settings=settings.model_dump(mode="json", include=set(Tunables.model_fields)),
        )


def score_champion_model(champion: Champion, prepared: SplitEvents) -> ScoredModel | None:
    """Score the hold-out with the champion.

    Args:
        champion: The champion with its model.
        prepared: The split events.

    Returns:
        Its scores, or None if there is no champion.

    Raises:
        Exception: Any, if the model cannot score an event.
    """
    if champion.model is None:
        return None
    manifest = champion.manifest
    facts = Contender(
        version=champion.version or None,
        fingerprint=manifest.fingerprint if manifest else "",
        trained=manifest.trained if manifest else None,
    )
    return ScoredModel(recommended.score_hold_out(champion.model, prepared), facts)


def exclude_learned_rows(prepared: SplitEvents, learned: SplitEvents) -> SplitEvents:
    """Exclude from the hold-out what the challenger has learned.

    Another champion may allow a larger hold-out than the one that the challenger was trained for.

    Args:
        prepared: The split for the new champion.
        learned: The split on which the challenger was trained.

    Returns:
        The split of the challenger, with the later of the two starts of the hold-out.
    """
    start = max(prepared.parts.hold_out_start, learned.parts.hold_out_start)
    parts = replace(prepared.parts, training_rows=learned.parts.training_rows, hold_out_start=start)
    return replace(learned, parts=parts)
