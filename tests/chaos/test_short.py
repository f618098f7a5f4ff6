"""A short chaos run."""

import sys

import pytest

from tests.chaos.release import chaotic_world
from tests.chaos.rounds import ChaosTally, run

KILLS = 20
SEED = 20261124
AT_ONCE = 28


def print_line(tally: ChaosTally, line: str) -> None:
    sys.stdout.write(f"{tally.seconds:4.0f} s  {line}\n")


@pytest.mark.timeout(1200)  # a round reports unfinished work itself, after up to two minutes
def test_twenty_kills_lose_and_duplicate_nothing() -> None:
    with chaotic_world() as world:
        tally = run(world, KILLS, SEED, print_line, AT_ONCE)
    assert tally.dead >= KILLS
    assert tally.evidence is not None
    assert tally.evidence.versions
