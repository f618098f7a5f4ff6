"""The shape of the input then and now, labels by alert, and average precision by part, as tables.

Pure.
"""

from __future__ import annotations

from retraining_job.evaluation.evidence import Contender, Evidence
from retraining_job.evaluation.input_change import InputChange
from retraining_job.evaluation.input_shape import FeatureShape, InputShape
from retraining_job.evaluation.remarks import describe_hidden_loss, describe_label_coverage
from retraining_job.report.markup import Markup, joined, tag
from retraining_job.report.tables import PARTS, table
from retraining_job.report.wording import NONE, count, number, percent, points, shortened, signed

FEATURES_SHOWN = 60
"""More would drown what matters; those that have changed come first."""

NAME_LIMIT = 60


def input_shape(evidence: Evidence) -> Markup:
    """Write the shape of the input, when the champion was trained and now; a sentence if it was not looked at."""
    change = evidence.input
    if change is None:
        return tag("p", "The run has recorded no shape of its input.", class_="absent")
    said = [sentence for sentence in (change.beyond, change.noticed) if sentence]
    if change.beyond and change.accepted:
        said.insert(0, "The change was accepted for this run.")
    if not said:
        said = [
            "Nothing has changed beyond what is usual."
            if change.has_champion
            else "There is no champion."
        ]
    if change.has_champion and change.then is None:
        said.append(
            "The champion has no recorded shape: an earlier trainer or another program made it."
        )
    return joined(
        tag("p", " ".join(said), class_="caption"),
        table("Events", ["All events", *heads(change)[:3]], shares(change), class_="settings"),
        table(
            "Features", ["Usable number in", *heads(change)], features(change), class_="settings"
        ),
        *unshown(change),
    )


def heads(change: InputChange) -> list[str]:
    """Write the heads of the columns with figures."""
    version = "" if change.champion_version is None else f", version {change.champion_version}"
    newest = ["newest events, champion", "newest events, now", "more than one value now"]
    return [f"Champion{version}", "Now", "Difference", *newest]


def shares(change: InputChange) -> list[list[str]]:
    """Write the rows about all events."""
    names = {
        "own": "with features of their own",
        "unreadable": "with features that cannot be read",
        "decoded": "with features in a JSON string",
        "texts": "values written as text",
        "labelled": "with a label",
    }
    rows = [
        [
            "events read",
            count(change.then.events) if change.then else NONE,
            count(change.now.events),
            "",
        ]
    ]
    for field, name in names.items():
        before, after = (
            None if one is None else float(getattr(one, field)) for one in (change.then, change.now)
        )
        rows.append([name, percent(before), percent(after), difference(before, after)])
    return rows


def features(change: InputChange) -> list[list[str]]:
    """Write a row for each feature."""
    rows = []
    for name in shown_features(change)[:FEATURES_SHOWN]:
        before, after = found(change.then, name), found(change.now, name)
        usable = [None if one is None else one.usable for one in (before, after)]
        newest = [None if one is None else one.newest for one in (before, after)]
        rows.append(
            [
                shortened(name, NAME_LIMIT),
                *map(percent, usable),
                difference(*usable),
                *map(percent, newest),
                "" if after is None else ("yes" if after.varies else "no"),
            ]
        )
    return rows


def shown_features(change: InputChange) -> list[str]:
    """Return the names of all features, those that have changed first."""
    fallen = [fall.name for fall in change.falls]
    first = dict.fromkeys([*fallen, *change.constant, *change.new])
    rest = sorted(
        {*change.now.features, *(change.then.features if change.then else ())} - set(first)
    )
    return [*first, *rest]


def unshown(change: InputChange) -> list[Markup]:
    """Render how many features are not shown, if there are any."""
    more = len(shown_features(change)) - FEATURES_SHOWN
    return (
        [tag("p", f"{more:,} more features are not shown.", class_="caption")] if more > 0 else []
    )


def found(shape: InputShape | None, name: str) -> FeatureShape | None:
    """Return a feature of a shape; None if it is not there."""
    return None if shape is None else shape.features.get(name)


def difference(before: float | None, after: float | None) -> str:
    """Write by how many percentage points a share has changed."""
    return points(None if before is None or after is None else after - before)


def labels(evidence: Evidence) -> Markup:
    """Write how labels are spread over the champion's alerts and the other events of the hold-out."""
    coverage = evidence.labels
    if coverage is None:
        return tag(
            "p", "There is no champion whose alerts the labels could follow.", class_="absent"
        )
    rows = [
        [
            name,
            count(events),
            count(labelled),
            percent(labelled / events if events else None),
            count(anomalies),
        ]
        for name, events, labelled, anomalies in (
            (
                "with an alert",
                coverage.flagged,
                coverage.flagged_labelled,
                coverage.flagged_anomalies,
            ),
            (
                "without one",
                coverage.unflagged,
                coverage.unflagged_labelled,
                coverage.unflagged_anomalies,
            ),
        )
    ]
    heads = ["Held-out events", "Events", "With a label", "Share", "Known anomalies"]
    return joined(
        tag("p", describe_label_coverage(coverage), class_="caption"),
        table("Labels by alert of the champion", heads, rows, class_="settings"),
    )


def parts(evidence: Evidence) -> Markup:
    """Write average precision by part of both contenders, and which loss the combined score hides."""
    hidden = {loss.part for loss in evidence.hidden}
    rows = []
    for part, name in PARTS.items():
        values = [precision(one, part) for one in (evidence.champion, evidence.challenger)]
        champion, challenger = values
        changed = None if champion is None or challenger is None else challenger - champion
        note = "worse, and the combined score hides it" if part in hidden else ""
        rows.append([name, number(champion), number(challenger), signed(changed), note])
    if all(row[1] == NONE and row[2] == NONE for row in rows):
        return tag("p", "No average precision is known: nothing was judged.", class_="absent")
    return joined(
        *(tag("p", describe_hidden_loss(loss), class_="caption") for loss in evidence.hidden),
        table(
            "Average precision by part",
            ["Part", "Champion", "Challenger", "Difference", ""],
            rows,
            class_="settings",
        ),
    )


def precision(one: Contender | None, part: str) -> float | None:
    """Return a contender's average precision by one part."""
    figures = getattr(one.figures, part) if one else None
    return None if figures is None else figures.average_precision
