"""The trainer's command line: `python -m retraining_job COMMAND`. Composes all the rest."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from retraining_job.contract import ApprovalDecision, Preset
from retraining_job.infra.logs import configure_logs
from retraining_job.infra.signals import end_when_asked
from retraining_job.runs import commands

SETTINGS = (
    "All other settings come from the environment: RETRAIN_ROWS, RETRAIN_POLICY and so on, named as the chart's values "
    "under trainer; DATABASE_URL, REDIS_URL and SIGNING_KEY."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for, and give the process's exit code."""
    options = parser().parse_args(arguments)
    configure_logs("text")
    end_when_asked()
    command = options.command or "train"
    return int(getattr(commands, command)(options))


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    top = argparse.ArgumentParser(
        prog="python -m retraining_job",
        description="Retrain the live model once, or look after it.",
        epilog=SETTINGS,
    )
    # Without a command it trains: the Job's container names none.
    top.set_defaults(events=None, out=None, champion=None, preset=None)
    adding = top.add_subparsers(dest="command", metavar="COMMAND")

    train = adding.add_parser(
        "train", help="read events, train, judge, publish and record (the default)"
    )
    files = train.add_argument_group("without any service")
    files.add_argument(
        "--events", type=Path, metavar="FILE", help="JSON lines or CSV with scored_events' columns"
    )
    files.add_argument(
        "--out", type=Path, metavar="DIR", help="where model, state, result and report go"
    )
    files.add_argument(
        "--champion", type=Path, metavar="FILE", help="the live model: its pickle or its state"
    )
    train.add_argument("--preset", choices=[str(preset) for preset in Preset])

    decide = adding.add_parser(
        "decide", help="put a challenger live that awaits a decision, or keep it out"
    )
    decide.add_argument("--run", dest="run_id", metavar="RUN", help="the run that has left it")
    decide.add_argument("--decision", choices=[str(decision) for decision in ApprovalDecision])
    decide.add_argument(
        "--by", dest="decided_by", metavar="NAME", help="whose decision it is, for the record"
    )

    rollback = adding.add_parser(
        "rollback", help="put a former champion live again, under a new version"
    )
    rollback.add_argument("--to", type=int, required=True, metavar="VERSION")

    adding.add_parser("history", help="list the versions that there are to go back to")
    adding.add_parser("sign", help="sign what is live, once somebody has made sure of it")
    report = adding.add_parser("report", help="print the report of a judged run, a page of HTML")
    report.add_argument(
        "run", metavar="RUN", help="the run's id, or the name of its RetrainRequest"
    )
    adding.add_parser("migrate", help="add to the database's schema what is missing")
    return top


if __name__ == "__main__":
    sys.exit(main())
