"""Detect features that fewer events have than before, and features that have become constant.

Only a loss of a share counts. A rise does no harm: a feed has been repaired, or a feature is new.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from retraining_job.evaluation.input_shape import FEATURES_LIMIT, InputMeasurement, InputShape
from retraining_job.events.features import NEUTRAL_FEATURES

VANISHED = 0.05
"""Without a recorded shape, a feature of the champion in a smaller share of events has vanished."""


class Scope(StrEnum):
    """The events that a share refers to."""

    ALL = "all"
    """All events that were read."""
    NEWEST = "newest"
    """The newest events, which are the hold-out."""
    STEP = "step"
    """The events after a lasting loss within the run's events."""


class FeatureLoss(BaseModel):
    """A feature for which fewer events have a usable number than before."""

    model_config = ConfigDict(frozen=True)

    name: str
    before: float
    """The share when the champion was trained. For the scope `step`: of the older events."""
    after: float
    scope: Scope

    @property
    def size(self) -> float:
        """The difference of both shares."""
        return self.before - self.after


def compute_recorded_falls(
    now: InputShape, then: InputShape, used: Collection[str]
) -> Iterator[FeatureLoss]:
    """Compute the loss of each feature that the champion uses, compared with its recorded shape.

    The newest events are compared with the period of the lowest share, so that a share that follows
    the time of the day does not count as a change. If the champion was trained during an accepted
    change, the share of its newest events is the standard.

    Args:
        now: The shape of the run's events.
        then: The recorded shape of the champion.
        used: The features that the champion uses. If empty, all recorded features are compared.

    Yields:
        For each feature, the greater of the losses among all events and among the newest events. It
        is zero or negative if the share did not fall.
    """
    for name, before in then.features.items():
        if used and name not in used:
            continue
        found = now.features.get(name)
        usable, newest = (found.usable, found.newest) if found else (0.0, 0.0)
        of_all = FeatureLoss(
            name=name, before=min(before.usable, before.newest), after=usable, scope=Scope.ALL
        )
        of_newest = FeatureLoss(
            name=name, before=min(before.newest, before.lowest), after=newest, scope=Scope.NEWEST
        )
        yield max(of_all, of_newest, key=lambda loss: loss.size)


def compute_unrecorded_falls(
    measured: InputMeasurement, used: Collection[str]
) -> Iterator[FeatureLoss]:
    """Compute the losses that can be detected without a recorded shape.

    These are features of the champion that (nearly) no event has, and lasting losses within the
    events. If features were never stored, the neutral features of the champion are not expected.

    Args:
        measured: The shape of the run's events.
        used: The features that the champion uses.

    Yields:
        The losses.
    """
    now = measured.shape
    if len(now.features) >= FEATURES_LIMIT:
        return  # the shape does not contain all features
    never_stored = now.own == 0.0 and now.unreadable == 0.0
    for name in used:
        found = now.features.get(name)
        usable = found.usable if found else 0.0
        loss = measured.lasting_losses.get(name)
        if usable < VANISHED and not (never_stored and name in NEUTRAL_FEATURES):
            yield FeatureLoss(name=name, before=1.0, after=usable, scope=Scope.ALL)
        elif loss:
            yield FeatureLoss(name=name, before=loss.before, after=loss.after, scope=Scope.STEP)


def find_constant_features(now: InputShape, then: InputShape) -> list[str]:
    """Find the features that varied in the champion's newest events and no longer do.

    Args:
        now: The shape of the run's events.
        then: The recorded shape of the champion.

    Returns:
        The names, sorted. Features without a usable value in the newest events are not included.
    """
    names = []
    for name, before in then.features.items():
        found = now.features.get(name)
        if before.varies and found and found.newest > 0.0 and not found.varies:
            names.append(name)
    return sorted(names)
