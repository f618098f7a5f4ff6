"""Evidence for the tests of the promotion policy."""

from datetime import UTC, datetime
from typing import Any

from retraining_job.contract import (
    ContenderMetrics,
    PartMetrics,
    PromotionPolicy,
    Window,
)
from retraining_job.evaluation.evidence import Comparison, Contender, Evidence, Provenance, Split

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
WINDOW = Window(first=MOMENT, last=MOMENT, rows=5_000)


def contender(
    average_precision: float | None, *, alerts: float = 0.02, right: float | None = 0.9, **more: Any
) -> Contender:
    combined = PartMetrics(average_precision=average_precision, alert_rate=alerts)
    return Contender(
        **{
            "metrics": ContenderMetrics(precision=right, combined=combined),
            "trained": WINDOW,
            "version": 7,
        }
        | more
    )


def evidence(  # noqa: PLR0917
    lower: float = 0.0,
    difference: float = 0.01,
    challenger: Contender | None = None,
    champion: Contender | None = None,
    anomalies: int = 61,
    normal: int = 4_900,
    **more: Any,
) -> Evidence:
    split = Split(
        training=WINDOW,
        gap_rows=250,
        hold_out=WINDOW,
        anomalies=anomalies,
        normal=normal,
        unlabelled=5_000 - anomalies - normal,
        champion_saw=more.pop("champion_saw", 0),
    )
    comparison = Comparison(
        difference=difference,
        lower=lower,
        upper=difference + 0.02,
        confidence=0.95,
        draws=1_000,
        seed=42,
    )
    provenance = Provenance(
        run_id="a",
        river="",
        python="",
        numpy="",
        preset="",
        source="",
        window=WINDOW,
        checksum="",
        seed=1,
        settings={},
    )
    fields = {
        "provenance": provenance,
        "split": split,
        "threshold": 0.7,
        "threshold_source": "setting",
        "policy": PromotionPolicy.NON_INFERIOR,
        "margin": 0.05,
        "best_random_precision": 0.06 if anomalies >= 30 and normal else None,
        "challenger": challenger or contender(0.81),
        "champion": champion or contender(0.80),
        "comparison": comparison if anomalies >= 30 and normal else None,
    }
    return Evidence(**fields | more)


def first(average_precision: float, **more: Any) -> Evidence:
    return evidence(challenger=contender(average_precision), **more).model_copy(
        update={"champion": None}
    )


UNUSABLE = contender(0.1, usable=False, problem="its score is 0.7 for every one of 5,000 events")
