"""A short chaos run: the long one is `make chaos`."""

import sys

from tests.chaos.release import chaotic_world
from tests.chaos.rounds import Tally, run

KILLS = 20
SEED = 20261124


def tell(_: Tally, line: str) -> None:
    sys.stdout.write(f"{line}\n")


def test_twenty_kills_lose_and_double_nothing() -> None:
    with chaotic_world(SEED) as world:
        tally = run(world, KILLS, SEED, tell)
    assert tally.kills >= KILLS
    assert tally.evidence is not None
    assert tally.evidence.versions
