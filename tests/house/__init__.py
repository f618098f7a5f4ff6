"""Figures of the code itself: how it is divided, and whether it is described."""
