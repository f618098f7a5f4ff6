"""The running system as a person reaches it, with kubectl and Helm."""
