"""Sends triggers to a release on a real cluster while it kills the release and its dependencies.

Nothing is simulated: processes get SIGKILL, packets are dropped, Redis is full, and the API server
itself answers 429 and 500.
"""
