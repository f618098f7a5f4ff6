"""Debian packages: installs what is missing and starts none of the services that come along."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from tests.cluster.errors import ClusterError
from tests.cluster.steps import Task

PACKAGES = {
    "buildah": "buildah",
    "ca-certificates": "update-ca-certificates",
    "conntrack": "conntrack",
    "containerd": "containerd",
    "containernetworking-plugins": "/usr/lib/cni/ptp",
    "debootstrap": "debootstrap",
    "iproute2": "ip",
    "maven": "mvn",  # brings Java if there is none
    "nftables": "nft",
    "openssl": "openssl",
    "runc": "runc",
}
"""Each package and a program of it: one that came another way is as good."""

SERVICE_STARTER = Path("/usr/sbin/policy-rc.d")
"""Debian asks this program, if it is there, whether a package's service may be started."""


def missing() -> list[str]:
    """Return the packages that have to be installed."""
    return [package for package, program in PACKAGES.items() if shutil.which(program) is None]


def install(task: Task, packages: list[str]) -> None:
    """Install packages, from fresh package lists."""
    apt = ["apt-get", "--yes", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with _no_services_started():
        # One unreachable source among the user's own does not stand in the way; a missing package
        # will.
        with contextlib.suppress(ClusterError):
            task.run([*apt, "update"], environment=environment)
        # An installation that was killed has to be finished first.
        task.run(["dpkg", "--configure", "--pending"], environment=environment)
        task.run([*apt, "install", *packages], environment=environment)


@contextlib.contextmanager
def _no_services_started() -> Iterator[None]:
    if SERVICE_STARTER.exists():
        yield
        return
    SERVICE_STARTER.write_text("#!/bin/sh\nexit 101\n")
    SERVICE_STARTER.chmod(0o755)
    try:
        yield
    finally:
        SERVICE_STARTER.unlink()
