"""Command line of the benchmarks: `python -m tests.bench [trainer|operator]`."""

from __future__ import annotations

import argparse
import asyncio

from tests.bench import operator, trainer


def main() -> None:
    """Run one or both."""
    parser = argparse.ArgumentParser(prog="tests.bench", description=__doc__)
    parser.add_argument(
        "part", nargs="?", choices=("trainer", "operator"), help="both where left out"
    )
    part = parser.parse_args().part
    if part != "operator":
        trainer.measure()
    if part != "trainer":
        asyncio.run(operator.measure())


if __name__ == "__main__":
    main()
