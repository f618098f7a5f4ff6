"""The manifest: what stands beside the live model in Redis, as flat JSON that readers may use too. Pure.

    {"version": 7, "epoch": 9, "run_id": "...", "published_at": "...", "matching_threshold": 0.63,
    ...}

Fields that are not known are left out.
"""

from __future__ import annotations

import hashlib
import platform
from datetime import datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from retraining_job.contract import Window
from retraining_job.evaluation.input_shape import InputShape

if TYPE_CHECKING:
    from retraining_job.settings import RunSettings

MANIFEST_LIMIT_BYTES = 1 << 20
"""Ours have 1 or 2 KB."""


class ModelProvenance(BaseModel):
    """Where a model comes from: what its trainer says of it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    preset: str = ""
    """Empty where it was not this trainer that made it."""
    river: str = ""
    """The release of river that the pickle is for: it cannot be read by another."""
    python: str = ""
    image: str = ""
    n_samples: int | None = None
    """Events that it learned."""
    trained: Window | None = None
    """The stretch of time of these events."""
    read: Window | None = None
    """The stretch of time of all events that its run has read."""
    features: list[str] = []
    """Names of the features that it looks at."""
    input: InputShape | None = None
    """The shape of the events of its run; None where an older trainer made it."""
    threshold: float | None = None
    """The live threshold that it was judged at."""
    matching_threshold: float | None = None
    """The threshold at which it raises as many alerts as its predecessor did at the live one."""
    deviation_class: str = ""
    """The name under which the pickle's deviation score is imported."""
    fingerprint: str = ""
    """SHA-256 that tells models apart, whatever the pickle's bytes."""
    restored_from: int | None = None
    """The version that was put live again under this one, by a rollback."""
    approved_by: str | None = None
    """Who approved it, where promotion is Manual and the approval names somebody."""


class Manifest(ModelProvenance):
    """Which model is live, and where it comes from."""

    version: int
    epoch: int = 0
    """How often the live model has changed."""
    run_id: str = ""
    """The run that put it live."""
    published_at: datetime
    pickle_sha256: str
    """Of the bytes under `active_model`, in hexadecimal digits."""
    pickle_bytes: int
    state_sha256: str = ""
    """Of the bytes under `active_model:state`; empty where there is no state."""
    signature: str = ""
    """See `signing`; empty where no key is set."""
    input_signature: str = ""
    """See `signing`; empty where no key is set, or no shape is recorded."""

    def text(self) -> str:
        """Give the JSON that stands in Redis."""
        return self.model_dump_json(exclude_none=True)


def origin_of(settings: RunSettings, **more: Any) -> ModelProvenance:
    """Say where a model comes from that is trained here and now; `more` are fields of Origin."""
    return ModelProvenance.model_validate(
        {
            "preset": settings.preset,
            "river": version("river"),
            "python": platform.python_version(),
            "image": settings.image,
            "threshold": settings.threshold,
            "deviation_class": settings.deviation_class,
            **more,
        }
    )


class UnreadableManifestError(Exception):
    """A manifest cannot be read; the text says what is wrong, as the end of a sentence."""


def read_manifest(text: bytes) -> Manifest:
    """Read what stands in Redis.

    Raises:
        UnreadableManifestError: it is no JSON, or not a manifest's.
    """
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise UnreadableManifestError(
            f"{place}: {first['msg']}" if place else first["msg"]
        ) from None


def sha256(content: bytes) -> str:
    """Give the SHA-256 in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()
