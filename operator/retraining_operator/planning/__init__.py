"""What to do next: the trigger policy, and the plan that follows from it. Pure functions."""
