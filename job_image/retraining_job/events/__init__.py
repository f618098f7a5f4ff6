"""Scored events: reading them from a table or a file, one by one or as columns."""
