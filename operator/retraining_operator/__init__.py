"""The operator: turns Kafka records and RetrainRequests into exactly one Job each."""
