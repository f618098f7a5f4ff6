"""With a key set, nothing is believed that the trainer or a person has not signed; readers can check it, too."""

import hashlib
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from retraining_job.errors import BadConfigurationError, BadDataError, DependencyUnavailableError
from retraining_job.registry.integrity import UnreadableChampionError
from retraining_job.registry.restore import RollbackImpossibleError, restore_version
from retraining_job.runs import sign as signing_command
from retraining_job.runs.sign import sign_live_model
from tests.integration.job.shelf import KEY, Shelf, model_of_seed, score
from tests.integration.job.test_champion import Evil

READER = Path(__file__).parents[3] / "docs" / "examples" / "reader.py"
OTHER_KEY = "another key, long enough as well"


@pytest.fixture
def shelf(redis_url, key_prefix):
    """Two signed champions, one after the other."""
    shelf = Shelf(
        redis_url, f"{key_prefix}active_model", f"{key_prefix}model_version", SIGNING_KEY=KEY
    )
    shelf.publish("run-1", seed=1)
    shelf.publish("run-2", seed=2)
    yield shelf
    shelf.redis.close()


def test_signed_champion_is_believed(shelf):
    assert len(shelf.meta["signature"]) == 64
    assert score(shelf.champion().model) == score(model_of_seed(2))
    assert score(shelf.champion(SIGNING_KEY="").model) == score(model_of_seed(2)), (
        "without a key there is nothing to check"
    )
    assert KEY not in str(shelf.picture())


def change_meta(**fields):
    def change(shelf):
        shelf.redis.set(shelf.keys.meta, json.dumps({**shelf.meta, **fields}))

    return change


def replay_the_first(shelf):
    """Pass the first pair of manifest and model, with its signature, off as the second version."""
    first = shelf.history[1]
    shelf.redis.set(shelf.keys.model, shelf.package(1).pickle)
    shelf.redis.set(shelf.keys.state, first["state"])
    shelf.redis.set(shelf.keys.meta, json.dumps({**first["manifest"], "version": 2}))


def put_by_somebody_else(shelf):
    shelf.put_foreign(seed=3, version=3)


def drop_the_manifest(shelf):
    shelf.redis.delete(shelf.keys.meta)


def move_to_another_name(shelf):
    shelf.publish("run-3", seed=3, SIGNING_KEY="")
    other = Shelf(
        shelf.url, f"{shelf.keys.model}-other", f"{shelf.keys.version}-other", SIGNING_KEY=KEY
    )
    for number in range(1, 4):
        other.publish(f"run-{number}", seed=3)
    for key in ("model", "version", "meta", "state", "epoch"):
        shelf.redis.copy(getattr(other.keys, key), getattr(shelf.keys, key), replace=True)


@pytest.mark.parametrize(
    ("forge", "says"),
    [
        pytest.param(change_meta(signature=""), "it is not signed", id="no signature"),
        pytest.param(drop_the_manifest, "it is not signed", id="no manifest"),
        pytest.param(put_by_somebody_else, "it is not signed", id="somebody else's"),
        pytest.param(
            change_meta(signature="0" * 64), "signature does not match", id="a made-up signature"
        ),
        pytest.param(change_meta(signature="é"), "signature does not match", id="no digits at all"),
        pytest.param(
            replay_the_first, "signature does not match", id="an old pair under a new version"
        ),
        pytest.param(
            move_to_another_name, "signature does not match", id="a signed model of another name"
        ),
    ],
)
def test_forged_champion_is_refused_until_a_person_signs_it(shelf, forge, says):
    forge(shelf)
    before = shelf.picture()
    with pytest.raises(
        UnreadableChampionError, match=rf"{says}.*signing\.existingSecret.*retraining_job sign"
    ) as caught:
        shelf.champion()
    assert KEY not in str(caught.value)
    assert shelf.picture() == before
    sign_live_model(shelf.settings().registry)
    after = shelf.picture()
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert changed == {shelf.keys.meta.encode()}
    assert shelf.champion().model is not None


SHAPE = {"events": 60, "features": {"amount": {"usable": 1.0, "newest": 1.0, "lowest": 1.0}}}


def test_recorded_shape_of_the_input_is_believed_with_its_own_signature_alone(shelf):
    assert shelf.meta["input_signature"] == ""
    shelf.publish("run-3", package=shelf.package(3, input=SHAPE))
    meta = shelf.meta
    assert len(meta["input_signature"]) == 64 != meta["signature"]
    assert shelf.champion().manifest.input.features["amount"].usable == 1.0
    looser = {
        **meta["input"],
        "features": {"amount": {"usable": 0.0, "newest": 0.0, "lowest": 0.0}},
    }
    for forged in (
        {"input": looser},
        {"input_signature": ""},
        {"input_signature": shelf.meta["signature"]},
    ):
        shelf.redis.set(shelf.keys.meta, json.dumps({**meta, **forged}))
        with pytest.raises(
            UnreadableChampionError,
            match="the shape of the input that its manifest records is not signed",
        ):
            shelf.champion()
    without = {name: value for name, value in meta.items() if not name.startswith("input")}
    shelf.redis.set(shelf.keys.meta, json.dumps(without))
    assert shelf.champion().manifest.input is None, "as the manifest of an older trainer"


def test_another_key_is_another_signature(shelf):
    with pytest.raises(UnreadableChampionError, match="signature does not match"):
        shelf.champion(SIGNING_KEY=OTHER_KEY)


def test_signing_keeps_what_the_manifest_says(shelf):
    meta = shelf.meta
    sign_live_model(shelf.settings(SIGNING_KEY=OTHER_KEY).registry)
    assert {**shelf.meta, "signature": ""} == {**meta, "signature": ""}
    assert shelf.champion(SIGNING_KEY=OTHER_KEY).manifest.run_id == "run-2"


def test_foreign_champion_that_was_signed_is_read_by_the_allow_list(shelf, tmp_path):
    mark = tmp_path / "mark"
    shelf.put_foreign(version=3, blob=pickle.dumps({"hst": Evil(f"touch {mark}"), "sad": 1}))
    sign_live_model(shelf.settings().registry)
    with pytest.raises(UnreadableChampionError, match=r"names posix\.system"):
        shelf.champion()
    assert not mark.exists()


def test_what_is_not_there_or_not_whole_is_not_signed(shelf):
    with pytest.raises(BadConfigurationError, match="no key to sign with"):
        sign_live_model(shelf.settings(SIGNING_KEY="").registry)
    shelf.redis.setrange(shelf.keys.model, 100, b"?")
    with pytest.raises(BadDataError, match=r"damaged or was replaced.*It was not signed"):
        sign_live_model(shelf.settings().registry)
    shelf.redis.delete(shelf.keys.model, shelf.keys.meta)
    with pytest.raises(BadDataError, match="There is no live model"):
        sign_live_model(shelf.settings().registry)


def test_model_that_changes_while_it_is_signed_is_not_signed(shelf, monkeypatch):
    present = signing_command.read_live_manifest

    def overtaken(settings):
        manifest = present(settings)
        shelf.redis.set(shelf.keys.model, b"another")
        return manifest

    monkeypatch.setattr(signing_command, "read_live_manifest", overtaken)
    meta = shelf.meta
    with pytest.raises(DependencyUnavailableError, match="changed while it was being signed"):
        sign_live_model(shelf.settings(SIGNING_KEY=OTHER_KEY).registry)
    assert shelf.meta == meta


def test_restored_champion_is_signed_anew(shelf):
    restore_version(shelf.settings("back").registry, 1, floor=0)
    assert score(shelf.champion().model) == score(model_of_seed(1))


@pytest.mark.parametrize("key", [KEY, OTHER_KEY])
def test_forged_history_is_not_restored(shelf, key):
    entry = shelf.history[1]
    forged = shelf.package(9)
    if key == KEY:
        digest = hashlib.sha256(forged.state.encode()).hexdigest()
        entry = {"manifest": {**entry["manifest"], "state_sha256": digest}, "state": forged.state}
        shelf.redis.hset(shelf.keys.history, 1, json.dumps(entry))
    before = shelf.picture()
    with pytest.raises(
        RollbackImpossibleError, match=r"its signature does not match.*without the key"
    ):
        restore_version(shelf.settings("back", SIGNING_KEY=key).registry, 1, floor=0)
    assert shelf.picture() == before


@pytest.fixture
def read(world, own_redis, own_redis_server):
    """Run the example of a reader against a model under the default names."""
    assert own_redis.ping()

    def run(key):
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


def test_reader_of_the_example_loads_only_what_is_signed(read, own_redis_server, tmp_path):
    shelf = Shelf(own_redis_server, SIGNING_KEY=KEY)
    shelf.publish()
    good = read(KEY)
    assert good.returncode == 0, good.stderr
    assert "Read version 1" in good.stdout
    assert "it flags" in good.stdout
    mark = tmp_path / "mark"
    shelf.put_foreign(version=1, blob=pickle.dumps({"hst": Evil(f"touch {mark}"), "sad": 1}))
    bad = read(KEY)
    assert bad.returncode == 1
    assert "version 1, is not signed with this key: it was not loaded" in bad.stderr
    assert not mark.exists()
    read("")
    assert mark.exists(), "without the check, the forged model does what it wants"
    shelf.redis.close()
