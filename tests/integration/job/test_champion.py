"""A live model that cannot be evaluated has its own verdict, and nothing is changed."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
from river.anomaly import HalfSpaceTrees

from retraining_job.deviation import StandardAbsoluteDeviation
from tests.integration.job.world import World


class Evil:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (self.command,)


OLDER_RIVER = b"\x80\x04}\x8c\x03hst\x8c\x11river.anomaly.hst\x8c\x09HSTBranch\x93)\x81s."
GENUINE = pickle.dumps({"hst": HalfSpaceTrees(), "sad": StandardAbsoluteDeviation()})
SHORT_OF_TREES = HalfSpaceTrees(n_trees=1, height=2, window_size=1, seed=1)
SHORT_OF_TREES.learn_one({"amount": 0.5})
del SHORT_OF_TREES.trees[0].feature
CANNOT_SCORE = pickle.dumps({"hst": SHORT_OF_TREES, "sad": StandardAbsoluteDeviation()})


@pytest.mark.parametrize(
    ("blob", "version", "says"),
    [
        pytest.param(b"", b"3", "not a complete pickle", id="empty"),
        pytest.param(b"hello", b"3", "not a complete pickle", id="no pickle"),
        pytest.param(GENUINE[:-20], b"3", "not a complete pickle", id="truncated"),
        pytest.param(pickle.dumps([1]), b"3", "not a dictionary", id="another object"),
        pytest.param(OLDER_RIVER, b"3", "a different release of river", id="another river"),
        pytest.param(
            CANNOT_SCORE,
            b"3",
            "a branch of its trees has no feature",
            id="a forest that cannot score",
        ),
        pytest.param(GENUINE, b"three", "9007199254740991: b'three'", id="a version in words"),
        pytest.param(GENUINE, b"9007199254740992", "not a whole number", id="a large version"),
        pytest.param(GENUINE, b"007", "not a whole number", id="a version with zeros before it"),
        pytest.param(GENUINE, b"-7", "not a whole number", id="a negative version"),
        pytest.param(GENUINE, b"3.5", "not a whole number", id="a version with a fraction"),
        pytest.param(GENUINE, b"", "not a whole number", id="an empty version"),
        pytest.param(
            GENUINE + b"x" * (1 << 20), b"3", "trainer.modelLimitMebibytes", id="too large"
        ),
    ],
)
def test_unreadable_champion_stays_and_is_reported(
    world: World, blob: bytes, version: bytes, says: str
) -> None:
    world.put_champion(blob, version)
    run = world.train(model_limit_mebibytes=1)
    assert run.code == 0, run.log
    assert (run.result.verdict, run.result.reason, run.result.promoted) == (
        "UnreadableChampion",
        "unreadable_champion",
        False,
    )
    assert says in run.result.message
    assert run.result.message in run.log
    assert (world.redis.get(world.model_key), world.version) == (blob, version)
    assert world.versions == []
    assert world.runs == [("run-1", "UnreadableChampion", "unreadable_champion", None)]


def test_forged_champion_is_not_run(world: World, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    world.put_champion(pickle.dumps({"hst": Evil(f"touch {mark}"), "sad": 1}), b"3")
    run = world.train()
    assert run.result.verdict == "UnreadableChampion"
    assert "contains posix.system" in run.result.message
    assert not mark.exists()


@pytest.mark.parametrize("key", ["model_key", "version_key"])
def test_another_type_under_a_key_is_a_wrong_setting(world: World, key: str) -> None:
    world.redis.rpush(getattr(world, key), "something else")
    run = world.train()
    assert (run.code, run.result.reason) == (78, "BadConfiguration"), run.log
    assert "RETRAIN_MODEL_KEY" in run.result.message
    assert world.redis.lrange(getattr(world, key), 0, -1) == [b"something else"]
    assert world.runs == [("run-1", None, "BadConfiguration", None)]


def test_failure_is_replaced_by_the_verdict_of_the_next_attempt(world: World) -> None:
    world.redis.rpush(world.version_key, "something else")
    assert world.train().code == 78
    world.redis.delete(world.version_key)
    assert world.train().result.verdict == "Promoted"
    assert world.runs == [("run-1", "Promoted", "no_champion", 1)]
