"""Pickles of other programs: read without creating any of their objects (decision 0022)."""
