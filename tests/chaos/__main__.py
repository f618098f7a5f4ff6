"""`python -m tests.chaos --kills 500 --seed 1`: the long run, which writes docs/chaos.md."""

from __future__ import annotations

import argparse
import sys

from tests.chaos import page
from tests.chaos.release import chaotic_world
from tests.chaos.rounds import NotAsItMustBe, Tally, run


def tell(line: str) -> None:
    """Write a line at once: the run is long."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def note(tally: Tally, line: str) -> None:
    """Write what a round has shown, so that a run that is cut short has its figures as well."""
    page.write(tally)
    tell(f"{tally.seconds:6.0f} s  {line}")


def main() -> int:
    """Run until enough was killed."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--at-once", type=int, default=60, help="strikes in one round")
    options = parser.parse_args()
    with chaotic_world() as world:
        try:
            run(world, options.kills, options.seed, note, options.at_once)
        except NotAsItMustBe as error:
            tell(f"FAILED: {error}")
            return 1
    tell(f"Nothing was lost and nothing doubled. The figures are in {page.PAGE.name}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
