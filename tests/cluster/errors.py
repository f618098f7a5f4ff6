"""The two ways in which a command of this package ends early, each with a sentence for a person."""


class ClusterError(Exception):
    """Something failed on the way; the message says what, and where to look."""

    exit_code = 1


class UnusableMachineError(ClusterError):
    """The machine cannot run the cluster, which is found out before anything on it is changed."""

    exit_code = 2
