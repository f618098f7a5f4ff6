"""Records of the topic become RetrainRequests, and their offsets are stored as handled."""
