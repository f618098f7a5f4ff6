"""The page docs/quality.md: every scenario on every seed, counted, and the mixture by its settings.

Uses all cores.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import islice
from statistics import median, stdev
from textwrap import fill

import numpy as np

from retraining_job.contract import ContenderMetrics, Preset, Tunables, Verdict, VerdictReason
from retraining_job.evaluation.decision import Decision
from retraining_job.evaluation.evidence import Evidence
from retraining_job.evaluation.input_change import ChampionInput, compare_input
from retraining_job.evaluation.input_counts import measure_columns
from retraining_job.evaluation.metrics import alert_rate, average_precision
from retraining_job.events.columns import Columns
from retraining_job.presets import recommended
from tests.quality.scenarios import (
    HOLD_OUT,
    INPUT_SCENARIOS,
    LABEL_SCENARIOS,
    MENDED,
    MENDED_SCENARIOS,
    PART_SCENARIOS,
    ROWS,
    SCENARIOS,
    Scenario,
    alerts_alone,
    as_they_are,
    events_of,
    played,
    ready,
    rest_as_normal,
)
from tests.system.shuttle import readings

SHAPES = ((25, 15), (25, 8), (25, 4), (100, 4), (100, 6))
"""Trees and their height."""
FOREST_SEEDS = range(42, 48)
SHUTTLE_STEP = 2_500
SHUTTLE_ROWS = range(20_000, 49_000, SHUTTLE_STEP)
WEIGHTS = ((0.7, 0.3), (0.9, 0.1), (1.0, 0.0))
Table = list[list[str]]
Outcomes = Sequence[tuple[Decision, Evidence]]

PAGE = """\
# What the verdicts are worth

Made by `python -m tests.quality` (some minutes on two cores) on made-up streams: {seeds} for each row below,
{rows:,} events each, about {frauds:.0f} frauds among the newest {hold_out:,}, which judge. The streams drift and are
described in `tests/quality/stream.py`; the pairs of champion and challenger in `tests/quality/scenarios.py`. Both are
really trained, by the code that runs in the Job. A fault is put into the rows that one of them is trained on, never
into those that judge. Policy `NonInferior` with its defaults: margin 0.05, 30 known anomalies, alert rate within a
factor of 3.

Figures are medians of average precision, champion → challenger: of the score that the live service uses (mixture) and
of its parts, the forest (`hst`) and the deviation score (`sad`).

## Default settings

25 trees, height 15, window 250, weights 0.7 and 0.3, as the old service has them.

{default}

## With settings that let the forest decide

`forestTrees: {trees}`, `forestHeight: {height}`, `forestWeight: {forest_weight}`,
`deviationWeight: {deviation_weight}`.

{mended}

## How to read this

- Nothing was promoted where the events do not tell: no labels, too few known frauds, labels that are other events'.
  Shuffled labels put both at chance, where neither is inferior to the other; so a challenger must also rank better than
  999 random orders of the same events do, and the margin is never wider than half of what the champion has above
  chance.
- A broken feed and misread features are seen at any settings. The raw recipe is seen for certain only where the forest
  decides the order: at the default settings its forest loses more than half of its average precision, and the mixture,
  which is what goes live and what is judged, shows a part of that.
- `same` is a retrain in which nothing is wrong. Where it is not promoted, the champion stays, and nothing is lost.
- After the drift the old champion still ranks as well here, so there is little to win; the alert rate has moved.

## Labels that follow alerts

A truly better challenger, the scaled recipe, against the raw one: {some} streams for each row. Labels are complete, or
they follow the champion's own alerts. At the default settings the raw champion raises an alert for about 60 % of all
events; where the forest decides, for about 1.4 %.

{labels}

- Where only alerts have labels, nothing is promoted, and the verdict says why (`labels_follow_alerts`). With a random
  quarter of the other events labelled as well, the better challenger goes live.
- Where the other events are counted as normal without a look, that is noticed by what is missing: no anomaly at all
  among them, although the alerts do not thin out fast enough for that. A champion that raises an alert for more than a
  fifth of all events may well miss none, so nothing is said there, and little is lost: its labels are then nearly complete.
  On honest labels neither rule spoke once, in this section and the two that follow ({honest} judged runs).
- What cannot be noticed: a few anomalies found by chance among the other events, the rest of which are counted as
  normal; labels that follow the alerts of an earlier model, which are not those of the champion.

## Parts that the mixture hides

How often the message says that the forest or the deviation score got worse by more than the margin while the mixture does
not show it, on {some} streams for each row, at the default settings:

{parts}

It decides nothing: the mixture is what goes live. Where the deviation score decides the order, a forest of this height
differs by as much between two healthy runs, so the sentence is no alarm by itself.

## A change of the input

The shape of the events is compared with the one that the champion's manifest records. {some} streams for each row;
"stopped" is a verdict `Kept` with the reason `input_changed`, "mentioned" a sentence in the message.

{input}

On Shuttle, {shuttle_runs} retrains one after the other, each with 2,500 more readings: {shuttle_mentioned} mentioned,
{shuttle_stopped} stopped. With one of its nine features missing in the newest 30 % of the readings,
{shuttle_broken} of {shuttle_runs} were stopped.

## The mixture, and what mends it

{spread}

So in `0.7 * hst + 0.3 * sad` the deviation score decides the order, however good the forest is. Lower trees, and more
weight on the forest, give the order back to it. Low trees differ much by the seed they grow from, since few features
come to be split, so there must be more of them; 100 trees of height 4 have 3,100 nodes instead of 1.6 million, and
cost a reader as many steps as 25 of height 15. Average precision of healthy models on {few} streams, the median over
six seeds of the forest each, ± the standard deviation between these seeds; and the share of events above the threshold
0.7:

{mixture}

The defaults stay as the old service's, since every reader's threshold hangs on them: the level of the scores moves with
each of these settings, as the alert rates show. Who changes them sets the threshold anew; each run's evidence names the
one that keeps the alert rate. Where the level has moved too far, the alert-rate guard keeps the champion until then.
The weights are the live service's: set them here as they are there, or the wrong score is judged.

## What cannot be detected

{limits}
"""


def page(seeds: int) -> str:
    """Play everything and write the page."""
    with ProcessPoolExecutor() as pool:
        default = outcomes(pool, SCENARIOS, seeds)
        mended = outcomes(pool, MENDED_SCENARIOS, seeds)
        few, some = min(seeds, 8), min(seeds, 12)
        labels = outcomes(pool, LABEL_SCENARIOS, some)
        parts = outcomes(pool, PART_SCENARIOS, some)
        inputs = outcomes(pool, INPUT_SCENARIOS, some)
        shuttle = list(pool.map(shuttle_run, SHUTTLE_ROWS))
        mixtures = list(pool.map(mixture_figures, range(1, few + 1)))
    return PAGE.format(
        seeds=seeds,
        few=few,
        rows=ROWS,
        hold_out=HOLD_OUT,
        frauds=median(anomalies(evidence) for _, evidence in default["same"]),
        trees=MENDED["forest_trees"],
        height=MENDED["forest_height"],
        forest_weight=MENDED["forest_weight"],
        deviation_weight=MENDED["deviation_weight"],
        default=markdown(verdict_rows(SCENARIOS, default)),
        mended=markdown(verdict_rows(MENDED_SCENARIOS, mended)),
        spread=spread_sentence([spreads for spreads, _ in mixtures]),
        mixture=markdown(mixture_rows([figures for _, figures in mixtures])),
        limits=limits(default, mended),
        some=some,
        labels=markdown(verdict_rows(LABEL_SCENARIOS, labels)),
        parts=markdown(part_rows(parts)),
        honest=len(honest(labels, parts, inputs)),
        input=markdown(input_rows(inputs)),
        shuttle_runs=len(shuttle),
        shuttle_mentioned=sum(mentioned for mentioned, _, _ in shuttle),
        shuttle_stopped=sum(stopped for _, stopped, _ in shuttle),
        shuttle_broken=sum(broken for _, _, broken in shuttle),
    )


def honest(*found: dict[str, Outcomes]) -> list[Evidence]:
    """Return all judged runs whose labels do not follow alerts; none of them may have been taken for one that does.

    Raises:
        ValueError: one was.
    """
    dishonest = {
        scenario.name
        for scenario in LABEL_SCENARIOS
        if scenario.labels in {alerts_alone, rest_as_normal}
    }
    runs = [
        run
        for of_kind in found
        for name, runs in of_kind.items()
        if name not in dishonest
        for run in runs
    ]
    judged = [
        (decision, evidence)
        for decision, evidence in runs
        if evidence.labels and evidence.comparison
    ]
    if any(decision.reason == VerdictReason.LABELS_FOLLOW_ALERTS for decision, _ in judged):
        raise ValueError(
            "Honest labels were taken for some that follow alerts: the page must say so."
        )
    return [evidence for _, evidence in judged]


def part_rows(found: dict[str, Outcomes]) -> Table:
    """Count how often the message says that a part got worse which the mixture hides."""
    rows = [["challenger", "in detail", "mentioned", "reasons", "mixture", "`hst`", "`sad`"]]
    for scenario in PART_SCENARIOS:
        runs = found[scenario.name]
        mentioned = sum(bool(evidence.hidden) for _, evidence in runs)
        figures = [change(runs, part) for part in ("mixture", "hst", "sad")]
        rows.append(
            [
                scenario.name,
                scenario.challenger,
                f"{mentioned} of {len(runs)}",
                reasons(runs),
                *figures,
            ]
        )
    return rows


def input_rows(found: dict[str, Outcomes]) -> Table:
    """Count how often a change of the input was mentioned, and how often it stopped a promotion."""
    rows = [["what happened", "in detail", "mentioned", "stopped", "reasons"]]
    for scenario in INPUT_SCENARIOS:
        runs = found[scenario.name]
        changes = [evidence.input for _, evidence in runs if evidence.input]
        mentioned = sum(bool(change.noticed or change.beyond) for change in changes)
        stopped = sum(change.stops for change in changes)
        rows.append(
            [
                scenario.name,
                scenario.challenger,
                f"{mentioned} of {len(runs)}",
                f"{stopped} of {len(runs)}",
                reasons(runs),
            ]
        )
    return rows


def shuttle_run(rows: int) -> tuple[bool, bool, bool]:
    """Compare the first `rows` readings of Shuttle with those of the run before.

    Returns:
        Whether a change was mentioned, whether it stopped a promotion, and whether a broken feed
        did.
    """
    before, now = shuttle(rows - SHUTTLE_STEP), shuttle(rows)
    broken = now.features.copy(order="F")
    broken[-int(0.3 * rows) :, 3] = np.nan
    settings = Tunables()

    def start(events: Columns) -> int:
        return ready(events, settings).parts.hold_out_start

    known = ChampionInput(1, set(before.names), measure_columns(before, start(before)).shape)
    changes = [
        compare_input(
            measure_columns(events, start(events)),
            known,
            limit=settings.input_change_limit,
            accepted=False,
        )
        for events in (now, replace(now, features=broken))
    ]
    return bool(changes[0].noticed or changes[0].beyond), changes[0].stops, changes[1].stops


def shuttle(rows: int) -> Columns:
    """Return the first readings of Shuttle as the trainer reads them."""
    found = list(islice(readings(), rows))
    names = tuple(sorted(found[0][0]))
    none = np.zeros(len(names), np.int64)
    return Columns(
        times=np.datetime64("2026-01-01", "us") + np.arange(rows) * np.timedelta64(30, "s"),
        names=names,
        features=np.asfortranarray([[features[name] for name in names] for features, _ in found]),
        truth=np.array([label for _, label in found], np.int8),
        missing=none,
        unusable=none,
        neutral=0,
        checksum="",
        unreadable=0,
        decoded=0,
        texts=none,
        left_out=0,
    )


def outcomes(
    pool: ProcessPoolExecutor, scenarios: Iterable[Scenario], seeds: int
) -> dict[str, Outcomes]:
    """Play each scenario on each seed."""
    return {
        scenario.name: list(pool.map(played, [scenario] * seeds, range(1, seeds + 1), chunksize=2))
        for scenario in scenarios
    }


def verdict_rows(scenarios: Iterable[Scenario], found: dict[str, Outcomes]) -> Table:
    """Count verdicts and take the medians of the figures."""
    rows = [
        ["scenario", "champion", "challenger", "promoted", "reasons", "mixture", "`hst`", "`sad`"]
    ]
    for scenario in scenarios:
        played_out = found[scenario.name]
        promoted = sum(decision.promotes for decision, _ in played_out) / len(played_out)
        rows.append(
            [
                scenario.name,
                scenario.champion,
                scenario.challenger,
                f"{promoted:.0%}",
                reasons(played_out),
                *(change(played_out, part) for part in ("mixture", "hst", "sad")),
            ]
        )
    return rows


def reasons(found: Outcomes) -> str:
    """Count verdicts with their reasons."""
    counted = Counter(f"{decision.verdict} `{decision.reason}`" for decision, _ in found)
    return ", ".join(f"{count} {reason}" for reason, count in counted.most_common())


def change(found: Outcomes, part: str) -> str:
    """Give the medians of average precision of one part, champion's and challenger's."""
    figures = [
        [evidence.champion.figures, evidence.challenger.figures]
        for _, evidence in found
        if evidence.champion
    ]
    values = [[precision(one, part) for one in both] for both in figures]
    known = [[value for value in both if value is not None] for both in values]
    if not all(len(both) == 2 for both in known):
        return "unknown"
    before, after = (median(both[side] for both in known) for side in (0, 1))
    return f"{before:.3f} → {after:.3f}"


def precision(figures: ContenderMetrics, part: str) -> float | None:
    """Give the average precision of a part."""
    value: float | None = getattr(figures, part).average_precision
    return value


def anomalies(evidence: Evidence) -> int:
    """Give the known anomalies that judged."""
    return evidence.split.anomalies if evidence.split else 0


Mixed = list[tuple[float, float, float]]


def mixture_figures(stream_seed: int) -> tuple[list[float], Mixed]:
    """Give how far the scores of the parts spread, the forests of each shape and then the deviation score; and figures.

    The figures are those of each shape by each weight: average precision, its deviation between
        seeds, alert rate.
    """
    events, spreads, found, deviation = events_of(stream_seed, ROWS, as_they_are), [], Mixed(), 0.0
    for trees, height in SHAPES:
        reached: list[list[tuple[float, float]]] = []
        spread_of_shape = []
        for seed in FOREST_SEEDS:
            settings = Tunables(
                preset=Preset.RECOMMENDED,
                forest_trees=trees,
                forest_height=height,
                forest_seed=seed,
            )
            prepared = ready(events, settings)
            scores = recommended.score_hold_out(recommended.train(prepared, settings), prepared)
            mixtures = [scores.combine(*weights) for weights in WEIGHTS]
            truth, threshold = prepared.held_truth, settings.threshold
            reached.append(
                [
                    (average_precision(truth, one) or 0.0, alert_rate(one, threshold))
                    for one in mixtures
                ]
            )
            spread_of_shape.append(spread(scores.hst))
            deviation = spread(scores.sad)
        spreads.append(median(spread_of_shape))
        for of_weights in zip(*reached, strict=True):
            precisions, alerts = zip(*of_weights, strict=True)
            found.append((median(precisions), stdev(precisions), median(alerts)))
    return [*spreads, deviation], found


def spread(scores: np.ndarray) -> float:
    """Give the distance between the first and the last percentile."""
    low, high = np.quantile(scores, [0.01, 0.99])
    return float(high - low)


def spread_sentence(found: Sequence[Sequence[float]]) -> str:
    """Say how far the scores of each part spread."""
    *forests, deviation = (median(values) for values in zip(*found, strict=True))
    by_shape = dict(zip(SHAPES, forests, strict=True))
    return fill(
        "At height 15 the forest's scores lie close together: from the first to the last percentile they spread over "
        f"{by_shape[25, 15]:.2f} ({by_shape[25, 8]:.2f} at 8, {by_shape[25, 4]:.2f} at 4). Those of the deviation "
        f"score spread over {deviation:.2f}.",
        120,
    )


def mixture_rows(found: Sequence[Mixed]) -> Table:
    """Give the medians of all mixtures."""
    titles = [f"`{forest:g} * hst + {deviation:g} * sad`" for forest, deviation in WEIGHTS]
    cells = []
    for same in zip(*found, strict=True):
        reached, between, alerts = (median(values) for values in zip(*same, strict=True))
        cells.append(f"{reached:.3f} ± {between:.3f}, alerts {alerts:.1%}")
    rows = [["trees", "height", *titles]]
    for place, (trees, height) in enumerate(SHAPES):
        rows.append(
            [str(trees), str(height), *cells[place * len(WEIGHTS) : (place + 1) * len(WEIGHTS)]]
        )
    return rows


def limits(default: dict[str, Outcomes], mended: dict[str, Outcomes]) -> str:
    """Say what these sizes cannot tell."""
    weak, strong = default["worse: the raw recipe"], mended["worse: the raw recipe"]
    kept = sum(decision.verdict is Verdict.KEPT for decision, _ in weak)
    said = [
        f"With about {median(anomalies(evidence) for _, evidence in weak):.0f} frauds in the hold-out, the lower bound "
        f"of a difference between two recipes lies about {reach(weak):.3f} below the difference itself "
        f"({reach(strong):.3f} where the forest decides), between two runs of the same recipe "
        f"{reach(default['same']):.3f}. A loss of less than the margin is meant to pass; one that is a little larger "
        "is `Inconclusive` as often as not.",
        f"Of {len(weak)} raw challengers at the default settings {kept} were recognised as inferior, the others were "
        f"not told apart with confidence: the median difference of the mixture is {change_of(weak):+.3f}, that of the "
        f"forest alone {part_change(weak, 'hst'):+.3f}.",
        "The bootstrap knows the chance in which events came, not the chance in training: two seeds of one recipe "
        "differ as well (`same, another seed`). So the margin is wider than the bounds, and the seed better stays.",
        "Features that are mixed up among events, each with its usual values, do a forest of half-spaces no harm "
        "(`mixed-up features`): it sees little of how they hang together. No rule on its scores finds that.",
        "Frauds that nobody has labelled count as unknown, or as normal where they are labelled so; what of that is "
        "noticed stands above.",
    ]
    return "\n".join(
        fill(sentence, 120, initial_indent="- ", subsequent_indent="  ") for sentence in said
    )


def reach(found: Outcomes) -> float:
    """Give how far the lower bound lies below the difference."""
    return median(
        evidence.comparison.difference - evidence.comparison.lower
        for _, evidence in found
        if evidence.comparison
    )


def change_of(found: Outcomes) -> float:
    """Give the difference that decides."""
    return median(evidence.comparison.difference for _, evidence in found if evidence.comparison)


def part_change(found: Outcomes, part: str) -> float:
    """Give the difference of one part's average precision."""
    return median(
        (precision(evidence.challenger.figures, part) or 0.0)
        - (precision(evidence.champion.figures, part) or 0.0)
        for _, evidence in found
        if evidence.champion
    )


def markdown(rows: Table) -> str:
    """Lay out a table."""
    title, *body = rows
    lines = [title, ["---"] * len(title), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
