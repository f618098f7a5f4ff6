"""The quality table: what the verdicts are worth, measured on made-up streams with drift."""
