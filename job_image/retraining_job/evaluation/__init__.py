"""Split the events, evaluate both models on the hold-out and decide. No I/O."""
