"""The command `python -m retraining_operator replay`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

from retraining_operator.audit.writer import find_recorded_records
from retraining_operator.contract import to_line
from retraining_operator.intake.replay import FindRecorded, Replay, ReplayOutcome, replay
from retraining_operator.intake.replay_options import (
    ReplayError,
    add_selection_options,
    read_selection,
)
from retraining_operator.kafka.topic_reader import TopicReader
from retraining_operator.kube.connection import connect
from retraining_operator.kube.errors import NoClusterAccessError
from retraining_operator.settings import Settings


def add_parser(commands: Any) -> None:
    """Add the command to the subcommands of `python -m retraining_operator`."""
    parser = commands.add_parser(
        "replay", help="create the requests that are missing for records of the topic"
    )
    add_selection_options(parser)
    parser.add_argument(
        "--without-database",
        action="store_true",
        help="do not ask the database: requests that have finished and were deleted from the "
        "cluster are created again",
    )


async def run(settings: Settings, arguments: argparse.Namespace) -> int:
    """Run the command.

    Args:
        settings: The operator's settings.
        arguments: The parsed options.

    Returns:
        The exit code: 1 if the replay failed or the API server refused a request, else 0.
    """
    try:
        selection = read_selection(arguments)
        find_recorded = find_none if arguments.without_database else find_in_database(settings)
        async with connect(settings.namespace) as cluster:
            replayer = Replay(cluster, find_recorded, dry_run=arguments.dry_run)
            counts = await replay(TopicReader(settings.kafka), selection, replayer, print_line)
    except (ReplayError, NoClusterAccessError) as error:
        print(to_line(str(error)), file=sys.stderr)  # noqa: T201  # the output of a command
        return 1
    return 1 if counts[ReplayOutcome.REFUSED] else 0


def print_line(text: str) -> None:
    """Write one line to the standard output. It may quote records."""
    print(to_line(text))  # noqa: T201  # the output of a command


def find_in_database(settings: Settings) -> FindRecorded:
    """Return a function that finds finished requests in the database.

    Raises:
        ReplayError: If no database is configured.
    """
    if settings.database_url is None:
        raise ReplayError(
            "No database is configured to find finished requests in. Set DATABASE_URL, or use "
            "--without-database."
        )
    return partial(find_recorded_records, settings.database_url)


async def find_none(_: Sequence[str]) -> set[str]:
    """Return the empty set, in place of a database."""
    return set()
