"""The pipeline of the `reference` preset.

It learns every event, newest first, and tests on the newest of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from retraining_job.contract import ContenderMetrics, Contenders, Window
from retraining_job.evaluation.guards import decide_on_input
from retraining_job.evaluation.input_change import InputChange, compare_input
from retraining_job.evaluation.input_counts import measure_tallies, merge_tallies
from retraining_job.evaluation.input_shape import InputShape, split_into_periods
from retraining_job.evaluation.reading_notes import add_reading_remarks
from retraining_job.evaluation.remarks import build_input_remarks
from retraining_job.events.features import Tally
from retraining_job.events.scored_event import get_event_window
from retraining_job.model.model import UnreadableModelError
from retraining_job.presets import reference
from retraining_job.presets.pipeline import EvaluationResult, TrainedModel, get_champion_input

if TYPE_CHECKING:
    from retraining_job.evaluation.decision import Decision
    from retraining_job.events.reading import ReadingFacts
    from retraining_job.events.scored_event import ScoredEvent
    from retraining_job.events.source import EventSource
    from retraining_job.registry.champion import Champion
    from retraining_job.registry.threshold import Threshold
    from retraining_job.settings import RunSettings


@dataclass(frozen=True)
class ReferenceEvents:
    """The events of a run, as samples.

    Args:
        samples: The samples, newest first.
        tallies: How the events were read, for each period, oldest first.
        window: Their time window, or None if there are no events.
        facts: How all of them were read.
        settings: The settings of the run.
    """

    samples: Sequence[reference.Sample]
    tallies: Sequence[Tally]
    window: Window | None
    facts: ReadingFacts
    settings: RunSettings

    @classmethod
    def read(cls, source: EventSource, settings: RunSettings) -> ReferenceEvents:
        """Read the events.

        Args:
            source: A table or a file.
            settings: The settings of the run.

        Returns:
            The events.
        """
        events, left_out = source.read_events()
        samples, tallies = count_samples(events, settings.hold_out_rows)
        facts = merge_tallies(tallies).build_facts(left_out)
        return cls(samples, tallies, get_event_window(events), facts, settings)

    @property
    def n_samples(self) -> int:
        """The number of events."""
        return len(self.samples)

    @property
    def hold_out(self) -> Sequence[reference.Sample]:
        """The newest samples, which the challenger learns as well."""
        return self.samples[: self.settings.hold_out_rows]

    def check(self) -> Decision | None:
        """Check whether there are as many events as the old service asked for.

        Returns:
            The decision that ends the run, or None if a challenger can be trained.
        """
        decision = reference.check_row_count(self.n_samples, self.settings.minimum_rows)
        return add_reading_remarks(decision, self.facts) if decision else None

    def prepare(self, champion: Champion) -> ReferenceComparison:
        """Test the champion on the newest events.

        Raises:
            UnreadableModelError: The champion cannot score these events.
        """
        newest = [sample.features for sample in self.hold_out]
        change = compare_input(
            measure_tallies(list(self.tallies), newest, self.facts),
            get_champion_input(champion, self.settings.deviation_feature),
            limit=self.settings.input_change_limit,
            accepted=self.settings.accept_input_change,
        )
        metrics = None
        if champion.model is not None:
            try:
                metrics = reference.compute_accuracy(
                    champion.model, self.hold_out, self.settings.threshold
                )
            except Exception as error:  # noqa: BLE001  # a forged model can raise anything
                raise UnreadableModelError(
                    f"it cannot score an event ({type(error).__name__}: {error})"
                ) from None
        return ReferenceComparison(self, champion.version, metrics, change)


@dataclass(frozen=True)
class ReferenceComparison:
    """The events of a run, with the champion's metrics.

    Args:
        events: The events.
        champion_version: The champion's version; 0 if there is none.
        champion_metrics: The champion's metrics, or None if there is no champion.
        change: How the input shape has changed since the champion was trained.
    """

    events: ReferenceEvents
    champion_version: int
    champion_metrics: ContenderMetrics | None
    change: InputChange

    @property
    def shape(self) -> InputShape:
        """The input shape, for the manifest."""
        return self.change.now

    def train(self, _threshold: Threshold) -> TrainedModel:
        """Train the challenger on all events.

        Raises:
            ValueError: There are no events, which `check` rules out.
        """
        if self.events.window is None:
            raise ValueError("there are no events")
        model = reference.train_model(self.events.samples, self.events.settings)
        return TrainedModel(model, self.events.window, list(model.feature_names))

    def evaluate(self, challenger: TrainedModel, _threshold: Threshold) -> EvaluationResult:
        """Decide by the old rule, at the threshold of the settings.

        Args:
            challenger: The challenger.
            _threshold: The live threshold, which the old service did not use.

        Returns:
            The decision and the metrics.
        """
        hold_out, settings = self.events.hold_out, self.events.settings
        metrics = reference.compute_accuracy(challenger.model, hold_out, settings.threshold)
        decision = reference.decide_by_accuracy(
            metrics,
            self.champion_metrics,
            champion_version=self.champion_version,
            hold_out_rows=len(hold_out),
        )
        decision = decide_on_input(self.change) or decision
        remarks = " ".join(build_input_remarks(self.change, decision.reason))
        decision = add_reading_remarks(replace(decision, remarks=remarks), self.events.facts)
        return EvaluationResult(
            decision, Contenders(challenger=metrics, champion=self.champion_metrics)
        )

    def with_champion(self, champion: Champion) -> ReferenceComparison:
        """Return these events with the metrics of another champion.

        Raises:
            UnreadableModelError: The champion cannot score these events.
        """
        return self.events.prepare(champion)


def count_samples(
    events: Sequence[ScoredEvent], newest: int
) -> tuple[list[reference.Sample], list[Tally]]:
    """Build samples from events, and count for each period how they are read.

    Args:
        events: The events, newest first.
        newest: The number of newest events, which are the hold-out.

    Returns:
        The samples, newest first, and the tallies, oldest period first.
    """
    rows = len(events)
    samples: list[reference.Sample] = []
    tallies: list[Tally] = []
    for part in reversed(split_into_periods(rows, max(0, rows - newest))):
        tally = Tally()
        samples += reference.build_samples(events[rows - part.stop : rows - part.start], tally)
        tallies.insert(0, tally)
    return samples, tallies
