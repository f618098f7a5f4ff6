"""Keeps sending triggers to a release on the real cluster while it kills all that the release stands on.

Run by `make chaos`, and in short by `make test`. Nothing here is simulated: processes get SIGKILL,
packets are dropped, Redis is full, and the API server itself answers 429 and 500.
"""
