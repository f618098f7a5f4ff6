"""A single-node Kubernetes cluster with real Kafka, Redis and PostgreSQL, for tests and the demo.

Driven by `python3 -m tests.cluster COMMAND`, with nothing but Python's standard library, since it
runs before there is a virtual environment. The node is a pair of namespaces (mounts and network) of
its own, so that what a cluster leaves on a machine is processes in one cgroup, one network link and
one folder.
"""

import sys

# Asked here, since an older Python would not even read the modules that ask for the rest.
if sys.version_info < (3, 11):  # noqa: UP036
    version = ".".join(str(part) for part in sys.version_info[:3])
    sys.stderr.write(f"The test cluster needs Python 3.11 or newer, and this is {version}.\n")
    raise SystemExit(2)
