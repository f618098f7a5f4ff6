"""The reader of the documentation loads only signed models, and never an older one than before."""

import hashlib
import importlib.util
import json
import pickle
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import SecretStr

from retraining_job.registry.manifest import manifest_subject
from retraining_job.registry.signing import SigningKeys, sign_document

READER = Path(__file__).parents[3] / "docs" / "examples" / "reader.py"
KEY, FORMER_KEY = "a key that is long enough", "a former key, long enough, too"


class Store:
    """Answers MGET."""

    def __init__(self) -> None:
        self.values: dict[str, bytes | None] = {}

    def mget(self, *names: str) -> list[bytes | None]:
        """Return the values of the keys."""
        return [self.values.get(name) for name in names]

    def put(self, version: int, *, epoch: int | None = None, key: str = KEY, **more: Any) -> None:
        """Make a model live as the trainer does."""
        blob = pickle.dumps({"number": version})
        manifest = {
            "version": version,
            "epoch": version if epoch is None else epoch,
            "pickle_sha256": hashlib.sha256(blob).hexdigest(),
            **more,
        }
        text = json.dumps(manifest, separators=(",", ":"))
        if key:
            subject = manifest_subject("active_model", version)
            text = sign_document(SigningKeys(SecretStr(key)), subject, text)
        self.values = {
            "model_version": str(version).encode(),
            "active_model": blob,
            "active_model:meta": text.encode(),
        }


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("example_reader", READER)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def store() -> Store:
    return Store()


def test_signed_models_are_loaded_one_after_the_other(example: ModuleType, store: Store) -> None:
    reader = example.Reader(store, [KEY])
    for version in (7, 8, 12):
        store.put(version)
        assert reader.refresh() == len(store.values["active_model"] or b"")
        assert reader.refresh() == 0, "it is the same model"
        assert (reader.version, reader.epoch, reader.model["number"]) == (
            str(version),
            version,
            version,
        )


def test_older_signed_model_is_refused_and_the_newer_one_stays(
    example: ModuleType, store: Store
) -> None:
    reader = example.Reader(store, [KEY])
    store.put(9)
    reader.refresh()
    store.put(7)
    with pytest.raises(
        example.RefusedModelError, match="version 7 with epoch 7, is older than version 9"
    ):
        reader.refresh()
    assert reader.model["number"] == 9
    store.put(10, restored_from=7)
    reader.refresh()
    assert reader.version == "10", "a rollback has an epoch of its own"


@pytest.mark.parametrize("keys", [[FORMER_KEY, KEY], [KEY, FORMER_KEY], [f"{KEY}\n", FORMER_KEY]])
def test_both_keys_are_accepted_while_the_key_changes(
    example: ModuleType, store: Store, keys: list[str]
) -> None:
    reader = example.Reader(store, keys)
    store.put(7, key=FORMER_KEY)
    reader.refresh()
    store.put(8, key=KEY)
    reader.refresh()
    assert reader.version == "8"


def drop_manifest(store: Store) -> None:
    store.values["active_model:meta"] = None


def change_model(store: Store) -> None:
    store.values["active_model"] = pickle.dumps("another")


def change_version(store: Store) -> None:
    store.values["model_version"] = b"8"


def drop_version(store: Store) -> None:
    store.values["model_version"] = None


def change_field(store: Store) -> None:
    text = store.values["active_model:meta"] or b""
    store.values["active_model:meta"] = text.replace(b'"epoch":7', b'"epoch":9')


def sign_with_another_key(store: Store) -> None:
    store.put(7, key="the key of somebody else")


def sign_as_another_model(store: Store) -> None:
    text = json.dumps({"version": 7, "epoch": 7})
    keys = SigningKeys(SecretStr(KEY))
    signed = sign_document(keys, manifest_subject("another_model", 7), text)
    store.values["active_model:meta"] = signed.encode()


@pytest.mark.parametrize(
    "forge",
    [
        drop_manifest,
        change_model,
        change_version,
        drop_version,
        change_field,
        sign_with_another_key,
        sign_as_another_model,
    ],
)
def test_forged_model_is_not_unpickled(example: ModuleType, store: Store, forge: Any) -> None:
    store.put(7)
    forge(store)
    reader = example.Reader(store, [KEY])
    with pytest.raises(example.RefusedModelError, match=r"not signed with this key|not the signed"):
        reader.refresh()
    assert reader.model is None


def test_reader_without_a_key_needs_no_signature(example: ModuleType, store: Store) -> None:
    reader = example.Reader(store, [None, None])
    for key in ("", KEY):
        store.put(7, key=key)
        reader.refresh()
    drop_manifest(store)
    change_version(store)
    reader.refresh()
    assert reader.version == "8", "another program has put a model there"
    store.put(6, key="")
    with pytest.raises(example.RefusedModelError, match="is older than"):
        reader.refresh()


def test_missing_model_is_reported(example: ModuleType, store: Store) -> None:
    with pytest.raises(example.RefusedModelError, match="There is no live model"):
        example.Reader(store, [KEY]).refresh()
