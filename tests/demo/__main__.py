"""Installs the operator, sends a trigger, applies a request, and shows the results."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tests.demo.screen import Screen
from tests.demo.story import Story
from tests.system import environment
from tests.system.kubectl import CommandError


def main() -> int:
    """Run the demo."""
    parser = argparse.ArgumentParser(prog="make demo")
    parser.add_argument("--cluster", choices=["ours", "existing"], default="ours")
    screen, started = Screen(), time.monotonic()
    try:
        where = (
            environment.ours() if parser.parse_args().cluster == "ours" else environment.existing()
        )
        Story(where, screen).run()
    except (CommandError, TimeoutError) as error:
        print(f"\nThe demo stopped: {error}", file=sys.stderr)
        return 1
    screen.say(f"The demo took {time.monotonic() - started:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    sys.exit(main())
