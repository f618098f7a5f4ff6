"""What trainer and operator cost, as ratios within one run: `make bench`.

Figures, never assertions.
"""
