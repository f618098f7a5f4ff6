"""Determine what the hold-out lacks for an evaluation, as a value and in words."""

from __future__ import annotations

from enum import StrEnum

from retraining_job.evaluation.evidence import Evidence


class Missing(StrEnum):
    """What the hold-out lacks, as a clause that completes a sentence."""

    HOLD_OUT = "no events were held out for the evaluation."
    LABELS = "no event of the hold-out has a label."
    ANOMALIES = "no event of the hold-out is a known anomaly."
    NORMAL_EVENTS = "every labelled event of the hold-out is an anomaly."


def find_missing(evidence: Evidence) -> Missing | None:
    """Return what the hold-out lacks, or None if it has anomalies and normal events."""
    split = evidence.split
    if split is None:
        return Missing.HOLD_OUT
    if not split.anomalies and not split.normal:
        return Missing.LABELS
    if not split.anomalies:
        return Missing.ANOMALIES
    return None if split.normal else Missing.NORMAL_EVENTS


def describe_missing(evidence: Evidence, otherwise: str) -> str:
    """Return why a part of the report is empty.

    Args:
        evidence: The evidence.
        otherwise: The clause if the hold-out lacks nothing.

    Returns:
        A clause that completes a sentence, with a full stop.
    """
    return find_missing(evidence) or otherwise
