"""Execution of a command: settings, the step, a result document and an exit code."""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from retraining_job.contract import ExitCode, Result, environment_name
from retraining_job.errors import RunError
from retraining_job.infra.logs import configure_logs
from retraining_job.runs.termination import build_failure
from retraining_job.settings import RunSettings, TrainSettings, read_settings

S = TypeVar("S", bound=RunSettings)
Options = argparse.Namespace

log = logging.getLogger(__name__)


def run_with_result(
    kind: type[S],
    step: Callable[[S, datetime], Result],
    options: Options,
    write_result: Callable[[Result], None],
) -> ExitCode:
    """Run a step that has a result. Write a result document, also if the step fails.

    Args:
        kind: The settings that the step needs.
        step: Takes the settings and the time at which the process started (UTC).
        options: The options of the command line.
        write_result: Writes the result document.

    Returns:
        The exit code of the process.
    """
    started_at = datetime.now(UTC)
    settings: S | None = None
    try:
        settings = read_command_settings(kind, options)
        result, code = step(settings, started_at), ExitCode.VERDICT
        log.info("%s (%s). %s", result.verdict, result.reason, result.message)
    except Exception as error:  # noqa: BLE001  # a defect also needs a result document
        code = log_failure(error)
        run_id = settings.run_id if settings else os.environ.get(environment_name("run_id"), "")
        result = build_failure(error, run_id, started_at)
    write_result(result)
    has_failed = code is not ExitCode.VERDICT
    if kind is TrainSettings and isinstance(settings, TrainSettings) and has_failed:
        from retraining_job.runs.recording import record_failure  # noqa: PLC0415

        record_failure(settings, result)
    return code


def run_without_result(kind: type[S], step: Callable[[S], None], options: Options) -> ExitCode:
    """Run a step that has no result.

    Args:
        kind: The settings that the step needs.
        step: Takes the settings.
        options: The options of the command line.

    Returns:
        The exit code of the process.
    """
    try:
        step(read_command_settings(kind, options))
    except Exception as error:  # noqa: BLE001  # nothing further out catches it
        return log_failure(error)
    return ExitCode.VERDICT


def read_command_settings(kind: type[S], options: Options) -> S:
    """Read the settings from the environment and the command line, and configure the logs.

    Args:
        kind: The settings to read.
        options: The options of the command line. They override the environment.

    Returns:
        The settings.

    Raises:
        BadConfigurationError: A setting is missing or wrong.
    """
    given = {
        name: value
        for name, value in vars(options).items()
        if name in kind.model_fields and value is not None
    }
    settings = read_settings(kind, **given)
    configure_logs(settings.log_format, run_id=settings.run_id, request=settings.request)
    return settings


def log_failure(error: Exception) -> ExitCode:
    """Log why a command failed, with a traceback if it is a defect. Returns the exit code."""
    if isinstance(error, RunError):
        log.error("%s: %s", error.failure, error)
        return error.exit_code
    log.error("The trainer has a defect.", exc_info=error)
    return ExitCode.INTERNAL_ERROR
