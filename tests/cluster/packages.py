"""Installs missing Debian packages without starting their services."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from tests.cluster.errors import ClusterError
from tests.cluster.steps import SetupTask

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
"""Each package and one of its programs. The program may also be installed another way."""

SERVICE_STARTER = Path("/usr/sbin/policy-rc.d")
"""If it exists, Debian calls this program to decide whether to start a package's service."""


def missing() -> list[str]:
    """Return the packages that are missing."""
    return [package for package, program in PACKAGES.items() if shutil.which(program) is None]


def install(task: SetupTask, packages: list[str]) -> None:
    """Install packages, after updating the package lists.

    Args:
        task: The running step, which has the log.
        packages: The names of the packages.
    """
    apt = ["apt-get", "--yes", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with _no_services_started():
        # An unreachable package source is no error, but a missing package is.
        with contextlib.suppress(ClusterError):
            task.run([*apt, "update"], environment=environment)
        # Finish an installation that was killed before.
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
