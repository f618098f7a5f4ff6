"""Compare the shape of the input with the input that the champion was trained on."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from retraining_job.evaluation.input_losses import (
    FeatureLoss,
    compute_recorded_falls,
    compute_unrecorded_falls,
    find_constant_features,
)
from retraining_job.evaluation.input_messages import (
    describe_change_beyond_limit,
    describe_change_within_limit,
    describe_unreadable_input,
)
from retraining_job.evaluation.input_shape import (
    NAME_LIMIT_CHARACTERS,
    InputMeasurement,
    InputShape,
)

NOTICED = 0.05
"""A smaller change of a share is not mentioned, because every message would contain one."""


class InputChange(BaseModel):
    """What has changed in the shape of the input, and whether it stops a promotion."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    now: InputShape
    then: InputShape | None = None
    """The recorded shape of the champion. None if there is none."""
    champion_version: int | None = None
    """None if there is no champion, or if its version is unknown."""
    has_champion: bool = False
    losses: list[FeatureLoss] = []
    """Falls of at least `NOTICED`, of features that the champion uses, greatest first."""
    new: list[str] = []
    """Features that the champion's events did not have."""
    constant: list[str] = []
    """Features that varied and no longer do."""
    beyond: str = ""
    """Why the change stops a promotion, in sentences. Empty if it does not."""
    noticed: str = ""
    """What else has changed, in sentences. Empty if nothing has."""
    accepted: bool = False
    """Whether the run accepts a change (`acceptInputChange`)."""
    comparable: bool = True
    """Whether the events have at least one feature that the champion uses."""

    @property
    def stops(self) -> bool:
        """Whether the champion stays live because of the change."""
        return bool(self.beyond) and not self.accepted


@dataclass(frozen=True)
class ChampionInput:
    """What is known about the input that the champion was trained on.

    Args:
        version: The version of the champion. None if unknown.
        features: The features that the champion uses.
        shape: The shape that the manifest records. None if another program or an older trainer made
            the model.
    """

    version: int | None
    features: Collection[str]
    shape: InputShape | None


def compare_input(
    measured: InputMeasurement, champion: ChampionInput | None, *, limit: float, accepted: bool
) -> InputChange:
    """Compare the events of a run with the input that the champion was trained on.

    Args:
        measured: The shape of the run's events.
        champion: None if there is no live model.
        limit: The greatest loss of a share that does not stop a promotion, from 0 to 1.
        accepted: Whether the run accepts a change.

    Returns:
        The change.
    """
    now = measured.shape
    if champion is None:
        return InputChange(now=now, beyond=describe_unreadable_input(now), accepted=accepted)
    then = champion.shape
    used = {name for name in champion.features if len(name) <= NAME_LIMIT_CHARACTERS}
    losses = sorted(
        compute_recorded_falls(now, then, used)
        if then
        else compute_unrecorded_falls(measured, used),
        key=lambda loss: (-loss.size, loss.name),
    )
    constant = find_constant_features(now, then) if then else []
    varied = [feature for feature in then.features.values() if feature.varies] if then else []
    new = find_new_features(now, then, used)
    within_limit = [loss for loss in losses if NOTICED <= loss.size <= limit]
    return InputChange(
        now=now,
        then=then,
        champion_version=champion.version,
        has_champion=True,
        losses=[loss for loss in losses if loss.size >= NOTICED],
        new=new,
        constant=constant,
        beyond=describe_change_beyond_limit(
            [loss for loss in losses if loss.size > limit],
            constant,
            varied=len(varied),
            used=len(champion.features),
            version=champion.version,
            limit=limit,
        ),
        noticed=describe_change_within_limit(within_limit, new, now, then, limit),
        accepted=accepted,
        comparable=not used or bool(used & set(now.features)),
    )


def find_new_features(now: InputShape, then: InputShape | None, used: Collection[str]) -> list[str]:
    """Find the features that the champion's events did not have.

    Args:
        now: The shape of the run's events.
        then: The recorded shape of the champion. None if there is none.
        used: The features that the champion uses.

    Returns:
        The names of features in at least 5 % of the events (`NOTICED`), sorted.
    """
    known = set(used) | (set(then.features) if then else set())
    return sorted(
        name
        for name, found in now.features.items()
        if found.usable >= NOTICED and name not in known
    )
