"""Figures of each part, features, settings and provenance as tables. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from retraining_job.contract import PartMetrics, Tunables
from retraining_job.evaluation.evidence import Contender, Evidence, FeatureRecord
from retraining_job.report.markup import Markup, joined, tag
from retraining_job.report.wording import (
    NONE,
    at_budget,
    count,
    date,
    known,
    missing_champion,
    number,
    percent,
    plain,
    points,
    shortened,
    signed,
    window,
)

FEATURES_SHOWN = 60
"""More would drown what matters; those with something to tell come first."""
SETTINGS_SHOWN = 60
NAME_LIMIT, VALUE_LIMIT, NOTE_LIMIT = 60, 120, 200
PARTS = {
    "mixture": "Mixture, as the live service scores",
    "hst": "Forest alone (HST)",
    "sad": "Deviation alone (SAD)",
}


def table(
    label: str, heads: Sequence[str], rows: Sequence[Sequence[str]], *, class_: str = ""
) -> Markup:
    """Write a table whose first column names its rows; it scrolls by itself where the page is narrow."""
    body = [
        tag("tr", tag("th", row[0], scope="row"), *(tag("td", cell) for cell in row[1:]))
        for row in rows
    ]
    head = tag("thead", tag("tr", *(tag("th", head, scope="col") for head in heads)))
    return _wide(label, tag("table", head, tag("tbody", *body), class_=class_))


def _wide(label: str, written: Markup) -> Markup:
    return tag("div", written, class_="wide", role="region", aria_label=label, tabindex="0")


def figures(evidence: Evidence) -> Markup:
    """Write what each part of both contenders reached, part by part."""
    bodies = [_part(evidence, part) for part in PARTS]
    accuracy = [_precision(one) for one in (evidence.champion, evidence.challenger)]
    if any(value is not None for value in accuracy):
        differing = None if None in accuracy else (accuracy[1] or 0.0) - (accuracy[0] or 0.0)
        bodies.append(
            _body(
                f"Both, at the threshold {plain(evidence.threshold)}",
                [
                    [
                        "share of right predictions",
                        *(number(value) for value in accuracy),
                        signed(differing),
                    ]
                ],
            )
        )
    bodies = [body for body in bodies if body]
    if not bodies:
        return tag("p", "No figures were reached: nothing was judged.", class_="absent")
    heads = ["Figure", "Champion", "Challenger", "Difference"]
    head = tag("thead", tag("tr", *(tag("th", head, scope="col") for head in heads)))
    return _wide("Figures of both contenders", tag("table", head, *bodies, class_="figures"))


def _precision(one: Contender | None) -> float | None:
    return known(one.figures.precision) if one else None


def _part(evidence: Evidence, part: str) -> Markup:
    both: list[PartMetrics | None] = [
        getattr(one.figures, part) if one else None
        for one in (evidence.champion, evidence.challenger)
    ]
    if both == [None, None]:
        return Markup("")
    spent = at_budget(evidence)
    rows = []
    for field, name, write, differ in (
        ("average_precision", "average precision", number, signed),
        ("roc_auc", "ROC-AUC", number, signed),
        ("budget_precision", f"precision {spent}", number, signed),
        ("budget_recall", f"recall {spent}", number, signed),
        ("alert_rate", f"alert rate above {plain(evidence.threshold)}", percent, points),
    ):
        values = [known(getattr(one, field)) if one else None for one in both]
        champion, challenger = values
        difference = None if champion is None or challenger is None else challenger - champion
        rows.append([name, write(champion), write(challenger), differ(difference)])
    return _body(PARTS[part], rows)


def _body(title: str, rows: Sequence[Sequence[str]]) -> Markup:
    head = tag("tr", tag("th", title, colspan=4, scope="rowgroup"), class_="group")
    written = [
        tag("tr", tag("th", row[0], scope="row"), *(tag("td", cell) for cell in row[1:]))
        for row in rows
    ]
    return tag("tbody", head, *written)


def features(evidence: Evidence) -> Markup:
    """Write what was found of each feature and done about it; what is odd comes first, and the rest is counted."""
    found = evidence.features
    if not found:
        return tag("p", "The run has recorded no features.", class_="absent")
    shown = sorted(found, key=lambda one: not _odd(one))[:FEATURES_SHOWN]
    odd = sum(map(_odd, found))
    told = f"{count(len(found), 'feature')}, {odd:,} of them with something to tell"
    if len(shown) < len(found):
        told += f"; {len(found) - len(shown):,} more are not shown"
    heads = ["Feature", "Scaling", "At 0", "At 1", "Missing", "Unusable", "Note"]
    rows = [
        [
            shortened(one.name, NAME_LIMIT),
            shortened(one.scaling, NAME_LIMIT),
            plain(one.low),
            plain(one.high),
            count(one.missing),
            count(one.unusable),
            shortened(one.note, NOTE_LIMIT),
        ]
        for one in shown
    ]
    return joined(
        tag("p", f"{told}.", class_="caption"), table("Features", heads, rows, class_="features")
    )


def _odd(one: FeatureRecord) -> bool:
    return bool(one.missing or one.unusable or one.note or one.scaling == "left out")


def settings(evidence: Evidence) -> Markup:
    """Write the settings; those that differ from the defaults come first and say so."""
    found = evidence.provenance.settings
    if not found:
        return tag("p", "The run has recorded no settings.", class_="absent")
    defaults: dict[str, Any] = Tunables().model_dump(mode="json")
    changed = {
        name for name, value in found.items() if name in defaults and defaults[name] != value
    }
    order = sorted(found, key=lambda name: name not in changed)[:SETTINGS_SHOWN]
    rows = [
        [
            shortened(name, NAME_LIMIT),
            _value(found[name]),
            _value(defaults[name]) if name in changed else "",
        ]
        for name in order
    ]
    return table(
        "Settings", ["Setting", "Value", "Default, where it differs"], rows, class_="settings"
    )


def _value(value: object) -> str:
    written = (
        value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    )
    return shortened(written, VALUE_LIMIT)


def provenance(evidence: Evidence) -> Markup:
    """Write where the run and its data come from: enough to do it again."""
    origin = evidence.provenance
    rows = [
        ("Run", origin.run_id),
        ("Request", origin.request),
        ("Judged", date(origin.judged_at) if origin.judged_at else ""),
        ("Source", origin.source),
        ("Events read", window(origin.window)),
        ("Checksum of the events", origin.checksum),
        ("Challenger", _contender(evidence.challenger)),
        (
            "Champion",
            _contender(evidence.champion) if evidence.champion else missing_champion(evidence),
        ),
        ("Threshold", f"{plain(evidence.threshold)}, from {evidence.threshold_source}"),
        ("Seed", str(origin.seed)),
        ("Image", origin.image),
        ("Versions", f"river {origin.river}, Python {origin.python}, numpy {origin.numpy}"),
    ]
    return table(
        "Provenance",
        ["What", "Which"],
        [(name, shortened(value, 300)) for name, value in rows if value],
        class_="settings",
    )


def _contender(one: Contender) -> str:
    trained = window(one.trained) if one.trained else "unknown"
    return (
        (f"version {one.version}; " if one.version is not None else "")
        + f"trained on: {trained}; fingerprint {one.fingerprint or NONE}"
        + ("" if one.usable else "; its scores are not finite, or all the same")
    )
