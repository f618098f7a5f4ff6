"""The control loop: reconciler, step runner, the parts that carry out steps, and the replica."""
