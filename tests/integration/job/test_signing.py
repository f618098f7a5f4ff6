"""With a signing key, only signed models are accepted. Readers can check signatures as well."""

import hashlib
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from retraining_job.errors import BadConfigurationError, BadDataError, DependencyUnavailableError
from retraining_job.registry.champion import Champion
from retraining_job.registry.integrity import UnreadableChampionError
from retraining_job.registry.manifest import Manifest
from retraining_job.registry.restore import RollbackImpossibleError, restore_version
from retraining_job.runs import sign as signing_command
from retraining_job.runs.sign import sign_live_model
from tests.integration.job.model_registry import KEY, Change, ModelRegistry, model_of_seed, score
from tests.integration.job.test_champion import Evil
from tests.integration.job.world import World

READER = Path(__file__).parents[3] / "docs" / "examples" / "reader.py"
OTHER_KEY = "another key, long enough as well"


Read = Callable[[str], subprocess.CompletedProcess[str]]
"""Runs the reader of the documentation with a signing key."""


def manifest_of(champion: Champion) -> Manifest:
    """Return the manifest of a champion that has one."""
    assert champion.manifest
    return champion.manifest


@pytest.fixture
def registry(redis_url: str, key_prefix: str) -> Iterator[ModelRegistry]:
    """Two signed versions, one after the other."""
    registry = ModelRegistry(
        redis_url, f"{key_prefix}active_model", f"{key_prefix}model_version", SIGNING_KEY=KEY
    )
    registry.publish("run-1", seed=1)
    registry.publish("run-2", seed=2)
    yield registry
    registry.redis.close()


def test_signed_champion_is_trusted(registry: ModelRegistry) -> None:
    assert len(registry.meta["signature"]) == 64
    assert score(registry.champion().model) == score(model_of_seed(2))
    assert score(registry.champion(SIGNING_KEY="").model) == score(model_of_seed(2)), (
        "without a key there is nothing to check"
    )
    assert KEY not in str(registry.contents())


def change_meta(**fields: Any) -> Change:
    """Change fields of the manifest and leave the signature at its end."""

    def change(registry: ModelRegistry) -> None:
        fields_with_signature = {**registry.meta, **fields}
        signature = fields_with_signature.pop("signature")
        text = json.dumps({**fields_with_signature, "signature": signature}, separators=(",", ":"))
        registry.redis.set(registry.keys.meta, text)

    return change


def add_a_member_twice(registry: ModelRegistry) -> None:
    """Put another version of a field before the signature: the last one counts in most parsers."""
    meta = registry.redis.get(registry.keys.meta).decode()
    at = meta.index(',"signature"')
    registry.redis.set(registry.keys.meta, f'{meta[:at]},"n_samples":1{meta[at:]}')


def add_white_space(registry: ModelRegistry) -> None:
    registry.redis.append(registry.keys.meta, "\n")


def replay_the_first(registry: ModelRegistry) -> None:
    """Pass the first pair of manifest and model, with its signature, off as the second version."""
    first = registry.history[1]
    registry.redis.set(registry.keys.model, registry.package(1).pickle)
    registry.redis.set(registry.keys.state, first["state"])
    meta = json.dumps({**first["manifest"], "version": 2}, separators=(",", ":"))
    registry.redis.set(registry.keys.meta, meta)


def put_by_somebody_else(registry: ModelRegistry) -> None:
    registry.put_foreign(seed=3, version=3)


def drop_the_manifest(registry: ModelRegistry) -> None:
    registry.redis.delete(registry.keys.meta)


def move_to_another_name(registry: ModelRegistry) -> None:
    registry.publish("run-3", seed=3, SIGNING_KEY="")
    other = ModelRegistry(
        registry.url,
        f"{registry.keys.model}-other",
        f"{registry.keys.version}-other",
        SIGNING_KEY=KEY,
    )
    for number in range(1, 4):
        other.publish(f"run-{number}", seed=3)
    for key in ("model", "version", "meta", "state", "epoch"):
        registry.redis.copy(getattr(other.keys, key), getattr(registry.keys, key), replace=True)


CHANGED_FIELDS: dict[str, Any] = {
    "run_id": "another",
    "approved_by": "the head of risk",
    "n_samples": 7,
    "published_at": "2020-01-01T00:00:00Z",
    "trained": {"first": "2020-01-01T00:00:00Z", "last": "2025-01-01T00:00:00Z", "rows": 9},
    "epoch": 9,
    "threshold": 0.01,
    "matching_threshold": 0.01,
    "restored_from": 1,
    "fingerprint": "0" * 64,
    "input": {"events": 60, "features": {}},
}


@pytest.mark.parametrize(
    ("forge", "says"),
    [
        pytest.param(change_meta(signature=""), "it is not signed", id="no signature"),
        pytest.param(drop_the_manifest, "it is not signed", id="no manifest"),
        pytest.param(put_by_somebody_else, "signature does not match", id="somebody else's"),
        pytest.param(
            change_meta(signature="0" * 64), "signature does not match", id="a made-up signature"
        ),
        pytest.param(change_meta(signature="é" * 32), "it is not signed", id="no digits"),
        pytest.param(add_white_space, "it is not signed", id="white space at the end"),
        pytest.param(add_a_member_twice, "signature does not match", id="a field twice"),
        pytest.param(
            replay_the_first, "signature does not match", id="an old pair under a new version"
        ),
        pytest.param(
            move_to_another_name, "signature does not match", id="a signed model of another name"
        ),
        *[
            pytest.param(
                change_meta(**{name: value}), "signature does not match", id=f"another {name}"
            )
            for name, value in CHANGED_FIELDS.items()
        ],
    ],
)
def test_forged_champion_is_refused_until_a_person_signs_it(
    registry: ModelRegistry, forge: Change, says: str
) -> None:
    forge(registry)
    before = registry.contents()
    with pytest.raises(
        UnreadableChampionError, match=rf"{says}.*signing\.existingSecret.*retraining_job sign"
    ) as caught:
        registry.champion()
    assert KEY not in str(caught.value)
    assert registry.contents() == before
    sign_live_model(registry.settings().registry)
    after = registry.contents()
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert changed == {registry.keys.meta.encode()}
    assert registry.champion().model is not None


def test_another_key_is_another_signature(registry: ModelRegistry) -> None:
    with pytest.raises(UnreadableChampionError, match="signature does not match"):
        registry.champion(SIGNING_KEY=OTHER_KEY)


def test_signing_changes_nothing_else_in_the_manifest(registry: ModelRegistry) -> None:
    meta = registry.meta
    sign_live_model(registry.settings(SIGNING_KEY=OTHER_KEY).registry)
    assert {**registry.meta, "signature": ""} == {**meta, "signature": ""}
    assert registry.meta["signature"] != meta["signature"]
    assert manifest_of(registry.champion(SIGNING_KEY=OTHER_KEY)).run_id == "run-2"


def test_foreign_champion_that_was_signed_is_read_by_the_allow_list(
    registry: ModelRegistry, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    registry.put_foreign(version=3, blob=pickle.dumps({"hst": Evil(f"touch {mark}"), "sad": 1}))
    sign_live_model(registry.settings().registry)
    with pytest.raises(UnreadableChampionError, match=r"contains posix\.system"):
        registry.champion()
    assert not mark.exists()


def test_missing_or_incomplete_model_is_not_signed(registry: ModelRegistry) -> None:
    with pytest.raises(BadConfigurationError, match="no key to sign with"):
        sign_live_model(registry.settings(SIGNING_KEY="").registry)
    registry.redis.setrange(registry.keys.model, 100, b"?")
    with pytest.raises(BadDataError, match=r"damaged or was replaced.*It was not signed"):
        sign_live_model(registry.settings().registry)
    registry.redis.delete(registry.keys.model, registry.keys.meta)
    with pytest.raises(BadDataError, match="There is no live model"):
        sign_live_model(registry.settings().registry)


def test_model_that_changes_while_it_is_signed_is_not_signed(
    registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    present = signing_command.read_or_build_manifest

    def overtaken(settings: Any) -> Manifest | None:
        manifest = present(settings)
        registry.redis.set(registry.keys.model, b"another")
        return manifest

    monkeypatch.setattr(signing_command, "read_or_build_manifest", overtaken)
    meta = registry.meta
    with pytest.raises(DependencyUnavailableError, match="changed while it was being signed"):
        sign_live_model(registry.settings(SIGNING_KEY=OTHER_KEY).registry)
    assert registry.meta == meta


def test_restored_champion_is_signed_again(registry: ModelRegistry) -> None:
    restore_version(registry.settings("back").registry, 1)
    assert score(registry.champion().model) == score(model_of_seed(1))


@pytest.mark.parametrize("key", [KEY, OTHER_KEY])
def test_forged_history_is_not_restored(registry: ModelRegistry, key: str) -> None:
    entry = registry.history[1]
    forged = registry.package(9)
    assert forged.state
    if key == KEY:
        digest = hashlib.sha256(forged.state.encode()).hexdigest()
        entry = {"manifest": {**entry["manifest"], "state_sha256": digest}, "state": forged.state}
        registry.change_entry(1, **entry)
    before = registry.contents()
    with pytest.raises(RollbackImpossibleError, match=r"signature.*without the key"):
        restore_version(registry.settings("back", SIGNING_KEY=key).registry, 1)
    assert registry.contents() == before


@pytest.fixture
def read(world: World, own_redis: redis.Redis, own_redis_server: str) -> Read:
    """Run the example reader on a model with the default keys."""
    assert own_redis.ping()

    def run(key: str) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "REDIS_URL": own_redis_server,
            "DATABASE_URL": world.database_url,
            "SIGNING_KEY": key,
        }
        return subprocess.run(
            [sys.executable, READER], env=environment, capture_output=True, text=True, check=False
        )

    return run


def test_reader_of_the_example_loads_only_what_is_signed(
    read: Read, own_redis_server: str, tmp_path: Path
) -> None:
    registry = ModelRegistry(own_redis_server, SIGNING_KEY=KEY)
    registry.publish()
    good = read(KEY)
    assert good.returncode == 0, good.stderr
    assert "Read version 1" in good.stdout
    assert "raises an alert for" in good.stdout
    mark = tmp_path / "mark"
    registry.put_foreign(version=1, blob=pickle.dumps({"hst": Evil(f"touch {mark}"), "sad": 1}))
    bad = read(KEY)
    assert bad.returncode == 1
    assert "version 1, is not the signed one" in bad.stderr
    assert not mark.exists()
    read("")
    assert mark.exists(), "without the check, the forged model does what it wants"
    registry.redis.close()
