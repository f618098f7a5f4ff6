"""Outcomes in PostgreSQL, for runs whose trainers could not record them."""
