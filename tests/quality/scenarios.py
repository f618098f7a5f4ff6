"""Pairs of champion and challenger, and what may happen to their events.

A fault is put into the rows that one of them is trained on, never into the hold-out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from retraining_job.contract import Calibration, Scaling
from retraining_job.events.columns import Columns
from tests.quality.changes import (
    BROKEN,
    FEW,
    ROWS,
    add_feature,
    add_rhythm,
    assume_rest_normal,
    break_features_json,
    convert_to_cents,
    delay_labels,
    keep_events,
    keep_features,
    keep_few_frauds,
    keep_truth,
    label_alerts,
    label_alerts_and_sample,
    label_all,
    label_half,
    mix_events,
    remove_feature,
    remove_feature_of_some,
    remove_labels,
    set_to_zero,
    shift_names,
    shuffle_labels,
)
from tests.quality.stream import FRAUD_SHARE

LATER = 2_000
"""A healthy champion is so many events older than its challenger."""

Features = Callable[[np.ndarray], np.ndarray]
Truth = Callable[[np.ndarray, np.random.Generator], np.ndarray]

FOREST_DECIDES: dict[str, Any] = {
    "forest_trees": 100,
    "forest_height": 4,
    "forest_weight": 0.9,
    "deviation_weight": 0.1,
}
"""Settings with which the forest decides the order. 100 low trees cost a reader as much as 25 high
ones."""
RAW_RECIPE: dict[str, Any] = {"scaling": Scaling.NONE, "calibration": Calibration.NONE}


@dataclass(frozen=True)
class Scenario:
    """A champion, a challenger, and what has happened to the events.

    Args:
        name: Its name.
        champion: A description of the champion's training rows.
        challenger: What the challenger was trained on, in words.
        champion_rows: The number of events when the champion was trained.
        champion_features: Changes the features in the champion's training rows.
        challenger_features: Changes the features in the challenger's training rows.
        truth: Changes the labels of all events.
        labels: Selects the labels of the hold-out, by the truth and the champion's alerts.
        history: What has always been true of the events, including those of the champion.
        events: What has happened to the events since the champion was trained.
        settings: The settings of both models.
        champion_settings: Other settings of the champion.
        challenger_settings: Other settings of the challenger.
    """

    name: str
    champion: str
    challenger: str
    champion_rows: int = ROWS - LATER
    champion_features: Features = keep_features
    challenger_features: Features = keep_features
    truth: Truth = keep_truth
    labels: Callable[[np.ndarray, np.ndarray], np.ndarray] = label_all
    history: Callable[[Columns], Columns] = keep_events
    events: Callable[[Columns], Columns] = keep_events
    settings: dict[str, Any] = field(default_factory=dict)
    champion_settings: dict[str, Any] = field(default_factory=dict)
    challenger_settings: dict[str, Any] = field(default_factory=dict)


HEALTHY = "healthy"
RAW = "raw features, as in the old service"
CENTS = "amounts in cents in its training rows"
SHIFTED = "each feature under the next name"
OLDER = "healthy, 2,000 events older"
SCENARIOS = (
    Scenario(
        "better: a repaired feed",
        CENTS,
        HEALTHY,
        champion_features=convert_to_cents,
    ),
    Scenario(
        "better: the scaled recipe",
        RAW,
        HEALTHY,
        champion_settings=RAW_RECIPE,
    ),
    Scenario(
        "worse: a broken feed",
        OLDER,
        CENTS,
        challenger_features=convert_to_cents,
    ),
    Scenario(
        "worse: the raw recipe",
        OLDER,
        RAW,
        challenger_settings=RAW_RECIPE,
    ),
    Scenario(
        "broken features",
        OLDER,
        SHIFTED,
        challenger_features=shift_names,
    ),
    Scenario(
        "mixed-up features",
        OLDER,
        "each feature from another event",
        challenger_features=mix_events,
    ),
    Scenario("same", OLDER, HEALTHY),
    Scenario(
        "same, another seed", OLDER, "healthy, other trees", challenger_settings={"forest_seed": 43}
    ),
    Scenario(
        "shuffled labels", OLDER, "healthy, but with labels of other events", truth=shuffle_labels
    ),
    Scenario("no labels", OLDER, "healthy, but no label is known", truth=remove_labels),
    Scenario(
        "few frauds", OLDER, f"healthy, but only {FEW} frauds are known", truth=keep_few_frauds
    ),
)
CALIBRATED: dict[str, Any] = {"calibration": Calibration.AUTO, "alert_budget": FRAUD_SHARE}
CALIBRATED_SCENARIOS = tuple(
    replace(scenario, settings={**scenario.settings, **CALIBRATED}) for scenario in SCENARIOS
)
FOREST_DECIDES_SCENARIOS = (
    Scenario(
        "better: the scaled recipe",
        RAW,
        HEALTHY,
        settings=FOREST_DECIDES,
        champion_settings=RAW_RECIPE,
    ),
    Scenario(
        "after the drift",
        "healthy, on the oldest fifth of the events",
        HEALTHY,
        champion_rows=ROWS // 5,
        settings=FOREST_DECIDES,
    ),
    Scenario(
        "worse: the raw recipe",
        OLDER,
        RAW,
        settings=FOREST_DECIDES,
        challenger_settings=RAW_RECIPE,
    ),
    Scenario(
        "broken features",
        OLDER,
        SHIFTED,
        challenger_features=shift_names,
        settings=FOREST_DECIDES,
    ),
    Scenario("same", OLDER, HEALTHY, settings=FOREST_DECIDES),
    Scenario(
        "same, another seed",
        OLDER,
        "healthy, other trees",
        settings=FOREST_DECIDES,
        challenger_settings={"forest_seed": 43},
    ),
)


WORSE_CHAMPION: dict[str, Any] = {"champion": RAW, "champion_settings": RAW_RECIPE}
LABEL_SCENARIOS = tuple(
    Scenario(
        f"{name}, {words}", challenger=HEALTHY, labels=labels, settings=settings, **WORSE_CHAMPION
    )
    for name, settings in (("default", {}), ("the forest decides", FOREST_DECIDES))
    for words, labels in (
        ("complete labels", label_all),
        ("a random half labelled", label_half),
        ("alerts and a random quarter of the rest", label_alerts_and_sample),
        ("only alerts labelled", label_alerts),
        ("alerts labelled, the rest as normal", assume_rest_normal),
    )
)
PART_SCENARIOS = (
    Scenario("healthy", OLDER, HEALTHY),
    Scenario(
        "a small forest, half the weight",
        OLDER,
        "5 trees instead of 25, weights 0.5 and 0.5",
        settings={"forest_weight": 0.5, "deviation_weight": 0.5},
        challenger_settings={"forest_trees": 5},
    ),
    Scenario(
        "the raw recipe",
        OLDER,
        RAW,
        challenger_settings=RAW_RECIPE,
    ),
)
INPUT_SCENARIOS = (
    Scenario("no change", OLDER, "the same feed"),
    Scenario(
        "a daily pattern",
        OLDER,
        "a feature depends on the time of the day, another becomes rarer",
        history=add_rhythm,
    ),
    Scenario(
        "late labels", OLDER, "the newest 5,000 events have few labels so far", events=delay_labels
    ),
    Scenario("a new feature", OLDER, f"in the newest {BROKEN:,} events", events=add_feature),
    Scenario(
        "an outdated sender",
        OLDER,
        "a tenth of the newest events lack one feature",
        events=remove_feature_of_some,
    ),
    Scenario(
        "features unreadable", OLDER, f"in the newest {BROKEN:,} events", events=break_features_json
    ),
    Scenario(
        "one feature renamed", OLDER, f"in the newest {BROKEN:,} events", events=remove_feature
    ),
    Scenario(
        "zeros", OLDER, f"every feature 0 in the newest {BROKEN:,} events", events=set_to_zero
    ),
)
