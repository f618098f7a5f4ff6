"""Tables of the shape of the input: when the champion was trained, and now."""

from __future__ import annotations

from retraining_job.evaluation.evidence import Evidence
from retraining_job.evaluation.input_change import InputChange
from retraining_job.evaluation.input_shape import FeatureShape, InputShape
from retraining_job.report.formats import (
    NONE,
    format_count,
    format_percent,
    format_points,
    shorten,
)
from retraining_job.report.markup import Markup, join, tag
from retraining_job.report.metrics_table import subtract
from retraining_job.report.table import render_table

FEATURES_SHOWN = 60
"""More features would hide the important ones. Features that have changed are first."""

NAME_LIMIT = 60

SHARES = {
    "own": "with features of their own",
    "unreadable": "with features that cannot be read",
    "decoded": "with features in a JSON string",
    "texts": "values written as text",
    "labelled": "with a label",
}


def render_input(evidence: Evidence) -> Markup:
    """Render the input now and when the champion was trained.

    Returns a sentence if the run has not checked it.
    """
    change = evidence.input
    if change is None:
        return tag("p", "The run has recorded no shape of its input.", class_="absent")
    version = "" if change.champion_version is None else f", version {change.champion_version}"
    heads = [f"Champion{version}", "Now", "Difference"]
    newest = ["newest events, champion", "newest events, now", "more than one value now"]
    features = list_features(change)
    tables = [
        render_table("Events", ["All events", *heads], build_shares(change), class_="settings"),
        render_table(
            "Features",
            ["Usable number in", *heads, *newest],
            [build_feature(change, name) for name in features[:FEATURES_SHOWN]],
            class_="settings",
        ),
    ]
    more = len(features) - FEATURES_SHOWN
    if more > 0:
        tables.append(tag("p", f"{more:,} more features are not shown.", class_="caption"))
    return join(tag("p", describe_input(change), class_="caption"), *tables)


def describe_input(change: InputChange) -> str:
    """Return what has changed, in sentences."""
    sentences = [sentence for sentence in (change.beyond, change.noticed) if sentence]
    if change.beyond and change.accepted:
        sentences.insert(0, "The change was accepted for this run.")
    if not sentences:
        unchanged = "Nothing has changed by more than the usual variation."
        sentences = [unchanged if change.has_champion else "There is no champion."]
    if change.has_champion and change.then is None:
        sentences.append(
            "The champion has no recorded shape: an older trainer or another program made it."
        )
    return " ".join(sentences)


def build_shares(change: InputChange) -> list[list[str]]:
    """Build the rows about all events."""
    before = format_count(change.then.events) if change.then else NONE
    rows = [["events read", before, format_count(change.now.events), ""]]
    for field, name in SHARES.items():
        then = None if change.then is None else float(getattr(change.then, field))
        now = float(getattr(change.now, field))
        difference = format_points(subtract(now, then))
        rows.append([name, format_percent(then), format_percent(now), difference])
    return rows


def build_feature(change: InputChange, name: str) -> list[str]:
    """Build the row of one feature.

    Args:
        change: The change of the input.
        name: The name of the feature.

    Returns:
        The cells.
    """
    then, now = find_feature(change.then, name), find_feature(change.now, name)
    usable = [None if shape is None else shape.usable for shape in (then, now)]
    newest = [None if shape is None else shape.newest for shape in (then, now)]
    return [
        shorten(name, NAME_LIMIT),
        *map(format_percent, usable),
        format_points(subtract(usable[1], usable[0])),
        *map(format_percent, newest),
        "" if now is None else ("yes" if now.varies else "no"),
    ]


def list_features(change: InputChange) -> list[str]:
    """Return the names of all features. Features that have changed are first."""
    lost = [loss.name for loss in change.losses]
    changed = dict.fromkeys([*lost, *change.constant, *change.new])
    before = change.then.features if change.then else {}
    return [*changed, *sorted({*change.now.features, *before} - set(changed))]


def find_feature(shape: InputShape | None, name: str) -> FeatureShape | None:
    """Return one feature of a shape.

    Args:
        shape: The shape. None if there is none.
        name: The name of the feature.

    Returns:
        The feature, or None if the shape does not have it.
    """
    return None if shape is None else shape.features.get(name)
