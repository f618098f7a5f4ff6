"""A demonstration of the operator, from trigger to live model."""
