"""The history keeps the last N different models, whatever rollbacks do."""

import itertools
import random

import pytest

from retraining_job.registry.history import StoredVersion
from retraining_job.registry.manifest import Manifest
from retraining_job.registry.places import choose_dropped
from tests.unit.job.stored_documents import build_manifest

MODELS = "ABCDEFGHIJ"


def manifest_of(version: int, model: str, **fields: object) -> Manifest:
    return build_manifest(version, fingerprint=f"{MODELS.index(model):064x}", **fields)


def stored(version: int, model: str, problem: str = "", **fields: object) -> StoredVersion:
    return StoredVersion(version, manifest=manifest_of(version, model, **fields), problem=problem)


def foreign(version: int) -> StoredVersion:
    return StoredVersion(version)


def test_oldest_model_leaves_when_there_is_no_place_left() -> None:
    history = [stored(1, "A"), stored(2, "B"), stored(3, "C")]
    assert choose_dropped(history, stored(4, "D"), manifest_of(5, "E"), 3) == [1]
    assert choose_dropped(history, stored(4, "D"), manifest_of(5, "E"), 4) == []
    assert choose_dropped(history, stored(4, "D"), manifest_of(5, "E"), 1) == [3, 2, 1]


def test_of_the_same_model_the_newest_version_stays() -> None:
    history = [stored(1, "A"), stored(2, "B")]
    assert choose_dropped(history, stored(3, "A", restored_from=1), manifest_of(4, "C"), 5) == [1]


def test_live_model_takes_no_place_and_keeps_its_entry() -> None:
    history = [stored(1, "A"), stored(2, "B"), stored(3, "C")]
    live = manifest_of(5, "A", restored_from=1)
    assert choose_dropped(history, stored(4, "D"), live, 3) == []
    assert choose_dropped(history, stored(4, "D"), live, 2) == [2], "1 could be needed again"


@pytest.mark.parametrize("seed", range(20))
def test_rollbacks_never_lose_a_model(seed: int) -> None:
    """Whatever versions are restored in whatever order, all models can be restored afterwards."""
    source, places = random.Random(seed), 5  # noqa: S311  # made-up data
    history = {number: stored(number, MODELS[number]) for number in range(1, places + 1)}
    live = stored(places + 1, MODELS[places + 1])
    everything = {version.identity for version in [*history.values(), live]}
    for number in range(places + 2, places + 40):
        target = history[source.choice(sorted(history))]
        assert target.manifest
        new = target.manifest.model_copy(update={"version": number, "restored_from": target.number})
        dropped = choose_dropped(list(history.values()), live, new, places)
        history[live.number] = live
        for version in dropped:
            del history[version]
        live = StoredVersion(number, manifest=new)
        assert {version.identity for version in [*history.values(), live]} == everything
        assert len(history) <= places + 1


def test_restored_model_of_another_program_takes_one_place() -> None:
    history = [foreign(1), stored(2, "B")]
    first = build_manifest(4, fingerprint="", state_sha256="", restored_from=1)
    assert choose_dropped(history, stored(3, "C"), first, 2) == []
    live = StoredVersion(4, manifest=first)
    again = build_manifest(5, fingerprint="", state_sha256="", restored_from=4)
    history.append(stored(3, "C"))
    assert choose_dropped(history, live, again, 2) == [1], "4 is the same model as 1"


def test_models_of_another_program_are_different_ones() -> None:
    history = [foreign(1), foreign(2), foreign(3)]
    assert choose_dropped(history, foreign(4), manifest_of(5, "A"), 3) == [1]


def test_forged_entries_cannot_push_out_genuine_ones() -> None:
    genuine = [stored(1, "A"), stored(2, "B"), stored(3, "C")]
    forged = [StoredVersion(number, problem="it is not signed") for number in range(100, 110)]
    for history in itertools.islice(itertools.permutations([*genuine, *forged]), 5):
        dropped = choose_dropped(history, stored(4, "D"), manifest_of(5, "E"), 3)
        assert [number for number in dropped if number < 100] == [1]
        assert [number for number in dropped if number >= 100] == list(range(106, 99, -1))


def test_forged_entry_with_the_fingerprint_of_another_does_not_replace_it() -> None:
    history = [stored(1, "A"), stored(100, "A", problem="it is not signed")]
    assert choose_dropped(history, stored(2, "B"), manifest_of(3, "C"), 5) == []


def test_first_model_drops_nothing() -> None:
    assert choose_dropped([], None, manifest_of(1, "A"), 1) == []


def test_former_version_replaces_an_entry_of_the_same_number() -> None:
    history = [stored(4, "A"), stored(3, "C")]
    assert choose_dropped(history, stored(4, "D"), manifest_of(5, "E"), 2) == []
