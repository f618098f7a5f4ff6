"""The command `train` without services: events and champion from files, results to a folder.

The pipeline is the same as in the Job. Nothing is published.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from retraining_job.contract import Result, Verdict, VerdictReason
from retraining_job.errors import BadConfigurationError
from retraining_job.evaluation.decision import Decision
from retraining_job.events.source import FileSource
from retraining_job.foreign_pickle.reader import read_pickle
from retraining_job.infra.logs import timed
from retraining_job.model.model import Model, UnreadableModelError
from retraining_job.model.state import read_state
from retraining_job.presets.pipeline import EvaluationResult, LoadedEvents
from retraining_job.presets.selection import load_events
from retraining_job.registry.champion import Champion
from retraining_job.registry.live import Stamp
from retraining_job.registry.threshold import Threshold
from retraining_job.runs.outcome import OutcomeBuilder
from retraining_job.runs.package import package_model

if TYPE_CHECKING:
    from retraining_job.settings import RunSettings

MODEL, STATE, REPORT = "active_model.pkl", "state.json", "report.html"


@dataclass(frozen=True)
class Files:
    """The paths of the command line.

    Args:
        events: The file of events.
        out: The folder for the results.
        champion: The champion's pickle or state, or None if there is no champion.
    """

    events: Path
    out: Path
    champion: Path | None


def train_offline(settings: RunSettings, files: Files, started_at: datetime) -> Result:
    """Retrain once and write `active_model.pkl`, `state.json` and `report.html` into the folder.

    The first two are the challenger's, whatever the verdict is. Too few events leave no model, and
    the `reference` preset leaves no report.

    Args:
        settings: The settings of the run.
        files: The paths.
        started_at: When the process started (UTC).

    Returns:
        The result of the run.

    Raises:
        RunError: There is no verdict.
    """
    # The files of an earlier run must not look like those of this one.
    for name in (MODEL, STATE, REPORT):
        (files.out / name).unlink(missing_ok=True)
    with timed("Read the events"):
        events = load_events(FileSource(files.events, settings), settings)
    if decision := events.check():
        evaluation = EvaluationResult(decision)
    else:
        evaluation = train_and_evaluate(events, settings, files)
    outcomes = OutcomeBuilder(settings.run_id, started_at, events.n_samples, events.window)
    outcome = outcomes.build_unpublished(evaluation)
    if outcome.report:
        (files.out / REPORT).write_text(outcome.report, encoding="utf-8")
    return outcome.result


def train_and_evaluate(
    events: LoadedEvents, settings: RunSettings, files: Files
) -> EvaluationResult:
    """Train a challenger, evaluate it against the champion, and write its files.

    Args:
        events: The events of the run.
        settings: The settings of the run.
        files: The paths.

    Returns:
        The result of the evaluation.
    """
    try:
        champion = read_champion_file(files.champion, settings)
        prepared = events.prepare(Champion(champion, 0, Stamp(b"", b"", 0)))
    except UnreadableModelError as error:
        message = f"The champion {files.champion} cannot be evaluated: {error}. Use another file."
        return EvaluationResult(
            Decision(Verdict.UNREADABLE_CHAMPION, VerdictReason.UNREADABLE_CHAMPION, message)
        )
    threshold = Threshold(settings.threshold)
    with timed("Trained a challenger"):
        challenger = prepared.train(threshold)
    evaluation = prepared.evaluate(challenger, threshold)
    package = package_model(challenger, events.window, prepared.shape, settings)
    (files.out / MODEL).write_bytes(package.pickle)
    if package.state:
        (files.out / STATE).write_text(package.state, encoding="utf-8")
    return evaluation


def read_champion_file(path: Path | None, settings: RunSettings) -> Model | None:
    """Read the champion's pickle without trusting it, or its state if the file is JSON.

    Args:
        path: The file, or None if there is no champion.
        settings: The size limit, and the name of the deviation class.

    Returns:
        The model, or None if there is no champion.

    Raises:
        BadConfigurationError: The file cannot be read.
        UnreadableModelError: It holds no model.
    """
    if path is None:
        return None
    limit = settings.model_limit_bytes
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise BadConfigurationError(
            f"The champion {path} cannot be read: {error.strerror}."
        ) from None
    if len(content) > limit:
        raise UnreadableModelError(f"it is larger than the limit of {limit:,} bytes")
    if content.lstrip()[:1] == b"{":
        return read_state(content)
    return read_pickle(content, settings.deviation_class)
