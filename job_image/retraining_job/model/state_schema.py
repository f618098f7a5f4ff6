"""Fields of a model's state, and their validation when an untrusted state is read.

Reading executes nothing. It checks all sizes before it allocates memory for them.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from retraining_job.model.model import UnreadableModelError
from retraining_job.model.scaling import FeatureScaling

TEXT_LIMIT = 32 * 1024 * 1024
"""Largest state that is read, in bytes. A usual one has 30 thousand."""

NODE_LIMIT = 1 << 24
"""Most nodes of a forest that is grown from a state. The pickle of a larger one would not fit into
a value of Redis."""

TREES_LIMIT = 1_000
HEIGHT_LIMIT = 20
"""Greatest height of a tree. The settings have the same limits."""

NAMES_LIMIT = 10_000
"""Most features of a forest."""

NAME_LIMIT = 1_000
"""Longest name of a feature, in characters."""

WINDOW_LIMIT = 1_000_000
"""Longest window, in events. It bounds every mass."""

COUNT_LIMIT = 2**62
"""Most events of a deviation score. Scores divide by the count as a float."""

LEVEL_LIMIT = 1 << 24
"""Most features times branches of one tree. It bounds the memory for growing, which takes 32 bytes
for each."""

GROWTH_LIMIT = 1 << 30
"""Most features times branches of all trees. It bounds the time for growing: some 10 seconds."""

Name = Annotated[str, Field(max_length=NAME_LIMIT)]


class StatePart(BaseModel):
    """A part of the state, whose fields are all checked when it is read."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


class DeviationState(StatePart):
    """The attributes of the deviation score."""

    feature: Name
    count: int = Field(ge=0, le=COUNT_LIMIT)
    mean: float
    squares: float = Field(ge=0.0)


class ModelState(StatePart):
    """The state of a model."""

    format: Literal[1]
    river: str = Field(pattern=r"^\d{1,4}\.\d{1,4}[.\w]{0,20}$")
    """The release of river whose forest it is."""
    seed: int = Field(ge=0)
    n_trees: int = Field(ge=1, le=TREES_LIMIT)
    height: int = Field(ge=1, le=HEIGHT_LIMIT)
    window_size: int = Field(ge=1, le=WINDOW_LIMIT)
    names: list[Name] = Field(min_length=1, max_length=NAMES_LIMIT)
    scalings: list[FeatureScaling]
    """One for each name, in their order, or none if the thresholds are in [0, 1]."""
    counter: int = Field(ge=0)
    first_window: bool
    leaves: str
    """The masses of the leaves, see `model.leaves`."""
    sad: DeviationState

    @model_validator(mode="after")
    def check_consistency(self) -> Self:
        """Check the fields that depend on each other; the masses are checked when unpacked.

        Raises:
            ValueError: They are inconsistent.
        """
        if self.n_trees * 2 ** (self.height + 1) > NODE_LIMIT:
            raise ValueError(
                f"its {self.n_trees} trees of height {self.height} have more than "
                f"{NODE_LIMIT:,} nodes"
            )
        splits = len(self.names) << self.height
        if splits > LEVEL_LIMIT or self.n_trees * splits > GROWTH_LIMIT:
            raise ValueError(
                f"its {self.n_trees} trees of height {self.height} are too large for "
                f"{len(self.names):,} features"
            )
        if self.names != sorted(set(self.names)):
            raise ValueError("its names are not sorted, or contain duplicates")
        if self.scalings and [scaling.name for scaling in self.scalings] != self.names:
            raise ValueError("its scalings do not match its names")
        if self.counter >= self.window_size:
            raise ValueError("its counter is not below its window size")
        return self


def parse_state(text: str | bytes) -> ModelState:
    """Parse and check a state.

    Raises:
        UnreadableModelError: The text is too long, or not a state.
    """
    if len(text) > TEXT_LIMIT:
        raise UnreadableModelError(
            f"its state has {len(text):,} bytes; at most {TEXT_LIMIT:,} are read"
        )
    try:
        return ModelState.model_validate_json(text)
    except ValidationError as error:
        problem = describe_first_error(error)
        raise UnreadableModelError(
            f"its state is damaged or has an unknown format: {problem}"
        ) from None


def describe_first_error(error: ValidationError) -> str:
    """Return what is wrong with a state, as a clause and without its content."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    field = ".".join(map(str, first["loc"]))
    message = first["msg"].removeprefix("Value error, ")
    return f"{field + ': ' if field else ''}{message[0].lower()}{message[1:]}"
