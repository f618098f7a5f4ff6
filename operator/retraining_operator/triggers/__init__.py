"""From a record on the topic to its RetrainRequest, and the offset that is committed for it."""
