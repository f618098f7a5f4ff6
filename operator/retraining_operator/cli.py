"""The operator's command line: its arguments, and what its exit codes mean."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from pathlib import Path

from prometheus_client import disable_created_metrics

from retraining_operator.composition import operate
from retraining_operator.contract import to_line
from retraining_operator.fault_injection import FaultInjection
from retraining_operator.intake import replay_command
from retraining_operator.kube.errors import NoClusterAccessError
from retraining_operator.observability import logs
from retraining_operator.settings import SettingsError, read_settings

DEFAULT_CONFIG = Path("/etc/retraining-operator/config.yaml")
EXIT_FAILED = 1
EXIT_BAD_SETTING = 78
SWITCH_SECONDS = 0.0005
"""Interpreter switch interval. At Python's default of 5 ms a busy event loop starves the consumer's
thread."""

logger = logging.getLogger("retraining_operator")


def main() -> int:
    """Run the operator until SIGTERM or SIGINT; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="retraining_operator", description="Turns triggers into retraining Jobs."
    )
    parser.add_argument(
        "--config", type=Path, default=DEFAULT_CONFIG, help="the configuration file (YAML)"
    )
    replay_command.add_parser(parser.add_subparsers(dest="command"))
    arguments = parser.parse_args()
    try:
        settings = read_settings(arguments.config)
        fault_injection = FaultInjection.read(os.environ)
    except SettingsError as error:
        # Without settings, logging is not set up.
        print(to_line(str(error)), file=sys.stderr)  # noqa: T201
        return EXIT_BAD_SETTING
    if arguments.command == "replay":
        return asyncio.run(replay_command.run(settings, arguments))
    logs.configure(settings.log_format, settings.log_level)
    # Otherwise each counter has a second series, the time of its creation.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        asyncio.run(operate(settings, fault_injection))
    except NoClusterAccessError as error:
        logger.error("%s", error)  # noqa: TRY400  # a traceback would not help
        return EXIT_BAD_SETTING
    except Exception:
        logger.exception("Exiting. Kubernetes will restart the operator.")
        return EXIT_FAILED
    logger.info("Stopped.")
    return 0
