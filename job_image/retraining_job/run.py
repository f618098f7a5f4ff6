"""The story of one retrain: read, guard, train, judge, publish, record. Driven by `__main__`.

The process may die at any line and be started again under the same run id. Whatever comes before publishing is then
simply done again; what has been published or recorded is found, and only the rest is done.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from retraining_job import reference
from retraining_job.audit import check_tables, record, recorded
from retraining_job.contract import Contenders, Figures, Reason, Result, Verdict, Window
from retraining_job.errors import AuditPending, RunError
from retraining_job.events import read_events, window_of
from retraining_job.manifest import origin_of
from retraining_job.outcome import Outcome
from retraining_job.publish import Parcel, Published, publish, published
from retraining_job.reference import Decision, Sample
from retraining_job.retries import patiently

if TYPE_CHECKING:
    from retraining_job.champion import Champion
    from retraining_job.settings import TrainSettings

JUDGEMENTS = 5
"""How often a challenger is judged against a champion that has just changed, before its run gives way."""

log = logging.getLogger(__name__)


def run(settings: TrainSettings, started_at: datetime) -> Result:
    """Retrain once, and see to it that the outcome is recorded once.

    Raises:
        RunError: there is no verdict, or it could not be recorded.
    """
    result = finished_before(settings) or Retrain(settings, started_at).outcome()
    keep(settings, result)
    return result


def finished_before(settings: TrainSettings) -> Result | None:
    """Find how this run ended at an earlier start, if it did: in Redis where it published, else in the database."""
    patiently(settings, partial(check_tables, settings))
    result = patiently(settings, partial(published, settings)) or patiently(settings, partial(recorded, settings))
    if result:
        log.info("This run has ended before: %s (%s). Only what is missing is done now.", result.verdict, result.reason)
    return result


class Retrain:
    """One retrain on its way from events to a verdict."""

    def __init__(self, settings: TrainSettings, started_at: datetime) -> None:
        self.settings = settings
        self.started_at = started_at
        self.window: Window | None = None
        self.n_samples = 0

    def outcome(self) -> Result:
        """Retrain as the `reference` preset does; a promoted model is live when this returns."""
        from retraining_job.champion import UnreadableChampion  # noqa: PLC0415  # brings river, which not all runs need

        samples = self.read_samples()
        if decision := reference.enough(len(samples), self.settings.minimum_rows):
            return self.result(decision)
        try:
            return self.contest(samples)
        except UnreadableChampion as error:
            decision = Decision(Verdict.UNREADABLE_CHAMPION, Reason.UNREADABLE_CHAMPION, str(error))
            return self.result(decision, error.version)

    def read_samples(self) -> list[Sample]:
        """Read the events and make them samples."""
        table = self.settings.events_table
        url, rows = self.settings.database_url, self.settings.rows
        events = patiently(self.settings, partial(read_events, url, table, rows))
        self.n_samples, self.window = len(events), window_of(events)
        if self.window is None:
            log.warning("There are no events in %s: does anything write them?", table)
            return []
        first, last = (end.strftime("%Y-%m-%d %H:%M") for end in (self.window.first, self.window.last))
        log.info("Read %s events from %s, from %s to %s.", f"{len(events):,}", table, first, last)
        return reference.samples_of(events)

    def contest(self, samples: Sequence[Sample]) -> Result:
        """Train a challenger, let it meet the champion, and publish it where it wins.

        One forest fills most of the memory, so the champion is judged and let go before the challenger is trained.
        """
        from retraining_job.model import dumped  # noqa: PLC0415
        from retraining_job.state import state_text  # noqa: PLC0415

        origin = origin_of(self.settings, n_samples=len(samples), trained=self.window, read=self.window)
        hold_out = samples[: self.settings.hold_out_rows]
        champion, champion_figures = self.judged_champion(hold_out)
        log.info("Training a challenger on %s events.", f"{len(samples):,}")
        with timed("Trained it"):
            model = reference.trained(samples, self.settings)
        challenger_figures = reference.figures(model, hold_out, self.settings.threshold)
        parcel = None
        for _ in range(JUDGEMENTS):
            figures = Contenders(challenger=challenger_figures, champion=champion_figures)
            result = self.judged(figures, champion.version, len(hold_out))
            if result.verdict is not Verdict.PROMOTED:
                return result
            if not parcel:
                with timed("Pickled the challenger"):
                    parcel = Parcel(dumped(model, self.settings.deviation_class), state_text(model), origin)
                del model
            outcome = patiently(
                self.settings, partial(publish, self.settings, parcel, judged_against=champion.stamp, result=result)
            )
            if isinstance(outcome, Published):
                log.info(
                    "Published the challenger as version %s, %s bytes.", outcome.result.version, f"{len(parcel.blob):,}"
                )
                return outcome.result
            log.warning(
                "Another run has promoted %s since version %d was read: judging again.",
                outcome,
                champion.version,
            )
            champion, champion_figures = self.judged_champion(hold_out)
        message = (
            f"Other runs promoted their models {JUDGEMENTS} times while this one was judged, version "
            f"{champion.version} being the last; the challenger gives way."
        )
        return self.result(Decision(Verdict.KEPT, Reason.OVERTAKEN, message), champion.version, figures)

    def judged(self, figures: Contenders, champion_version: int, hold_out_rows: int) -> Result:
        """Let the preset's rule decide between the two, as if nobody else did just now."""
        decision = reference.judge(
            figures.challenger, figures.champion, champion_version=champion_version, hold_out_rows=hold_out_rows
        )
        log.info("%s", decision.message)
        return self.result(decision, champion_version, figures)

    def judged_champion(self, hold_out: Sequence[Sample]) -> tuple[Champion, Figures | None]:
        """Read the champion and test it; its model is let go at once."""
        from retraining_job.champion import read_champion, unreadable  # noqa: PLC0415

        with timed("Read the champion"):
            champion = patiently(self.settings, partial(read_champion, self.settings))
        if champion.model is None:
            log.info("There is no live model under %s yet.", self.settings.model_key)
            return champion, None
        try:
            figures = reference.figures(champion.model, hold_out, self.settings.threshold)
        except Exception as error:  # noqa: BLE001  # what a forged or foreign model raises is not known
            problem = f"it cannot score an event ({type(error).__name__}: {error})"
            raise unreadable(self.settings, champion.version, problem) from None
        return replace(champion, model=None), figures

    def result(
        self, decision: Decision, champion_version: int | None = None, figures: Contenders | None = None
    ) -> Result:
        """Write the decision down."""
        promoted = decision.verdict is Verdict.PROMOTED
        version = champion_version + 1 if promoted and champion_version is not None else None
        return Result(
            run_id=self.settings.run_id,
            verdict=decision.verdict,
            promoted=promoted,
            reason=decision.reason,
            message=f"{decision.message} It goes live as version {version}." if version else decision.message,
            n_samples=self.n_samples,
            version=version,
            champion_version=champion_version,
            window=self.window,
            figures=figures,
            started_at=self.started_at,
            finished_at=datetime.now(UTC),
        )


def keep(settings: TrainSettings, result: Result) -> None:
    """Record the outcome; a model that went live without its row leaves the run unfinished.

    Raises:
        AuditPending: the model is live, and its row could not be written.
        RunError: another outcome could not be recorded; the run begins anew when it is started again.
    """
    try:
        patiently(settings, partial(record, settings, Outcome(result)))
    except RunError as error:
        if result.promoted:
            text = f"The model is live as version {result.version}, but its audit row is not written yet. {error}"
            raise AuditPending(text, result) from None
        raise
    log.info("Recorded the run.")


def keep_failure(settings: TrainSettings, result: Result) -> None:
    """Record a failure where the database is there; it is not waited for, since the run has failed anyway."""
    if result.promoted:
        return  # the row of a model that went live is owed, and this is not it
    try:
        record(settings, Outcome(result))
    except Exception as error:  # noqa: BLE001  # the failure that is being recorded matters more
        log.warning("The failure is not recorded in the database. %s", error)


@contextmanager
def timed(text: str) -> Iterator[None]:
    """Log what was done and how long it took."""
    start = time.monotonic()
    yield
    log.info("%s in %.1f s.", text, time.monotonic() - start)
