"""Freshness: whether the live model is as new as the newest one that the audit trail knows.

A signature shows who has written a model, and not that it is the newest one. The audit trail is in
another store, so whoever puts an older model back in Redis cannot change it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retraining_job.contract import Result
    from retraining_job.registry.manifest import Manifest

ACCEPT = (
    'After a deliberate restore of a backup, or if the loss cannot be helped, run "python -m '
    'retraining_job accept-loss".'
)


@dataclass(frozen=True)
class AuditedVersions:
    """What the audit trail knows about versions, read before Redis.

    Args:
        last: The highest version ever recorded, 0 if there is none. A new version must be higher.
        accepted: The highest version of which a person has accepted that Redis has lost it.
        own: The result of this run, if a version is recorded as published by it.
    """

    last: int = 0
    accepted: int = 0
    own: Result | None = None

    @property
    def required(self) -> int:
        """The version that the live model must have at least, 0 if any is new enough."""
        return self.last if self.last > self.accepted else 0


UNKNOWN_TO_AUDIT = AuditedVersions()
"""An audit trail that knows no version."""


def describe_older_model(
    audited: AuditedVersions, version: int, manifest: Manifest | None, *, has_model: bool
) -> str | None:
    """Describe by how much Redis is older than the audit trail.

    Args:
        audited: What the audit trail knows.
        version: The live version, 0 if there is none.
        manifest: The manifest of the live version, or None if it has none.
        has_model: Whether there is a live model.

    Returns:
        The end of a sentence, or None if Redis is as new as the audit trail.
    """
    if version >= audited.required:
        return None
    if not has_model:
        return f"there is none, and the audit trail knows version {audited.required}"
    published = f", published at {manifest.published_at:%Y-%m-%d %H:%M} UTC" if manifest else ""
    return (
        f"it is version {version}{published}, and the audit trail knows version "
        f"{audited.required}: Redis has lost newer models, or somebody has put an older one back"
    )
