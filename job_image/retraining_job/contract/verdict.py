"""How a run ends: verdicts, reasons, failures, exit codes.

One vocabulary for status, metrics, log and database.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum


class ExitCode(IntEnum):
    """How the trainer's process ends; 65, 75 and 78 have the meaning they have in BSD's sysexits.h."""

    VERDICT = 0
    """The run has a verdict, whichever it is, and it is recorded."""
    BAD_DATA = 65
    """The events cannot be trained on; another try would fail as well."""
    INTERNAL_ERROR = 70
    """A defect of the trainer; the log has its traceback."""
    DEPENDENCY_UNAVAILABLE = 75
    """The database or Redis was away for longer than the trainer waits; another try may succeed."""
    AUDIT_PENDING = 76
    """The model is live, but its audit row is not written yet; another try writes it and publishes nothing."""
    BAD_CONFIGURATION = 78
    """A setting is wrong; another try would fail as well."""


class Verdict(StrEnum):
    """How the challenger was judged. Whether it went live is said apart: by `promoted`, and why not by Withheld.

    Documents and rows of earlier trainers may say `NoChampion`; `result` reads it as one of the two
    that replace it.
    """

    PROMOTED = "Promoted"
    """It may replace the champion."""
    KEPT = "Kept"
    """The champion stays."""
    INCONCLUSIVE = "Inconclusive"
    """The events do not tell; `onInconclusive` says what then."""
    INSUFFICIENT_DATA = "InsufficientData"
    """There are too few events to train on."""
    FIRST_MODEL = "FirstModel"
    """There is no live model to beat, and it may be the first."""
    UNFIT = "Unfit"
    """There is no live model to beat, and it is not fit to be the first: none is live still."""
    UNREADABLE_CHAMPION = "UnreadableChampion"
    """There is a live model, and it cannot be read: nothing replaces it unseen."""
    IDENTICAL = "Identical"
    """The challenger is the champion again, to the last bit."""
    RESTORED = "Restored"
    """No challenger at all: a former champion is live again, under a new version."""


class Withheld(StrEnum):
    """Why a challenger that was judged fit did not go live."""

    DRY_RUN = "DryRun"
    """The request asked for a verdict alone."""
    AWAITING_DECISION = "AwaitingDecision"
    """Promotion is Manual: it is stored, and a person decides."""
    REJECTED = "Rejected"
    """Promotion is Manual, and a person has rejected it."""


class VerdictReason(StrEnum):
    """Why a run has its verdict, in one word each; where the old service had a word for it, it is the old one."""

    # The `reference` preset's
    HIGHER_PRECISION = "higher_precision"
    """Promoted: the challenger's figure is greater."""
    EQUAL_PRECISION = "equal_precision"
    """Promoted: a tie goes to the challenger."""
    LOWER_PRECISION = "lower_precision"
    """Kept: the challenger's figure is less."""

    # The `recommended` preset's
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
    """Inconclusive: the difference may lie on either side of what is asked for."""
    TOO_FEW_ANOMALIES = "too_few_anomalies"
    """Inconclusive: the hold-out has too few known anomalies, or none without."""
    NO_TRUTH = "no_truth"
    """Inconclusive: no event of the hold-out has a label."""
    LABELS_FOLLOW_ALERTS = "labels_follow_alerts"
    """Inconclusive: nearly all labels are of events for which the champion raised an alert."""
    CHAMPION_SAW_HOLD_OUT = "champion_saw_hold_out"
    """Inconclusive: too few events are newer than those that the champion was trained on."""
    IDENTICAL = "identical"
    BELOW_FLOOR = "below_floor"
    """Unfit, or Kept where the champion could not be compared: it is no better than chance."""

    # Of both
    NO_CHAMPION = "no_champion"
    """There was no live model."""
    INPUT_CHANGED = "input_changed"
    """Kept: the shape of the events has changed since the champion was trained, beyond the limit."""
    INPUT_ACCEPTED = "input_accepted"
    """Promoted: the champion uses none of the events' features, and the change was accepted."""
    INPUT_UNREADABLE = "input_unreadable"
    """Unfit: the features of most events cannot be read."""
    OVERTAKEN = "overtaken"
    """Kept: other runs promoted their models while this one was judged."""
    INSUFFICIENT_DATA = "insufficient_data"
    UNREADABLE_CHAMPION = "unreadable_champion"
    APPROVED = "approved"
    """Promoted by a person."""
    REJECTED = "rejected"
    """Kept out by a person."""
    EXPIRED = "expired"
    """Kept: nobody decided in time."""
    ROLLBACK = "rollback"
    """Restored by a person."""
    ANNOUNCED = "announced"
    """No verdict yet: the run is about to publish its challenger, or died doing so."""
    UNKNOWN = "unknown"
    """The row that said why is gone."""


class Failure(StrEnum):
    """Why a run ended without a verdict, as far as the trainer itself can tell."""

    BAD_CONFIGURATION = "BadConfiguration"
    BAD_DATA = "BadData"
    DEPENDENCY_UNAVAILABLE = "DependencyUnavailable"
    AUDIT_PENDING = "AuditPending"
    INTERNAL_ERROR = "InternalError"
