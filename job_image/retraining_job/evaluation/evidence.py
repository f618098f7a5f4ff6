"""The evidence of one judged run: everything that decided, in the form in which the database keeps it. Pure.

Made by `recommended`, read by `policy` (which decides on it) and by `report` (which draws it).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from retraining_job.contract import ContenderMetrics, PromotionPolicy, Window, Withheld
from retraining_job.evaluation.input_change import InputChange


class EvidencePart(BaseModel):
    """A part of the evidence."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class FeatureRecord(EvidencePart):
    """What was found of one feature in the training rows, and what was done about it."""

    name: str
    scaling: str
    """`linear`, `log`, `none`; or `left out`, with the reason in `note`."""
    low: float | None = None
    """The raw values that stand at 0 and 1 of the scaled ones."""
    high: float | None = None
    missing: int = 0
    """Training rows without a finite number for it."""
    unusable: int = 0
    """Of all rows read, those that have it, but not as a finite number."""
    note: str = ""


class Split(EvidencePart):
    """Which rows trained and which judged, oldest to newest: training, gap, hold-out."""

    training: Window
    gap_rows: int
    hold_out: Window
    anomalies: int
    """Known anomalies in the hold-out."""
    normal: int
    """Events of the hold-out that are known to be none."""
    unlabelled: int
    """Events of the hold-out without a label: they do not judge."""
    champion_saw: int = 0
    """Events of the hold-out that the champion was trained on, as far as that is known."""


class LabelCoverage(EvidencePart):
    """How the labels of the hold-out are spread over the champion's alerts and the other events."""

    flagged: int
    """Events for which the champion raises an alert at the live threshold."""
    flagged_labelled: int
    """Of these, the events with a label."""
    flagged_anomalies: int
    """Of these, the known anomalies."""
    unflagged: int
    unflagged_labelled: int
    unflagged_anomalies: int
    lower_anomalies: int = 0
    """Known anomalies in the lower-scored half of the labelled alerts."""
    upper_anomalies: int = 0
    """Those in the higher-scored half."""

    @property
    def flagged_share(self) -> float | None:
        """The share of alerts with a label; None without an alert."""
        return self.flagged_labelled / self.flagged if self.flagged else None

    @property
    def unflagged_share(self) -> float | None:
        """The share of the other events with a label; None if there are none."""
        return self.unflagged_labelled / self.unflagged if self.unflagged else None


class HiddenLoss(EvidencePart):
    """A part of the challenger that ranks worse than the champion's, while the combined score hides it."""

    part: str
    """`hst` or `sad`."""
    champion: float
    """Average precision."""
    challenger: float


class Comparison(EvidencePart):
    """The difference of average precision, challenger less champion, by a paired stratified bootstrap."""

    difference: float
    lower: float
    """One-sided bound at `confidence`: the true difference is above it."""
    upper: float
    """One-sided bound at `confidence`: the true difference is below it."""
    confidence: float
    draws: int
    seed: int


class Curve(EvidencePart):
    """A line in the report: precision over recall, thinned to what a picture can show."""

    recall: list[float]
    precision: list[float]


class ScoreHistogram(EvidencePart):
    """How one contender's mixture scores are spread, by class; the edges are common to all."""

    edges: list[float]
    anomalies: list[int]
    normal: list[int]


class Period(EvidencePart):
    """One of about ten stretches of the hold-out, equal in rows."""

    first: datetime
    last: datetime
    rows: int
    anomalies: int
    challenger_average_precision: float | None = None
    champion_average_precision: float | None = None
    challenger_alert_rate: float | None = None
    champion_alert_rate: float | None = None


class Contender(EvidencePart):
    """One of the two that were judged."""

    version: int | None = None
    """The champion's; a challenger has none yet."""
    fingerprint: str = ""
    """SHA-256 of its state, or of its pickle where it is a foreign one."""
    trained: Window | None = None
    """The events that it was trained on; None where that is not known."""
    figures: ContenderMetrics = ContenderMetrics()
    usable: bool = True
    """Whether its scores are finite and not all the same."""
    problem: str = ""
    """Why they are not usable, as the end of a sentence."""
    matching_threshold: float | None = None
    """The challenger's: the threshold at which it raises as many alerts as the champion at the live one."""
    threshold_precision: float | None = None
    """Of the mixture at the live threshold: the operating point on the curve.

    None where nothing is above it.
    """
    threshold_recall: float | None = None
    curve: Curve | None = None
    histogram: ScoreHistogram | None = None


class Provenance(EvidencePart):
    """Where a run and its data come from: enough to do it again."""

    run_id: str
    request: str = ""
    trigger_reason: str = ""
    image: str = ""
    judged_at: datetime | None = None
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
    """All that decided one run."""

    provenance: Provenance
    split: Split | None = None
    features: list[FeatureRecord] = []
    threshold: float
    threshold_source: str
    """`setting`, or the Redis key that it was read from."""
    policy: PromotionPolicy
    margin: float
    """By how much average precision may be worse: the setting, or less where the champion is close to chance."""
    chance: float | None = None
    """The greatest average precision of the hold-out in 999 random orders; None where nobody can be judged."""
    challenger: Contender
    champion: Contender | None = None
    comparison: Comparison | None = None
    input: InputChange | None = None
    """The shape of the events, and how it has changed since the champion was trained."""
    reading: list[str] = []
    """What was found while the events were read, in sentences; empty where all were as they should be."""
    labels: LabelCoverage | None = None
    """None without a champion: there are no alerts that labels could follow."""
    hidden: list[HiddenLoss] = []
    """Parts that got worse by more than the margin, which the combined score does not show."""
    identical: bool = False
    """Whether the challenger is the champion again, to the last bit."""
    periods: list[Period] = []
    notes: list[str] = []
    """Plain sentences about what a reader should know besides: an unknown training window, odd features, ..."""
    verdict: str = ""
    reason: str = ""
    message: str = ""
    promoted: bool | None = None
    """Whether the challenger went live; None where that is not known yet."""
    withheld: Withheld | None = None
    """Why it did not, although it was judged fit."""
