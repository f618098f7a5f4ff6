"""Which contest a preset is. Asked by `retrain` and `offline`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retraining_job.contract import Preset

if TYPE_CHECKING:
    from retraining_job.presets.pipeline import Contest
    from retraining_job.settings import RunSettings


def contest_of(settings: RunSettings) -> Contest:
    """Give the contest of the preset that the settings name; only its own code is loaded."""
    if settings.preset is Preset.REFERENCE:
        from retraining_job.presets.reference_pipeline import ReferenceContest  # noqa: PLC0415

        return ReferenceContest(settings)
    from retraining_job.presets.recommended_pipeline import RecommendedContest  # noqa: PLC0415

    return RecommendedContest(settings)
