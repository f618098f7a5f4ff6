"""The long chaos run, which writes its page of results: `python -m tests.chaos --kills 500`."""

from __future__ import annotations

import argparse
import sys

from tests.chaos import page
from tests.chaos.release import chaotic_world
from tests.chaos.rounds import ChaosTally, GuaranteeViolatedError, run


def print_line(line: str) -> None:
    """Print a line without buffering."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def write_results(tally: ChaosTally, line: str) -> None:
    """Write the results after a round, so that an interrupted run has results as well.

    Args:
        tally: The results so far.
        line: What the round has shown.
    """
    page.write(tally)
    print_line(f"{tally.seconds:6.0f} s  {line}")


def main() -> int:
    """Run until enough processes were killed."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--at-once", type=int, default=60, help="strikes in one round")
    options = parser.parse_args()
    with chaotic_world() as world:
        try:
            run(world, options.kills, options.seed, write_results, options.at_once)
        except GuaranteeViolatedError as error:
            print_line(f"FAILED: {error}")
            return 1
    print_line(f"Nothing was lost and nothing was duplicated. See the results in {page.PAGE.name}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
