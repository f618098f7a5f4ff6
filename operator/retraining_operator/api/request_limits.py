"""What a RetrainRequest may ask for: the owner sets the limits, the requester asks within them.

Most fields of a spec are locked, because they decide what goes live, or which kind of model it is.
A locked field may still repeat the owner's value, or be stricter where that word has a meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from operator import gt, lt
from typing import Any

from pydantic.alias_generators import to_camel

from retraining_operator.api.record_request import is_own_form
from retraining_operator.api.request import RequestSpec, RetrainRequest
from retraining_operator.api.resources import find_maxima, find_resource_problems
from retraining_operator.contract import (
    OnInconclusive,
    Preset,
    Promotion,
    PromotionPolicy,
    Tunables,
    value_name,
)
from retraining_operator.settings import JobSettings, LockedField, Requests, Settings

DEADLINE_FACTOR = 4
"""How many times the operator's deadline a request may ask for unless the owner sets a maximum."""


class Permission(Enum):
    """Whether a request may set a field to the value that it asks for."""

    ALLOWED = auto()
    """The owner has opened the field, or has the same value."""
    STRICTER = auto()
    """The value differs from the owner's and is stricter."""
    LOCKED = auto()


@dataclass(frozen=True)
class Direction:
    """In which direction a locked field may be changed.

    Args:
        is_stricter: Returns whether the first value is stricter than the second, the owner's.
        description: Which values those are, for a message.
    """

    is_stricter: Callable[[Any, Any], bool]
    description: str


def only(stricter: object) -> Callable[[Any, Any], bool]:
    """Return a function that tells whether a value is the only one that is stricter."""
    return lambda asked, owner: asked == stricter and owner != stricter


DIRECTIONS: Mapping[LockedField, Direction] = {
    LockedField.ROWS: Direction(gt, "only more rows"),
    LockedField.MINIMUM_ROWS: Direction(gt, "only a greater number"),
    LockedField.POLICY: Direction(
        # The policy Reference compares something else, so it is neither stricter nor less strict.
        lambda asked, owner: (
            (asked, owner) == (PromotionPolicy.SUPERIOR, PromotionPolicy.NON_INFERIOR)
        ),
        "only Superior instead of NonInferior",
    ),
    LockedField.MARGIN: Direction(lt, "only a smaller margin"),
    LockedField.ON_INCONCLUSIVE: Direction(only(OnInconclusive.KEEP), "only Keep"),
    LockedField.ACCEPT_INPUT_CHANGE: Direction(only(stricter=False), "only false"),
    LockedField.PROMOTION: Direction(only(Promotion.MANUAL), "only Manual"),
    LockedField.DRY_RUN: Direction(only(stricter=True), "only true"),
}
"""The fields that have a stricter direction. All others are either equal or different."""


@dataclass(frozen=True)
class RequestLimits:
    """The limits of all requests.

    Args:
        trainer: The owner's settings of the trainer.
        job: The owner's settings of Jobs.
        requests: What a request may ask for.
    """

    trainer: Tunables
    job: JobSettings
    requests: Requests

    @property
    def deadline_seconds(self) -> int:
        """The greatest deadline that a request may ask for."""
        own = self.job.deadline_seconds
        return max(own, self.requests.max_deadline_seconds or DEADLINE_FACTOR * own)

    @property
    def retries(self) -> int:
        """The greatest number of retries that a request may ask for."""
        return max(self.job.retries, self.requests.max_retries)


def build_limits(settings: Settings) -> RequestLimits:
    """Build the limits from the operator's settings."""
    return RequestLimits(settings.trainer, settings.job, settings.requests)


def judge(field: LockedField, asked: object, owner: object, *, is_open: bool) -> Permission:
    """Decide whether a request may set a locked field.

    Args:
        field: The field.
        asked: The value that the request asks for.
        owner: The owner's value.
        is_open: Whether the owner has opened the field.

    Returns:
        The permission.
    """
    if is_open or asked == owner:
        return Permission.ALLOWED
    direction = DIRECTIONS.get(field)
    is_stricter = direction is not None and direction.is_stricter(asked, owner)
    return Permission.STRICTER if is_stricter else Permission.LOCKED


def find_refusal(request: RetrainRequest, limits: RequestLimits) -> str | None:
    """Find out whether a request asks for more than it may.

    Args:
        request: The request.
        limits: The limits.

    Returns:
        One sentence for each field that it may not set so, or None if it may run.
    """
    spec = request.spec
    problems = [
        *check_trigger(request),
        *check_locked_fields(spec, limits),
        *check_rollback(spec, limits),
        *check_numbers(spec, limits),
        *find_resource_problems(
            spec.resources or {},
            find_maxima(limits.requests.max_resources, limits.job.resources),
            limits.job.resources,
        ),
    ]
    return " ".join(problems) or None


def check_trigger(request: RetrainRequest) -> Iterator[str]:
    """Check that only the operator names a record; yields a sentence if somebody else has."""
    if request.spec.trigger and not is_own_form(request.name, request.spec):
        yield (
            "spec.trigger is not allowed: it names a Kafka record, and only the operator creates "
            "requests for records. Apply the request without it."
        )


def check_locked_fields(spec: RequestSpec, limits: RequestLimits) -> Iterator[str]:
    """Check the locked fields that are settings of the trainer.

    A request that publishes nothing may set all of them.

    Args:
        spec: The spec of the request.
        limits: The limits.

    Yields:
        One sentence for each field that may not be set so.
    """
    for field in LockedField:
        asked = read_field(spec, field)
        is_harmless = spec.dry_run is True and field is not LockedField.DRY_RUN
        if asked is None or is_harmless or field is LockedField.ROLLBACK_TO:
            continue
        setting = find_setting(field, spec, limits)
        owner = getattr(limits.trainer, setting)
        is_open = field in limits.requests.open
        if judge(field, asked, owner, is_open=is_open) is Permission.LOCKED:
            yield describe_lock(field, asked, owner, value_name(setting))


def check_rollback(spec: RequestSpec, limits: RequestLimits) -> Iterator[str]:
    """Check that a rollback follows the owner's mode of promotion, because it goes live at once.

    Args:
        spec: The spec of the request.
        limits: The limits.

    Yields:
        A sentence if the request may not roll back.
    """
    if spec.rollback_to is None or LockedField.ROLLBACK_TO in limits.requests.open:
        return
    asked = f"spec.rollbackTo: {spec.rollback_to} is not allowed: a rollback goes live at once"
    remedy = "unless requests.open in the chart's values has rollbackTo"
    if limits.trainer.promotion is Promotion.MANUAL:
        yield f"{asked}, and the owner's value is Manual (trainer.promotion), {remedy}."
    if limits.trainer.dry_run:
        yield f"{asked}, and the owner's value is true (trainer.dryRun), {remedy}."


def check_numbers(spec: RequestSpec, limits: RequestLimits) -> Iterator[str]:
    """Check the deadline and the number of retries.

    Args:
        spec: The spec of the request.
        limits: The limits.

    Yields:
        One sentence for each that is too great.
    """
    asked = {
        "deadline_seconds": (spec.deadline_seconds, limits.deadline_seconds),
        "retries": (spec.retries, limits.retries),
    }
    for field, (value, greatest) in asked.items():
        if value is not None and value > greatest:
            yield (
                f"spec.{to_camel(field)}: {value} is not allowed: the greatest that the owner "
                f"allows is {greatest} (requests.{to_camel(f'max_{field}')})."
            )


def read_field(spec: RequestSpec, field: LockedField) -> Any:
    """Read a field of a spec.

    Args:
        spec: The spec.
        field: The field, by its name in camel case.

    Returns:
        Its value, or None if it is not set.
    """
    return getattr(spec, FIELD_NAMES[field])


FIELD_NAMES: Mapping[LockedField, str] = {
    LockedField(info.alias): name
    for name, info in RequestSpec.model_fields.items()
    if info.alias in set(LockedField)
}
"""The attribute of each locked field."""


def find_setting(field: LockedField, spec: RequestSpec, limits: RequestLimits) -> str:
    """Find the owner's setting that a locked field replaces.

    Args:
        field: The field.
        spec: The spec of the request.
        limits: The limits.

    Returns:
        The name of the attribute of `Tunables`.
    """
    preset = spec.preset or limits.trainer.preset
    if field is LockedField.HOLD_OUT_ROWS and preset is Preset.RECOMMENDED:
        return "hold_out_size"
    return FIELD_NAMES[field]


def describe_lock(field: LockedField, asked: object, owner: object, setting: str) -> str:
    """Describe why a request may not set a field.

    Args:
        field: The field.
        asked: The value that the request asks for.
        owner: The owner's value.
        setting: The owner's setting as it is named in the chart's values.

    Returns:
        One sentence.
    """
    direction = DIRECTIONS.get(field)
    allowed = f"{direction.description} is" if direction else "no other value is"
    return (
        f"spec.{field}: {format_value(asked)} is not allowed: the owner's value is "
        f"{format_value(owner)} ({setting}), and {allowed} allowed unless requests.open in the "
        f"chart's values has {field}."
    )


def format_value(value: object) -> str:
    """Format a value as it is written in YAML."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
