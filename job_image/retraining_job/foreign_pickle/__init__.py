"""Reads a model from a pickle of river's objects without creating any of them (decision 0022)."""
