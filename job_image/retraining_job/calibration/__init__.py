"""Calibration: the choice of a forest and a deviation score that fit each other."""
