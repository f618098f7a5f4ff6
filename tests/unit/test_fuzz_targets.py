"""Each fuzz target with its corpus, its genuine inputs, and a few random changes of both."""

import logging
import random
from collections.abc import Iterator

import pytest

from tests.fuzz.inputs import CORPUS, read_inputs
from tests.fuzz.mutator import Mutator
from tests.fuzz.targets import FuzzTarget, load_targets

CHANGES = 300
TARGETS = load_targets()


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Keep log records away from pytest, whose processes cannot exchange every text in them."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def run(target: FuzzTarget, data: bytes) -> None:
    try:
        target.run(data)
    except Exception as error:
        error.add_note(f"input: {data[:2000]!r}")
        raise


@pytest.mark.parametrize("target", TARGETS.values(), ids=lambda target: target.name)
def test_genuine_input_and_corpus_have_no_forbidden_effect(target: FuzzTarget) -> None:
    for data in [*target.build_seeds(), *read_inputs(CORPUS / target.name)]:
        run(target, data)


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS.values(), ids=lambda target: target.name)
def test_changed_input_has_no_forbidden_effect(target: FuzzTarget) -> None:
    seeds = target.build_seeds()
    inputs = [*seeds, *read_inputs(CORPUS / target.name)]
    mutator = Mutator(seeds)
    draw = random.Random(target.name)  # noqa: S311  # the same changes in each run
    for _ in range(CHANGES):
        run(target, mutator.mutate(draw.choice(inputs), draw))


def test_corpus_has_no_folder_of_another_target() -> None:
    assert {folder.name for folder in CORPUS.iterdir()} <= set(TARGETS)
