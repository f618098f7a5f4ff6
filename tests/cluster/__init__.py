"""A single-node Kubernetes cluster with real Kafka, Redis and PostgreSQL, for tests and the demo.

Driven by `python3 -m tests.cluster COMMAND`, with nothing but Python's standard library, since it runs
before there is a virtual environment. The node is a pair of namespaces (mounts and network) of its own, so that
what a cluster leaves on a machine is processes in one cgroup, one network link and one folder.
"""
