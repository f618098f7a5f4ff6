"""Labels that follow the champion's alerts."""

import numpy as np
import pytest

from retraining_job.contract import ContenderMetrics, PartMetrics, Tunables, Verdict, VerdictReason
from retraining_job.evaluation import promotion_policy
from retraining_job.evaluation.evidence import Contender, HiddenLoss, LabelCoverage
from retraining_job.evaluation.guards import check_labels
from retraining_job.evaluation.labels import (
    compute_label_coverage,
    estimate_missed_anomalies,
    has_labels_of_alerts_only,
    has_unchecked_normal_labels,
)
from retraining_job.presets.hidden_losses import find_hidden_losses
from tests.unit.job.calibration_records import build_candidate, build_record
from tests.unit.job.policy_evidence import evidence


def coverage(
    flagged: tuple[int, int, int], unflagged: tuple[int, int, int], halves: tuple[int, int] = (0, 0)
) -> LabelCoverage:
    return LabelCoverage(
        flagged=flagged[0],
        flagged_labelled=flagged[1],
        flagged_anomalies=flagged[2],
        unflagged=unflagged[0],
        unflagged_labelled=unflagged[1],
        unflagged_anomalies=unflagged[2],
        lower_anomalies=halves[0],
        upper_anomalies=halves[1],
    )


@pytest.mark.parametrize(
    ("found", "follows"),
    [
        pytest.param(coverage((200, 200, 60), (4_800, 0, 0)), True, id="only alerts"),
        pytest.param(
            coverage((200, 100, 40), (4_800, 5, 0)),
            True,
            id="half of the alerts, and hardly any other",
        ),
        pytest.param(coverage((200, 200, 60), (4_800, 480, 5)), True, id="a tenth of the others"),
        pytest.param(coverage((200, 200, 60), (4_800, 960, 9)), False, id="a fifth of the others"),
        pytest.param(coverage((200, 200, 60), (4_800, 4_800, 20)), False, id="all"),
        pytest.param(
            coverage((200, 14, 5), (4_800, 240, 30)), False, id="few labels, which follow nothing"
        ),
        pytest.param(coverage((4_990, 4_990, 60), (10, 1, 0)), False, id="ten others tell nothing"),
        pytest.param(coverage((3, 1, 1), (4_997, 500, 30)), False, id="three alerts tell nothing"),
        pytest.param(coverage((0, 0, 0), (5_000, 50, 40)), False, id="no alert"),
        pytest.param(coverage((5_000, 5_000, 40), (0, 0, 0)), False, id="alerts alone"),
    ],
)
def test_labels_of_alerts_only_are_detected(found: LabelCoverage, follows: bool) -> None:
    assert has_labels_of_alerts_only(found) == follows


@pytest.mark.parametrize(
    ("found", "follows"),
    [
        pytest.param(
            coverage((150, 150, 29), (4_850, 4_850, 0), (9, 20)),
            True,
            id="they thin out slowly, then end",
        ),
        pytest.param(
            coverage((150, 150, 29), (4_850, 4_850, 1), (9, 20)), False, id="one was missed"
        ),
        pytest.param(
            coverage((150, 150, 31), (4_850, 4_850, 0), (1, 30)),
            False,
            id="a champion that misses none",
        ),
        pytest.param(
            coverage((150, 150, 9), (4_850, 4_850, 0), (4, 5)),
            False,
            id="nine anomalies are too few",
        ),
        pytest.param(
            coverage((3_000, 3_000, 80), (2_000, 2_000, 0), (30, 50)),
            False,
            id="most events are alerts",
        ),
        pytest.param(
            coverage((150, 150, 29), (4_850, 1_000, 0), (9, 20)),
            False,
            id="a fifth of the rest was labelled",
        ),
        pytest.param(
            coverage((150, 150, 20), (4_850, 4_850, 0), (12, 8)),
            True,
            id="a ranking that tells nothing",
        ),
    ],
)
def test_unchecked_normal_labels_are_detected_if_possible(
    found: LabelCoverage, follows: bool
) -> None:
    assert has_unchecked_normal_labels(found) == follows


def test_coverage_counts_labels_with_and_without_an_alert() -> None:
    truth = np.array([1, 0, -1, 1, 0, -1, -1, 1], np.int8)
    scores = np.array([0.9, 0.8, 0.95, 0.75, 0.7, 0.2, 0.1, 0.3])
    found = compute_label_coverage(truth, scores, 0.7)
    assert found == coverage((4, 3, 2), (4, 2, 1), (1, 1))
    assert (found.flagged_share, found.unflagged_share) == (0.75, 0.5)
    assert estimate_missed_anomalies(compute_label_coverage(truth, scores, 1.0)) == 0.0


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            coverage((200, 200, 60), (4_800, 12, 0)),
            "Only 12 of 4,800 (0.2%) hold-out events without an alert of the champion have a label "
            "(20% are needed), but 200 of 200 (100.0%) with an alert.",
        ),
        (
            coverage((150, 150, 29), (4_850, 4_850, 0), (9, 20)),
            "About 7 anomalies without an alert would be expected",
        ),
    ],
)
def test_message_says_what_to_do(found: LabelCoverage, said: str) -> None:
    decision = promotion_policy.decide_promotion(evidence(0.1, 0.2, labels=found), Tunables())
    assert (decision.verdict, decision.reason) == (
        Verdict.INCONCLUSIVE,
        VerdictReason.LABELS_FOLLOW_ALERTS,
    )
    assert not decision.promotes
    assert said in decision.message
    assert "Label a random sample of the events without an alert" in decision.message
    assert len(decision.message) < 900
    assert promotion_policy.decide_promotion(
        evidence(0.1, 0.2, labels=found), Tunables(on_inconclusive="Promote")
    ).promotes


def test_complete_labels_pass_the_guard() -> None:
    complete = coverage((200, 200, 41), (4_800, 4_800, 20), (15, 26))
    assert check_labels(evidence(labels=complete)) is None
    assert promotion_policy.decide_promotion(
        evidence(0.1, 0.2, labels=complete), Tunables()
    ).promotes


def parts(combined: float, hst: float, sad: float) -> Contender:
    reached = {"combined": combined, "hst": hst, "sad": sad}
    return Contender(
        metrics=ContenderMetrics(
            **{name: PartMetrics(average_precision=one) for name, one in reached.items()}
        )
    )


@pytest.mark.parametrize(
    ("challenger", "hidden"),
    [
        pytest.param(parts(0.796, 0.739, 0.3), ["hst"], id="the forest"),
        pytest.param(
            parts(0.85, 0.739, 0.2), ["hst", "sad"], id="both, and the combined score is better"
        ),
        pytest.param(parts(0.8, 0.81, 0.3), [], id="by less than the margin"),
        pytest.param(parts(0.7, 0.5, 0.3), [], id="the combined score shows it"),
    ],
)
def test_part_that_got_worse_by_more_than_the_margin_is_hidden(
    challenger: Contender, hidden: list[str]
) -> None:
    champion = parts(0.8, 0.85, 0.3)
    assert [loss.part for loss in find_hidden_losses(challenger, champion, 0.05)] == hidden
    assert find_hidden_losses(challenger, None, 0.05) == []


@pytest.mark.parametrize(
    ("chosen", "hidden"),
    [
        pytest.param({}, ["hst"], id="another deviation score"),
        pytest.param({"features": 1}, [], id="a forest of one feature, too"),
        pytest.param({"spread": 1.0, "direction": 0}, ["hst", "sad"], id="the plain parts"),
    ],
)
def test_part_that_a_calibration_changed_on_purpose_is_no_loss(
    chosen: dict[str, float], hidden: list[str]
) -> None:
    record = build_record(candidates=[build_candidate(**chosen), build_candidate()])
    losses = find_hidden_losses(parts(0.85, 0.7, 0.1), parts(0.8, 0.85, 0.3), 0.05, record)
    assert [loss.part for loss in losses] == hidden


def test_loss_that_the_combined_score_hides_is_a_remark() -> None:
    hidden = [HiddenLoss(part="hst", champion=0.85, challenger=0.739)]
    decision = promotion_policy.decide_promotion(evidence(-0.01, 0.0, hidden=hidden), Tunables())
    assert decision.promotes
    assert decision.remarks == (
        "The forest alone is worse, which the combined score does not show: its average"
        " precision is "
        "0.7390, the champion's 0.8500 (-0.1110)."
    )
    assert decision.text.endswith(decision.remarks)
