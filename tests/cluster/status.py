"""Prints the state of the cluster."""

from tests.cluster import lifecycle, remains
from tests.cluster.components import COMPONENTS
from tests.cluster.kubectl import kubectl
from tests.cluster.paths import Paths
from tests.cluster.remains import Owner
from tests.cluster.steps import say


def show(paths: Paths) -> None:
    """Print the state of the cluster. A machine without one is no error."""
    owner = Owner.read()
    if owner is None or not owner.living:
        left = " (the next `up` or `down` removes what is left of one)" if remains.present() else ""
        say(f"No cluster runs on this machine{left}.")
        return
    say(f"The cluster of {owner.checkout} runs.")
    if owner.checkout != paths.checkout:
        return
    for component in COMPONENTS:
        process = lifecycle.process(paths, component)
        state = (
            "not running"
            if process is None
            else "healthy"
            if lifecycle.healthy(paths, component)
            else "unhealthy"
        )
        say(f"  {component.name:24} {state:12} {f'process {process.pid}' if process else ''}")
    pods = kubectl(paths, "get", "pods", "--all-namespaces", "--no-headers")
    for line in pods.splitlines():
        namespace, name, ready, phase = line.split()[:4]
        say(f"  {f'{namespace}/{name}':48} {ready:6} {phase}")
    say(f"  export KUBECONFIG={paths.kubeconfig} PATH={paths.bin}:$PATH")
