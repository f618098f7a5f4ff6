"""Checks whether the machine can run the cluster, before anything is changed."""

import ipaddress
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.cluster import addresses
from tests.cluster.errors import UnusableMachineError
from tests.cluster.paths import Paths

FREE_SPACE_WANTED = {"cache": 12, "state": 8}
"""In GiB. A first build fills the cache with 7, and the unpacked images take 4."""


def check_system() -> None:
    """Check what every command needs.

    Raises:
        UnusableMachineError: The machine cannot run the cluster.
    """
    release = _os_release()
    if sys.platform != "linux" or (release.get("ID"), release.get("VERSION_ID")) != (
        "debian",
        "12",
    ):
        name = release.get("PRETTY_NAME", sys.platform)
        raise UnusableMachineError(
            f"The test cluster needs Debian 12 (bookworm), but this is {name}."
        )
    if os.uname().machine != "x86_64":
        raise UnusableMachineError(
            f"The test cluster needs an x86_64 machine, but this is {os.uname().machine}."
        )
    if os.geteuid() != 0:
        raise UnusableMachineError(
            "The test cluster must be started as root, because it creates namespaces and mounts."
        )
    namespaces = subprocess.run(
        ["unshare", "--mount", "--net", "true"], check=False, capture_output=True, text=True
    )
    if namespaces.returncode:
        reason = namespaces.stderr.strip()
        raise UnusableMachineError(
            f"The test cluster needs namespaces, but root cannot create them here: {reason}."
        )


def check_room(paths: Paths) -> None:
    """Check whether a new cluster fits on the machine."""
    _check_disk(paths)
    _check_network()


def _os_release() -> dict[str, str]:
    try:
        lines = Path("/etc/os-release").read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.partition("=") for line in lines)
    return {key: value.strip('"') for key, _, value in pairs}


def _check_disk(paths: Paths) -> None:
    for name, folder in (("cache", paths.cache), ("state", paths.state)):
        existing = next(path for path in (folder, *folder.parents) if path.exists())
        free = shutil.disk_usage(existing).free / 2**30
        # A filled cache no longer needs this space.
        wanted = 2 if name == "cache" and paths.cache.exists() else FREE_SPACE_WANTED[name]
        if free < wanted:
            raise UnusableMachineError(
                f"The test cluster needs {wanted} GiB of free space for {folder}, "
                f"but there are {free:.1f} GiB."
            )


def _check_network() -> None:
    link = ipaddress.ip_network(f"{addresses.HOST_ADDRESS}/{addresses.LINK_PREFIX}", strict=False)
    pods = ipaddress.ip_network(addresses.POD_RANGE)
    if shutil.which("ip") is None:
        # a machine without it has no routes of its own; it is installed with the other
        # packages
        return
    listed = subprocess.run(
        ["ip", "-json", "-4", "route"], check=True, capture_output=True, text=True
    )
    for route in json.loads(listed.stdout or "[]"):
        if route["dst"] == "default" or route.get("dev") == addresses.LINK:
            continue
        taken = ipaddress.ip_network(route["dst"], strict=False)
        for ours in (link, pods):
            if taken.overlaps(ours):
                raise UnusableMachineError(
                    f"The test cluster needs the addresses {ours}, "
                    f"but {route.get('dev')} uses {taken}."
                )
