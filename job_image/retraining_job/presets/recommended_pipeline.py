"""The `recommended` preset as a contest: `recommended`, step by step.

Driven by `retrain` and `offline`.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

from retraining_job.contract import Contenders, Tunables, Window
from retraining_job.evaluation.decision import Decision
from retraining_job.evaluation.evidence import Contender, Provenance
from retraining_job.evaluation.input_change import InputChange
from retraining_job.evaluation.reading_notes import add_reading_remarks
from retraining_job.evaluation.scores import Scores
from retraining_job.evaluation.split import compute_window
from retraining_job.model.model import UnreadableModelError
from retraining_job.presets import recommended
from retraining_job.presets.pipeline import EvaluationResult, champion_input

if TYPE_CHECKING:
    from retraining_job.evaluation.input_shape import InputShape
    from retraining_job.events.columns import Columns
    from retraining_job.events.source import EventSource
    from retraining_job.model.model import Model
    from retraining_job.model.scaling import FeatureScaling
    from retraining_job.presets.recommended import Prepared
    from retraining_job.registry.champion import Champion
    from retraining_job.registry.threshold import Threshold
    from retraining_job.settings import RunSettings


class RecommendedPipeline:
    """Oldest to newest, a hold-out that nobody has learned, features scaled, average precision with its bound."""

    def __init__(self, settings: RunSettings) -> None:
        self.settings = settings
        self.n_samples = 0
        self.window: Window | None = None
        self.trained: Window | None = None
        self.features: list[str] = []
        self.scalings: Sequence[FeatureScaling] = ()
        self.source = ""
        self.columns: Columns | None = None
        self.prepared: Prepared | None = None
        self.model: Model | None = None
        self.champion: tuple[Scores, Contender] | None = None
        self.change: InputChange | None = None

    def read(self, source: EventSource) -> None:
        """Read the events into columns."""
        self.columns, self.source = source.read_columns(), source.name
        self.n_samples = len(self.columns.truth)
        self.window = compute_window(self.columns.times) if self.n_samples else None

    def hopeless(self) -> Decision | None:
        """Part the events, as if there was no champion, and see whether that leaves enough to train on."""
        prepared = recommended.prepared(self.events, self.settings)
        return (
            add_reading_remarks(prepared, self.events.facts)
            if isinstance(prepared, Decision)
            else None
        )

    def meet(self, champion: Champion) -> None:
        """Part the events so that the champion has learned none of the hold-out, and let it score that."""
        trained = champion.manifest.trained if champion.manifest else None
        prepared = recommended.prepared(
            self.events, self.settings, trained.last if trained else None
        )
        if isinstance(prepared, Decision):  # the champion can only make the hold-out smaller
            raise TypeError(prepared.message)
        self.prepared = prepared if self.model is None else narrowed(prepared, self.ready)
        self.champion = None
        known = champion_input(champion, self.settings.deviation_feature)
        self.change = recommended.input_change(self.ready, known, self.settings)
        if champion.model is None or not self.change.comparable:
            return
        facts = Contender(
            version=champion.version or None,
            fingerprint=champion.manifest.fingerprint if champion.manifest else "",
            trained=trained,
        )
        try:
            self.champion = recommended.scores_of(champion.model, self.ready), facts
        except Exception as error:  # noqa: BLE001  # what a forged or foreign model raises is not known
            raise UnreadableModelError(
                f"it cannot score an event ({type(error).__name__}: {error})"
            ) from None

    def train(self) -> Model:
        """Train the challenger on what is older than the hold-out."""
        self.model = recommended.trained(self.ready, self.settings)
        self.trained = compute_window(self.events.times[self.ready.parts.training])
        self.scalings = self.ready.scalings
        self.features = [scaling.name for scaling in self.scalings]
        return self.model

    def judge(self, threshold: Threshold) -> EvaluationResult:
        """Judge the two on the hold-out."""
        if self.model is None:
            raise RuntimeError("a challenger is trained before it is judged")
        decision, evidence = recommended.judge(
            self.ready,
            recommended.scores_of(self.model, self.ready),
            self.champion,
            self.settings,
            threshold=threshold.value,
            threshold_source=threshold.source,
            provenance=self.provenance(),
            change=self.change,
        )
        figures = Contenders(
            challenger=evidence.challenger.figures,
            champion=evidence.champion.figures if evidence.champion else None,
        )
        return EvaluationResult(decision, figures, evidence)

    def provenance(self) -> Provenance:
        """Say where the run and its events come from."""
        settings = self.settings
        return Provenance(
            run_id=settings.run_id,
            request=settings.request,
            trigger_reason=settings.reason,
            image=settings.image,
            judged_at=datetime.now(UTC),
            river=version("river"),
            python=platform.python_version(),
            numpy=version("numpy"),
            preset=settings.preset,
            source=self.source,
            window=compute_window(self.events.times),
            checksum=self.events.checksum,
            seed=settings.forest_seed,
            settings=settings.model_dump(mode="json", include=set(Tunables.model_fields)),
        )

    @property
    def shape(self) -> InputShape | None:
        """The shape of the events."""
        return self.change.now if self.change else None

    @property
    def events(self) -> Columns:
        """The events, once they are read."""
        if self.columns is None:
            raise RuntimeError("events are read first")
        return self.columns

    @property
    def ready(self) -> Prepared:
        """The events, once they are parted."""
        if self.prepared is None:
            raise RuntimeError("a champion is met first, even if there is none")
        return self.prepared


def narrowed(prepared: Prepared, first: Prepared) -> Prepared:
    """Keep what the challenger has learned out of the hold-out, where another champion would let it grow."""
    start = max(prepared.parts.hold_out_start, first.parts.hold_out_start)
    parts = replace(prepared.parts, training_rows=first.parts.training_rows, hold_out_start=start)
    return replace(first, parts=parts)
