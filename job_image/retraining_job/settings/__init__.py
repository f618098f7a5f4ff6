"""The trainer's settings: read once from the environment when the process starts.

The operator writes this environment; the names come from the contract. A wrong value ends the
process with one sentence that names the setting in the environment and in the chart's values.
"""

from retraining_job.settings.commands import (
    SIGNING_KEY_CHARACTERS,
    DecideSettings,
    MigrateSettings,
    OperateSettings,
    RunSettings,
    TrainSettings,
)
from retraining_job.settings.groups import (
    NO_KEY,
    AuditSettings,
    ReadLimits,
    RegistrySettings,
    RetryPolicy,
)
from retraining_job.settings.reading import read_settings

__all__ = [
    "NO_KEY",
    "SIGNING_KEY_CHARACTERS",
    "AuditSettings",
    "DecideSettings",
    "MigrateSettings",
    "OperateSettings",
    "ReadLimits",
    "RegistrySettings",
    "RetryPolicy",
    "RunSettings",
    "TrainSettings",
    "read_settings",
]
