"""The record of a calibration, as a part of the evidence."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class CandidateRecord(BaseModel):
    """One forest, with the form of the deviation score that fits it best."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    n_trees: int
    height: int
    window_size: int
    features: int
    """The number of features that its trees split."""
    average_precision: float | None = None
    """Of the combined score on the validation rows. None if these have too few labels."""
    alert_rate: float
    """The share of validation rows above the live threshold."""
    reached: bool
    """Whether that share is the target."""
    spread: float
    """What the spread of the deviation score is divided by."""
    direction: int
    """0 if values on both sides of the mean score higher; 1 or -1 if only one side does."""
    level: float
    """The deviation score of the mean."""


class CalibrationRecord(BaseModel):
    """What was chosen, from which candidates, and what it won on the validation rows."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    candidates: list[CandidateRecord]
    """In the order of preference."""
    chosen: int
    """The index of the chosen candidate."""
    rows: int
    """The number of validation rows: the newest training rows."""
    labelled: bool
    """Whether the validation rows have enough labels to compare average precisions."""
    target_rate: float
    """The share of events for which the challenger should raise an alert."""
    target_source: str
    """`KeepChampion` or `Budget`."""
    plain_average_precision: float | None = None
    """Of the configured forest with the plain deviation score."""
    plain_alert_rate: float
    """Its share of validation rows above the live threshold."""
    needed_threshold: float | None = None
    """The threshold that would give the target rate. None if the live threshold does."""

    @property
    def choice(self) -> CandidateRecord:
        """The chosen candidate."""
        return self.candidates[self.chosen]

    @property
    def changed_parts(self) -> frozenset[str]:
        """The parts whose own ranking was given up for that of the combined score.

        `sad` if the deviation score is not the plain one, `hst` if the trees do not split all
        features.
        """
        choice, features = self.choice, max(one.features for one in self.candidates)
        is_plain = choice.spread == 1.0 and choice.direction == 0
        return frozenset(
            [*([] if is_plain else ["sad"]), *(["hst"] if choice.features < features else [])]
        )
