"""State of a model: compact JSON (about 25 KB) from which the trainer rebuilds the model.

The state stores only what cannot be regenerated from the seed. The trees follow from seed, names
and scalings. Therefore the state holds these, the masses of the leaves that events have reached,
and the deviation score.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable
from importlib.metadata import version

import numpy as np
from pydantic import ValidationError

from retraining_job.deviation import StandardAbsoluteDeviation
from retraining_job.model.array_forest import ArrayForest
from retraining_job.model.leaves import decompress_leaves, fill_masses, pack_leaves, unpack_leaves
from retraining_job.model.model import Model, UnreadableModelError
from retraining_job.model.scaling import FeatureScaling, build_unscale
from retraining_job.model.state_schema import (
    DeviationState,
    ModelState,
    describe_first_error,
    parse_state,
)

log = logging.getLogger(__name__)


def write_state(model: Model, scalings: Iterable[FeatureScaling] = ()) -> str | None:
    """Build the state of a model.

    Args:
        model: The model.
        scalings: The scalings that were written into its trees, one for each feature in their
            order; none if the thresholds are in [0, 1].

    Returns:
        The state. None if the model can be read from its pickle only: if river's own forest was
        trained, or a foreign champion was read, whose trees may differ from those that are grown
        from the seed; or if the state would exceed a limit of reading.
    """
    if not isinstance(model.hst, ArrayForest) or model.hst.seed is None:
        return None
    try:
        state = build_state(model.hst, model.sad, list(scalings))
    except ValidationError as error:
        log.warning(
            "This model is stored without a compact state and can be read from its pickle only, "
            "because %s.",
            describe_first_error(error),
        )
        return None
    return json.dumps(state.model_dump(mode="json"), separators=(",", ":"))


def build_state(
    forest: ArrayForest, sad: StandardAbsoluteDeviation, scalings: list[FeatureScaling]
) -> ModelState:
    """Build the state of a model from its parts.

    Args:
        forest: The forest.
        sad: The deviation score.
        scalings: The scalings that were written into the trees.

    Returns:
        The state.

    Raises:
        ValidationError: The model exceeds a limit of reading.
    """
    return ModelState(
        format=1,
        river=version("river"),
        seed=forest.seed or 0,
        n_trees=forest.n_trees,
        height=forest.height,
        window_size=forest.window_size,
        names=list(forest.names),
        scalings=scalings,
        counter=forest.counter,
        first_window=forest.first_window,
        leaves=pack_leaves(forest),
        sad=DeviationState(
            feature=sad.feature, count=sad.count, mean=sad.mean, squares=sad.squares
        ),
    )


def read_state(text: str | bytes) -> Model:
    """Rebuild a model exactly: thresholds, masses, scores, and its pickle to the last byte.

    Raises:
        UnreadableModelError: The text is not a state, or a state of another release of river.
    """
    state = parse_state(text)
    releases = [release.split(".")[:2] for release in (state.river, version("river"))]
    if releases[0] != releases[1]:
        raise UnreadableModelError(
            f"its state was written with river {state.river}, and this trainer has river "
            f"{version('river')}, whose forest may differ"
        )
    leaves = unpack_leaves(state)
    forest = grow_forest(state)
    forest.counter, forest.first_window = state.counter, state.first_window
    for masses, reached in zip((forest.l_mass, forest.r_mass), leaves, strict=True):
        fill_masses(masses, reached)
    sad = StandardAbsoluteDeviation(state.sad.feature)
    sad.count, sad.mean, sad.squares = state.sad.count, state.sad.mean, state.sad.squares
    return Model(forest, sad)


def grow_forest(state: ModelState) -> ArrayForest:
    """Create the forest of a state, without its masses.

    Raises:
        UnreadableModelError: The trees cannot be grown, or a threshold is not finite.
    """
    try:
        with np.errstate(all="ignore"):  # the thresholds are checked below
            forest = ArrayForest.grow(
                state.names,
                n_trees=state.n_trees,
                height=state.height,
                window_size=state.window_size,
                seed=state.seed,
                unscale=build_unscale(state.scalings) if state.scalings else None,
            )
    except (ValueError, ArithmeticError) as error:
        raise UnreadableModelError(f"its trees cannot be grown from its state ({error})") from None
    if not np.isfinite(forest.thresholds).all():
        raise UnreadableModelError("the scalings in its state give thresholds that are not finite")
    return forest


def compute_fingerprint(text: str | bytes) -> str:
    """Compute the fingerprint of a model from its state.

    Args:
        text: The state.

    Returns:
        SHA-256 as hexadecimal digits. It is the same for the same model, whenever it was written.

    Raises:
        UnreadableModelError: The text is not a state.
    """
    state = parse_state(text)
    # Another zlib may compress the same leaves to other bytes, so they are decompressed first.
    content = state.model_dump(mode="json", exclude={"river", "leaves"})
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    digest.update(decompress_leaves(state))
    return digest.hexdigest()
