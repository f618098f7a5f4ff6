"""Which contest a preset is. Asked by `retrain` and `offline`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retraining_job.contract import Preset

if TYPE_CHECKING:
    from retraining_job.presets.pipeline import Pipeline
    from retraining_job.settings import RunSettings


def contest_of(settings: RunSettings) -> Pipeline:
    """Give the contest of the preset that the settings name; only its own code is loaded."""
    if settings.preset is Preset.REFERENCE:
        from retraining_job.presets.reference_pipeline import ReferencePipeline  # noqa: PLC0415

        return ReferencePipeline(settings)
    from retraining_job.presets.recommended_pipeline import RecommendedPipeline  # noqa: PLC0415

    return RecommendedPipeline(settings)
