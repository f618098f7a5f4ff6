"""`python -m tests.fuzz`: fuzz all targets, replay one input, or minimize the corpus."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.fuzz.inputs import CORPUS, minimize
from tests.fuzz.session import Progress, fuzz
from tests.fuzz.targets import load_targets

DEFAULT_SECONDS = 60


def main() -> int:
    """Run one of the commands. Returns 1 if an input had an effect that it must not have."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="fuzz targets one after the other")
    run.add_argument("--seconds", type=int, default=DEFAULT_SECONDS, help="for each target")
    run.add_argument("targets", nargs="*", help="default: all")
    replay = commands.add_parser("replay", help="run a target with one input")
    replay.add_argument("target")
    replay.add_argument("file", type=Path)
    merge = commands.add_parser("corpus", help="keep the best inputs of corpus and finds")
    merge.add_argument("targets", nargs="*", help="default: all")
    commands.add_parser("list", help="list the targets")
    arguments = parser.parse_args()
    targets = load_targets()
    asked = getattr(arguments, "targets", None) or [getattr(arguments, "target", None) or ""]
    unknown = [name for name in asked if name and name not in targets]
    if unknown:
        parser.error(f"no target is named {unknown[0]}; there are: {', '.join(targets)}")
    chosen = [name for name in asked if name] or list(targets)
    if arguments.command == "replay":
        targets[arguments.target].run(arguments.file.read_bytes())
        say(f"{arguments.target}: the input has no effect that it must not have.")
    elif arguments.command == "corpus":
        for name in chosen:
            say(minimize(targets[name]))
    elif arguments.command == "list":
        say("\n".join(targets))
    else:
        return fuzz_all(chosen, arguments.seconds)
    return 0


def fuzz_all(names: Sequence[str], seconds: int) -> int:
    """Fuzz targets one after the other and print a summary.

    Args:
        names: The names of the targets.
        seconds: How long to fuzz each.

    Returns:
        1 if one of them has failed.
    """
    found = []
    for name in names:
        found.append(fuzz(name, seconds, say))
        if found[-1].has_failed:
            say("\n".join(found[-1].last_lines))
    say(format_summary(found))
    return int(any(progress.has_failed for progress in found))


def format_summary(found: Sequence[Progress]) -> str:
    """Format a table of all targets, with the command that replays each failure."""
    lines = [f"{'target':<20} {'runs':>10} {'per second':>11} {'coverage':>9} {'new':>5}  result"]
    for one in found:
        rate = one.runs / max(one.seconds, 1)
        lines.append(
            f"{one.target:<20} {one.runs:>10,} {rate:>11,.0f} {one.coverage:>9,} "
            f"{one.new_inputs:>5}  {'FAILED' if one.has_failed else 'passed'}"
        )
    for one in found:
        if one.has_failed and one.crash is None:
            lines.append(f"{one.target}: it did not run. Its output is above.")
        elif one.has_failed:
            lines.append(
                f"{one.target}: to replay: python -m tests.fuzz replay {one.target} {one.crash}. "
                f"After the correction, keep the input in {CORPUS / one.target}."
            )
    return "\n".join(lines)


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
