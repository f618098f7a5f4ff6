"""The node: its own mount and network namespaces, with one network link to the machine.

Everything that a Kubernetes node does to a machine (mounts, veths, packet filter rules, kernel
settings) happens inside and ends with the last process. The host's ports, interfaces and tables
are not changed.
"""

import subprocess
import time
from pathlib import Path

from tests.cluster import addresses
from tests.cluster.errors import ClusterError
from tests.cluster.paths import SOURCE
from tests.cluster.processes import ClusterProcess, launch

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    # Eight Go programs share two cores: less garbage collection for more memory.
    "GOGC": "200",
}
"""The environment of the cluster's programs, without proxies, credentials or user settings."""


def start(state: Path) -> ClusterProcess:
    """Create the namespaces, a process that holds them open, and the link into them."""
    log = state / "log" / "node.log"
    script = SOURCE / "config" / "node.sh"
    holder = launch(
        ["unshare", "--mount", "--net", "/bin/sh", str(script), str(state)], log, ENVIRONMENT
    )
    _wait_until_asleep(holder, log)
    _ip(
        "link",
        "add",
        addresses.LINK,
        "type",
        "veth",
        "peer",
        "name",
        "eth0",
        "netns",
        str(holder.pid),
    )
    _ip(
        "address", "add", f"{addresses.HOST_ADDRESS}/{addresses.LINK_PREFIX}", "dev", addresses.LINK
    )
    _ip("link", "set", addresses.LINK, "up")
    inside = enter(holder)
    _run(
        *inside,
        "ip",
        "address",
        "add",
        f"{addresses.NODE_ADDRESS}/{addresses.LINK_PREFIX}",
        "dev",
        "eth0",
    )
    _run(*inside, "ip", "link", "set", "eth0", "up")
    _ip(
        "route", "add", addresses.POD_RANGE, "via", addresses.NODE_ADDRESS
    )  # it is removed with the link
    # The node's own programs also use Services, and the kernel looks for a route before
    # kube-proxy's rules apply.
    _run(*inside, "ip", "route", "add", addresses.SERVICE_RANGE, "via", addresses.HOST_ADDRESS)
    return holder


def enter(holder: ClusterProcess) -> list[str]:
    """Return the prefix of a command that runs inside the node."""
    return ["nsenter", f"--target={holder.pid}", "--mount", "--net", "--"]


def remove_link() -> None:
    """Remove the link. It would also vanish with the namespaces, but a moment later."""
    subprocess.run(["ip", "link", "delete", addresses.LINK], check=False, capture_output=True)


def link_exists() -> bool:
    """Return whether the link, or a rest of it, is on the machine."""
    return Path("/sys/class/net", addresses.LINK).exists()


def _wait_until_asleep(holder: ClusterProcess, log: Path) -> None:
    # The script sleeps as its last step, when everything is in place.
    for _ in range(500):
        if not holder.alive:
            raise ClusterError(
                f"The node's namespaces could not be created: {log.read_text().strip()}"
            )
        if Path(f"/proc/{holder.pid}/comm").read_text() == "sleep\n":
            return
        time.sleep(0.01)
    raise ClusterError(f"The node's namespaces were not created in time. See the log {log}.")


def _ip(*arguments: str) -> None:
    _run("ip", *arguments)


def _run(*command: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=ENVIRONMENT)
    if done.returncode:
        raise ClusterError(f"`{' '.join(command)}` failed: {done.stderr.strip()}")
