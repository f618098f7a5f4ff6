"""A changed document in Redis is the genuine one or a refusal with a sentence, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retraining_job.errors import BadDataError
from retraining_job.registry.challenger import parse_challenger
from retraining_job.registry.history import judge_entry, parse_entry
from retraining_job.registry.live import read_trusted_manifest
from retraining_job.registry.run_document import ForgedDocumentError, parse_run_document
from retraining_job.registry.signing import SigningKeys
from tests.unit.job.stored_documents import (
    KEYS,
    NAME,
    NO_KEYS,
    OTHER_KEYS,
    build_challenger,
    build_manifest,
    build_result,
    write_challenger,
    write_entry,
    write_manifest,
    write_run,
)

Read = Callable[[bytes, SigningKeys], object]
"""Returns the document, or None if it is refused with a sentence."""


def read_live_manifest(text: bytes, keys: SigningKeys) -> object:
    return read_trusted_manifest(keys, NAME, text)


def read_run(text: bytes, keys: SigningKeys) -> object:
    try:
        return parse_run_document(keys, NAME, "run-7", text)
    except ForgedDocumentError as error:
        problem = str(error)
    assert_end_of_sentence(problem)
    return None


def read_challenger(text: bytes, keys: SigningKeys) -> object:
    try:
        return parse_challenger(keys, NAME, "run-8", text)
    except BadDataError as error:
        advice = str(error).rpartition(". ")[2]
    assert advice == "Apply a new request."
    return None


def read_entry(text: bytes, keys: SigningKeys) -> object:
    entry = parse_entry(text)
    if entry is None:
        return None
    version = judge_entry(keys, NAME, 7, entry)
    if version.problem:
        assert_end_of_sentence(version.problem)
        return None
    # Without its state, a version is restored from its pickle, whose sum is in the manifest.
    assert version.state is None or version.manifest
    return version.manifest or version


def assert_end_of_sentence(text: str) -> None:
    assert text
    assert not text.endswith(".")
    assert "\n" not in text


DOCUMENTS: dict[str, tuple[Callable[[SigningKeys], bytes], Read]] = {
    "manifest": (lambda keys: write_manifest(build_manifest(), keys).encode(), read_live_manifest),
    "run": (lambda keys: write_run(build_result(), keys=keys), read_run),
    "challenger": (lambda keys: write_challenger(build_challenger(), keys=keys), read_challenger),
    "history entry": (lambda keys: write_entry(build_manifest(), keys=keys).encode(), read_entry),
}


EACH = pytest.mark.parametrize(
    ("write", "read"), [pytest.param(*each, id=name) for name, each in DOCUMENTS.items()]
)


def change_bytes(text: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    """Replace ranges of bytes: each change is a place, a length and what comes there."""
    for place, length, new in changes:
        start = place % (len(text) + 1)
        text = text[:start] + new + text[start + length :]
    return text


CHANGES = st.lists(
    st.tuples(st.integers(0, 4_000), st.integers(0, 40), st.binary(max_size=12)),
    min_size=1,
    max_size=4,
)


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.just("2999-01-01T00:00:00Z")
    | st.just("2025-01-01T00:00:00")
    | st.just(10**30)
)


VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@EACH
def test_genuine_document_is_read(write: Callable[[SigningKeys], bytes], read: Read) -> None:
    for keys in (KEYS, NO_KEYS):
        assert read(write(keys), keys) is not None
    assert read(write(OTHER_KEYS), KEYS) is None
    assert read(write(NO_KEYS), KEYS) is None
    assert read(write(KEYS), NO_KEYS) is not None, "without a key, a signature is not needed"


@EACH
@given(changes=CHANGES)
@settings(max_examples=150, deadline=None)
def test_changed_bytes_are_the_genuine_document_or_refused(
    write: Callable[[SigningKeys], bytes], read: Read, changes: list[tuple[int, int, bytes]]
) -> None:
    genuine = write(KEYS)
    changed = change_bytes(genuine, changes)
    found = read(changed, KEYS)
    assert found is None or found == read(genuine, KEYS)
    read(changed, NO_KEYS)


@EACH
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_changed_fields_are_refused_with_a_key_and_read_without_an_exception(
    write: Callable[[SigningKeys], bytes], read: Read, data: st.DataObject
) -> None:
    genuine = write(KEYS)
    fields = json.loads(genuine)
    name = data.draw(st.sampled_from([*fields, "unknown"]))
    fields[name] = data.draw(VALUES)
    changed = json.dumps(fields, separators=(",", ":")).encode(errors="replace")
    found = read(changed, KEYS)
    assert found is None or found == read(genuine, KEYS)
    read(changed, NO_KEYS)


@EACH
@given(text=st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_refused(
    write: Callable[[SigningKeys], bytes], read: Read, text: bytes
) -> None:
    assert write(KEYS) != text
    assert read(text, KEYS) is None
    read(text, NO_KEYS)


def test_document_of_one_kind_cannot_stand_for_another() -> None:
    texts = [write(KEYS) for write, _ in DOCUMENTS.values()]
    for index, (_, read) in enumerate(DOCUMENTS.values()):
        for other, text in enumerate(texts):
            assert (read(text, KEYS) is not None) is (index == other)
