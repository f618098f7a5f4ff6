"""The `reference` preset as a contest: what `reference` says, step by step. Driven by `run`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from retraining_job import reference
from retraining_job.contest import Judgement
from retraining_job.contract import Contenders, Figures, Window
from retraining_job.decision import Decision
from retraining_job.events import window_of
from retraining_job.features import Tally
from retraining_job.model import UnreadableModel, feature_names

if TYPE_CHECKING:
    from retraining_job.champion import Champion
    from retraining_job.model import Model
    from retraining_job.reading import ReadingFacts
    from retraining_job.scaling import FeatureScaling
    from retraining_job.settings import RunSettings
    from retraining_job.source import Source
    from retraining_job.threshold import Threshold

log = logging.getLogger(__name__)


class ReferenceContest:
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
        self.champion_version = 0
        self.champion_figures: Figures | None = None
        self.challenger_figures = Figures()

    def read(self, source: Source) -> None:
        """Read the events and make them samples."""
        events, left_out = source.events()
        tally = Tally()
        self.n_samples, self.window = len(events), window_of(events)
        self.samples = reference.samples_of(events, tally)
        self.facts = tally.facts(left_out)

    def hopeless(self) -> Decision | None:
        """Ask for the old service's minimum."""
        return reference.enough(self.n_samples, self.settings.minimum_rows)

    @property
    def hold_out(self) -> Sequence[reference.Sample]:
        """The newest events, which the challenger learns as well."""
        return self.samples[: self.settings.hold_out_rows]

    def meet(self, champion: Champion) -> None:
        """Test the champion."""
        self.champion_version, self.champion_figures = champion.version, None
        if champion.model is None:
            return
        try:
            self.champion_figures = reference.figures(champion.model, self.hold_out, self.settings.threshold)
        except Exception as error:  # noqa: BLE001  # what a forged or foreign model raises is not known
            raise UnreadableModel(f"it cannot score an event ({type(error).__name__}: {error})") from None

    def train(self) -> Model:
        """Train the challenger on all events, and test it."""
        model = reference.trained(self.samples, self.settings)
        self.trained, self.features = self.window, list(feature_names(model))
        self.challenger_figures = reference.figures(model, self.hold_out, self.settings.threshold)
        return model

    def judge(self, _threshold: Threshold) -> Judgement:
        """Decide by the old rule, at the threshold that is set."""
        decision = reference.judge(
            self.challenger_figures,
            self.champion_figures,
            champion_version=self.champion_version,
            hold_out_rows=len(self.hold_out),
        )
        return Judgement(decision, Contenders(challenger=self.challenger_figures, champion=self.champion_figures))
