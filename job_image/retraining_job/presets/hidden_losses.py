"""Parts of a model that got worse while the combined score hides it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retraining_job.evaluation.evidence import Contender, HiddenLoss

if TYPE_CHECKING:
    from retraining_job.contract import PartMetrics
    from retraining_job.evaluation.calibration_record import CalibrationRecord


def find_hidden_losses(
    challenger: Contender,
    champion: Contender | None,
    margin: float,
    calibration: CalibrationRecord | None = None,
) -> list[HiddenLoss]:
    """Find the parts that got worse by more than the margin while the combined score did not.

    Args:
        challenger: The challenger with its metrics.
        champion: The champion with its metrics, or None if there is none.
        margin: By how much average precision may be worse (the setting).
        calibration: What the challenger was chosen from, or None if it is not calibrated. Parts
            that a calibration has changed on purpose are left out.

    Returns:
        One entry for each part: `hst` for the forest, `sad` for the deviation score.
    """
    if champion is None or compute_loss(challenger, champion, "combined") > margin:
        return []
    changed = calibration.changed_parts if calibration else frozenset()
    return [
        HiddenLoss(
            part=part,
            champion=get_average_precision(champion, part) or 0.0,
            challenger=get_average_precision(challenger, part) or 0.0,
        )
        for part in ("hst", "sad")
        if part not in changed and compute_loss(challenger, champion, part) > margin
    ]


def compute_loss(challenger: Contender, champion: Contender, part: str) -> float:
    """Compute by how much the average precision got worse.

    Args:
        challenger: The challenger with its metrics.
        champion: The champion with its metrics.
        part: `hst`, `sad`, or `combined` for the combined score.

    Returns:
        The difference, or 0 if it is not known for both models.
    """
    own, other = get_average_precision(challenger, part), get_average_precision(champion, part)
    return 0.0 if own is None or other is None else other - own


def get_average_precision(model: Contender, part: str) -> float | None:
    """Get the average precision of one part, or of the combined score.

    Args:
        model: A model with its metrics.
        part: `hst`, `sad`, or `combined` for the combined score.

    Returns:
        The average precision, or None if it is not known.
    """
    found: PartMetrics | None = getattr(model.metrics, part)
    return found.average_precision if found else None
