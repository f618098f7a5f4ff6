"""Build docs/quality.md: run every scenario on every stream, on all cores."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median

from retraining_job.contract import VerdictReason
from tests.quality.calibration import (
    FIRST_SEED,
    SOURCES,
    CalibrationTrial,
    Source,
    build_calibration_rows,
    run_calibration,
)
from tests.quality.changes import ROWS, assume_rest_normal, label_alerts
from tests.quality.chart import draw_calibration
from tests.quality.combined_score import build_rows, describe_spreads, evaluate_shapes
from tests.quality.learning_reader import build_reader_rows, run_reader
from tests.quality.limits import compute_anomalies, describe_limits
from tests.quality.scenarios import (
    CALIBRATED_SCENARIOS,
    FOREST_DECIDES,
    FOREST_DECIDES_SCENARIOS,
    INPUT_SCENARIOS,
    LABEL_SCENARIOS,
    PART_SCENARIOS,
    SCENARIOS,
    Scenario,
)
from tests.quality.shuttle import RUNS, run_shuttle
from tests.quality.tables import (
    Outcomes,
    count_hidden_losses,
    count_input_changes,
    count_verdicts,
    format_markdown,
)
from tests.quality.trial import HOLD_OUT, run_scenario

CHART = Path(__file__).parents[2] / "docs" / "images" / "calibration.svg"
TEMPLATE = Path(__file__).with_name("template.md")
SOME_STREAMS, FEW_STREAMS = 12, 8
"""The greatest number of streams for each row of the later sections."""


def build_page(seeds: int) -> str:
    """Run all scenarios and build the page. `seeds` is the number of streams for each scenario."""
    few, some = min(seeds, FEW_STREAMS), min(seeds, SOME_STREAMS)
    with ProcessPoolExecutor() as pool:
        calibrated = run_all(pool, CALIBRATED_SCENARIOS, seeds)
        trials = run_calibrations(pool, seeds)
        readers = list(pool.map(run_reader, range(FIRST_SEED, FIRST_SEED + seeds)))
        default = run_all(pool, SCENARIOS, seeds)
        forest_decides = run_all(pool, FOREST_DECIDES_SCENARIOS, seeds)
        labels = run_all(pool, LABEL_SCENARIOS, some)
        parts = run_all(pool, PART_SCENARIOS, some)
        inputs = run_all(pool, INPUT_SCENARIOS, some)
        shuttle = list(pool.map(run_shuttle, RUNS))
        combined = list(pool.map(evaluate_shapes, range(1, few + 1)))
    CHART.write_text(draw_calibration(trials), encoding="utf-8")
    return TEMPLATE.read_text(encoding="utf-8").format(
        calibrated=format_markdown(count_verdicts(CALIBRATED_SCENARIOS, calibrated)),
        churned=describe_churn(calibrated),
        calibration=format_markdown(build_calibration_rows(trials)),
        first_seed=FIRST_SEED,
        reader=format_markdown(build_reader_rows(readers)),
        seeds=seeds,
        few=few,
        some=some,
        rows=ROWS,
        hold_out=HOLD_OUT,
        frauds=compute_anomalies(default["same"]),
        trees=FOREST_DECIDES["forest_trees"],
        height=FOREST_DECIDES["forest_height"],
        forest_weight=FOREST_DECIDES["forest_weight"],
        deviation_weight=FOREST_DECIDES["deviation_weight"],
        default=format_markdown(count_verdicts(SCENARIOS, default)),
        forest_decides=format_markdown(count_verdicts(FOREST_DECIDES_SCENARIOS, forest_decides)),
        spread=describe_spreads(combined),
        combined=format_markdown(build_rows(combined)),
        limits=describe_limits(default, forest_decides),
        labels=format_markdown(count_verdicts(LABEL_SCENARIOS, labels)),
        parts=format_markdown(count_hidden_losses(parts)),
        honest=count_honest_runs({**labels, **parts, **inputs}),
        input=format_markdown(count_input_changes(inputs)),
        shuttle_runs=len(shuttle),
        shuttle_mentioned=sum(mentioned for mentioned, _, _ in shuttle),
        shuttle_stopped=sum(stopped for _, stopped, _ in shuttle),
        shuttle_broken=sum(broken for _, _, broken in shuttle),
    )


def run_calibrations(
    pool: ProcessPoolExecutor, seeds: int
) -> list[tuple[Source, list[CalibrationTrial]]]:
    """Calibrate a challenger for each source and seed.

    Args:
        pool: The processes.
        seeds: The number of seeds.

    Returns:
        The trials of each source.
    """
    numbers = range(FIRST_SEED, FIRST_SEED + seeds)
    found = []
    for source in SOURCES:
        found.append((source, list(pool.map(run_calibration, [source] * seeds, numbers))))
        say(f"calibration on: {source.name}")
    return found


def describe_churn(outcomes: dict[str, Outcomes]) -> str:
    """Return how often a retrain without a cause replaces the champion, and its shape."""
    runs = outcomes["same"]
    promoted = sum(decision.promotes for decision, _ in runs)
    moved = [
        abs(evidence.challenger.combined.alert_rate - evidence.champion.combined.alert_rate)
        for _, evidence in runs
        if evidence.champion
        and evidence.challenger.combined.alert_rate is not None
        and evidence.champion.combined.alert_rate is not None
    ]
    return (
        f"A retrain without a cause (`same`) replaced the champion in {promoted} of {len(runs)} "
        "runs. "
        f"The alert rate moved by {median(moved):.2%} of all events in the median."
    )


def run_all(
    pool: ProcessPoolExecutor, scenarios: Iterable[Scenario], seeds: int
) -> dict[str, Outcomes]:
    """Run each scenario on each stream.

    Args:
        pool: The processes.
        scenarios: The scenarios.
        seeds: The number of streams.

    Returns:
        The outcomes by the name of the scenario.
    """
    streams = range(1, seeds + 1)
    found: dict[str, Outcomes] = {}
    for scenario in scenarios:
        found[scenario.name] = list(
            pool.map(run_scenario, [scenario] * seeds, streams, chunksize=2)
        )
        say(scenario.name)
    return found


def say(done: str) -> None:
    """Print what was just measured."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')}  measured {done}\n")


def count_honest_runs(outcomes: dict[str, Outcomes]) -> int:
    """Count the evaluated runs whose labels do not follow alerts.

    Args:
        outcomes: The outcomes by the name of the scenario.

    Returns:
        The number of runs.

    Raises:
        ValueError: The guard on labels stopped one of them.
    """
    biased = {label_alerts, assume_rest_normal}
    biased_names = {scenario.name for scenario in LABEL_SCENARIOS if scenario.labels in biased}
    count = 0
    for name, runs in outcomes.items():
        if name in biased_names:
            continue
        for decision, evidence in runs:
            if not evidence.labels or not evidence.comparison:
                continue
            if decision.reason == VerdictReason.LABELS_FOLLOW_ALERTS:
                raise ValueError(
                    f"The guard on labels stopped a run of `{name}`, whose labels do not follow "
                    "alerts. The page must say so."
                )
            count += 1
    return count
