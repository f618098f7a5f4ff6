"""One retrain on its way from events to an outcome: read, guard, meet the champion, train, judge, publish. See `run`.

The process may die at any line and be started again under the same run id: whatever comes before
    publishing is then simply done again.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from retraining_job.audit.outcome import RunOutcome, outcome_of
from retraining_job.audit.runs import announce
from retraining_job.contract import Promotion, Result, Verdict, VerdictReason, Withheld
from retraining_job.evaluation.decision import Decision
from retraining_job.events.source import TableSource
from retraining_job.infra.logs import timed
from retraining_job.infra.retries import patiently
from retraining_job.model.model import UnreadableModelError
from retraining_job.presets.pipeline import EvaluationResult
from retraining_job.presets.selection import contest_of
from retraining_job.registry.champion import (
    Champion,
    UnreadableChampionError,
    read_champion,
    unreadable,
)
from retraining_job.registry.pending import store_challenger
from retraining_job.registry.publish import ModelPackage, Published, publish
from retraining_job.registry.threshold import live_threshold

if TYPE_CHECKING:
    from retraining_job.model.model import Model
    from retraining_job.registry.manifest import Manifest
    from retraining_job.settings import TrainSettings

JUDGEMENTS = 5
"""How often a challenger is judged against a champion that has just changed, before its run gives way."""

log = logging.getLogger(__name__)


class Retrain:
    """One retrain."""

    def __init__(self, settings: TrainSettings, started_at: datetime, *, floor: int) -> None:
        self.settings = settings
        self.started_at = started_at
        self.floor = floor
        """The highest version that the audit trail knows."""
        self.contest = contest_of(settings)
        self.parcel: ModelPackage | None = None
        self.former: Manifest | None = None
        """The manifest of the model that the challenger was judged against."""

    def outcome(self) -> RunOutcome:
        """Retrain; a promoted model is live when this returns."""
        patiently(self.settings, self.read)
        if decision := self.contest.hopeless():
            return self.outcome_of(EvaluationResult(decision))
        try:
            return self.compete()
        except UnreadableChampionError as error:
            decision = Decision(
                Verdict.UNREADABLE_CHAMPION, VerdictReason.UNREADABLE_CHAMPION, str(error)
            )
            return self.outcome_of(EvaluationResult(decision), error.version)

    def read(self) -> None:
        """Read the events, and say which."""
        table = self.settings.events_table
        with timed("Read the events"):
            self.contest.read(TableSource(self.settings))
        if self.contest.window is None:
            log.warning("There are no events in %s: does anything write them?", table)
            return
        window = self.contest.window
        first, last = (end.strftime("%Y-%m-%d %H:%M") for end in (window.first, window.last))
        log.info("Read %s events from %s, from %s to %s.", f"{window.rows:,}", table, first, last)

    def compete(self) -> RunOutcome:
        """Train a challenger, let it meet the champion, and publish it where it may go live."""
        champion = self.meet_champion()
        log.info("Training a challenger.")
        with timed("Trained it"):
            model = self.contest.train()
        threshold = patiently(self.settings, partial(live_threshold, self.settings))
        for _ in range(JUDGEMENTS):
            judgement = self.contest.judge(threshold)
            log.info("%s", judgement.decision.text)
            if not judgement.decision.promotes:
                return self.outcome_of(judgement, champion.version)
            if self.settings.dry_run:
                return self.outcome_of(judgement, champion.version, Withheld.DRY_RUN)
            if self.settings.promotion is Promotion.MANUAL:
                return self.await_decision(model, judgement, champion)
            outcome = self.promote(model, judgement, champion)
            if outcome:
                return outcome
            champion = self.meet_champion()
        message = (
            f"Other runs changed the live model {JUDGEMENTS} times while this one was judged, the last to version "
            f"{champion.version}{winner(champion)}; the challenger gives way."
        )
        overtaken = replace(
            judgement, decision=Decision(Verdict.KEPT, VerdictReason.OVERTAKEN, message)
        )
        return self.outcome_of(overtaken, champion.version)

    def meet_champion(self) -> Champion:
        """Read the champion and let it score the hold-out; its model is let go at once: it may fill most of the memory.

        Raises:
            UnreadableChampionError: there is one, and it cannot be read or judged.
        """
        with timed("Read the champion"):
            champion = patiently(self.settings, partial(read_champion, self.settings))
        self.former = champion.manifest
        if champion.model is None:
            log.info("There is no live model under %s yet.", self.settings.model_key)
        try:
            self.contest.meet(champion)
        except UnreadableModelError as error:
            raise unreadable(self.settings, champion.version, str(error)) from None
        return replace(champion, model=None, highest=max(champion.highest, self.floor))

    def promote(
        self, model: Model, judgement: EvaluationResult, champion: Champion
    ) -> RunOutcome | None:
        """Publish the challenger; None where another run was quicker."""
        parcel = self.packed(model, judgement)
        outcome = self.outcome_of(judgement, champion.version, version=champion.highest + 1)
        with timed("Announced it to the audit trail"):
            patiently(self.settings, partial(announce, self.settings, outcome))
        going_live = partial(
            publish, self.settings, parcel, judged_against=champion.stamp, result=outcome.result
        )
        with timed("Took it to Redis"):
            published = patiently(self.settings, going_live)
        if isinstance(published, Published):
            version, size = published.result.version, f"{len(parcel.blob):,}"
            log.info("Published the challenger as version %s, %s bytes.", version, size)
            return replace(outcome, result=published.result)
        log.warning(
            "Another run has promoted %s since version %d was read: judging again.",
            published,
            champion.version,
        )
        return None

    def await_decision(
        self, model: Model, judgement: EvaluationResult, champion: Champion
    ) -> RunOutcome:
        """Store the challenger for a person to decide on."""
        parcel = self.packed(model, judgement)
        outcome = self.outcome_of(judgement, champion.version, Withheld.AWAITING_DECISION)
        storing = partial(
            store_challenger,
            self.settings,
            parcel,
            judged_against=champion.stamp,
            result=outcome.result,
        )
        patiently(self.settings, storing)
        return outcome

    def packed(self, model: Model, judgement: EvaluationResult) -> ModelPackage:
        """Pack the challenger, once; what is said of thresholds follows the last judgement."""
        from retraining_job.runs.package import parcel_of  # noqa: PLC0415  # not every challenger gets so far

        if self.parcel is None:
            with timed("Packed it"):
                self.parcel = parcel_of(model, self.contest, self.settings)
        origin = self.parcel.origin.model_copy(update=judgement.thresholds)
        return replace(self.parcel, origin=origin)

    def outcome_of(
        self,
        judgement: EvaluationResult,
        champion_version: int | None = None,
        withheld: Withheld | None = None,
        version: int | None = None,
    ) -> RunOutcome:
        """Write down what was judged and what becomes of it."""
        decision = judgement.decision
        result = Result(
            run_id=self.settings.run_id,
            verdict=decision.verdict,
            promoted=version is not None,
            withheld=withheld,
            reason=decision.reason,
            message=f"{decision.message}{consequence(withheld, version)} {decision.remarks}".strip(),
            n_samples=self.contest.n_samples,
            version=version,
            champion_version=champion_version,
            window=self.contest.window,
            figures=judgement.figures,
            started_at=self.started_at,
            finished_at=datetime.now(UTC),
        )
        return outcome_of(result, judgement.evidence)


def consequence(withheld: Withheld | None, version: int | None) -> str:
    """Say what becomes of the challenger, as a last sentence."""
    if withheld is Withheld.DRY_RUN:
        return " This was a dry run: nothing goes live."
    if withheld is Withheld.AWAITING_DECISION:
        return " It awaits a person's decision."
    return f" It goes live as version {version}." if version else ""


def winner(champion: Champion) -> str:
    """Say which run has put the champion there, where that is known."""
    return f" of run {champion.manifest.run_id}" if champion.manifest else ""
