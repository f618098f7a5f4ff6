"""Benchmarks of trainer and operator, as ratios within one run.

Figures, never assertions.
"""
