"""Which rows train and which judge, oldest to newest: training, a gap of one window, hold-out. Pure; for `recommended`.

Nothing is drawn at random: what is judged on comes after what was learned, as it does when the
    model is live. The gap keeps the newest training window and the hold-out apart, so that what
    hangs together in time is not on both sides; where events are few it gives way to the one window
    that a forest needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from retraining_job.contract import Tunables, Verdict, VerdictReason, Window, value_name
from retraining_job.evaluation.decision import Decision
from retraining_job.evaluation.evidence import Split


@dataclass(frozen=True)
class SplitRows:
    """The rows of one run, by number: training from 0 on, hold-out up to the newest."""

    rows: int
    training_rows: int
    hold_out_start: int
    champion_saw: int = 0
    """Rows of the hold-out that the champion was trained on; 0 where that is not known."""

    @property
    def training(self) -> slice:
        """The rows that are learned."""
        return slice(0, self.training_rows)

    @property
    def hold_out(self) -> slice:
        """The rows that judge."""
        return slice(self.hold_out_start, self.rows)

    def build_split(self, times: np.ndarray, truth: np.ndarray) -> Split:
        """Give the split as the evidence keeps it."""
        held = truth[self.hold_out]
        return Split(
            training=compute_window(times[self.training]),
            gap_rows=self.hold_out_start - self.training_rows,
            hold_out=compute_window(times[self.hold_out]),
            anomalies=int((held == 1).sum()),
            normal=int((held == 0).sum()),
            unlabelled=int((held < 0).sum()),
            champion_saw=self.champion_saw,
        )


def split_rows(
    times: np.ndarray, truth: np.ndarray, settings: Tunables, champion_until: datetime | None = None
) -> SplitRows | Decision:
    """Part the rows, or say why they are too few.

    The hold-out is the newest `hold_out_size` rows, grown back in time until it has
    `hold_out_anomalies` known ones, never more than `hold_out_share` of all rows. A champion must
    not have learned any of them: so it shrinks from its old end where the champion's training
    reaches into it. Where what is left could not judge, it stays whole, and `champion_saw` tells.

    Args:
        times: (n,) datetime64[us], UTC, ascending.
        truth: (n,) 1 for an anomaly, 0 for none, -1 where that is not known.
        settings: sizes and shares.
        champion_until: when the newest event that the champion was trained on happened; None where
            that is not known.
    """
    rows = len(truth)
    if rows < settings.minimum_rows:
        return build_insufficient_data_decision(
            f"There are {rows:,} events, and a retrain needs {settings.minimum_rows:,} at least"
        )
    start = rows - compute_hold_out_size(truth, settings)
    saw = 0
    if champion_until is not None:
        unseen = int(np.searchsorted(times, to_datetime64(champion_until), side="right"))
        if has_enough_labels(truth[max(start, unseen) :], settings):
            start = max(start, unseen)
        saw = max(0, unseen - start)
    window = settings.forest_window
    if start < window:
        return build_insufficient_data_decision(
            f"Of {rows:,} events {rows - start:,} are held out, which leaves {start:,} to train on, and a forest needs "
            f"one window of {window:,} ({value_name('forest_window')})"
        )
    training = max(start - window, window)  # few events: rather a narrower gap than no forest
    return SplitRows(rows, training, start, saw)


def compute_hold_out_size(truth: np.ndarray, settings: Tunables) -> int:
    """Give the size of the hold-out, counted from the newest row."""
    most = max(1, int(settings.hold_out_share * len(truth)))
    newest_first = np.flatnonzero(truth[::-1][:most] == 1)
    if len(newest_first) < settings.hold_out_anomalies:
        return most if len(newest_first) else min(most, settings.hold_out_size)
    return min(
        most, max(settings.hold_out_size, int(newest_first[settings.hold_out_anomalies - 1]) + 1)
    )


def has_enough_labels(truth: np.ndarray, settings: Tunables) -> bool:
    """Say whether rows can judge: they have enough known anomalies, and others to tell them from."""
    return int((truth == 1).sum()) >= settings.hold_out_anomalies and bool((truth == 0).any())


def build_insufficient_data_decision(why: str) -> Decision:
    """Decide that nothing is trained."""
    return Decision(
        Verdict.INSUFFICIENT_DATA, VerdictReason.INSUFFICIENT_DATA, f"{why}; nothing was trained."
    )


def to_datetime64(moment: datetime) -> np.datetime64:
    """Give a moment as numpy keeps it."""
    return np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "us")


def compute_window(times: np.ndarray) -> Window:
    """Give where at least one row lies in time."""
    first, last = (
        moment.replace(tzinfo=UTC) for moment in times[[0, -1]].astype("datetime64[us]").tolist()
    )
    return Window(first=first, last=last, rows=len(times))
