"""Outcomes in the database, for the runs whose trainers could not write them themselves."""
