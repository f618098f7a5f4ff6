"""Says in a few lines what of the cluster runs."""

from tests.cluster import lifecycle, remains
from tests.cluster.components import COMPONENTS
from tests.cluster.kubectl import kubectl
from tests.cluster.paths import Paths
from tests.cluster.remains import Owner
from tests.cluster.steps import say


def show(paths: Paths) -> None:
    """Print the cluster's state; a machine without one is no failure."""
    owner = Owner.read()
    if owner is None or not owner.living:
        left = (
            "; what is left of one goes with the next `up` or `down`" if remains.present() else ""
        )
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
            else "well"
            if lifecycle.healthy(paths, component)
            else "not well"
        )
        say(f"  {component.name:24} {state:12} {f'process {process.pid}' if process else ''}")
    pods = kubectl(paths, "get", "pods", "--all-namespaces", "--no-headers")
    for line in pods.splitlines():
        namespace, name, ready, phase = line.split()[:4]
        say(f"  {f'{namespace}/{name}':48} {ready:6} {phase}")
    say(f"  export KUBECONFIG={paths.kubeconfig} PATH={paths.bin}:$PATH")
