"""The errors with which a command of this package ends early. Each message is for a person."""


class ClusterError(Exception):
    """A step failed. The message says which, and where to look."""

    exit_code = 1


class UnusableMachineError(ClusterError):
    """The machine cannot run the cluster. Nothing on it has been changed."""

    exit_code = 2
