"""The live and the former versions as a table of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retraining_job.contract import to_line

if TYPE_CHECKING:
    from retraining_job.registry.history import StoredVersion

COLUMNS = ("VERSION", "PUBLISHED", "RUN", "PRESET", "EVENTS", "NOTE")


def format_versions(versions: list[StoredVersion]) -> str:
    """Return versions as a table of text, one line for each."""
    rows = [COLUMNS]
    for version in versions:
        manifest = version.manifest
        events = manifest.n_samples if manifest else None
        rows.append(
            (
                str(version.number),
                f"{manifest.published_at:%Y-%m-%d %H:%M}" if manifest else "-",
                (manifest.run_id if manifest else "") or "-",
                (manifest.preset if manifest else "") or "-",
                "-" if events is None else f"{events:,}",
                ", ".join(describe_notes(version)),
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    # The fields come from Redis, where any program may have written them.
    return "\n".join(to_line("  ".join(map(str.ljust, row, widths))) for row in rows)


def describe_notes(version: StoredVersion) -> list[str]:
    """Return what a reader should know about a version."""
    notes = ["live"] if version.live else []
    if version.is_unsigned:
        notes.append("not signed: cannot be restored")
    elif version.problem:
        notes.append("damaged: cannot be restored")
    elif version.manifest is None:
        notes.append("put there by another program")
    elif version.manifest.restored_from is not None:
        notes.append(f"restored from {version.manifest.restored_from}")
    return notes
