"""Compare the input of successive runs on the Shuttle data set."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np

from retraining_job.contract import Tunables
from retraining_job.evaluation.input_change import ChampionInput, compare_input
from retraining_job.evaluation.input_counts import measure_columns
from retraining_job.events.columns import Columns
from tests.quality.trial import prepare
from tests.system.shuttle import readings

STEP = 2_500
RUNS = range(20_000, 49_000, STEP)
"""The number of readings of each run."""
BROKEN_SHARE = 0.3


def run_shuttle(rows: int) -> tuple[bool, bool, bool]:
    """Compare the first readings with those of the run before.

    Args:
        rows: The number of readings.

    Returns:
        Whether a change was mentioned, whether it stopped a promotion, and whether a missing
        feature in the newest 30 % stopped a promotion.
    """
    before, now = read_columns(rows - STEP), read_columns(rows)
    broken = now.features.copy(order="F")
    broken[-int(BROKEN_SHARE * rows) :, 3] = np.nan
    settings = Tunables()
    shape = measure_columns(before, prepare(before, settings).parts.hold_out_start).shape
    champion = ChampionInput(1, set(before.names), shape)
    changes = []
    for events in (now, replace(now, features=broken)):
        measured = measure_columns(events, prepare(events, settings).parts.hold_out_start)
        limit = settings.input_change_limit
        changes.append(compare_input(measured, champion, limit=limit, accepted=False))
    healthy, faulty = changes
    return bool(healthy.noticed or healthy.beyond), healthy.stops, faulty.stops


def read_columns(rows: int) -> Columns:
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
