"""What the registry needs to know of the audit trail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retraining_job.registry.freshness import AuditedVersions

if TYPE_CHECKING:
    from retraining_job.audit.trail import Trail


def build_audited_versions(trail: Trail) -> AuditedVersions:
    """Return what the registry needs to know of the audit trail."""
    finished = trail.finished
    own = finished if finished and finished.version is not None else None
    return AuditedVersions(trail.last_version, trail.accepted_version, own)
