"""The settings of the operator in tests."""

from __future__ import annotations

from retraining_operator.settings import Settings


def build_settings() -> Settings:
    """Build settings that have a value for everything that has no default."""
    return Settings.model_validate(
        {
            "namespace": "fraud",
            "kafka": {"bootstrapServers": "kafka:9092"},
            "redis": {"name": "redis-secret"},
            "database": {"name": "database-secret"},
            "trainer": {"preset": "recommended"},
            "job": {
                "image": "retraining-job:0.1.0",
                "resources": {
                    "requests": {"cpu": "500m", "memory": "1Gi"},
                    "limits": {"memory": "2Gi"},
                },
            },
        }
    )
