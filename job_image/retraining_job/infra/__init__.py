"""Connections, retries, logs and signals."""
