"""The model as JSON of some tens of kilobytes: what the seed does not tell. So the trainer reads its own models.

Trees follow from seed, names and scalings, and a node's masses are the sums of those of the leaves
under it. So beside these there are the leaves that events have reached, and the deviation score.
Reading a state executes nothing, bounds what it allocates before it does, and believes no field.
Used by `publish`, `champion` and the commands.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import logging
import zlib
from collections.abc import Iterable
from importlib.metadata import version
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from retraining_job.deviation import StandardAbsoluteDeviation
from retraining_job.model.array_forest import ArrayForest
from retraining_job.model.model import Model, UnreadableModelError
from retraining_job.model.scaling import FeatureScaling, unscale_of

TEXT_LIMIT = 32 * 1024 * 1024
"""Bytes of a state that are read; the usual one has 30 thousand."""

NODE_LIMIT = 1 << 24
"""Nodes of a forest that is grown from a state; the pickle of a larger one would not fit into a value of Redis."""

LEAF_BYTES = 12

Name = Annotated[str, Field(max_length=1_000)]

log = logging.getLogger(__name__)


class Part(BaseModel):
    """What is checked field by field as it is read."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


class DeviationState(Part):
    """The deviation score's attributes."""

    feature: Name
    count: int = Field(ge=0)
    mean: float
    squares: float = Field(ge=0.0)


class State(Part):
    """A model, in the form in which it is kept."""

    format: Literal[1]
    river: str = Field(pattern=r"^\d{1,4}\.\d{1,4}[.\w]{0,20}$")
    """The release whose forest it is."""
    seed: int = Field(ge=0)
    n_trees: int = Field(ge=1, le=1_000)
    height: int = Field(ge=1, le=20)
    window_size: int = Field(ge=1, le=1_000_000)
    names: list[Name] = Field(min_length=1, max_length=10_000)
    scalings: list[FeatureScaling]
    """One for each name, in their order; none at all where the thresholds are in [0, 1]."""
    counter: int = Field(ge=0)
    first_window: bool
    leaves: str
    """Base64 of zlib of three rows of unsigned 32-bit integers, little endian: how far each leaf that events have
    reached lies after the one before (trees and leaves from left to right), its mass so far, its
    reference mass."""
    sad: DeviationState

    @model_validator(mode="after")
    def check_together(self) -> Self:
        """Check what no field shows by itself; that the masses fit is seen when they are unpacked."""
        if self.n_trees * 2 ** (self.height + 1) > NODE_LIMIT:
            raise ValueError(
                f"its {self.n_trees} trees of height {self.height} have more than {NODE_LIMIT:,} nodes"
            )
        if self.names != sorted(set(self.names)):
            raise ValueError("its names are not sorted, or one comes twice")
        if self.scalings and [scaling.name for scaling in self.scalings] != self.names:
            raise ValueError("its scalings are not those of its names")
        if self.counter >= self.window_size:
            raise ValueError("its counter is beyond its window")
        return self


def state_text(model: Model, scalings: Iterable[FeatureScaling] = ()) -> str | None:
    """Write a model down.

    Args:
        model: what is written.
        scalings: those that were written into its trees, for its names in their order; none where
            none were.

    Returns:
        The text. None where the model has none and can be read from its pickle alone: where plain
        river had to train it, whose trees may not be those that we would grow again, and where it
        is beyond what is read.
    """
    if not isinstance(model.hst, ArrayForest):
        return None
    try:
        state = written(model.hst, model.sad, list(scalings))
    except ValidationError as error:
        log.warning(
            "This model has no compact state: its pickle alone can be read, since %s.",
            reason_of(error),
        )
        return None
    return json.dumps(state.model_dump(mode="json"), separators=(",", ":"))


def written(
    forest: ArrayForest, sad: StandardAbsoluteDeviation, scalings: list[FeatureScaling]
) -> State:
    """Give the state of a model.

    Raises:
        ValidationError: it is beyond what is read.
    """
    return State(
        format=1,
        river=version("river"),
        seed=forest.seed,
        n_trees=forest.n_trees,
        height=forest.height,
        window_size=forest.window_size,
        names=list(forest.names),
        scalings=scalings,
        counter=forest.counter,
        first_window=forest.first_window,
        leaves=packed_leaves(forest),
        sad=DeviationState(
            feature=sad.feature, count=sad.count, mean=sad.mean, squares=sad.squares
        ),
    )


def model_of(text: str | bytes) -> Model:
    """Make the model again, exactly: thresholds, masses, scores, and the pickle to the last byte.

    Raises:
        UnreadableModelError: it is no state, or not a whole one.
    """
    state = state_of(text)
    written, installed = (
        ".".join(release.split(".")[:2]) for release in (state.river, version("river"))
    )
    if written != installed:
        raise UnreadableModelError(
            f"its state was written with river {state.river}, and this trainer has river {version('river')}, "
            "whose forest may be another"
        )
    leaves = unpacked_leaves(state)
    try:
        with np.errstate(all="ignore"):  # the thresholds are looked at below
            forest = ArrayForest.grown(
                state.names,
                n_trees=state.n_trees,
                height=state.height,
                window_size=state.window_size,
                seed=state.seed,
                unscale=unscale_of(state.scalings) if state.scalings else None,
            )
    except (ValueError, ArithmeticError) as error:
        raise UnreadableModelError(f"its trees cannot be grown from its state ({error})") from None
    if not np.isfinite(forest.thresholds).all():
        raise UnreadableModelError(
            "the scalings in its state give thresholds that are no finite numbers"
        )
    forest.counter, forest.first_window = state.counter, state.first_window
    for masses, reached in zip((forest.l_mass, forest.r_mass), leaves, strict=True):
        fill(masses, reached)
    sad = StandardAbsoluteDeviation(state.sad.feature)
    sad.count, sad.mean, sad.squares = state.sad.count, state.sad.mean, state.sad.squares
    return Model(forest, sad)


def fingerprint(text: str | bytes) -> str:
    """Give the SHA-256, in hexadecimal, of what the model is: the same for the same model, whenever it was written.

    Raises:
        UnreadableModelError: it is no state.
    """
    state = state_of(text)
    content = state.model_dump(
        mode="json", exclude={"river", "leaves"}
    )  # zlib may pack the same otherwise
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    digest.update(inflated(state))
    return digest.hexdigest()


def state_of(text: str | bytes) -> State:
    """Read and check a state.

    Raises:
        UnreadableModelError: it is none.
    """
    if len(text) > TEXT_LIMIT:
        raise UnreadableModelError(
            f"its state has {len(text):,} bytes, and no more than {TEXT_LIMIT:,} are read"
        )
    try:
        return State.model_validate_json(text)
    except ValidationError as error:
        raise UnreadableModelError(
            f"its state is damaged or of another format: {reason_of(error)}"
        ) from None


def reason_of(error: ValidationError) -> str:
    """Say what is wrong with a state, as the end of a sentence and without its content."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(map(str, first["loc"]))
    message = first["msg"].removeprefix("Value error, ")
    return f"{place + ': ' if place else ''}{message[0].lower()}{message[1:]}"


def packed_leaves(forest: ArrayForest) -> str:
    """Pack the leaves that events have reached."""
    first_leaf = 2**forest.height - 1
    l_mass, r_mass = (
        masses[:, first_leaf:].reshape(-1) for masses in (forest.l_mass, forest.r_mass)
    )
    (reached,) = np.nonzero(l_mass | r_mass)
    rows = np.array([np.diff(reached, prepend=0), l_mass[reached], r_mass[reached]], "<u4")
    return base64.b64encode(zlib.compress(rows.tobytes(), 9)).decode("ascii")


def inflated(state: State) -> bytes:
    """Unpack the bytes of the leaves, no more of them than the forest can have."""
    limit = LEAF_BYTES * state.n_trees * 2**state.height
    try:
        inflator = zlib.decompressobj()
        content = inflator.decompress(base64.b64decode(state.leaves, validate=True), limit)
    except (zlib.error, binascii.Error, ValueError) as error:
        raise UnreadableModelError(
            f"the masses in its state cannot be unpacked ({error})"
        ) from None
    if not inflator.eof or inflator.unused_data or len(content) % LEAF_BYTES:
        raise UnreadableModelError(
            "the masses in its state are not whole, or more than its trees have leaves"
        )
    return content


def unpacked_leaves(state: State) -> np.ndarray:
    """Give the masses of all leaves, now and of reference: (2, trees, leaves); those of a tree are a window's events.

    Raises:
        UnreadableModelError: they are not.
    """
    rows = np.frombuffer(inflated(state), "<u4").reshape(3, -1).astype(np.int64)
    reached = np.cumsum(rows[0])
    n_leaves = 2**state.height
    ordered = (rows[0, 1:] > 0).all() and (reached < state.n_trees * n_leaves).all()
    if not ordered or (rows[1:] > state.window_size).any():
        raise UnreadableModelError("the masses in its state are those of no such forest")
    leaves = np.zeros((2, state.n_trees * n_leaves), np.int32)
    leaves[:, reached] = rows[1:]
    leaves = leaves.reshape(2, state.n_trees, n_leaves)
    events = [[state.counter], [0 if state.first_window else state.window_size]]
    if (leaves.sum(axis=2) != events).any():
        raise UnreadableModelError("the masses in its state do not add up to a window's events")
    return leaves


def fill(masses: np.ndarray, leaves: np.ndarray) -> None:
    """Set the masses of all nodes, (trees, nodes), from those of the leaves up."""
    level = leaves
    masses[:, -level.shape[1] :] = level
    while level.shape[1] > 1:
        level = level[:, ::2] + level[:, 1::2]
        masses[:, level.shape[1] - 1 : 2 * level.shape[1] - 1] = level
