"""Presets: the pipelines that a run can choose from."""
