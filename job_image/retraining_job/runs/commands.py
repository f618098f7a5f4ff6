"""The commands of the command line, from their options to an exit code.

Each command imports only what it needs, because importing numpy or river takes a good part of a
short run.
"""

from __future__ import annotations

import logging
import sys
from datetime import datetime
from functools import partial
from pathlib import Path

from retraining_job.contract import ExitCode, Result, escape_page
from retraining_job.runs.execution import Options, run_with_result, run_without_result
from retraining_job.runs.termination import write_termination_message
from retraining_job.settings import (
    DecideSettings,
    MigrateSettings,
    OperateSettings,
    RunSettings,
    TrainSettings,
)

log = logging.getLogger(__name__)


def run_train(options: Options) -> ExitCode:
    """Run `train`: in the Job, or with files only."""
    if options.events or options.out or options.champion:
        return run_train_offline(options)
    return run_with_result(TrainSettings, _train, options, write_termination_message)


def run_train_offline(options: Options) -> ExitCode:
    """Run `train` with files only."""
    if not (options.events and options.out):
        log.error("BadConfiguration: a retrain with files needs both --events FILE and --out DIR.")
        return ExitCode.BAD_CONFIGURATION
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        log.error(  # noqa: TRY400  # a sentence for a person
            "BadConfiguration: the folder %s cannot be created: %s.", options.out, error.strerror
        )
        return ExitCode.BAD_CONFIGURATION
    step = partial(_train_offline, options)
    return run_with_result(RunSettings, step, options, partial(_write_result_file, options.out))


def run_decide(options: Options) -> ExitCode:
    """Run `decide`: carry out a manual approval or rejection."""
    return run_with_result(DecideSettings, _decide, options, write_termination_message)


def run_rollback(options: Options) -> ExitCode:
    """Run `rollback`: make a former champion live again."""
    step = partial(_roll_back, options.to)
    return run_with_result(OperateSettings, step, options, write_termination_message)


def run_history(options: Options) -> ExitCode:
    """Run `history`: print the versions that can be restored."""
    return run_without_result(OperateSettings, _print_history, options)


def run_sign(options: Options) -> ExitCode:
    """Run `sign`: sign the live model, and sign again what is signed with the previous key."""
    step = partial(_sign, rotate_only=options.rotate)
    return run_without_result(OperateSettings, step, options)


def run_accept_loss(options: Options) -> ExitCode:
    """Run `accept-loss`: accept that Redis has lost the newest models."""
    return run_without_result(OperateSettings, _accept_loss, options)


def run_report(options: Options) -> ExitCode:
    """Run `report`: print the report of a run."""
    return run_without_result(MigrateSettings, partial(_print_report, options.run), options)


def run_migrate(options: Options) -> ExitCode:
    """Run `migrate`: bring the database's schema up to date."""
    return run_without_result(MigrateSettings, _migrate, options)


def _train(settings: TrainSettings, started_at: datetime) -> Result:
    from retraining_job.runs.train import train  # noqa: PLC0415  # a wrong setting fails fast

    request = settings.request or settings.run_id
    log.info("Retraining for %s. Reason: %s.", request, settings.reason)
    return train(settings, started_at)


def _train_offline(options: Options, settings: RunSettings, started_at: datetime) -> Result:
    from retraining_job.runs.offline import Files, train_offline  # noqa: PLC0415

    files = Files(options.events, options.out, options.champion)
    return train_offline(settings, files, started_at)


def _write_result_file(folder: Path, result: Result) -> None:
    (folder / "result.json").write_text(result.document() + "\n", encoding="utf-8")
    log.info("The results are in %s.", folder)


def _decide(settings: DecideSettings, started_at: datetime) -> Result:
    from retraining_job.runs.decide import apply_approval  # noqa: PLC0415

    return apply_approval(settings, started_at)


def _roll_back(to: int, settings: OperateSettings, _started_at: datetime) -> Result:
    from retraining_job.runs.rollback import roll_back  # noqa: PLC0415

    return roll_back(settings, to)


def _print_history(settings: OperateSettings) -> None:
    from retraining_job.registry.history import read_versions  # noqa: PLC0415
    from retraining_job.registry.history_table import format_versions  # noqa: PLC0415

    print(format_versions(read_versions(settings.registry)))  # noqa: T201  # the command's output


def _sign(settings: OperateSettings, *, rotate_only: bool) -> None:
    from retraining_job.runs.sign import sign_everything  # noqa: PLC0415

    sign_everything(settings.registry, rotate_only=rotate_only)


def _accept_loss(settings: OperateSettings) -> None:
    from retraining_job.runs.accept_loss import accept_loss  # noqa: PLC0415

    accept_loss(settings)


def _print_report(run: str, settings: MigrateSettings) -> None:
    from retraining_job.audit.reports import read_report  # noqa: PLC0415

    # Whoever can write the row can write sequences that control a terminal.
    sys.stdout.write(escape_page(read_report(settings.audit, run)))


def _migrate(settings: MigrateSettings) -> None:
    from retraining_job.audit.migrations import migrate  # noqa: PLC0415
    from retraining_job.infra.retries import call_with_retries  # noqa: PLC0415

    step = partial(migrate, settings.database_url, settings.events_table)
    call_with_retries(settings.retry_policy, step)
