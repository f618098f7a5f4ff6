"""What a writer of Redis can do to a registry without having its key."""

from typing import Any

import pytest

from retraining_job.registry.freshness import AuditedVersions
from tests.integration.job.model_registry import KEY, ModelRegistry, result_of

NOTHING = AuditedVersions()
BOTH = pytest.mark.parametrize("key", [KEY, ""], ids=["signed", "unsigned"])


def copy_live(registry: ModelRegistry) -> dict[str, bytes | None]:
    """Return the values of the keys of the live model."""
    keys = registry.keys
    names = keys.model, keys.version, keys.meta, keys.state, keys.epoch
    return dict(zip(names, registry.redis.mget(names), strict=True))


def put_back(registry: ModelRegistry, snapshot: dict[str, bytes | None]) -> None:
    """Restore keys, as a person does who has copied them earlier.

    Args:
        registry: The registry.
        snapshot: Names and values; None if there was no such key.
    """
    for name, value in snapshot.items():
        registry.redis.delete(name) if value is None else registry.redis.set(name, value)


def forge_run(registry: ModelRegistry, run_id: str, version: int, **fields: Any) -> bytes:
    """Store an unsigned result document of a run.

    Args:
        registry: The registry.
        run_id: The run.
        version: The version that it claims to have published.
        **fields: Further fields of the document.

    Returns:
        The document.
    """
    document = result_of(run_id, version, **fields).document()
    registry.redis.set(registry.keys.run(run_id), document)
    return document.encode()
