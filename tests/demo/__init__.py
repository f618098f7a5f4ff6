"""The main job, end to end, for a person to watch: `make demo`."""
