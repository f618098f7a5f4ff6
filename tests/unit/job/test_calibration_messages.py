"""What message and report say about a calibration."""

import re

import pytest

from retraining_job.evaluation.calibration_messages import describe_calibration
from retraining_job.evaluation.calibration_record import CalibrationRecord
from retraining_job.report import render_report
from tests.unit.job.calibration_records import build_candidate, build_record
from tests.unit.job.sample_evidence import build_evidence


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        pytest.param(
            build_record(),
            [
                "newest 5,000 training rows",
                "100 trees of height 4 on 11 features, a window of 20,000 events",
                "of greater values with 1/30 of its spread, from a level of 0.512",
                "average precision is 0.8600; without the calibration it would be 0.3100",
                "expected alert rate is 1.01% (the budget: 1.00%)",
                "On the hold-out it is 1.20%",
            ],
            id="labelled",
        ),
        pytest.param(
            build_record(target_source="KeepChampion"), ["(the champion's: 1.00%)"], id="champion"
        ),
        pytest.param(
            build_record(
                labelled=False,
                plain_average_precision=None,
                candidates=[build_candidate(average_precision=None, direction=0, spread=1.0)],
            ),
            ["too few known anomalies", "with its own spread"],
            id="unlabelled",
        ),
        pytest.param(
            build_record(needed_threshold=0.6125),
            ["No level reaches that alert rate", "0.6125 would (trainer.threshold)"],
            id="out of range",
        ),
    ],
)
def test_message_has_choice_and_rates(record: CalibrationRecord, expected: list[str]) -> None:
    message = " ".join(describe_calibration(record, 0.012))
    assert [text for text in expected if text not in message] == []


def test_nothing_is_said_without_a_calibration() -> None:
    assert describe_calibration(None, 0.012) == []


def test_report_lists_the_candidates_and_marks_the_chosen_one() -> None:
    text = read_text(render_report(build_evidence(calibration=build_record())))
    assert "chosen 100 x 4 20,000 11" in text
    assert "25 x 15 250 11" in text
    assert "configured, not calibrated" in text


def test_report_of_a_model_without_a_calibration_says_so() -> None:
    text = read_text(render_report(build_evidence()))
    assert "The challenger was not calibrated." in text


def read_text(page: str) -> str:
    """Return the text of a page without its tags."""
    return " ".join(re.sub("<[^>]*>", " ", page).split())
