"""A forged document is refused with a sentence that says what is wrong with it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from retraining_job.errors import BadDataError
from retraining_job.registry.challenger import parse_challenger
from retraining_job.registry.freshness import AuditedVersions
from retraining_job.registry.history import judge_entry, parse_entry
from retraining_job.registry.live import read_trusted_manifest
from retraining_job.registry.manifest import UnreadableManifestError, read_manifest
from retraining_job.registry.run_document import (
    ForgedDocumentError,
    is_confirmed,
    parse_run_document,
)
from tests.unit.job.stored_documents import (
    KEYS,
    NAME,
    NO_KEYS,
    NOW,
    OTHER_KEYS,
    build_challenger,
    build_manifest,
    build_result,
    write_challenger,
    write_entry,
    write_run,
)

LATE = NOW + timedelta(days=900)


EARLY = NOW - timedelta(days=900)


def window(**fields: Any) -> dict[str, Any]:
    return {"first": EARLY.isoformat(), "last": NOW.isoformat(), "rows": 9, **fields}


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"trained": window(last="2999-01-01T00:00:00Z")}, "trained.last: .* in the future"),
        ({"read": window(last=LATE.isoformat())}, "read.last: .* in the future"),
        ({"trained": window(first=LATE.isoformat())}, "trained: it ends before it begins"),
        ({"trained": window(rows=-1)}, "trained.rows"),
        ({"trained": window(rows=10**12)}, "trained.rows: 1000000000000"),
        ({"published_at": "2999-01-01T00:00:00Z"}, "published_at: .* in the future"),
        ({"published_at": "2025-01-01T00:00:00"}, "published_at"),
        ({"n_samples": -1}, "n_samples"),
        ({"n_samples": 10**12}, "n_samples"),
        ({"version": 2**53}, "version"),
        ({"version": -1}, "version"),
        ({"version": "7"}, "version"),
        ({"version": 7.0}, "version"),
        ({"version": 1e300}, "version"),
        ({"epoch": 10**15 * 10}, "epoch"),
        ({"epoch": -1}, "epoch"),
        ({"pickle_bytes": -1}, "pickle_bytes"),
        ({"pickle_sha256": "0"}, "pickle_sha256"),
        ({"threshold": 7}, "threshold"),
        ({"expected_alert_rate": -0.5}, "expected_alert_rate"),
        ({"restored_from": -3}, "restored_from"),
        ({"approved_by": "x" * 2_000}, "approved_by"),
        ({"input": {"events": -1}}, "input.events"),
    ],
)
def test_manifest_that_cannot_be_true_is_damaged_without_a_key(
    fields: dict[str, Any], says: str
) -> None:
    text = json.dumps({**json.loads(build_manifest().text()), **fields}).encode()
    with pytest.raises(UnreadableManifestError, match=says):
        read_manifest(text)
    assert read_trusted_manifest(NO_KEYS, NAME, text) is None


def test_clocks_may_differ_and_events_may_be_ahead() -> None:
    ahead = build_manifest(published_at=NOW + timedelta(hours=5)).text()
    assert read_manifest(ahead.encode()).version == 7


@pytest.mark.parametrize(
    ("document", "says"),
    [
        (write_run(build_result("run-9", 7), "run-9"), "does not match the run of run-7"),
        (write_run(build_result("run-9", 7), "run-7"), "of another run"),
        (write_run(build_result("run-7", None), "run-7"), "names no version"),
        (write_run(build_result("run-7", 7, promoted=False), "run-7"), "names no version"),
        (write_run(build_result(), "run-7", NO_KEYS), "it is not signed"),
        (write_run(build_result(), "run-7", OTHER_KEYS), "does not match"),
    ],
)
def test_forged_run_document_does_not_end_a_run(document: bytes, says: str) -> None:
    with pytest.raises(ForgedDocumentError, match=says):
        parse_run_document(KEYS, NAME, "run-7", document)


@pytest.mark.parametrize("version", [0, -1, 2**53, 10**30])
def test_run_document_with_a_version_out_of_range_is_damaged(version: int) -> None:
    fields = {**json.loads(build_result().document()), "version": version}
    with pytest.raises(ForgedDocumentError, match=r"it is damaged \(version"):
        parse_run_document(NO_KEYS, NAME, "run-7", json.dumps(fields).encode())


def test_run_document_without_a_key_needs_a_witness() -> None:
    claimed = build_result("run-7", 7)
    assert is_confirmed(claimed, [build_manifest(3), build_manifest(7)], AuditedVersions())
    assert is_confirmed(claimed, [], AuditedVersions(own=build_result("run-7", 7)))
    for other in (build_manifest(7, run_id="run-1"), build_manifest(6, run_id="run-7")):
        assert not is_confirmed(claimed, [other], AuditedVersions(12))
    assert not is_confirmed(claimed, [], AuditedVersions(own=build_result("run-7", 6)))


@pytest.mark.parametrize(
    "fields",
    [
        {"evaluated_against": ["OA==", "OA==", 8]},
        {"result": {**json.loads(build_result("run-8", None).document()), "message": "Great."}},
        {"rejected": False},
        {"expires_at": LATE.isoformat()},
        {"provenance": {"threshold": 0.01}},
    ],
)
def test_no_field_of_a_challenger_can_be_changed(fields: dict[str, Any]) -> None:
    genuine = write_challenger(build_challenger(rejected=True))
    signature = json.loads(genuine)["signature"]
    changed = {**json.loads(genuine), **fields}
    del changed["signature"]
    text = json.dumps({**changed, "signature": signature}, separators=(",", ":"))
    with pytest.raises(BadDataError, match="is not trusted: its signature does not match"):
        parse_challenger(KEYS, NAME, "run-8", text.encode())
    parse_challenger(NO_KEYS, NAME, "run-8", text.encode())


def test_challenger_of_another_run_is_refused() -> None:
    genuine = write_challenger(build_challenger("run-8"))
    with pytest.raises(BadDataError, match="is not trusted"):
        parse_challenger(KEYS, NAME, "run-9", genuine)
    with pytest.raises(BadDataError, match="is that of another run"):
        parse_challenger(NO_KEYS, NAME, "run-9", genuine)


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (write_entry(None, None), "it is not signed"),
        (write_entry(None), "state of version 7 is damaged"),
        (write_entry(build_manifest(6)), "stored as version 7 is version 6"),
        (write_entry(build_manifest(), "{}"), "state of version 7 is damaged"),
        (write_entry(build_manifest(), keys=NO_KEYS), "it is not signed"),
        (write_entry(build_manifest(), keys=OTHER_KEYS), "does not match the manifest of 7"),
        ('{"manifest":"{}"}', "its manifest is damaged"),
    ],
)
def test_forged_entry_of_the_history_cannot_be_restored(entry: str, says: str) -> None:
    assert says in judge_entry(KEYS, NAME, 7, parse_entry(entry.encode())).problem
