"""Split, score and decide. Pure."""
