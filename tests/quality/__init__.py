"""Measures how reliable the verdicts are, on synthetic streams with drift."""
