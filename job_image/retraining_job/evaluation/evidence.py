"""The evidence of one run: all numbers that led to the verdict, as they are stored with the run.

The names of the fields are the names in the stored JSON.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from retraining_job.contract import (
    ContenderMetrics,
    PartMetrics,
    PromotionPolicy,
    Window,
    Withheld,
)
from retraining_job.evaluation.calibration_record import CalibrationRecord
from retraining_job.evaluation.input_change import InputChange


class EvidencePart(BaseModel):
    """A part of the evidence."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class FeatureRecord(EvidencePart):
    """One feature in the training rows, and how it was scaled."""

    name: str
    scaling: str
    """`linear`, `log` or `none`; or `left out`, with the reason in `note`."""
    low: float | None = None
    """The raw value that is scaled to 0."""
    high: float | None = None
    """The raw value that is scaled to 1."""
    missing: int = 0
    """Training rows without a finite number for the feature."""
    unusable: int = 0
    """Of all rows read, those that have the feature, but not as a finite number."""
    note: str = ""


class Split(EvidencePart):
    """The split of the rows, from oldest to newest: training, gap, hold-out."""

    training: Window
    gap_rows: int
    hold_out: Window
    anomalies: int
    """Known anomalies in the hold-out."""
    normal: int
    """Events of the hold-out that are known to be normal."""
    unlabelled: int
    """Events of the hold-out without a label. They are not part of the evaluation."""
    champion_saw: int = 0
    """Events of the hold-out that the champion was trained on, as far as that is known."""


class LabelCoverage(EvidencePart):
    """How many events of the hold-out have a label, with and without an alert of the champion."""

    flagged: int
    """Events with an alert: the champion's score is above the live threshold."""
    flagged_labelled: int
    """Of these, the events with a label."""
    flagged_anomalies: int
    """Of these, the known anomalies."""
    unflagged: int
    """Events without an alert."""
    unflagged_labelled: int
    unflagged_anomalies: int
    lower_anomalies: int = 0
    """Known anomalies in the lower-scored half of the labelled alerts."""
    upper_anomalies: int = 0
    """Known anomalies in the higher-scored half of the labelled alerts."""

    @property
    def flagged_share(self) -> float | None:
        """The share of events with an alert that have a label. None if there is no alert."""
        return self.flagged_labelled / self.flagged if self.flagged else None

    @property
    def unflagged_share(self) -> float | None:
        """The share of events without an alert that have a label. None if there are none."""
        return self.unflagged_labelled / self.unflagged if self.unflagged else None


class HiddenLoss(EvidencePart):
    """A part that ranks worse than the champion's, which the combined score does not show."""

    part: str
    """`hst` or `sad`."""
    champion: float
    """The average precision of the champion's part."""
    challenger: float
    """The average precision of the challenger's part."""


class Comparison(EvidencePart):
    """The difference of average precision, challenger minus champion, with bootstrap bounds."""

    difference: float
    lower: float
    """One-sided bound at `confidence`: the true difference is above it."""
    upper: float
    """One-sided bound at `confidence`: the true difference is below it."""
    confidence: float
    """From 0 to 1."""
    draws: int
    """The number of resamples."""
    seed: int


class Curve(EvidencePart):
    """Precision over recall, thinned for the report."""

    recall: list[float]
    precision: list[float]


class ScoreHistogram(EvidencePart):
    """Counts of one model's combined scores by class. The edges are the same for both models."""

    edges: list[float]
    anomalies: list[int]
    normal: list[int]


class Period(EvidencePart):
    """One of about ten periods of the hold-out, with equal numbers of rows."""

    first: datetime
    last: datetime
    rows: int
    anomalies: int
    challenger_average_precision: float | None = None
    champion_average_precision: float | None = None
    challenger_alert_rate: float | None = None
    champion_alert_rate: float | None = None


class Contender(EvidencePart):
    """One of the two models: the champion or the challenger."""

    version: int | None = None
    """The version of the champion. A challenger has none yet."""
    fingerprint: str = ""
    """SHA-256 of the state. For a foreign model: of its pickle."""
    trained: Window | None = None
    """The events that it was trained on. None if unknown."""
    metrics: ContenderMetrics = ContenderMetrics()
    """The metrics on the hold-out."""
    usable: bool = True
    """Whether its scores are finite and not all equal."""
    problem: str = ""
    """Why the scores are not usable: a clause that completes a sentence."""
    matching_threshold: float | None = None
    """For the challenger: the threshold at which it raises as many alerts as the champion does at
    the live threshold."""
    published_threshold: float | None = None
    """For the challenger: the threshold that its promotion publishes, at which it is evaluated.
    None if the live one stays."""
    threshold_precision: float | None = None
    """Precision of the combined score at the live threshold. None if no labelled event is above."""
    threshold_recall: float | None = None
    """Recall of the combined score at the live threshold. None if there is no known anomaly."""
    curve: Curve | None = None
    histogram: ScoreHistogram | None = None

    @property
    def combined(self) -> PartMetrics:
        """The metrics of the combined score. All are None if there are none."""
        return self.metrics.combined or PartMetrics()


class Provenance(EvidencePart):
    """The origin of a run and its data: what is needed to repeat the run."""

    run_id: str
    request: str = ""
    trigger_reason: str = ""
    image: str = ""
    evaluated_at: datetime | None = None
    river: str
    python: str
    numpy: str
    preset: str
    source: str
    """Table, view or file."""
    window: Window
    checksum: str
    """SHA-256 over all events read, in order."""
    seed: int
    settings: dict[str, Any]


class Evidence(EvidencePart):
    """All numbers that led to the verdict of one run."""

    provenance: Provenance
    split: Split | None = None
    features: list[FeatureRecord] = []
    threshold: float
    """The live threshold."""
    threshold_source: str
    """`setting`, or the Redis key that the threshold was read from."""
    policy: PromotionPolicy
    margin: float
    """The greatest loss of average precision that is accepted: the setting, or less if the champion
    ranks little better than chance."""
    best_random_precision: float | None = None
    """The greatest average precision in 999 random orders of the labels. None if the hold-out has
    too few labels."""
    challenger: Contender
    champion: Contender | None = None
    calibration: CalibrationRecord | None = None
    """What the challenger's shape and level were chosen from. None if it is not calibrated."""
    comparison: Comparison | None = None
    input: InputChange | None = None
    """The shape of the events, and how it has changed since the champion was trained."""
    reading: list[str] = []
    """Problems that were found while the events were read, in sentences."""
    labels: LabelCoverage | None = None
    """None without a champion: there are no alerts that the labels could follow."""
    hidden: list[HiddenLoss] = []
    """Parts that are worse by more than the margin, which the combined score does not show."""
    identical: bool = False
    """Whether the challenger is identical to the champion."""
    periods: list[Period] = []
    notes: list[str] = []
    """Other findings in sentences, such as an unknown training window or unused features."""
    verdict: str = ""
    reason: str = ""
    message: str = ""
    promoted: bool | None = None
    """Whether the challenger went live. None if not known yet."""
    withheld: Withheld | None = None
    """Why the challenger did not go live although the decision allows it."""

    @property
    def challenger_threshold(self) -> float:
        """The threshold that is live with the challenger."""
        published = self.challenger.published_threshold
        return self.threshold if published is None else published

    def get_split(self) -> Split:
        """Return the split.

        Raises:
            ValueError: There is none.
        """
        if self.split is None:
            raise ValueError("The evidence has no split, so the policy cannot be applied.")
        return self.split

    def get_comparison(self) -> Comparison:
        """Return the comparison.

        Raises:
            ValueError: There is none, because a guard stopped the evaluation.
        """
        if self.comparison is None:
            raise ValueError("The evidence has no comparison, so the policy cannot be applied.")
        return self.comparison
