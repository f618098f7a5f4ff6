"""Turns records of the topic into RetrainRequests and stores their offsets as handled."""
