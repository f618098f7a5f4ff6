"""A retrain without any service: events from a file, the champion from a file, all results to a folder.

The same contest as in the Job; nothing is published. Driven by `__main__`.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from retraining_job.audit.outcome import outcome_of
from retraining_job.contract import Result, Verdict, VerdictReason, Withheld
from retraining_job.errors import BadConfigurationError
from retraining_job.evaluation.decision import Decision
from retraining_job.events.source import FileSource
from retraining_job.infra.logs import timed
from retraining_job.model.model import Model, UnreadableModelError
from retraining_job.model.pickle_reader import read_pickle
from retraining_job.model.state import read_state
from retraining_job.presets.pipeline import EvaluationResult, Pipeline
from retraining_job.presets.selection import contest_of
from retraining_job.registry.champion import Champion
from retraining_job.registry.live import Stamp
from retraining_job.registry.threshold import set_threshold
from retraining_job.runs.package import parcel_of

if TYPE_CHECKING:
    from retraining_job.settings import RunSettings

RESULT = "result.json"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Files:
    """What the command line names."""

    events: Path
    out: Path
    champion: Path | None


def train(settings: RunSettings, files: Files, started_at: datetime) -> Result:
    """Retrain once and leave `active_model.pkl`, `state.json` and `report.html` in the folder.

    The first two are the challenger's, whatever the verdict. What was not made is not there: there
    is no model of too few events, and no report by the `reference` preset.

    Raises:
        RunError: there is no verdict.
    """
    for name in ("active_model.pkl", "state.json", "report.html"):
        (files.out / name).unlink(
            missing_ok=True
        )  # what an earlier run has left would be taken for this one's
    contest = contest_of(settings)
    with timed("Read the events"):
        contest.read(FileSource(files.events, settings))
    hopeless = contest.hopeless()
    judgement = EvaluationResult(hopeless) if hopeless else compete(contest, settings, files)
    outcome = outcome_of(result_of(judgement, contest, settings, started_at), judgement.evidence)
    if outcome.report:
        (files.out / "report.html").write_text(outcome.report, encoding="utf-8")
    return outcome.result


def compete(contest: Pipeline, settings: RunSettings, files: Files) -> EvaluationResult:
    """Train a challenger, judge it against the champion, and write it down."""
    try:
        contest.meet(Champion(read_champion(files.champion, settings), 0, Stamp(b"", b"", 0)))
    except UnreadableModelError as error:
        message = f"The champion {files.champion} cannot be judged: {error}. Give another one."
        return EvaluationResult(
            Decision(Verdict.UNREADABLE_CHAMPION, VerdictReason.UNREADABLE_CHAMPION, message)
        )
    with timed("Trained a challenger"):
        model = contest.train()
    judgement = contest.judge(set_threshold(settings))
    parcel = parcel_of(model, contest, settings)
    (files.out / "active_model.pkl").write_bytes(parcel.blob)
    if parcel.state:
        (files.out / "state.json").write_text(parcel.state, encoding="utf-8")
    return judgement


def read_champion(path: Path | None, settings: RunSettings) -> Model | None:
    """Read the champion's pickle without trusting it, or its state where the file is one; without a file there is none.

    Raises:
        BadConfigurationError: there is no such file.
        UnreadableModelError: it holds no model.
    """
    if path is None:
        return None
    limit = settings.model_limit_mebibytes << 20
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise BadConfigurationError(
            f"The champion {path} cannot be read: {error.strerror}."
        ) from None
    if len(content) > limit:
        raise UnreadableModelError(f"it has more than the {limit:,} bytes that are read")
    return (
        read_state(content)
        if content.lstrip()[:1] == b"{"
        else read_pickle(content, settings.deviation_class)
    )


def result_of(
    judgement: EvaluationResult, contest: Pipeline, settings: RunSettings, started_at: datetime
) -> Result:
    """Write the result down; nothing goes live here."""
    decision = judgement.decision
    return Result(
        run_id=settings.run_id,
        verdict=decision.verdict,
        withheld=Withheld.DRY_RUN if decision.promotes else None,
        reason=decision.reason,
        message=decision.text,
        n_samples=contest.n_samples,
        window=contest.window,
        figures=judgement.figures,
        started_at=started_at,
        finished_at=datetime.now(UTC),
    )
