"""The fuzz targets of the trainer hold for their seeds and for some changes of them."""

import random

import pytest

from tests.fuzz.job_targets import SEEDS, TARGETS

MUTATIONS = 300


def mutate(seed: bytes, generator: random.Random) -> bytes:
    """Return a seed with bytes changed, removed, repeated or cut off."""
    changed = bytearray(seed)
    for _ in range(generator.randint(1, 4)):
        if not changed:
            break
        start = generator.randrange(len(changed))
        end = start + generator.choice((1, 1, 2, 8, 64))
        kind = generator.randrange(5)
        if kind == 0:
            changed[start] = generator.randrange(256)
        elif kind == 1:
            del changed[start:end]
        elif kind == 2:
            changed[start:start] = changed[start:end] * generator.randint(1, 4)
        elif kind == 3:
            changed[start:end] = generator.choice((b"\xff\xff\xff\xff", b"null", b"-1", b"9" * 30))
        elif generator.random() < 0.3:
            del changed[start:]
    return bytes(changed)


def test_every_target_has_seeds() -> None:
    assert set(SEEDS) == set(TARGETS)
    assert all(build() for build in SEEDS.values())


@pytest.mark.parametrize("name", TARGETS)
def test_target_holds_for_its_seeds_and_for_changed_ones(name: str) -> None:
    generator = random.Random(name)  # noqa: S311
    seeds = SEEDS[name]()
    for seed in (b"", *seeds):
        TARGETS[name](seed)
    for _ in range(MUTATIONS):
        TARGETS[name](mutate(generator.choice(seeds), generator))
