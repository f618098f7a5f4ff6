"""A single-node Kubernetes cluster with real Kafka, Redis and PostgreSQL, for tests and the demo.

It needs only Python's standard library, because it runs before there is a virtual environment.
The node has its own mount and network namespaces. On the machine, a cluster consists of processes
in one cgroup, one network link and one folder.
"""

import sys

# Checked here, because an older Python cannot even parse the modules that check the rest.
if sys.version_info < (3, 11):  # noqa: UP036
    version = ".".join(str(part) for part in sys.version_info[:3])
    sys.stderr.write(f"The test cluster needs Python 3.11 or newer, but this is {version}.\n")
    raise SystemExit(2)
