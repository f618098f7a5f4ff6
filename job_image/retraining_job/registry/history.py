"""Former champions, as Redis keeps them to go back to.

Used by `rollback` and by the command `history`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from pydantic import BaseModel, ValidationError

from retraining_job.registry.client import store
from retraining_job.registry.keys import Keys
from retraining_job.registry.live import Live, number, read_live
from retraining_job.registry.manifest import Manifest

if TYPE_CHECKING:
    from retraining_job.settings import TrainSettings


class HistoryEntry(BaseModel):
    """A former champion's value in the hash."""

    manifest: Manifest | None = None
    """None where it was not this trainer that had put it live."""
    state: str | None = None
    """None where its pickle is kept instead."""


@dataclass(frozen=True)
class Version:
    """A version that is live or can be again."""

    number: int
    live: bool
    entry: HistoryEntry | None
    """None where what Redis keeps of it cannot be read."""


def history(settings: TrainSettings) -> list[Version]:
    """List the live version and those that are kept, newest first.

    Raises:
        BadConfiguration: a key holds something of another type, or the URL is wrong.
        DependencyAway: Redis does not answer.
    """
    live = read_live(settings, with_model=False)
    present = live_version(live)
    return sorted(
        [*([present] if present else []), *kept_versions(settings)], key=lambda one: -one.number
    )


def live_version(live: Live) -> Version | None:
    """Give what is live; None where there is nothing, or its version is no number."""
    version = number(live.version)
    if version is None or live.model is None:
        return None
    manifest = live.manifest
    if manifest is None or manifest.version != version:
        return Version(version, live=True, entry=HistoryEntry())
    return Version(version, live=True, entry=HistoryEntry(manifest=manifest))


def kept_versions(settings: TrainSettings) -> list[Version]:
    """Read the hash of former champions."""
    with store(settings.redis_url) as client:
        fields = cast(dict[bytes, bytes], client.hgetall(Keys.of(settings).history))
    versions = []
    for field, text in fields.items():
        version = number(field)
        if version is not None:
            versions.append(Version(version, live=False, entry=read_entry(text)))
    return versions


def read_entry(text: bytes) -> HistoryEntry | None:
    """Read one value of the hash."""
    try:
        return HistoryEntry.model_validate_json(text)
    except ValidationError:
        return None


def table(versions: list[Version]) -> str:
    """Lay versions out for a person, a line for each."""
    rows = [("VERSION", "PUBLISHED", "RUN", "PRESET", "EVENTS", "NOTE")]
    for version in versions:
        manifest = version.entry.manifest if version.entry else None
        notes = ["live"] if version.live else []
        if version.entry is None:
            notes.append("damaged: cannot be restored")
        elif manifest is None:
            notes.append("put there by somebody else")
        elif manifest.restored_from is not None:
            notes.append(f"restored from {manifest.restored_from}")
        events = manifest.n_samples if manifest else None
        rows.append(
            (
                str(version.number),
                f"{manifest.published_at:%Y-%m-%d %H:%M}" if manifest else "-",
                (manifest.run_id if manifest else "") or "-",
                (manifest.preset if manifest else "") or "-",
                "-" if events is None else f"{events:,}",
                ", ".join(notes),
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
