"""The node: mount and network namespaces of its own, with one link to the machine.

Everything that a Kubernetes node does to a machine (mounts, veths, packet filter rules, kernel
settings) happens inside, and is gone with the last process. The host's ports, interfaces and tables
stay the user's.
"""

import subprocess
import time
from pathlib import Path

from tests.cluster import addresses
from tests.cluster.errors import ClusterError
from tests.cluster.paths import SOURCE
from tests.cluster.processes import Process, launch

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    # Less work for the garbage collector of eight Go programs on two cores, for some memory.
    "GOGC": "200",
}
"""What the cluster's programs get to see: no proxy, no credential, no setting of the user's."""


def start(state: Path) -> Process:
    """Make the namespaces, with a first process that holds them open, and the link into them."""
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
    _ip("route", "add", addresses.POD_RANGE, "via", addresses.NODE_ADDRESS)  # it goes with the link
    # The node's own programs may speak to Services too: a route is asked for before kube-proxy's
    # rules apply.
    _run(*inside, "ip", "route", "add", addresses.SERVICE_RANGE, "via", addresses.HOST_ADDRESS)
    return holder


def enter(holder: Process) -> list[str]:
    """Return the words to put before a command that is to run inside."""
    return ["nsenter", f"--target={holder.pid}", "--mount", "--net", "--"]


def remove_link() -> None:
    """Remove the link, which goes by itself with the namespaces but a moment later."""
    subprocess.run(["ip", "link", "delete", addresses.LINK], check=False, capture_output=True)


def link_exists() -> bool:
    """Tell whether the link, or what is left of it, is on the machine."""
    return Path("/sys/class/net", addresses.LINK).exists()


def _wait_until_asleep(holder: Process, log: Path) -> None:
    # Falling asleep is the last thing that the script does, when all is in place.
    for _ in range(500):
        if not holder.alive:
            raise ClusterError(
                f"The node's namespaces could not be made: {log.read_text().strip()}"
            )
        if Path(f"/proc/{holder.pid}/comm").read_text() == "sleep\n":
            return
        time.sleep(0.01)
    raise ClusterError(f"The node's namespaces were not made in time; the log is {log}.")


def _ip(*arguments: str) -> None:
    _run("ip", *arguments)


def _run(*command: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=ENVIRONMENT)
    if done.returncode:
        raise ClusterError(f"`{' '.join(command)}` failed: {done.stderr.strip()}")
