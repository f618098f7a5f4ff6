"""The trainer: read events, train and evaluate a challenger, publish it and record the run."""
