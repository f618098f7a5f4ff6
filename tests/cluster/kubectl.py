"""The cluster's own kubectl, as its administrator."""

import os
import subprocess

from tests.cluster.addresses import NODE_ADDRESS
from tests.cluster.errors import ClusterError
from tests.cluster.paths import Paths


def client_environment() -> dict[str, str]:
    """Return the user's environment without proxies between a client and the cluster."""
    direct = ",".join(filter(None, [os.environ.get("NO_PROXY"), NODE_ADDRESS]))
    return {**os.environ, "NO_PROXY": direct, "no_proxy": direct}


def kubectl(paths: Paths, *arguments: str, stdin: str | None = None) -> str:
    """Run kubectl and return what it prints.

    Args:
        paths: The folders of the checkout's cluster.
        *arguments: kubectl's command line.
        stdin: What the command reads from standard input.

    Returns:
        Its standard output.

    Raises:
        ClusterError: It failed.
    """
    done = subprocess.run(
        [str(paths.bin / "kubectl"), f"--kubeconfig={paths.kubeconfig}", *arguments],
        check=False,
        capture_output=True,
        text=True,
        input=stdin,
        env=client_environment(),
    )
    if done.returncode:
        raise ClusterError(f"`kubectl {' '.join(arguments)}` failed: {done.stderr.strip()}")
    return done.stdout
