"""Records become requests: exactly one each, and their offsets are stored as handled."""
