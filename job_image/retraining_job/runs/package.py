"""Construction of the model package from a trained challenger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from retraining_job.model.pickle_writer import write_pickle
from retraining_job.model.state import compute_fingerprint, write_state
from retraining_job.registry.manifest import ModelProvenance, get_writer
from retraining_job.registry.package import ModelPackage

if TYPE_CHECKING:
    from retraining_job.contract import Window
    from retraining_job.evaluation.input_shape import InputShape
    from retraining_job.presets.pipeline import TrainedModel
    from retraining_job.settings import RunSettings


def package_model(
    challenger: TrainedModel, read: Window | None, shape: InputShape, settings: RunSettings
) -> ModelPackage:
    """Build the package of a challenger: pickle, state and provenance.

    Args:
        challenger: The trained model.
        read: The time window of all events of the run.
        shape: The input shape of these events.
        settings: The settings of the run.

    Returns:
        The package. It has no state if the forest is river's own.
    """
    state = write_state(challenger.model, challenger.scalings)
    provenance = build_provenance(
        settings,
        n_samples=challenger.window.rows,
        trained=challenger.window,
        read=read,
        features=list(challenger.features),
        expected_alert_rate=(
            challenger.calibration.choice.alert_rate if challenger.calibration else None
        ),
        input=shape,
        fingerprint=compute_fingerprint(state) if state else "",
    )
    return ModelPackage(write_pickle(challenger.model, settings.deviation_class), state, provenance)


def build_provenance(settings: RunSettings, **fields: Any) -> ModelProvenance:
    """Build the provenance of a model that is trained by this process.

    Args:
        settings: The settings of the run.
        **fields: More fields of the provenance.

    Returns:
        The provenance.
    """
    return ModelProvenance.model_validate(
        {
            **get_writer(settings.image, settings.deviation_class),
            "preset": settings.preset,
            "threshold": settings.threshold,
            **fields,
        }
    )
