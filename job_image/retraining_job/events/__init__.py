"""Scored events: from a table or a file to columns."""
