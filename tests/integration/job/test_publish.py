"""Publishing is one atomic step: one of several runs wins, and the former champion is stored."""

import hashlib
import json
import secrets
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from retraining_job.errors import BadConfigurationError
from retraining_job.registry.live import STATE_LIMIT_BYTES
from retraining_job.registry.package import ModelPackage
from retraining_job.registry.publish import Overtaken, Published
from tests.integration.job.model_registry import Change, ModelRegistry, model_of_seed, score
from tests.integration.job.test_failures import with_password


@pytest.fixture
def registry(redis_url: str, key_prefix: str) -> Iterator[ModelRegistry]:
    registry = ModelRegistry(redis_url, f"{key_prefix}active_model", f"{key_prefix}model_version")
    yield registry
    registry.redis.close()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_first_promotion_writes_every_key(registry: ModelRegistry) -> None:
    with registry.redis.pubsub() as listener:
        listener.subscribe(registry.keys.changes)
        listener.get_message(timeout=5)
        package = registry.package(matching_threshold=0.61)
        outcome = registry.publish(package=package)
        notice = json.loads(listener.get_message(timeout=5)["data"])
    assert isinstance(outcome, Published)
    state = package.state or ""
    assert registry.redis.mget(
        registry.keys.model, registry.keys.version, registry.keys.state, registry.keys.epoch
    ) == [
        package.pickle,
        b"1",
        state.encode(),
        b"1",
    ]
    wanted = {
        "version": 1,
        "epoch": 1,
        "run_id": "run-1",
        "matching_threshold": 0.61,
        "pickle_sha256": sha256(package.pickle),
        "pickle_bytes": len(package.pickle),
        "state_sha256": sha256(state.encode()),
        "deviation_class": "retraining_job.deviation.StandardAbsoluteDeviation",
    }
    assert {name: registry.meta[name] for name in wanted} == wanted
    assert notice == {"version": 1, "epoch": 1, "run_id": "run-1", "what": "promoted"}
    assert not registry.history
    assert not registry.staged
    assert registry.redis.ttl(registry.keys.model) == -1, (
        "the upload's end must not go live with it"
    )


def test_former_champion_is_stored_as_its_state(registry: ModelRegistry) -> None:
    registry.publish("run-1", seed=1)
    first, package = registry.meta, registry.package(1)
    registry.publish("run-2", seed=2)
    assert registry.history == {1: {"manifest": first, "state": package.state}}
    assert (registry.meta["version"], registry.meta["epoch"]) == (2, 2)
    assert not list(registry.redis.scan_iter(f"{registry.keys.history}:*")), (
        "with a state, no pickle is kept"
    )


def test_foreign_champion_is_stored_as_its_pickle(registry: ModelRegistry) -> None:
    blob = registry.put_foreign(seed=1, version=7)
    registry.publish(seed=2)
    assert registry.history == {7: {"manifest": None, "state": None}}
    assert registry.redis.get(registry.keys.kept_pickle(7)) == blob
    assert registry.meta["version"] == 8


def test_manifest_of_a_replaced_version_is_not_used_for_a_foreign_model(
    registry: ModelRegistry,
) -> None:
    registry.publish("run-1", seed=1)
    blob = registry.put_foreign(seed=2, version=2)
    champion = registry.champion()
    assert champion.manifest is None
    assert score(champion.model) == score(model_of_seed(2))
    registry.publish("run-3", seed=3)
    assert registry.history == {2: {"manifest": None, "state": None}}
    assert registry.redis.get(registry.keys.kept_pickle(2)) == blob
    assert (registry.meta["version"], registry.meta["epoch"]) == (3, 3)


def test_history_has_the_newest_versions(registry: ModelRegistry) -> None:
    registry.put_foreign(version=7)
    for number in range(8, 13):
        registry.publish(f"run-{number}", seed=number, history_versions=3)
        assert registry.history.keys() == set(range(max(7, number - 3), number))
    assert registry.redis.ttl(registry.keys.kept_pickle(7)) in {-2, 0, 1}, "its pickle goes with it"


def test_model_without_a_state_removes_the_state_of_its_predecessor(
    registry: ModelRegistry,
) -> None:
    registry.publish("run-1", seed=1)
    blob = registry.package(2).pickle
    registry.publish("run-2", package=ModelPackage(blob, None, registry.package().provenance))
    assert not registry.redis.exists(registry.keys.state)
    assert score(registry.champion().model) == score(model_of_seed(2))
    registry.publish("run-3", seed=3)
    assert registry.history[2]["manifest"]["run_id"] == "run-2"
    assert registry.redis.get(registry.keys.kept_pickle(2)) == blob


def test_state_that_could_not_be_read_again_is_not_published(registry: ModelRegistry) -> None:
    package = registry.package()
    registry.publish(
        package=ModelPackage(package.pickle, "x" * (STATE_LIMIT_BYTES + 1), package.provenance)
    )
    assert not registry.redis.exists(registry.keys.state)
    assert score(registry.champion().model) == score(model_of_seed(1))


def another_run(registry: ModelRegistry) -> None:
    registry.publish("run-2", seed=2)


def another_run_that_was_taken_back_by_hand(registry: ModelRegistry) -> None:
    registry.publish("run-2", seed=2)
    registry.redis.set(registry.keys.version, 1)


def somebody_else(registry: ModelRegistry) -> None:
    registry.put_foreign(seed=2, version=9)


@pytest.mark.parametrize(
    ("overtake", "winner", "says"),
    [
        (another_run, Overtaken("2", "run-2"), "version 2 of run run-2"),
        (another_run_that_was_taken_back_by_hand, Overtaken("1"), "version 1"),
        (somebody_else, Overtaken("9"), "version 9"),
    ],
)
def test_overtaken_run_names_the_other_run_and_changes_nothing(
    registry: ModelRegistry, overtake: Change, winner: Overtaken, says: str
) -> None:
    registry.publish("run-1")
    seen = registry.champion()
    overtake(registry)
    before = registry.contents()
    outcome = registry.publish("run-3", seed=3, champion=seen)
    assert (outcome, str(outcome)) == (winner, says)
    assert registry.contents() == before


def test_same_run_again_changes_nothing(registry: ModelRegistry) -> None:
    first = registry.publish("run-1")
    before = registry.contents()
    assert registry.publish("run-1", seed=2) == first
    assert registry.contents() == before


def test_one_of_eight_parallel_runs_publishes_and_readers_see_whole_models(
    registry: ModelRegistry,
) -> None:
    registry.publish("run-0", seed=0)
    packages = [registry.package(seed) for seed in range(8)]
    torn, seen, done = [], set(), threading.Event()

    def read() -> None:
        while not done.is_set():
            version, model, meta, state = registry.redis.mget(
                registry.keys.version, registry.keys.model, registry.keys.meta, registry.keys.state
            )
            meta = json.loads(meta)
            whole = meta["version"], meta["pickle_sha256"], meta["state_sha256"]
            seen.add(int(version))
            if whole != (int(version), sha256(model), sha256(state)):
                torn.append(version)

    reader = threading.Thread(target=read)
    reader.start()
    with ThreadPoolExecutor(8) as pool:
        for turn in range(2, 12):
            champion = registry.champion()
            outcomes = list(
                pool.map(
                    lambda number, turn=turn, champion=champion: registry.publish(
                        f"run-{turn}-{number}", package=packages[number], champion=champion
                    ),
                    range(8),
                )
            )
            [winner] = [outcome.result for outcome in outcomes if isinstance(outcome, Published)]
            assert outcomes.count(Overtaken(str(turn), winner.run_id)) == 7
            assert (winner.version, registry.meta["run_id"]) == (turn, winner.run_id)
    done.set()
    reader.join()
    assert not torn
    assert len(seen) > 1
    assert (registry.meta["version"], registry.meta["epoch"]) == (11, 11)
    live = registry.meta["state_sha256"]
    former = [entry["manifest"]["state_sha256"] for entry in registry.history.values()]
    assert len(former) == len(set(former)), "the same model is stored once"
    assert len(set(former) - {live}) <= 5
    assert not registry.staged


@pytest.mark.parametrize(
    "key", ["model", "version", "meta", "state", "epoch", "history", "run", "challenger"]
)
def test_another_type_under_a_key_is_named_and_stays(registry: ModelRegistry, key: str) -> None:
    registry.publish("run-1")
    champion = registry.champion()
    name = getattr(registry.keys, key)
    name = name if isinstance(name, str) else name("run-2")
    registry.redis.unlink(name)
    registry.redis.rpush(name, "something else")
    before = registry.contents()
    with pytest.raises(
        BadConfigurationError, match=f"The key {name} in Redis holds a list"
    ) as caught:
        registry.publish("run-2", seed=2, champion=champion)
    assert "trainer.modelKey (RETRAIN_MODEL_KEY)" in str(caught.value)
    assert registry.contents() == before
    if key not in {"run", "challenger"}:
        with pytest.raises(BadConfigurationError, match=f"The key {name} in Redis holds a list"):
            registry.champion()


@pytest.mark.parametrize("right", ["rename", "persist", "hset", "unlink"])
def test_user_with_only_some_rights_changes_nothing(registry: ModelRegistry, right: str) -> None:
    registry.publish("run-1")
    before = registry.contents()
    user, password = f"test_{secrets.token_hex(4)}", secrets.token_hex(12)
    commands = ["+@all", f"-{right}"]
    registry.redis.acl_setuser(
        user, enabled=True, passwords=[f"+{password}"], keys=["*"], commands=commands
    )
    try:
        with pytest.raises(
            BadConfigurationError, match=f"(does not allow|lacks a right).*(?i:{right})"
        ):
            registry.publish("run-2", seed=2, REDIS_URL=with_password(registry.url, password, user))
    finally:
        registry.redis.acl_deluser(user)
    left = {
        name: value for name, value in registry.contents().items() if name not in registry.staged
    }
    assert left == before
    assert len(registry.staged) == (right == "unlink"), (
        "what cannot be taken away vanishes by itself"
    )


def test_user_without_the_right_to_publish_notices_promotes(registry: ModelRegistry) -> None:
    user, password = f"test_{secrets.token_hex(4)}", secrets.token_hex(12)
    registry.redis.acl_setuser(
        user, enabled=True, passwords=[f"+{password}"], keys=["*"], commands=["+@all"]
    )
    try:
        outcome = registry.publish(REDIS_URL=with_password(registry.url, password, user))
    finally:
        registry.redis.acl_deluser(user)
    assert isinstance(outcome, Published)
