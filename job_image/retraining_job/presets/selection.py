"""Selection of the pipeline by the preset of the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retraining_job.contract import Preset

if TYPE_CHECKING:
    from retraining_job.events.source import EventSource
    from retraining_job.presets.pipeline import LoadedEvents
    from retraining_job.settings import RunSettings


def load_events(source: EventSource, settings: RunSettings) -> LoadedEvents:
    """Read the events for the preset that the settings name. Imports only the code of that preset.

    Args:
        source: A table or a file.
        settings: The settings of the run.

    Returns:
        The events, as the first stage of the preset's pipeline.
    """
    if settings.preset is Preset.REFERENCE:
        from retraining_job.presets.reference_pipeline import ReferenceEvents  # noqa: PLC0415

        return ReferenceEvents.read(source, settings)
    from retraining_job.presets.recommended_pipeline import RecommendedEvents  # noqa: PLC0415

    return RecommendedEvents.read(source, settings)
