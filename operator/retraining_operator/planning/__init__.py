"""What to do next with all that is known: the trigger policy, and the plan that follows from it.

Pure.
"""
