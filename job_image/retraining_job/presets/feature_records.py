"""Evidence about each feature, from the choice of its scaling."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retraining_job.evaluation.evidence import FeatureRecord

if TYPE_CHECKING:
    from retraining_job.model.scaling_choice import ScalingChoice


def build_feature_record(choice: ScalingChoice) -> FeatureRecord:
    """Build the evidence about one feature."""
    scaling = choice.scaling
    return FeatureRecord(
        name=choice.name,
        scaling=scaling.kind if scaling else "left out",
        low=scaling.low if scaling else None,
        high=scaling.high if scaling else None,
        missing=choice.missing,
        unusable=choice.unusable,
        note=choice.note,
    )
