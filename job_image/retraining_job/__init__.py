"""The trainer: reads events, trains and evaluates a challenger, publishes it and records the run."""
