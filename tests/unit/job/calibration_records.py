"""Records of calibrations for tests."""

from __future__ import annotations

from typing import Any

from retraining_job.evaluation.calibration_record import CalibrationRecord, CandidateRecord


def build_candidate(**changes: Any) -> CandidateRecord:
    """Build a candidate. `changes` replaces fields."""
    values: dict[str, Any] = {
        "n_trees": 100,
        "height": 4,
        "window_size": 20_000,
        "features": 11,
        "average_precision": 0.86,
        "alert_rate": 0.0101,
        "reached": True,
        "spread": 30.0,
        "direction": 1,
        "level": 0.512,
    }
    return CandidateRecord(**(values | changes))


def build_record(**changes: Any) -> CalibrationRecord:
    """Build the record of a calibration with two candidates. `changes` replaces fields."""
    values: dict[str, Any] = {
        "candidates": [
            build_candidate(),
            build_candidate(
                n_trees=25, height=15, window_size=250, spread=1.0, direction=0, reached=False
            ),
        ],
        "chosen": 0,
        "rows": 5_000,
        "labelled": True,
        "target_rate": 0.01,
        "target_source": "Budget",
        "plain_average_precision": 0.31,
        "plain_alert_rate": 0.7,
    }
    return CalibrationRecord(**(values | changes))
