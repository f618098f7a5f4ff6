"""Sentences about the shape of the input and its changes."""

from __future__ import annotations

from collections.abc import Sequence

from retraining_job.contract import value_name
from retraining_job.evaluation.input_losses import FeatureLoss, Scope
from retraining_job.evaluation.input_shape import InputShape
from retraining_job.evaluation.phrases import format_feature_name, list_first, name_champion

CONSTANT_SHARE = 0.5
"""If more than this share of the features has become constant, a feed is broken. A few features may
be constant: all of the newest events may be from one day of the week."""

READABLE_SHARE = 0.5
"""If fewer of the events could be read, a first model is not promoted: there is no model to compare
it with, and most of its training events are missing."""


def describe_unreadable_input(now: InputShape) -> str:
    """Return why no first model can be trained on these events.

    Returns an empty string if one can be trained.
    """
    if now.unreadable > READABLE_SHARE:
        return (
            f"The features of {now.unreadable:.1%} of the {now.events:,} events cannot be read, "
            "because features_json does not hold a JSON object. "
            "Correct the program that writes the events."
        )
    usable_shares = [feature.usable for feature in now.features.values()]
    if now.events and now.own > READABLE_SHARE and not any(usable_shares):
        return (
            f"No feature is a usable number in any of the {now.events:,} events. "
            "Correct the program that writes the events."
        )
    return ""


def describe_change_beyond_limit(  # noqa: PLR0913  # everything that the sentence names
    losses: Sequence[FeatureLoss],
    constant: Sequence[str],
    *,
    varied: int,
    used: int,
    version: int | None,
    limit: float,
) -> str:
    """Return why a change stops a promotion.

    Args:
        losses: The losses beyond the limit, greatest first.
        constant: The features that have become constant.
        varied: The number of features that varied when the champion was trained.
        used: The number of features that the champion uses. 0 if unknown.
        version: The version of the champion. None if unknown.
        limit: The greatest loss of a share that is accepted, from 0 to 1.

    Returns:
        The sentences. Empty if the change does not stop a promotion.
    """
    champion = name_champion(version)
    sentences = []
    if losses:
        of = f" of the {used:,}" if used else ""
        sentences.append(
            f"Fewer events than before have a usable number for {len(losses):,}{of} features that "
            f"{champion} uses: {list_first(describe_loss(loss) for loss in losses)}. A share may "
            f"fall by at most {limit:.0%} ({value_name('input_change_limit')})."
        )
    if len(constant) > max(CONSTANT_SHARE, limit) * varied:
        sentences.append(
            f"{len(constant):,} of {varied:,} features have a single value in all of the newest "
            f"events. They had several values when {champion} was trained: "
            f"{list_first(map(format_feature_name, constant))}."
        )
    return " ".join(sentences)


def describe_change_within_limit(
    losses: Sequence[FeatureLoss],
    new: Sequence[str],
    now: InputShape,
    then: InputShape | None,
    limit: float,
) -> str:
    """Return what has changed without stopping a promotion.

    Args:
        losses: The losses within the limit, greatest first.
        new: The features that the champion's events did not have.
        now: The shape of the run's events.
        then: The recorded shape of the champion. None if there is none.
        limit: The greatest loss of the share of labelled events that is not mentioned, from 0 to 1.

    Returns:
        The sentences. Empty if nothing has changed.
    """
    sentences = []
    if losses:
        sentences.append(f"Fewer events have {list_first(describe_loss(loss) for loss in losses)}.")
    if new:
        names = list_first(map(format_feature_name, new))
        sentences.append(f"New features since the champion was trained: {names}.")
    if then and then.labelled - now.labelled > limit:
        sentences.append(
            f"{now.labelled:.1%} of the events have a label, {then.labelled:.1%} before."
        )
    return " ".join(sentences)


def describe_loss(loss: FeatureLoss) -> str:
    """Return a loss as a phrase: `hour_of_day (16.7% of all events, 100.0% before)`."""
    events = {
        Scope.ALL: "all events",
        Scope.NEWEST: "the newest events",
        Scope.STEP: "the newer events",
    }[loss.scope]
    before = "of the older ones" if loss.scope is Scope.STEP else "before"
    name = format_feature_name(loss.name)
    return f"{name} ({loss.after:.1%} of {events}, {loss.before:.1%} {before})"
