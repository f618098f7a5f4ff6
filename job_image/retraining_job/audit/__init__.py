"""The audit trail: retraining_runs and model_versions in PostgreSQL."""
