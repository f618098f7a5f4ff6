"""Reading of a model's pickle without trusting it.

A pickle is a program. Therefore one that comes from Redis is interpreted in a box (`model.box`),
which creates no objects, imports nothing and calls nothing. What it describes is checked and
converted to the arrays of a model.
"""

from __future__ import annotations

from collections.abc import Mapping

from retraining_job.deviation import StandardAbsoluteDeviation
from retraining_job.foreign_pickle.box import Box
from retraining_job.foreign_pickle.boxed_nodes import BoxedNodes, to_finite_float
from retraining_job.foreign_pickle.boxed_values import DEVIATION, FOREST, Instance
from retraining_job.foreign_pickle.forest import build_foreign_forest
from retraining_job.foreign_pickle.interpreter import interpret
from retraining_job.model.garbage import pause_garbage_collection
from retraining_job.model.model import Model, UnreadableModelError
from retraining_job.model.state_schema import COUNT_LIMIT, NAME_LIMIT


def read_pickle(blob: bytes, deviation_class: str) -> Model:
    """Read a model's pickle.

    Args:
        blob: The pickle.
        deviation_class: Full name under which the live service imports the deviation score.

    Returns:
        The model. Its forest scores as river's own would, and is not meant to be written again.

    Raises:
        UnreadableModelError: The pickle is damaged or forged, or has other classes or attributes
            than a model, or is too large.
    """
    with pause_garbage_collection():
        box = Box(blob, deviation_class)
        try:
            content = interpret(box)
            return build_model(content, box.nodes)
        finally:
            box.clear()


def build_model(content: object, nodes: BoxedNodes) -> Model:
    """Build a model from the content of a pickle.

    Args:
        content: The content, as the box returns it.
        nodes: The nodes of its trees.

    Returns:
        The model.

    Raises:
        UnreadableModelError: The content is not a model that can score.
    """
    if type(content) is not dict or set(content) != {"hst", "sad"}:
        raise UnreadableModelError('it is not a dictionary of "hst" and "sad"')
    hst, sad = content["hst"], content["sad"]
    if type(hst) is not Instance or hst.kind != FOREST:
        raise UnreadableModelError('its "hst" is not a river.anomaly.HalfSpaceTrees')
    if type(sad) is not Instance or sad.kind != DEVIATION:
        raise UnreadableModelError('its "sad" is not a deviation score')
    deviation = build_deviation(read_attributes(sad))
    return Model(build_foreign_forest(read_attributes(hst), nodes), deviation)


def read_attributes(instance: Instance) -> Mapping[object, object]:
    """Read the attributes of an object.

    Args:
        instance: The record of the object. Its attributes are a dictionary, or a pair of a
            dictionary and that of the slots.

    Returns:
        The attributes by name.

    Raises:
        UnreadableModelError: They are something else.
    """
    parts = instance.state if type(instance.state) is tuple else (instance.state,)
    attributes: dict[object, object] = {}
    for part in parts[:2]:
        if isinstance(part, dict):
            attributes |= part
        elif part is not None:
            raise UnreadableModelError("its attributes are not those of a model")
    return attributes


def build_deviation(attributes: Mapping[object, object]) -> StandardAbsoluteDeviation:
    """Build the deviation score.

    Args:
        attributes: Its attributes.

    Returns:
        The score.

    Raises:
        UnreadableModelError: An attribute is missing, or has a value that is not possible.
    """
    sad = StandardAbsoluteDeviation()
    name = type(sad).__name__
    if missing := sorted(set(vars(sad)) - set(attributes)):
        raise UnreadableModelError(f"its {name} lacks the attributes {', '.join(missing)}")
    feature, count = attributes["feature"], attributes["count"]
    mean, squares = (to_finite_float(attributes[key]) for key in ("mean", "squares"))
    if type(feature) is not str or len(feature) > NAME_LIMIT:
        raise UnreadableModelError(f"the feature of its {name} is not a name")
    if type(count) is not int or not 0 <= count <= COUNT_LIMIT:
        raise UnreadableModelError(f"the count of its {name} is not a number of events")
    if mean is None:
        raise UnreadableModelError(f"the mean of its {name} is not a finite number")
    if squares is None or squares < 0.0:
        raise UnreadableModelError(
            f"the squares of its {name} are not a finite number of at least 0"
        )
    sad.feature, sad.count, sad.mean, sad.squares = feature, count, mean, squares
    return sad
