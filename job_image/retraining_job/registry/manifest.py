"""The manifest: flat JSON beside the live model in Redis. Readers may use it, too.

    {"version":7,"epoch":9,"run_id":"...","published_at":"...","threshold":0.63, ...}

Unknown fields are left out. With a signing key, its last member is the signature: see `signing`.
"""

from __future__ import annotations

import hashlib
import platform
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from retraining_job.contract import VersionNumberOrNone, Window
from retraining_job.evaluation.input_shape import InputShape
from retraining_job.registry.signing import Purpose, Subject

MANIFEST_LIMIT_BYTES = 1 << 20
"""A larger manifest is not read. Ours have 1 or 2 KB."""

CLOCK_TOLERANCE = timedelta(days=1)
"""A manifest that was published later than this from now is damaged: clocks differ by less."""

EVENT_TOLERANCE = timedelta(days=367)
"""Events later than this from now are damage: no run reads an event that is more than a year
ahead."""

Rate = Annotated[float, Field(ge=0.0, le=1.0)]
"""From 0 to 1."""
EventCount = Annotated[int, Field(ge=0, lt=2**31)]
Text = Annotated[str, Field(max_length=1_000)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""SHA-256 in hexadecimal digits."""
NoDigest = Annotated[str, Field(pattern=r"^$")]


class ModelProvenance(BaseModel):
    """How a model was trained, as its trainer describes it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    preset: Text = ""
    """Empty if another program has trained it."""
    river: Text = ""
    """The river release that the pickle is for. Other releases cannot read it."""
    python: Text = ""
    image: Text = ""
    n_samples: EventCount | None = None
    """The number of events that it has learned."""
    trained: Window | None = None
    """The time window of these events."""
    read: Window | None = None
    """The time window of all events that its run has read."""
    features: list[str] = []
    """The names of the features that it uses."""
    input: InputShape | None = None
    """The input shape of its run, or None if an older trainer has trained it."""
    threshold: Rate | None = None
    """The live threshold at which it was evaluated."""
    matching_threshold: float | None = None
    """The threshold at which it raises as many alerts as its predecessor did at the live one."""
    expected_alert_rate: Rate | None = None
    """The share of events above the live threshold, as the calibration expects it. None if the
    model was not calibrated."""
    deviation_class: Text = ""
    """The name under which the pickle's deviation score is imported."""
    fingerprint: Digest | NoDigest = ""
    """SHA-256 that identifies the model independently of the pickle's bytes."""
    restored_from: VersionNumberOrNone | None = None
    """The version that a rollback made live again under this one."""
    approved_by: Text | None = None
    """Who approved it, if promotion is Manual and the approval names somebody."""


class Manifest(ModelProvenance):
    """Which model is live, and how it was trained."""

    version: VersionNumberOrNone = Field(strict=True)
    epoch: VersionNumberOrNone = Field(default=0, strict=True)
    """Grows with each change of the live model, also with a rollback."""
    run_id: Text = ""
    """The run that made it live."""
    published_at: AwareDatetime
    pickle_sha256: Digest | NoDigest
    """Of the bytes under `active_model`."""
    pickle_bytes: int = Field(ge=0, lt=2**40)
    state_sha256: Digest | NoDigest = ""
    """Of the bytes under `active_model:state`. Empty if there is no state."""

    @property
    def identity(self) -> str:
        """What the manifests of the same model have in common, whatever their versions are."""
        return self.fingerprint or self.state_sha256 or self.pickle_sha256

    def text(self) -> str:
        """Return the JSON that is stored in Redis, without a signature."""
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


def manifest_subject(model_key: str, number: int) -> Subject:
    """Return what the signature of a manifest is about.

    Args:
        model_key: The Redis key of the model.
        number: The version.

    Returns:
        The subject.
    """
    return Subject(Purpose.MANIFEST, model_key, str(number))


def read_manifest(text: bytes) -> Manifest:
    """Parse the JSON that is stored in Redis.

    Raises:
        UnreadableManifestError: It is not JSON, not a manifest, or says what cannot be true.
    """
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as error:
        raise UnreadableManifestError(describe_first_problem(error)) from None
    if problem := find_impossible_time(manifest, datetime.now(UTC)):
        raise UnreadableManifestError(problem)
    return manifest


def describe_first_problem(error: ValidationError) -> str:
    """Return the first problem of a document, without its value: `version: Field required`."""
    first = error.errors(include_input=False, include_url=False)[0]
    field = ".".join(map(str, first["loc"]))
    return f"{field}: {first['msg']}" if field else first["msg"]


def find_impossible_time(manifest: Manifest, now: datetime) -> str | None:
    """Find a time in a manifest that cannot be true.

    Args:
        manifest: The manifest.
        now: The present time (UTC).

    Returns:
        Which field says what, as the end of a sentence, or None.
    """
    if manifest.published_at > now + CLOCK_TOLERANCE:
        return f"published_at: {manifest.published_at.isoformat()} is in the future"
    for name, window in (("trained", manifest.trained), ("read", manifest.read)):
        if window is None:
            continue
        if window.last > now + EVENT_TOLERANCE:
            return f"{name}.last: {window.last.isoformat()} is too far in the future"
        if window.first > window.last:
            return f"{name}: it ends before it begins"
        if not 0 <= window.rows < 2**31:
            return f"{name}.rows: {window.rows} is no number of events"
    return None


def sha256(content: bytes) -> str:
    """Compute the SHA-256 in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()
