"""The retraining operator: Kafka records and RetrainRequests become exactly one Job each."""

from retraining_operator.lean_import import skip_initialization

skip_initialization()
