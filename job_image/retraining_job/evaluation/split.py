"""Split the rows by time, from oldest to newest: training, a gap, hold-out.

Nothing is drawn at random, because a live model also scores events that are newer than its training
events. The gap is one forest window. It separates related events at the border. If there are few
events, the gap shrinks so that the forest still gets the one window it needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from retraining_job.contract import EvaluationSettings, Verdict, VerdictReason, Window, value_name
from retraining_job.evaluation.decision import Decision
from retraining_job.evaluation.evidence import Split

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class SplitRows:
    """The split of one run, in row numbers. Row 0 is the oldest.

    Args:
        rows: The number of rows.
        training_rows: The training rows are the first ones.
        hold_out_start: The first row of the hold-out, which extends to the newest row.
        champion_saw: Rows of the hold-out that the champion was trained on. 0 if unknown.
    """

    rows: int
    training_rows: int
    hold_out_start: int
    champion_saw: int = 0

    @property
    def training(self) -> slice:
        """The rows that the challenger is trained on."""
        return slice(0, self.training_rows)

    @property
    def hold_out(self) -> slice:
        """The rows that both models are evaluated on."""
        return slice(self.hold_out_start, self.rows)

    def build_split(self, times: NDArray[np.datetime64], truth: NDArray[np.int8]) -> Split:
        """Build the record of the split for the evidence.

        Args:
            times: Shape (rows,), datetime64[us], UTC, ascending.
            truth: Shape (rows,). 1 for an anomaly, 0 for a normal event, -1 if unknown.

        Returns:
            The record.
        """
        held_out = truth[self.hold_out]
        return Split(
            training=compute_window(times[self.training]),
            gap_rows=self.hold_out_start - self.training_rows,
            hold_out=compute_window(times[self.hold_out]),
            anomalies=int((held_out == 1).sum()),
            normal=int((held_out == 0).sum()),
            unlabelled=int((held_out < 0).sum()),
            champion_saw=self.champion_saw,
        )


def split_rows(
    times: NDArray[np.datetime64],
    truth: NDArray[np.int8],
    settings: EvaluationSettings,
    *,
    window: int,
    champion_until: datetime | None = None,
) -> SplitRows | Decision:
    """Split the rows into training, gap and hold-out.

    The hold-out is the newest `hold_out_size` rows. It grows towards older rows until it contains
    `hold_out_anomalies` known anomalies, up to `hold_out_share` of all rows. If the champion was
    trained on some of these rows, the hold-out shrinks to the rows after its training. If the rest
    would have too few labels, the hold-out does not shrink, and `champion_saw` counts these rows.

    Args:
        times: Shape (n,), datetime64[us], UTC, ascending.
        truth: Shape (n,). 1 for an anomaly, 0 for a normal event, -1 if unknown.
        settings: Sizes and shares.
        window: The number of rows in one window of the forest, which is the size of the gap.
        champion_until: The time of the newest event that the champion was trained on, with a zone.
            None if unknown.

    Returns:
        The split, or the decision `InsufficientData` if there are too few rows.
    """
    rows = len(truth)
    if rows < settings.minimum_rows:
        return build_insufficient_data_decision(
            f"There are {rows:,} events, but a run needs at least {settings.minimum_rows:,} "
            f"({value_name('minimum_rows')})."
        )
    start = rows - compute_hold_out_size(truth, settings)
    champion_saw = 0
    if champion_until is not None:
        unseen = int(np.searchsorted(times, to_datetime64(champion_until), side="right"))
        if has_enough_labels(truth[max(start, unseen) :], settings):
            start = max(start, unseen)
        champion_saw = max(0, unseen - start)
    if start < window:
        return build_insufficient_data_decision(
            f"The hold-out takes {rows - start:,} of {rows:,} events. The other {start:,} are too "
            f"few for training: a forest needs one window of {window:,} "
            f"({value_name('forest_window')})."
        )
    training = max(start - window, window)  # a narrower gap is better than no forest
    return SplitRows(rows, training, start, champion_saw)


def compute_hold_out_size(truth: NDArray[np.int8], settings: EvaluationSettings) -> int:
    """Compute the number of rows in the hold-out, without regard to the champion.

    Args:
        truth: Shape (n,), oldest first. 1 for an anomaly, 0 for a normal event, -1 if unknown.
        settings: Sizes and shares.

    Returns:
        The number of rows, counted from the newest.
    """
    most = max(1, int(settings.hold_out_share * len(truth)))
    newest_first = np.flatnonzero(truth[::-1][:most] == 1)
    if len(newest_first) < settings.hold_out_anomalies:
        return most if len(newest_first) else min(most, settings.hold_out_size)
    enough = int(newest_first[settings.hold_out_anomalies - 1]) + 1
    return min(most, max(settings.hold_out_size, enough))


def has_enough_labels(truth: NDArray[np.int8], settings: EvaluationSettings) -> bool:
    """Return whether rows have enough known anomalies, and normal events to compare them with.

    Args:
        truth: Shape (n,). 1 for an anomaly, 0 for a normal event, -1 if unknown.
        settings: The number of anomalies.

    Returns:
        Whether models can be evaluated on these rows.
    """
    return int((truth == 1).sum()) >= settings.hold_out_anomalies and bool((truth == 0).any())


def build_insufficient_data_decision(why: str) -> Decision:
    """Build the decision for too few events. `why` is a complete sentence."""
    return Decision(
        Verdict.INSUFFICIENT_DATA,
        VerdictReason.INSUFFICIENT_DATA,
        f"{why} No model was trained.",
    )


def to_datetime64(moment: datetime) -> np.datetime64:
    """Return a time with a zone as datetime64[us] in UTC."""
    return np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "us")


def compute_window(times: NDArray[np.datetime64]) -> Window:
    """Compute the window of rows from their times: shape (n,), UTC, ascending, at least one."""
    first, last = (
        moment.replace(tzinfo=UTC) for moment in times[[0, -1]].astype("datetime64[us]").tolist()
    )
    return Window(first=first, last=last, rows=len(times))
