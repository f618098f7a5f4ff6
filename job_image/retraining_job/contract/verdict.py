"""How a run ends: verdicts, reasons, failures and exit codes.

Status, metrics, logs and database share this vocabulary.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum


class ExitCode(IntEnum):
    """The exit codes of the trainer; 65, 75 and 78 mean the same as in BSD's sysexits.h."""

    VERDICT = 0
    """The run has a verdict, whichever it is, and it is recorded."""
    BAD_DATA = 65
    """The events cannot be trained on; another attempt would fail as well."""
    INTERNAL_ERROR = 70
    """A defect of the trainer; the log has its traceback."""
    DEPENDENCY_UNAVAILABLE = 75
    """The database or Redis was unavailable at the last retry; another attempt may succeed."""
    AUDIT_PENDING = 76
    """The model is live and its audit row is missing; another attempt writes only the row."""
    BAD_CONFIGURATION = 78
    """A setting is wrong; another attempt would fail as well."""


class Verdict(StrEnum):
    """How a run that could evaluate ended.

    Whether the challenger went live is a field of its own, `promoted`, and why not is `withheld`.
    Documents and rows of earlier trainers may say `NoChampion`; `result` reads it as one of the two
    verdicts that replace it.
    """

    PROMOTED = "Promoted"
    """It may replace the champion."""
    KEPT = "Kept"
    """The champion stays."""
    INCONCLUSIVE = "Inconclusive"
    """The events do not allow a conclusion; `onInconclusive` says what happens then."""
    INSUFFICIENT_DATA = "InsufficientData"
    """There are too few events to train on."""
    FIRST_MODEL = "FirstModel"
    """There is no live model, and the challenger may be the first."""
    UNFIT = "Unfit"
    """There is no live model, and the challenger is not fit to be the first."""
    UNREADABLE_CHAMPION = "UnreadableChampion"
    """There is a live model that cannot be read, so nothing replaces it."""
    IDENTICAL = "Identical"
    """The challenger equals the champion, bit by bit."""
    RESTORED = "Restored"
    """There is no challenger: a former champion is live again, under a new version."""


FORMER_AWAITING_APPROVAL = "AwaitingDecision"
"""The name that earlier trainers stored for `AwaitingApproval`."""


class Withheld(StrEnum):
    """Why a fit challenger did not go live."""

    DRY_RUN = "DryRun"
    """The request asked only for a verdict."""
    AWAITING_APPROVAL = "AwaitingApproval"
    """Promotion is Manual: the challenger is stored and waits for approval."""
    REJECTED = "Rejected"
    """Promotion is Manual, and a person has rejected it."""

    @classmethod
    def _missing_(cls, value: object) -> Withheld | None:
        return cls.AWAITING_APPROVAL if value == FORMER_AWAITING_APPROVAL else None


class VerdictReason(StrEnum):
    """Why a run has its verdict. Reasons that the old service had keep their old names."""

    # Of the `reference` preset
    HIGHER_PRECISION = "higher_precision"
    """Promoted: the challenger's precision is higher."""
    EQUAL_PRECISION = "equal_precision"
    """Promoted: a tie goes to the challenger."""
    LOWER_PRECISION = "lower_precision"
    """Kept: the challenger's precision is lower."""

    # Of the `recommended` preset
    NOT_INFERIOR = "not_inferior"
    """Promoted: worse by no more than the margin, with confidence."""
    SUPERIOR = "superior"
    """Promoted: better, with confidence."""
    INFERIOR = "inferior"
    """Kept: worse by more than the margin."""
    NOT_SUPERIOR = "not_superior"
    """Kept: not better."""
    ALERT_RATE = "alert_rate"
    """Kept: it would raise far more or far fewer alerts than the champion."""
    UNUSABLE_SCORES = "unusable_scores"
    """Kept: its scores are not finite, or all the same."""
    UNCERTAIN = "uncertain"
    """Inconclusive: the confidence interval contains the limit."""
    TOO_FEW_ANOMALIES = "too_few_anomalies"
    """Inconclusive: the hold-out has too few known anomalies, or no normal events."""
    NO_TRUTH = "no_truth"
    """Inconclusive: no event of the hold-out has a label."""
    LABELS_FOLLOW_ALERTS = "labels_follow_alerts"
    """Inconclusive: nearly all labels are of events for which the champion raised an alert."""
    CHAMPION_SAW_HOLD_OUT = "champion_saw_hold_out"
    """Inconclusive: too few events are newer than those that the champion was trained on."""
    IDENTICAL = "identical"
    """Identical: the challenger equals the champion."""
    BELOW_FLOOR = "below_floor"
    """Unfit, or Kept if the champion could not be compared: it is no better than chance."""

    # Of both presets
    NO_CHAMPION = "no_champion"
    """There was no live model."""
    INPUT_CHANGED = "input_changed"
    """Kept: the input shape has changed beyond the limit since the champion was trained."""
    INPUT_ACCEPTED = "input_accepted"
    """Promoted: the champion uses none of the events' features, and the change was accepted."""
    INPUT_UNREADABLE = "input_unreadable"
    """Unfit: the features of most events cannot be read."""
    OVERTAKEN = "overtaken"
    """Kept: other runs promoted their models while this one was evaluated."""
    INSUFFICIENT_DATA = "insufficient_data"
    """InsufficientData: there are too few events to train on."""
    UNREADABLE_CHAMPION = "unreadable_champion"
    """UnreadableChampion: the live model cannot be read."""
    APPROVED = "approved"
    """Promoted: a person has approved it."""
    REJECTED = "rejected"
    """A person has rejected it."""
    EXPIRED = "expired"
    """Nobody approved or rejected in time."""
    ROLLBACK = "rollback"
    """Restored: a person has made a former champion live again."""
    ANNOUNCED = "announced"
    """No verdict yet: the run is about to publish its challenger, or died doing so."""
    LOSS_ACCEPTED = "loss_accepted"
    """No verdict: a person has accepted that Redis has lost the newest models."""
    UNKNOWN = "unknown"
    """The row with the reason is missing."""


class Failure(StrEnum):
    """Why a run ended without a verdict, as far as the trainer itself knows."""

    BAD_CONFIGURATION = "BadConfiguration"
    """A setting is wrong."""
    BAD_DATA = "BadData"
    """The events cannot be trained on."""
    DEPENDENCY_UNAVAILABLE = "DependencyUnavailable"
    """The database or Redis is unavailable."""
    AUDIT_PENDING = "AuditPending"
    """The model is live, and its audit row is missing."""
    INTERNAL_ERROR = "InternalError"
    """A defect of the trainer."""
