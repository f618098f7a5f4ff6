"""Genuine documents as Redis stores them, without a Redis."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import SecretStr

from retraining_job.contract import Result, Verdict, Window
from retraining_job.registry.challenger import Challenger, challenger_subject
from retraining_job.registry.live import Live, Stamp
from retraining_job.registry.manifest import Manifest, ModelProvenance, manifest_subject, sha256
from retraining_job.registry.run_document import run_subject
from retraining_job.registry.signing import SigningKeys, sign_document

NAME = "active_model"
KEYS = SigningKeys(SecretStr("a key that is long enough"))
OTHER_KEYS = SigningKeys(SecretStr("another key, long enough"))
NO_KEYS = SigningKeys()
NOW = datetime.now(UTC)
STATE = '{"format":1}'


def build_manifest(version: int = 7, **fields: Any) -> Manifest:
    """Build a manifest of the trainer."""
    window = Window(first=NOW - timedelta(days=9), last=NOW - timedelta(days=1), rows=500)
    return Manifest(
        **{
            "version": version,
            "epoch": version,
            "run_id": f"run-{version}",
            "published_at": NOW - timedelta(hours=1),
            "pickle_sha256": sha256(b"pickle"),
            "pickle_bytes": 6,
            "state_sha256": sha256(STATE.encode()),
            "n_samples": 500,
            "trained": window,
            "read": window,
            "fingerprint": sha256(str(version).encode()),
            **fields,
        }
    )


def write_manifest(manifest: Manifest, keys: SigningKeys = KEYS) -> str:
    """Return the text of a manifest as it is stored."""
    return sign_document(keys, manifest_subject(NAME, manifest.version), manifest.text())


def write_entry(manifest: Manifest | None, state: str | None = STATE, **keys: Any) -> str:
    """Return an entry of the history as the script writes it."""
    text = write_manifest(manifest, **keys) if manifest else None
    return json.dumps({"manifest": text, "state": state})


def build_result(run_id: str = "run-7", version: int | None = 7, **fields: Any) -> Result:
    """Build the result of a run that has published."""
    return Result(
        **{
            "run_id": run_id,
            "verdict": Verdict.PROMOTED,
            "promoted": version is not None,
            "reason": "not_inferior",
            "message": "It is good.",
            "version": version,
            "started_at": NOW,
            "finished_at": NOW,
            **fields,
        }
    )


def write_run(result: Result, run_id: str = "run-7", keys: SigningKeys = KEYS) -> bytes:
    """Return a result document as it is stored."""
    return sign_document(keys, run_subject(NAME, run_id), result.document()).encode()


def build_challenger(run_id: str = "run-8", **fields: Any) -> Challenger:
    """Build a challenger that waits."""
    return Challenger(
        **{
            "provenance": ModelProvenance(preset="recommended"),
            "state": STATE,
            "state_sha256": sha256(STATE.encode()),
            "evaluated_against": Stamp(b"7", b"7", 7),
            "result": build_result(run_id, None, withheld="AwaitingApproval"),
            "expires_at": NOW + timedelta(days=7),
            **fields,
        }
    )


def write_challenger(
    challenger: Challenger, run_id: str = "run-8", keys: SigningKeys = KEYS
) -> bytes:
    """Return a challenger as it is stored."""
    document = challenger.model_dump_json(exclude_none=True)
    return sign_document(keys, challenger_subject(NAME, run_id), document).encode()


def build_live(manifest: Manifest | None, version: int = 7, *, is_signing: bool = True) -> Live:
    """Build the contents of the live model's keys."""
    keys = KEYS if is_signing else NO_KEYS
    return Live(
        model=b"pickle",
        model_bytes=6,
        version=str(version).encode(),
        epoch=str(version).encode(),
        meta=write_manifest(manifest, keys).encode() if manifest else None,
        state=STATE.encode(),
        state_bytes=len(STATE),
        manifest=manifest,
        is_signing=is_signing,
    )
