"""Write docs/quality.md, or a synthetic stream for the command line of the trainer.

python -m tests.quality                                       writes docs/quality.md
python -m tests.quality stream --seed 1 --rows 20000 > events.jsonl
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.quality.stream import build_lines

PAGE = Path(__file__).parents[2] / "docs" / "quality.md"


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.quality", description="Measures how reliable the verdicts are."
    )
    parser.add_argument("--seeds", type=int, default=24, help="streams for each scenario")
    parser.add_argument("--out", type=Path, default=PAGE, help="the page to write")
    stream = parser.add_subparsers(dest="command").add_parser(
        "stream", help="write a synthetic stream as JSON lines"
    )
    stream.add_argument("--seed", type=int, default=1)
    stream.add_argument("--rows", type=int, default=20_000)
    arguments = parser.parse_args()
    if arguments.command == "stream":
        for line in build_lines(arguments.seed, arguments.rows):
            sys.stdout.write(f"{line}\n")
        return
    from tests.quality.page import build_page  # noqa: PLC0415  # a stream does not need the trainer

    arguments.out.write_text(build_page(arguments.seeds))


if __name__ == "__main__":
    main()
