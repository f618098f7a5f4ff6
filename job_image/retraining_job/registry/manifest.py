"""The manifest: flat JSON beside the live model in Redis. Readers may use it, too.

    {"version": 7, "epoch": 9, "run_id": "...", "published_at": "...", "threshold": 0.63, ...}

Unknown fields are left out.
"""

from __future__ import annotations

import hashlib
import platform
from datetime import datetime
from importlib.metadata import version

from pydantic import BaseModel, ConfigDict, ValidationError

from retraining_job.contract import Window
from retraining_job.evaluation.input_shape import InputShape

MANIFEST_LIMIT_BYTES = 1 << 20
"""A larger manifest is not read. Ours have 1 or 2 KB."""


class ModelProvenance(BaseModel):
    """How a model was trained, as its trainer describes it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    preset: str = ""
    """Empty if another program has trained it."""
    river: str = ""
    """The river release that the pickle is for. Other releases cannot read it."""
    python: str = ""
    image: str = ""
    n_samples: int | None = None
    """The number of events that it has learned."""
    trained: Window | None = None
    """The time window of these events."""
    read: Window | None = None
    """The time window of all events that its run has read."""
    features: list[str] = []
    """The names of the features that it uses."""
    input: InputShape | None = None
    """The input shape of its run, or None if an older trainer has trained it."""
    threshold: float | None = None
    """The live threshold at which it was evaluated."""
    matching_threshold: float | None = None
    """The threshold at which it raises as many alerts as its predecessor did at the live one."""
    expected_alert_rate: float | None = None
    """The share of events above the live threshold, as the calibration expects it. None if the
    model was not calibrated."""
    deviation_class: str = ""
    """The name under which the pickle's deviation score is imported."""
    fingerprint: str = ""
    """SHA-256 that identifies the model independently of the pickle's bytes."""
    restored_from: int | None = None
    """The version that a rollback made live again under this one."""
    approved_by: str | None = None
    """Who approved it, if promotion is Manual and the approval names somebody."""


class Manifest(ModelProvenance):
    """Which model is live, and how it was trained."""

    version: int
    epoch: int = 0
    """The number of changes of the live model."""
    run_id: str = ""
    """The run that made it live."""
    published_at: datetime
    pickle_sha256: str
    """Of the bytes under `active_model`, in hexadecimal digits."""
    pickle_bytes: int
    state_sha256: str = ""
    """Of the bytes under `active_model:state`. Empty if there is no state."""
    signature: str = ""
    """See `signing`. Empty if no key is set."""
    input_signature: str = ""
    """See `signing`. Empty if no key is set, or if no input shape is recorded."""

    def text(self) -> str:
        """Return the JSON that is stored in Redis."""
        return self.model_dump_json(exclude_none=True)


class UnreadableManifestError(Exception):
    """A manifest cannot be read. The text says what is wrong, as the end of a sentence."""


def get_writer(image: str, deviation_class: str) -> dict[str, str]:
    """Get what determines the bytes of a pickle that is written now.

    Args:
        image: The trainer's image.
        deviation_class: The name under which the deviation score is imported.

    Returns:
        Fields of `ModelProvenance`.
    """
    return {
        "image": image,
        "river": version("river"),
        "python": platform.python_version(),
        "deviation_class": deviation_class,
    }


def read_manifest(text: bytes) -> Manifest:
    """Parse the JSON that is stored in Redis.

    Raises:
        UnreadableManifestError: It is not JSON, or not a manifest.
    """
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(map(str, first["loc"]))
        raise UnreadableManifestError(
            f"{field}: {first['msg']}" if field else first["msg"]
        ) from None


def sha256(content: bytes) -> str:
    """Compute the SHA-256 in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()
