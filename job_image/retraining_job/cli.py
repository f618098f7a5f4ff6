"""The command line: its options, and one table of commands."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from retraining_job.contract import ApprovalAnswer, ExitCode, Preset
from retraining_job.infra.logs import configure_logs
from retraining_job.infra.signals import exit_on_signal
from retraining_job.runs import commands

COMMANDS: dict[str, Callable[[argparse.Namespace], ExitCode]] = {
    "train": commands.run_train,
    "decide": commands.run_decide,
    "rollback": commands.run_rollback,
    "history": commands.run_history,
    "sign": commands.run_sign,
    "accept-loss": commands.run_accept_loss,
    "report": commands.run_report,
    "migrate": commands.run_migrate,
}
DEFAULT_COMMAND = "train"
"""The Job's container names no command."""

SETTINGS = (
    "All other settings come from the environment: RETRAIN_ROWS, RETRAIN_POLICY and so on, named "
    "like the chart's values under trainer; DATABASE_URL, REDIS_URL and SIGNING_KEY."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that the command line names.

    Args:
        arguments: The command line without the program; that of the process if None.

    Returns:
        The exit code of the process.
    """
    options = build_parser().parse_args(arguments)
    configure_logs("text")
    exit_on_signal()
    return int(COMMANDS[options.command or DEFAULT_COMMAND](options))


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of the command line."""
    top = argparse.ArgumentParser(
        prog="python -m retraining_job",
        description="Retrain the live model once, or maintain it.",
        epilog=SETTINGS,
    )
    top.set_defaults(events=None, out=None, champion=None, preset=None)
    subparsers = top.add_subparsers(dest="command", metavar="COMMAND")

    train = subparsers.add_parser(
        "train", help="read events, train, evaluate, publish and record (the default)"
    )
    files = train.add_argument_group("without any service")
    files.add_argument(
        "--events",
        type=Path,
        metavar="FILE",
        help="JSON lines or CSV with the columns of scored_events",
    )
    files.add_argument(
        "--out", type=Path, metavar="DIR", help="folder for model, state, result and report"
    )
    files.add_argument(
        "--champion", type=Path, metavar="FILE", help="the live model: its pickle or its state"
    )
    train.add_argument("--preset", choices=[str(preset) for preset in Preset])

    decide = subparsers.add_parser(
        "decide", help="approve or reject a challenger that waits for approval"
    )
    decide.add_argument("--run", dest="run_id", metavar="RUN", help="the run of the challenger")
    decide.add_argument("--approval", choices=[str(answer) for answer in ApprovalAnswer])
    decide.add_argument(
        "--by", dest="approval_by", metavar="NAME", help="who answered, for the audit trail"
    )

    rollback = subparsers.add_parser(
        "rollback", help="make a former champion live again, under a new version"
    )
    rollback.add_argument("--to", type=int, required=True, metavar="VERSION")

    subparsers.add_parser("history", help="list the versions that can be restored")
    sign = subparsers.add_parser(
        "sign",
        help="sign the live model, after somebody has checked it, and sign again with the present "
        "key what the previous one has signed",
    )
    sign.add_argument(
        "--rotate",
        action="store_true",
        help="sign again only what is signed with the present or the previous key",
    )
    subparsers.add_parser(
        "accept-loss",
        help="accept that the live model is older than the audit trail, for example after a "
        "restore of a backup of Redis",
    )
    report = subparsers.add_parser("report", help="print the HTML report of an evaluated run")
    report.add_argument("run", metavar="RUN", help="the run's id, or the RetrainRequest's name")
    subparsers.add_parser("migrate", help="add missing tables and columns to the database")
    return top
