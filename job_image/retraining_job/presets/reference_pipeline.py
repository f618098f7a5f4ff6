"""The `reference` preset as a contest: what `reference` says, step by step. Driven by `run`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from retraining_job.contract import ContenderMetrics, Contenders, Window
from retraining_job.evaluation.decision import Decision
from retraining_job.evaluation.guards import decide_on_input
from retraining_job.evaluation.input_change import InputChange, compare_input
from retraining_job.evaluation.input_counts import measure_tallies, merge_tallies
from retraining_job.evaluation.input_shape import InputMeasurement, InputShape, split_into_periods
from retraining_job.evaluation.reading_notes import add_reading_remarks
from retraining_job.evaluation.remarks import build_input_remarks
from retraining_job.events.features import Tally
from retraining_job.events.scored_event import get_event_window
from retraining_job.model.model import UnreadableModelError
from retraining_job.presets import reference
from retraining_job.presets.pipeline import EvaluationResult, champion_input

if TYPE_CHECKING:
    from retraining_job.events.reading import ReadingFacts
    from retraining_job.events.scored_event import ScoredEvent
    from retraining_job.events.source import EventSource
    from retraining_job.model.model import Model
    from retraining_job.model.scaling import FeatureScaling
    from retraining_job.registry.champion import Champion
    from retraining_job.registry.threshold import Threshold
    from retraining_job.settings import RunSettings

log = logging.getLogger(__name__)


class ReferencePipeline:
    """The old service's way: learns every event, newest first, and judges on the newest of them."""

    def __init__(self, settings: RunSettings) -> None:
        self.settings = settings
        self.n_samples = 0
        self.window: Window | None = None
        self.trained: Window | None = None
        self.features: list[str] = []
        self.scalings: Sequence[FeatureScaling] = ()
        self.samples: Sequence[reference.Sample] = ()
        self.facts: ReadingFacts | None = None
        """How the events were read, once they are."""
        self.measured: InputMeasurement | None = None
        self.change: InputChange | None = None
        self.champion_version = 0
        self.champion_figures: ContenderMetrics | None = None
        self.challenger_figures = ContenderMetrics()

    def read(self, source: EventSource) -> None:
        """Read the events and make them samples."""
        events, left_out = source.read_events()
        self.n_samples, self.window = len(events), get_event_window(events)
        self.samples, tallies = counted(events, self.settings.hold_out_rows)
        self.facts = merge_tallies(tallies).build_facts(left_out)
        if events:
            newest = [sample.features for sample in self.hold_out]
            self.measured = measure_tallies(tallies, newest, self.facts)

    def hopeless(self) -> Decision | None:
        """Ask for the old service's minimum."""
        decision = reference.enough(self.n_samples, self.settings.minimum_rows)
        return add_reading_remarks(decision, self.facts) if decision else None

    @property
    def hold_out(self) -> Sequence[reference.Sample]:
        """The newest events, which the challenger learns as well."""
        return self.samples[: self.settings.hold_out_rows]

    def meet(self, champion: Champion) -> None:
        """Test the champion."""
        self.champion_version, self.champion_figures = champion.version, None
        self.change = compare_input(
            self.ready,
            champion_input(champion, self.settings.deviation_feature),
            limit=self.settings.input_change_limit,
            accepted=self.settings.accept_input_change,
        )
        if champion.model is None:
            return
        try:
            self.champion_figures = reference.figures(
                champion.model, self.hold_out, self.settings.threshold
            )
        except Exception as error:  # noqa: BLE001  # what a forged or foreign model raises is not known
            raise UnreadableModelError(
                f"it cannot score an event ({type(error).__name__}: {error})"
            ) from None

    def train(self) -> Model:
        """Train the challenger on all events, and test it."""
        model = reference.trained(self.samples, self.settings)
        self.trained, self.features = self.window, list(model.feature_names)
        self.challenger_figures = reference.figures(model, self.hold_out, self.settings.threshold)
        return model

    def judge(self, _threshold: Threshold) -> EvaluationResult:
        """Decide by the old rule, at the threshold that is set."""
        decision = reference.judge(
            self.challenger_figures,
            self.champion_figures,
            champion_version=self.champion_version,
            hold_out_rows=len(self.hold_out),
        )
        if self.change:
            decision = decide_on_input(self.change) or decision
            decision = replace(
                decision, remarks=" ".join(build_input_remarks(self.change, decision.reason))
            )
        decision = add_reading_remarks(decision, self.facts)
        return EvaluationResult(
            decision, Contenders(challenger=self.challenger_figures, champion=self.champion_figures)
        )

    @property
    def shape(self) -> InputShape | None:
        """The shape of the events."""
        return self.measured.shape if self.measured else None

    @property
    def ready(self) -> InputMeasurement:
        """The shape of the events, once they are read."""
        if self.measured is None:
            raise RuntimeError("events are read first")
        return self.measured


def counted(
    events: Sequence[ScoredEvent], newest: int
) -> tuple[list[reference.Sample], list[Tally]]:
    """Make events samples, and count how they are read, stretch by stretch.

    Args:
        events: The newest first.
        newest: How many of them judge.

    Returns:
        The samples, newest first, and the tallies, oldest stretch first.
    """
    rows = len(events)
    samples: list[reference.Sample] = []
    tallies: list[Tally] = []
    for part in reversed(split_into_periods(rows, max(0, rows - newest))):
        tally = Tally()
        samples += reference.samples_of(events[rows - part.stop : rows - part.start], tally)
        tallies.insert(0, tally)
    return samples, tallies
