"""The running system as a person reaches it, by kubectl and Helm.

Used by the demo and by the e2e tests.
"""
