"""The audit trail in PostgreSQL: retraining_runs and model_versions."""
