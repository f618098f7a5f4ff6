"""A trained challenger, packed for its readers and for the next trainer.

Driven by `retrain` and `offline`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from retraining_job.model.pickle_writer import write_pickle
from retraining_job.model.state import compute_fingerprint, write_state
from retraining_job.registry.manifest import origin_of
from retraining_job.registry.publish import ModelPackage

if TYPE_CHECKING:
    from retraining_job.model.model import Model
    from retraining_job.presets.pipeline import Pipeline
    from retraining_job.settings import RunSettings


def parcel_of(model: Model, contest: Pipeline, settings: RunSettings) -> ModelPackage:
    """Pack a contest's challenger."""
    state = write_state(model, contest.scalings)
    origin = origin_of(
        settings,
        n_samples=contest.trained.rows if contest.trained else 0,
        trained=contest.trained,
        read=contest.window,
        features=contest.features,
        input=contest.shape,
        fingerprint=compute_fingerprint(state) if state else "",
    )
    return ModelPackage(write_pickle(model, settings.deviation_class), state, origin)
