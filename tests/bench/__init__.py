"""What the trainer costs, as ratios within one run: `make bench`. Figures, never assertions."""
