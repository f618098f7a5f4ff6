"""A short chaos run: the long one is `make chaos`."""

import sys

import pytest

from tests.chaos.release import chaotic_world
from tests.chaos.rounds import Tally, run

KILLS = 20
SEED = 20261124
AT_ONCE = 28


def tell(tally: Tally, line: str) -> None:
    sys.stdout.write(f"{tally.seconds:4.0f} s  {line}\n")


@pytest.mark.timeout(
    1200
)  # a round says by itself what does not come to rest; some rounds take two minutes
def test_twenty_kills_lose_and_double_nothing() -> None:
    with chaotic_world() as world:
        tally = run(world, KILLS, SEED, tell, AT_ONCE)
    assert tally.dead >= KILLS
    assert tally.evidence is not None
    assert tally.evidence.versions
