"""The trainer: reads events, trains a challenger, judges it, publishes it and records the run."""
