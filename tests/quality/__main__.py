"""The quality table, or a stream of its kind for the trainer's command line.

python -m tests.quality                                       writes docs/quality.md
python -m tests.quality stream --seed 1 --rows 20000 > events.jsonl
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.quality.stream import lines

PAGE = Path(__file__).parents[2] / "docs" / "quality.md"


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.quality", description="What the verdicts are worth."
    )
    parser.add_argument("--seeds", type=int, default=24, help="streams for each scenario")
    parser.add_argument("--out", type=Path, default=PAGE, help="the page that is written")
    made = parser.add_subparsers(dest="command").add_parser(
        "stream", help="write a made-up stream as JSON lines"
    )
    made.add_argument("--seed", type=int, default=1)
    made.add_argument("--rows", type=int, default=20_000)
    arguments = parser.parse_args()
    if arguments.command == "stream":
        for line in lines(arguments.seed, arguments.rows):
            sys.stdout.write(f"{line}\n")
        return
    from tests.quality.page import page  # noqa: PLC0415  # the trainer, which a stream does not need

    arguments.out.write_text(page(arguments.seeds))


if __name__ == "__main__":
    main()
