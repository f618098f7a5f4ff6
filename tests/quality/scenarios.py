"""What may happen to a live model, as pairs of champion and challenger that are really trained. Driven by `table`.

Both contenders go the way they go in production: `retraining_job.presets.recommended` parts the
    rows, trains on the older ones and judges on the newest. A fault is put into the rows that one
    of them is trained on, never into those that judge.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from importlib.metadata import version
from typing import Any

import numpy as np

from retraining_job.contract import Preset, Scaling, Tunables
from retraining_job.evaluation.decision import Decision
from retraining_job.evaluation.evidence import Contender, Evidence, Provenance
from retraining_job.evaluation.input_change import ChampionInput
from retraining_job.evaluation.input_counts import measure_columns
from retraining_job.evaluation.scores import Scores
from retraining_job.evaluation.split import compute_window
from retraining_job.events.column_builder import COLUMN_FEATURES
from retraining_job.events.columns import Columns
from retraining_job.model.model import Model, compute_deviation_scores, compute_forest_scores
from retraining_job.presets import recommended
from retraining_job.presets.recommended import Prepared
from retraining_job.presets.recommended_evaluation import (
    EvaluationContext,
    ScoredModel,
    combine_scores,
    evaluate,
)
from tests.quality.stream import NAMES, stream

ROWS = 50_000
HOLD_OUT = 5_000
LATER = 2_000
"""How many events a healthy champion is older than its challenger."""
FEW = 12
BROKEN = 15_000
"""How many of the newest events a changed input has."""

Features = Callable[[np.ndarray], np.ndarray]
Truth = Callable[[np.ndarray, np.random.Generator], np.ndarray]

MENDED: dict[str, Any] = {
    "forest_trees": 100,
    "forest_height": 4,
    "forest_weight": 0.9,
    "deviation_weight": 0.1,
}
"""Settings that let the forest decide the order; a hundred low trees cost a reader what 25 high ones do."""
OLD_RECIPE: dict[str, Any] = {"scaling": Scaling.NONE}


def as_they_are(values: np.ndarray, _random: np.random.Generator | None = None) -> np.ndarray:
    """Change nothing."""
    return values


def in_cents(features: np.ndarray) -> np.ndarray:
    """Give amounts in another unit: the feed's format was changed."""
    changed = features.copy()
    changed[:, NAMES.index("amount")] *= 100.0
    return changed


def misnamed(features: np.ndarray) -> np.ndarray:
    """Give every feature under its neighbour's name: a table's columns were read in the wrong order."""
    return np.roll(features, 1, axis=1)


def mixed_up(features: np.ndarray) -> np.ndarray:
    """Give each event every feature of another one: the values are the usual ones, what hangs together is lost."""
    return np.random.default_rng(1).permuted(features, axis=0)


def shuffled(truth: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Give each event the label of another one: labels were joined by the wrong key."""
    return random.permutation(truth)


def unknown(truth: np.ndarray, _random: np.random.Generator) -> np.ndarray:
    """Know nothing: labels have not come in yet."""
    return np.full_like(truth, -1)


def few_known(truth: np.ndarray, _random: np.random.Generator) -> np.ndarray:
    """Know a dozen of the newest frauds alone."""
    known = np.where(truth == 1, -1, truth)
    known[np.flatnonzero(truth == 1)[-FEW:]] = 1
    return known


def complete(truth: np.ndarray, _flagged: np.ndarray) -> np.ndarray:
    """Label every event."""
    return truth


def alerts_alone(truth: np.ndarray, flagged: np.ndarray) -> np.ndarray:
    """Label the champion's alerts alone."""
    return np.where(flagged, truth, -1).astype(np.int8)


def rest_as_normal(truth: np.ndarray, flagged: np.ndarray) -> np.ndarray:
    """Label the champion's alerts, and everything else as normal without a look."""
    return np.where(flagged, truth, 0).astype(np.int8)


def alerts_and_sample(truth: np.ndarray, flagged: np.ndarray) -> np.ndarray:
    """Label the champion's alerts and a random quarter of the other events, as the message asks for."""
    sample = np.random.default_rng(len(truth)).random(len(truth)) < 0.25
    return np.where(flagged | sample, truth, -1).astype(np.int8)


def sparse(truth: np.ndarray, _flagged: np.ndarray) -> np.ndarray:
    """Label a random half of all events."""
    sample = np.random.default_rng(len(truth)).random(len(truth)) < 0.5
    return np.where(sample, truth, -1).astype(np.int8)


def unreadable(events: Columns) -> Columns:
    """Make `features_json` of the newest events unreadable, so that they keep what has a column of its own."""
    features = events.features.copy(order="F")
    own = [place for place, name in enumerate(NAMES) if name not in COLUMN_FEATURES]
    features[-BROKEN:, own] = np.nan
    lost = np.array([0 if name in COLUMN_FEATURES else BROKEN for name in NAMES], np.int64)
    return replace(events, features=features, missing=lost, neutral=BROKEN, unreadable=BROKEN)


def one_lost(events: Columns) -> Columns:
    """Remove one feature from the newest events: somebody has renamed it."""
    features = events.features.copy(order="F")
    features[-BROKEN:, NAMES.index("tx_velocity_ratio")] = np.nan
    return replace(events, features=features)


def zeros(events: Columns) -> Columns:
    """Make every feature of the newest events 0: a feed has lost its source."""
    features = events.features.copy(order="F")
    features[-BROKEN:] = 0.0
    return replace(events, features=features)


def rhythm(events: Columns) -> Columns:
    """Have one feature in half of the events by day and in a tenth by night, and another in ever fewer."""
    features = events.features.copy(order="F")
    random = np.random.default_rng(len(features))
    hours = events.times.astype("datetime64[h]").astype(int) % 24
    often = np.where((hours >= 8) & (hours < 20), 0.5, 0.1)
    rarer = np.linspace(1.0, 0.7, ROWS)[: len(features)]
    for name, share in (("location_match", often), ("tx_velocity_ratio", rarer)):
        features[random.random(len(features)) > share, NAMES.index(name)] = np.nan
    return replace(events, features=features)


def late_labels(events: Columns) -> Columns:
    """Know no label of the newest 2,000 events yet, and of the 3,000 before every second one."""
    truth = events.truth.copy()
    truth[-2_000:] = -1
    truth[-5_000:-2_000:2] = -1
    return replace(events, truth=truth)


def rolled_out(events: Columns) -> Columns:
    """Have a feature in the newest events alone: it is new."""
    features = np.column_stack(
        [events.features, np.random.default_rng(1).random(len(events.features))]
    )
    features[:-BROKEN, -1] = np.nan
    none = np.zeros(len(NAMES) + 1, np.int64)
    names = (*NAMES, "zz_new")
    counts: dict[str, Any] = {"missing": none, "unusable": none, "texts": none}
    return replace(events, names=names, features=np.asfortranarray(features), **counts)


def some_lost(events: Columns) -> Columns:
    """Lose one feature in a tenth of the newest events: one sender of many is behind."""
    features = events.features.copy(order="F")
    behind = np.random.default_rng(1).random(BROKEN) < 0.1
    features[-BROKEN:, NAMES.index("tx_velocity_ratio")][behind] = np.nan
    return replace(events, features=features)


def unchanged(events: Columns) -> Columns:
    """Change nothing."""
    return events


@dataclass(frozen=True)
class Scenario:
    """A champion, a challenger, and what is known of the events."""

    name: str
    champion: str
    """What the champion was trained on, in words."""
    challenger: str
    champion_rows: int = ROWS - LATER
    """How many events there were when the champion was trained."""
    champion_features: Features = as_they_are
    challenger_features: Features = as_they_are
    truth: Truth = as_they_are
    labels: Callable[[np.ndarray, np.ndarray], np.ndarray] = complete
    """Which labels are known, by the truth and the champion's alerts."""
    history: Callable[[Columns], Columns] = unchanged
    """What has always been so of the events, those of the champion included."""
    events: Callable[[Columns], Columns] = unchanged
    """What has happened to the events since the champion was trained, those that judge included."""
    settings: dict[str, Any] = field(default_factory=dict)
    champion_settings: dict[str, Any] = field(default_factory=dict)
    challenger_settings: dict[str, Any] = field(default_factory=dict)


HEALTHY = "healthy"
OLDER = "healthy, 2,000 events older"
SCENARIOS = (
    Scenario(
        "better: a repaired feed",
        "amounts in cents in its training rows",
        HEALTHY,
        champion_features=in_cents,
    ),
    Scenario(
        "better: the scaled recipe",
        "raw features, as the old service's",
        HEALTHY,
        champion_settings=OLD_RECIPE,
    ),
    Scenario(
        "worse: a broken feed",
        OLDER,
        "amounts in cents in its training rows",
        challenger_features=in_cents,
    ),
    Scenario(
        "worse: the raw recipe",
        OLDER,
        "raw features, as the old service's",
        challenger_settings=OLD_RECIPE,
    ),
    Scenario(
        "broken features",
        OLDER,
        "each feature under its neighbour's name",
        challenger_features=misnamed,
    ),
    Scenario(
        "mixed-up features", OLDER, "each feature from another event", challenger_features=mixed_up
    ),
    Scenario("same", OLDER, HEALTHY),
    Scenario(
        "same, another seed", OLDER, "healthy, other trees", challenger_settings={"forest_seed": 43}
    ),
    Scenario("shuffled labels", OLDER, "healthy, but the labels are other events'", truth=shuffled),
    Scenario("no labels", OLDER, "healthy, but no label is known", truth=unknown),
    Scenario("few frauds", OLDER, f"healthy, but only {FEW} frauds are known", truth=few_known),
)
MENDED_SCENARIOS = (
    Scenario(
        "better: the scaled recipe",
        "raw features, as the old service's",
        HEALTHY,
        settings=MENDED,
        champion_settings=OLD_RECIPE,
    ),
    Scenario(
        "after the drift",
        "healthy, on the oldest fifth of the events",
        HEALTHY,
        champion_rows=ROWS // 5,
        settings=MENDED,
    ),
    Scenario(
        "worse: the raw recipe",
        OLDER,
        "raw features, as the old service's",
        settings=MENDED,
        challenger_settings=OLD_RECIPE,
    ),
    Scenario(
        "broken features",
        OLDER,
        "each feature under its neighbour's name",
        challenger_features=misnamed,
        settings=MENDED,
    ),
    Scenario("same", OLDER, HEALTHY, settings=MENDED),
    Scenario(
        "same, another seed",
        OLDER,
        "healthy, other trees",
        settings=MENDED,
        challenger_settings={"forest_seed": 43},
    ),
)


WORSE_CHAMPION: dict[str, Any] = {
    "champion": "raw features, as the old service's",
    "champion_settings": OLD_RECIPE,
}
LABEL_SCENARIOS = tuple(
    Scenario(
        f"{name}, {words}", challenger=HEALTHY, labels=labels, settings=settings, **WORSE_CHAMPION
    )
    for name, settings in (("default", {}), ("the forest decides", MENDED))
    for words, labels in (
        ("complete labels", complete),
        ("a random half labelled", sparse),
        ("alerts and a random quarter of the rest", alerts_and_sample),
        ("only alerts labelled", alerts_alone),
        ("alerts labelled, the rest as normal", rest_as_normal),
    )
)
PART_SCENARIOS = (
    Scenario("healthy", OLDER, HEALTHY),
    Scenario(
        "a small forest, half the weight",
        OLDER,
        "five trees in place of 25, weights 0.5 and 0.5",
        settings={"forest_weight": 0.5, "deviation_weight": 0.5},
        challenger_settings={"forest_trees": 5},
    ),
    Scenario(
        "the raw recipe",
        OLDER,
        "raw features, as the old service's",
        challenger_settings=OLD_RECIPE,
    ),
)
INPUT_SCENARIOS = (
    Scenario("as it was", OLDER, "no change"),
    Scenario(
        "a rhythm",
        OLDER,
        "a feature comes and goes with the day, another one gets rarer",
        history=rhythm,
    ),
    Scenario(
        "late labels", OLDER, "the newest 5,000 events have few labels yet", events=late_labels
    ),
    Scenario("a new feature", OLDER, f"in the newest {BROKEN:,} events", events=rolled_out),
    Scenario(
        "a sender behind", OLDER, "a tenth of the newest events lacks one feature", events=some_lost
    ),
    Scenario(
        "features unreadable", OLDER, f"the newest {BROKEN:,} events unreadable", events=unreadable
    ),
    Scenario("one feature renamed", OLDER, f"in the newest {BROKEN:,} events", events=one_lost),
    Scenario("zeros", OLDER, f"every feature 0 in the newest {BROKEN:,} events", events=zeros),
)


def played(scenario: Scenario, seed: int) -> tuple[Decision, Evidence]:
    """Train both contenders on the stream of that seed, and judge."""
    shared = Tunables(preset=Preset.RECOMMENDED).model_copy(update=scenario.settings)
    theirs = shared.model_copy(update=scenario.champion_settings)
    before = ready(
        scenario.history(events_of(seed, scenario.champion_rows, scenario.champion_features)),
        theirs,
    )
    champion = recommended.train(before, theirs)
    trained = before.parts.build_split(before.columns.times, before.columns.truth).training

    ours = shared.model_copy(update=scenario.challenger_settings)
    events = scenario.events(scenario.history(events_of(seed, ROWS, scenario.challenger_features)))
    known = scenario.truth(events.truth, np.random.default_rng(seed))
    if scenario.labels is not complete:
        newest = int(ROWS * ours.hold_out_share)  # no other label counts
        flagged = combined(champion, events, newest, theirs) > ours.threshold
        known = np.append(known[:-newest], scenario.labels(known[-newest:], flagged))
    events = replace(events, truth=known)
    now = ready(events, ours, trained.last)
    recorded = measure_columns(before.columns, before.parts.hold_out_start).shape
    made_for = ChampionInput(1, set(champion.feature_names), recorded)
    challenger = recommended.train(now, ours)
    scored = ScoredModel(
        recommended.score_hold_out(champion, now), Contender(version=1, trained=trained)
    )
    context = EvaluationContext(
        ours,
        ours.threshold,
        "setting",
        provenance(events, ours),
        change=recommended.compare_with_champion_input(now, made_for, ours),
    )
    return evaluate(now, recommended.score_hold_out(challenger, now), scored, context)


def combined(model: Model, events: Columns, newest: int, settings: Tunables) -> np.ndarray:
    """Score the newest events as the live service does."""
    features = events.features[-newest:]
    scores = Scores(
        compute_forest_scores(model, events.names, features),
        compute_deviation_scores(model, events.names, features),
    )
    return combine_scores(scores, settings)


def ready(events: Columns, settings: Tunables, champion_until: datetime | None = None) -> Prepared:
    """Prepare events, which are enough."""
    prepared = recommended.prepare(events, settings, champion_until)
    if isinstance(prepared, Decision):
        raise TypeError(prepared.message)
    return prepared


def events_of(seed: int, rows: int, changed: Features) -> Columns:
    """Give the oldest rows of a stream as the trainer reads them, changed but for the newest, which judge."""
    made = stream(seed, ROWS)
    features, none = made.features[:rows], np.zeros(len(NAMES), np.int64)
    features = np.concatenate([changed(features[:-HOLD_OUT]), features[-HOLD_OUT:]])
    return Columns(
        times=made.times[:rows],
        names=NAMES,
        features=np.asfortranarray(features),
        truth=made.truth[:rows],
        missing=none,
        unusable=none,
        neutral=0,
        checksum="",
        unreadable=0,
        decoded=0,
        texts=none,
        left_out=0,
    )


def provenance(events: Columns, settings: Tunables) -> Provenance:
    """Say as much as a judgement asks for."""
    return Provenance(
        run_id="quality",
        river=version("river"),
        python=platform.python_version(),
        numpy=version("numpy"),
        preset=Preset.RECOMMENDED,
        source="tests.quality.stream",
        window=compute_window(events.times),
        checksum=events.checksum,
        seed=settings.forest_seed,
        settings={},
    )
