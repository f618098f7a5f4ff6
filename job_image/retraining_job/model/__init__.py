"""The model: forest, deviation score and their formats."""
