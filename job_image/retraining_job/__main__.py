"""The trainer's command line: `python -m retraining_job train`, or `migrate`. Composes all the rest."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from retraining_job.contract import ExitCode, environment_name
from retraining_job.ending import failed, leave
from retraining_job.errors import RunError
from retraining_job.logs import configure_logs
from retraining_job.settings import MigrateSettings, TrainSettings, read_settings
from retraining_job.signals import end_when_asked

log = logging.getLogger("retraining_job")


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for, and give the process's exit code."""
    parser = argparse.ArgumentParser(prog="python -m retraining_job", description="Retrain the live model once.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser("train", help="read events, train, judge, publish and record (the default)")
    commands.add_parser("migrate", help="add to the database's schema what is missing")
    command = parser.parse_args(arguments).command or "train"
    configure_logs("text")
    end_when_asked()
    return train() if command == "train" else migrate()


def train() -> ExitCode:
    """Retrain once; every end leaves a result document."""
    started_at = datetime.now(UTC)
    settings = None
    try:
        settings = read_settings(TrainSettings)
        configure_logs(settings.log_format, run_id=settings.run_id, request=settings.request)
        log.info("Retraining for %s, because of: %s.", settings.request or settings.run_id, settings.reason)
        from retraining_job.run import run  # noqa: PLC0415  # a wrong setting is told at once

        result, code = run(settings, started_at), ExitCode.VERDICT
        log.info("%s (%s). %s", result.verdict, result.reason, result.message)
    except Exception as error:  # noqa: BLE001  # the outermost place, where even a defect gets its document
        code = end_badly(error)
        run_id = settings.run_id if settings else os.environ.get(environment_name("run_id"), "")
        result = failed(error, run_id, started_at)
    leave(result)
    if settings and code is not ExitCode.VERDICT:
        from retraining_job.run import keep_failure  # noqa: PLC0415

        keep_failure(settings, result)
    return code


def migrate() -> ExitCode:
    """Bring the database's schema up to date."""
    try:
        settings = read_settings(MigrateSettings)
        configure_logs(settings.log_format)
        from retraining_job.retries import patiently  # noqa: PLC0415
        from retraining_job.schema import migrate as add_what_is_missing  # noqa: PLC0415

        patiently(settings, lambda: add_what_is_missing(settings))
    except Exception as error:  # noqa: BLE001
        return end_badly(error)
    return ExitCode.VERDICT


def end_badly(error: Exception) -> ExitCode:
    """Say what went wrong, with a traceback only where it is our fault, and give the exit code."""
    if isinstance(error, RunError):
        log.error("%s: %s", error.failure, error)
        return error.exit_code
    log.error("The trainer has a defect.", exc_info=error)
    return ExitCode.INTERNAL_ERROR


if __name__ == "__main__":
    sys.exit(main())
