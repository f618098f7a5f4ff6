"""Tables about the run: its features, its provenance and its settings."""

from __future__ import annotations

import json
from typing import Any

from retraining_job.contract import Tunables
from retraining_job.evaluation.evidence import Contender, Evidence, FeatureRecord
from retraining_job.report.formats import (
    NONE,
    format_count,
    format_number,
    format_time,
    format_window,
    shorten,
)
from retraining_job.report.markup import Markup, join, tag
from retraining_job.report.roles import describe_missing_champion, describe_thresholds
from retraining_job.report.table import render_table

FEATURES_SHOWN = 60
"""More features would hide the important ones. Features with a remark are first."""
SETTINGS_SHOWN = 60
NAME_LIMIT, VALUE_LIMIT, NOTE_LIMIT, FACT_LIMIT = 60, 120, 200, 300
"""The greatest lengths in characters."""


def render_features(evidence: Evidence) -> Markup:
    """Render the features and their scaling. Features with a remark are first."""
    features = evidence.features
    if not features:
        return tag("p", "The run has recorded no features.", class_="absent")
    shown = sorted(features, key=lambda feature: not _has_remark(feature))[:FEATURES_SHOWN]
    with_remark = sum(map(_has_remark, features))
    caption = f"{format_count(len(features), 'feature')}, {with_remark:,} of them with a remark"
    if len(shown) < len(features):
        caption += f"; {len(features) - len(shown):,} more are not shown"
    heads = ["Feature", "Scaling", "Scaled to 0", "Scaled to 1", "Missing", "Unusable", "Remark"]
    rows = [
        [
            shorten(feature.name, NAME_LIMIT),
            shorten(feature.scaling, NAME_LIMIT),
            format_number(feature.low),
            format_number(feature.high),
            format_count(feature.missing),
            format_count(feature.unusable),
            shorten(feature.note, NOTE_LIMIT),
        ]
        for feature in shown
    ]
    return join(
        tag("p", f"{caption}.", class_="caption"),
        render_table("Features", heads, rows, class_="features"),
    )


def _has_remark(feature: FeatureRecord) -> bool:
    return bool(
        feature.missing or feature.unusable or feature.note or feature.scaling == "left out"
    )


def render_settings(evidence: Evidence) -> Markup:
    """Render the settings. Those that differ from their defaults are first."""
    settings = evidence.provenance.settings
    if not settings:
        return tag("p", "The run has recorded no settings.", class_="absent")
    defaults: dict[str, Any] = Tunables().model_dump(mode="json")
    changed = {
        name for name, value in settings.items() if name in defaults and defaults[name] != value
    }
    shown = sorted(settings, key=lambda name: name not in changed)[:SETTINGS_SHOWN]
    rows = [
        [
            shorten(name, NAME_LIMIT),
            _format_setting(settings[name]),
            _format_setting(defaults[name]) if name in changed else "",
        ]
        for name in shown
    ]
    heads = ["Setting", "Value", "Default, if different"]
    return render_table("Settings", heads, rows, class_="settings")


def _format_setting(value: object) -> str:
    if not isinstance(value, str):
        value = json.dumps(value, ensure_ascii=False, default=str)
    return shorten(value, VALUE_LIMIT)


def render_provenance(evidence: Evidence) -> Markup:
    """Render the origin of the run and its data: what is needed to repeat the run."""
    origin = evidence.provenance
    champion = describe_missing_champion(evidence)
    if evidence.champion:
        champion = _describe_model(evidence.champion)
    facts = [
        ("Run", origin.run_id),
        ("Request", origin.request),
        ("Evaluated", format_time(origin.evaluated_at) if origin.evaluated_at else ""),
        ("Source", origin.source),
        ("Events read", format_window(origin.window)),
        ("Checksum of the events", origin.checksum),
        ("Challenger", _describe_model(evidence.challenger)),
        ("Champion", champion),
        ("Threshold", f"{describe_thresholds(evidence)}, from {evidence.threshold_source}"),
        ("Seed", str(origin.seed)),
        ("Image", origin.image),
        ("Versions", f"river {origin.river}, Python {origin.python}, numpy {origin.numpy}"),
    ]
    rows = [(name, shorten(value, FACT_LIMIT)) for name, value in facts if value]
    return render_table("Provenance", ["Fact", "Value"], rows, class_="settings")


def _describe_model(contender: Contender) -> str:
    trained = format_window(contender.trained) if contender.trained else "unknown"
    version = f"version {contender.version}; " if contender.version is not None else ""
    problem = "" if contender.usable else "; its scores are not finite, or all equal"
    return f"{version}trained on: {trained}; fingerprint {contender.fingerprint or NONE}{problem}"
