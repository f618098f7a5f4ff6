"""The Kafka client: reads records, commits offsets, sends dead letters. Knows no domain terms."""
