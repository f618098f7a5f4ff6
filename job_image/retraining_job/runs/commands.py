"""What each command of the command line does, from its settings to its exit code. Driven by `__main__`.

Each loads only what it needs: importing numpy or river is a good part of a short run.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from retraining_job.contract import ExitCode, Result, environment_name
from retraining_job.errors import RunError
from retraining_job.infra.logs import configure_logs
from retraining_job.runs.termination import failed, leave
from retraining_job.settings import (
    DecideSettings,
    MigrateSettings,
    OperateSettings,
    RunSettings,
    TrainSettings,
    read_settings,
)

S = TypeVar("S", bound=RunSettings)
Options = argparse.Namespace

log = logging.getLogger(__name__)


def train(options: Options) -> ExitCode:
    """Retrain once, in the Job or with files alone."""
    if options.events or options.out or options.champion:
        return train_offline(options)

    def retrain(settings: TrainSettings, started_at: datetime) -> Result:
        from retraining_job.runs.run import run  # noqa: PLC0415  # a wrong setting is told at once

        log.info(
            "Retraining for %s, because of: %s.",
            settings.request or settings.run_id,
            settings.reason,
        )
        return run(settings, started_at)

    return concluded(TrainSettings, retrain, options, leave)


def train_offline(options: Options) -> ExitCode:
    """Retrain with files alone."""
    if not (options.events and options.out):
        log.error("BadConfiguration: a retrain with files needs both --events FILE and --out DIR.")
        return ExitCode.BAD_CONFIGURATION
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        log.error(  # noqa: TRY400  # a sentence for a person
            "BadConfiguration: the folder %s cannot be made: %s.", options.out, error.strerror
        )
        return ExitCode.BAD_CONFIGURATION

    def retrain(settings: RunSettings, started_at: datetime) -> Result:
        from retraining_job.runs.offline import Files, train  # noqa: PLC0415

        return train(settings, Files(options.events, options.out, options.champion), started_at)

    def write(result: Result) -> None:
        (options.out / "result.json").write_text(result.document() + "\n", encoding="utf-8")
        log.info("The results are in %s.", options.out)

    return concluded(RunSettings, retrain, options, write)


def decide(options: Options) -> ExitCode:
    """Do what a person has decided on a challenger."""

    def carry_out(settings: DecideSettings, started_at: datetime) -> Result:
        from retraining_job.runs.decide import decide  # noqa: PLC0415

        return decide(settings, started_at)

    return concluded(DecideSettings, carry_out, options, leave)


def rollback(options: Options) -> ExitCode:
    """Put a former champion live again."""

    def carry_out(settings: OperateSettings, _started_at: datetime) -> Result:
        from retraining_job.runs.rollback import restore  # noqa: PLC0415

        return restore(settings, options.to)

    return concluded(OperateSettings, carry_out, options, leave)


def history(options: Options) -> ExitCode:
    """Print the versions that there are to go back to."""

    def show(settings: OperateSettings) -> None:
        from retraining_job.registry.history import history, table  # noqa: PLC0415

        print(table(history(settings)))  # noqa: T201  # what was asked for

    return done(OperateSettings, show, options)


def sign(options: Options) -> ExitCode:
    """Sign what is live."""

    def carry_out(settings: OperateSettings) -> None:
        from retraining_job.runs.sign import sign  # noqa: PLC0415

        log.info("Signed version %d.", sign(settings).version)

    return done(OperateSettings, carry_out, options)


def report(options: Options) -> ExitCode:
    """Print the report of a run."""

    def show(settings: MigrateSettings) -> None:
        from retraining_job.audit.runs import report_of  # noqa: PLC0415

        sys.stdout.write(report_of(settings, options.run))

    return done(MigrateSettings, show, options)


def migrate(options: Options) -> ExitCode:
    """Bring the database's schema up to date."""

    def carry_out(settings: MigrateSettings) -> None:
        from retraining_job.audit.migrations import migrate  # noqa: PLC0415
        from retraining_job.infra.retries import patiently  # noqa: PLC0415

        patiently(settings, lambda: migrate(settings))

    return done(MigrateSettings, carry_out, options)


def concluded(
    kind: type[S],
    step: Callable[[S, datetime], Result],
    options: Options,
    left: Callable[[Result], None],
) -> ExitCode:
    """Do a step that has a result; every end leaves a result document."""
    started_at = datetime.now(UTC)
    settings: S | None = None
    try:
        settings = settings_of(kind, options)
        result, code = step(settings, started_at), ExitCode.VERDICT
        log.info("%s (%s). %s", result.verdict, result.reason, result.message)
    except Exception as error:  # noqa: BLE001  # the outermost place, where even a defect gets its document
        code = end_badly(error)
        run_id = settings.run_id if settings else os.environ.get(environment_name("run_id"), "")
        result = failed(error, run_id, started_at)
    left(result)
    if (
        kind is TrainSettings
        and isinstance(settings, TrainSettings)
        and code is not ExitCode.VERDICT
    ):
        from retraining_job.runs.run import keep_failure  # noqa: PLC0415

        keep_failure(settings, result)
    return code


def done(kind: type[S], step: Callable[[S], None], options: Options) -> ExitCode:
    """Do a step that has no result."""
    try:
        step(settings_of(kind, options))
    except Exception as error:  # noqa: BLE001
        return end_badly(error)
    return ExitCode.VERDICT


def settings_of(kind: type[S], options: Options) -> S:
    """Read the settings from the environment; the command line wins."""
    given = {
        name: value
        for name, value in vars(options).items()
        if name in kind.model_fields and value is not None
    }
    settings = read_settings(kind, **given)
    configure_logs(settings.log_format, run_id=settings.run_id, request=settings.request)
    return settings


def end_badly(error: Exception) -> ExitCode:
    """Say what went wrong, with a traceback only where it is our fault, and give the exit code."""
    if isinstance(error, RunError):
        log.error("%s: %s", error.failure, error)
        return error.exit_code
    log.error("The trainer has a defect.", exc_info=error)
    return ExitCode.INTERNAL_ERROR
