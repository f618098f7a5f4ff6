"""Starts, stops and checks single components of the cluster."""

import ssl
import time
import urllib.error
import urllib.request

from tests.cluster import node
from tests.cluster.components import COMPONENTS, Component
from tests.cluster.errors import ClusterError
from tests.cluster.paths import Paths
from tests.cluster.processes import ClusterProcess, launch
from tests.cluster.steps import last_lines


def named(name: str) -> Component:
    """Return the component with this name.

    Args:
        name: The name.

    Returns:
        The component.

    Raises:
        ClusterError: There is no such component.
    """
    for component in COMPONENTS:
        if component.name == name:
            return component
    raise ClusterError(
        f"There is no component {name}. Components: {', '.join(each.name for each in COMPONENTS)}."
    )


def process(paths: Paths, component: Component) -> ClusterProcess | None:
    """Return the component's process, or None if it does not run.

    Args:
        paths: The folders of the checkout's cluster.
        component: The component.

    Returns:
        The process, or None.
    """
    return ClusterProcess.read(paths.run / component.name)


def start(paths: Paths, component: Component) -> None:
    """Start a component, unless it runs.

    Args:
        paths: The folders of the checkout's cluster.
        component: The component.

    Raises:
        ClusterError: The cluster's node is gone.
    """
    if process(paths, component) is not None:
        return
    holder = ClusterProcess.read(paths.run / "node")
    if holder is None:
        raise ClusterError("The cluster's node is gone. Start a new one with `make up`.")
    log = paths.log / f"{component.name}.log"
    launch([*node.enter(holder), *component.command], log, node.ENVIRONMENT).write(
        paths.run / component.name
    )


def stop(paths: Paths, component: Component) -> None:
    """Stop a component gracefully. Does nothing if it does not run.

    Args:
        paths: The folders of the checkout's cluster.
        component: The component.
    """
    if (running := process(paths, component)) is not None:
        running.stop()
    (paths.run / component.name).unlink(missing_ok=True)


def wait_until_healthy(paths: Paths, component: Component, patience: float = 60) -> None:
    """Wait until the component is healthy.

    Args:
        paths: The folders of the checkout's cluster.
        component: The component.
        patience: The limit in seconds.

    Raises:
        ClusterError: It ended, or was not healthy in time.
    """
    deadline = time.monotonic() + patience
    while not healthy(paths, component):
        if process(paths, component) is None:
            raise ClusterError(_failure(paths, component, "ended"))
        if time.monotonic() > deadline:
            raise ClusterError(
                _failure(paths, component, f"was not healthy within {patience:.0f} s")
            )
        time.sleep(0.1)


def healthy(paths: Paths, component: Component) -> bool:
    """Return whether the component runs and is healthy.

    Args:
        paths: The folders of the checkout's cluster.
        component: The component.

    Returns:
        Whether it is healthy.
    """
    if process(paths, component) is None:
        return False
    trusted = ssl.create_default_context(cafile=paths.pki / "ca.crt")
    # A proxy of the user's environment cannot reach the node.
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trusted)
    )
    try:
        with opener.open(component.health, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _failure(paths: Paths, component: Component, what: str) -> str:
    log = paths.log / f"{component.name}.log"
    tail = "\n".join(f"    {line}" for line in last_lines(log, 8))
    return f"{component.name} {what}. Last lines of its log {log}:\n{tail}"
