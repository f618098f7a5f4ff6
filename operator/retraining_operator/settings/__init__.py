"""The operator's settings: one frozen object, read once at start-up from a mounted file.

Fields are in the order of the chart's `values.yaml`, which documents each of them. The chart
renders the file from those values. An environment variable such as `KAFKA__TOPIC` takes precedence.
"""

from retraining_operator.settings.job import JobSettings, SecretKey, Trainer
from retraining_operator.settings.kafka import Kafka
from retraining_operator.settings.policies import (
    Approvals,
    ConcurrencyPolicy,
    LeaderElection,
    Retention,
    Triggers,
)
from retraining_operator.settings.reader import Settings, read_settings
from retraining_operator.settings.requests import LockedField, Requests
from retraining_operator.settings.section import SettingsError

__all__ = [
    "Approvals",
    "ConcurrencyPolicy",
    "JobSettings",
    "Kafka",
    "LeaderElection",
    "LockedField",
    "Requests",
    "Retention",
    "SecretKey",
    "Settings",
    "SettingsError",
    "Trainer",
    "Triggers",
    "read_settings",
]
