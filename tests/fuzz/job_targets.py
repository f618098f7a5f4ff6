"""Everything that the trainer reads from Redis, as functions of bytes for a fuzzer.

A target returns if the bytes are read, or refused with the error that its reader documents. Every
other exception is a fault.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np

from retraining_job.deviation import StandardAbsoluteDeviation
from retraining_job.errors import RunError
from retraining_job.foreign_pickle.reader import read_pickle
from retraining_job.model.array_forest import ArrayForest
from retraining_job.model.model import (
    Model,
    UnreadableModelError,
    compute_deviation_scores,
    compute_forest_scores,
)
from retraining_job.model.pickle_writer import DEFAULT_DEVIATION_CLASS, write_pickle
from retraining_job.model.state import compute_fingerprint, read_state, write_state
from retraining_job.registry.challenger import parse_challenger
from retraining_job.registry.history import judge_entry, parse_entry
from retraining_job.registry.integrity import UnreadableChampionError, check_version
from retraining_job.registry.live import read_trusted_manifest
from retraining_job.registry.manifest import UnreadableManifestError, read_manifest
from retraining_job.registry.publish import read_refusal
from retraining_job.registry.publish_script import ScriptAnswer
from retraining_job.registry.run_document import ForgedDocumentError, parse_run_document
from retraining_job.registry.threshold import parse_threshold
from tests.unit.job.foreign_pickles import train_foreign_model, write_foreign_pickle
from tests.unit.job.stored_documents import (
    KEYS,
    NAME,
    NO_KEYS,
    build_challenger,
    build_manifest,
    build_result,
    write_challenger,
    write_entry,
    write_manifest,
    write_run,
)

NAMES = ("a", "b", "c")
EVENTS = np.array([[0.1, 0.2, 0.3], [np.nan, 0.5, 1e300], [-1e300, np.nan, np.nan]])


def score(model: Model) -> None:
    """Score some events. A model that was read must be able to."""
    assert np.isfinite(compute_forest_scores(model, NAMES, EVENTS)).all()
    assert not np.isnan(compute_deviation_scores(model, NAMES, EVENTS)).any()
    model.sad.score_one({model.sad.feature: 1.0})


def read_foreign_pickle(data: bytes) -> None:
    """Read the pickle of a foreign champion."""
    try:
        score(read_pickle(data, "scoring.Deviation"))
    except UnreadableModelError as error:
        check_sentence(error)


def read_compact_state(data: bytes) -> None:
    """Read the state of a model."""
    try:
        compute_fingerprint(data)
        score(read_state(data))
    except UnreadableModelError as error:
        check_sentence(error)


def read_live_manifest(data: bytes) -> None:
    """Read the manifest of the live model, with and without a signing key."""
    for keys in (KEYS, NO_KEYS):
        read_trusted_manifest(keys, NAME, data)
    try:
        read_manifest(data)
    except UnreadableManifestError as error:
        check_sentence(error)


def read_run_document(data: bytes) -> None:
    """Read the document of a run."""
    for keys in (KEYS, NO_KEYS):
        try:
            parse_run_document(keys, NAME, "run-7", data)
        except ForgedDocumentError as error:
            check_sentence(error)


def read_challenger_document(data: bytes) -> None:
    """Read a challenger that waits for approval."""
    for keys in (KEYS, NO_KEYS):
        try:
            parse_challenger(keys, NAME, "run-8", data)
        except RunError as error:
            check_sentence(error)


def read_history_entry(data: bytes) -> None:
    """Read an entry of the history."""
    entry = parse_entry(data)
    for keys in (KEYS, NO_KEYS):
        version = judge_entry(keys, NAME, 7, entry)
        assert version.number == 7


def read_publication(data: bytes) -> None:
    """Read what the script answers instead of publishing, which contains texts of Redis."""
    outcome, _, rest = data.partition(b"\n")
    text, _, more = rest.partition(b"\n")
    try:
        if outcome != b"published":
            if (
                outcome != b"overtaken"
            ):  # the script's own words, and names of the trainer's own keys
                text, more = text[:512], more[:512]
            read_refusal(ScriptAnswer(outcome, text, more))
    except RunError as error:
        check_sentence(error)


def read_version(data: bytes) -> None:
    """Read the live version."""
    try:
        assert check_version(data, "model_version") >= 0
    except UnreadableChampionError as error:
        check_sentence(error)


def read_threshold(data: bytes) -> None:
    """Read the live threshold."""
    value = parse_threshold(data)
    assert value is None or 0.0 <= value <= 1.0


def check_sentence(error: Exception) -> None:
    """Check that an error is a text of reasonable length."""
    assert 0 < len(str(error)) < 5_000


TARGETS: dict[str, Callable[[bytes], None]] = {
    "foreign_pickle": read_foreign_pickle,
    "compact_state": read_compact_state,
    "manifest": read_live_manifest,
    "run_document": read_run_document,
    "challenger_document": read_challenger_document,
    "history_entry": read_history_entry,
    "publication": read_publication,
    "version": read_version,
    "threshold": read_threshold,
}
"""The targets by name."""


def build_own_model() -> Model:
    """Build a small model of the trainer."""
    forest = ArrayForest.grow(NAMES, n_trees=2, height=3, window_size=5, seed=1)
    forest.learn_many(np.random.default_rng(1).random((13, len(NAMES))))
    deviation = StandardAbsoluteDeviation("a")
    deviation.learn_values([0.1, 0.2, 0.7])
    return Model(forest, deviation)


def seed_pickles() -> list[bytes]:
    """Return small pickles: of river in each protocol, of the trainer, and forged ones."""
    small = train_foreign_model(12, n_trees=2, height=2, window_size=5)
    pickles = [write_foreign_pickle(small, protocol) for protocol in (2, 3, 4, 5)]
    pickles.append(write_foreign_pickle(train_foreign_model(0)))
    pickles.append(write_pickle(build_own_model(), DEFAULT_DEVIATION_CLASS))
    return [*pickles, b"\x80\x04Nr\x00\x00\x00\x10.", b"\x80\x04}N\x94h\x00\x86\x94h\x01\x86Ns."]


def seed_states() -> list[bytes]:
    """Return states: one of a model, and ones with extreme sizes."""
    state = json.loads(write_state(build_own_model()) or "")
    changes: tuple[dict[str, object], ...] = (
        {},
        {"height": 20},
        {"n_trees": 1000},
        {"window_size": 10**6},
        {"names": []},
    )
    return [json.dumps(state | change).encode() for change in changes]


def seed_manifests() -> list[bytes]:
    """Return manifests, with and without a signature."""
    return [write_manifest(build_manifest(), keys).encode() for keys in (KEYS, NO_KEYS)]


def seed_runs() -> list[bytes]:
    """Return documents of runs, with and without a signature."""
    return [
        write_run(build_result(), keys=KEYS),
        write_run(build_result(), keys=NO_KEYS),
        write_run(build_result(version=None)),
    ]


def seed_challengers() -> list[bytes]:
    """Return challengers, with and without a signature."""
    return [write_challenger(build_challenger(), keys=keys) for keys in (KEYS, NO_KEYS)]


def seed_entries() -> list[bytes]:
    """Return entries of the history."""
    manifest = build_manifest()
    return [
        write_entry(manifest).encode(),
        write_entry(manifest, None).encode(),
        write_entry(None, None).encode(),
    ]


def seed_publications() -> list[bytes]:
    """Return answers of the script: outcome, text and more, one on each line."""
    manifest = write_manifest(build_manifest()).encode()
    answers = (b"overtaken\n7\n" + manifest, b"wrong\nactive_model\nlist", b"forbidden\nHSET\n")
    return [*answers, b"overtaken\nx\n", b"lost\n\n"]


SEEDS: dict[str, Callable[[], list[bytes]]] = {
    "foreign_pickle": seed_pickles,
    "compact_state": seed_states,
    "manifest": seed_manifests,
    "run_document": seed_runs,
    "challenger_document": seed_challengers,
    "history_entry": seed_entries,
    "publication": seed_publications,
    "version": lambda: [b"7", b"0", b"-1", b"9007199254740992", b"\xff"],
    "threshold": lambda: [b"0.63", b"1", b"nan", b"1e999", b"\xff"],
}
"""Small inputs of each target, valid and nearly valid."""
