"""The trainer: reads events, trains a challenger, evaluates it, publishes it and records the run."""
