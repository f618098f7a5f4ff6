"""The former champions that Redis stores for a rollback."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from pydantic import BaseModel, ValidationError

from retraining_job.contract import to_line
from retraining_job.registry.client import open_registry
from retraining_job.registry.keys import Keys
from retraining_job.registry.live import Live, parse_whole_number, read_live
from retraining_job.registry.manifest import Manifest

if TYPE_CHECKING:
    from retraining_job.settings import RegistrySettings

COLUMNS = ("VERSION", "PUBLISHED", "RUN", "PRESET", "EVENTS", "NOTE")


class HistoryEntry(BaseModel):
    """The value of a former champion in the hash."""

    manifest: Manifest | None = None
    """None if another program had put the model there."""
    state: str | None = None
    """None if the pickle is stored instead."""


@dataclass(frozen=True)
class Version:
    """A version that is live, or that can be restored.

    Args:
        number: The version number.
        live: Whether it is live.
        entry: What Redis stores of it, or None if that cannot be read.
    """

    number: int
    live: bool
    entry: HistoryEntry | None


def read_versions(registry: RegistrySettings) -> list[Version]:
    """Read the live version and the stored ones, newest first.

    Raises:
        BadConfigurationError: A key holds a value of another type, or the URL is wrong.
        DependencyUnavailableError: Redis does not answer.
    """
    present = get_live_version(read_live(registry, with_model=False))
    versions = read_stored_versions(registry)
    if present:
        versions.append(present)
    return sorted(versions, key=lambda version: -version.number)


def get_live_version(live: Live) -> Version | None:
    """Return the live version, or None if there is no live model or its version is no number."""
    number = parse_whole_number(live.version)
    if number is None or live.model is None:
        return None
    return Version(number, live=True, entry=HistoryEntry(manifest=live.own_manifest))


def read_stored_versions(registry: RegistrySettings) -> list[Version]:
    """Read the hash of former champions."""
    with open_registry(registry.redis_url) as client:
        fields = cast(dict[bytes, bytes], client.hgetall(Keys.of(registry).history))
    versions = []
    for field, text in fields.items():
        number = parse_whole_number(field)
        if number is not None:
            versions.append(Version(number, live=False, entry=read_entry(text)))
    return versions


def read_entry(text: bytes) -> HistoryEntry | None:
    """Parse one value of the hash. Returns None if it is damaged."""
    try:
        return HistoryEntry.model_validate_json(text)
    except ValidationError:
        return None


def format_versions(versions: list[Version]) -> str:
    """Return versions as a table of text, one line for each."""
    rows = [COLUMNS]
    for version in versions:
        manifest = version.entry.manifest if version.entry else None
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


def describe_notes(version: Version) -> list[str]:
    """Return what a reader should know about a version."""
    notes = ["live"] if version.live else []
    if version.entry is None:
        notes.append("damaged: cannot be restored")
    elif version.entry.manifest is None:
        notes.append("put there by another program")
    elif version.entry.manifest.restored_from is not None:
        notes.append(f"restored from {version.entry.manifest.restored_from}")
    return notes
