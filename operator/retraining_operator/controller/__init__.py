"""The loop that plans and acts: reconciler, executor, backoff, and the replica that runs them."""
