"""The cluster's cgroup. It identifies the cluster's processes and ends them.

Child processes inherit it, containers are created below it, and no process outside the cluster
enters it. Unlike a process id in a file, it is still correct after a crash, and after the checkout
that started the cluster was deleted.
"""

import contextlib
import os
import signal
import time
from pathlib import Path

from tests.cluster.addresses import CGROUP
from tests.cluster.errors import ClusterError


def hierarchies() -> list[Path]:
    """Return the mount points of cgroup file systems: one with v2, one per controller with v1."""
    mounts = (line.split() for line in Path("/proc/mounts").read_text().splitlines())
    return [Path(fields[1]) for fields in mounts if fields[2] in {"cgroup", "cgroup2"}]


def create() -> None:
    """Create the cgroup in every hierarchy, as the kubelet expects it."""
    for hierarchy in hierarchies():
        (hierarchy / CGROUP / "node").mkdir(parents=True, exist_ok=True)
        for level in (hierarchy, hierarchy / CGROUP):
            for controller in ("cpuset", "cpu", "io", "memory", "pids"):
                # Only cgroup v2 has this file. If a controller is missing there,
                # the kubelet reports it.
                with contextlib.suppress(OSError):
                    (level / "cgroup.subtree_control").write_text(f"+{controller}")


def entrance() -> Path:
    """Return the file to which a component's process id is written."""
    candidates = [hierarchy / CGROUP / "node" for hierarchy in hierarchies()]
    # On v1 a cpuset must be configured before it accepts a process. The chosen controller
    # needs no configuration.
    chosen = next((path for path in candidates if path.parts[-3] == "pids"), candidates[0])
    return chosen / "cgroup.procs"


def processes() -> set[int]:
    """Return the ids of all processes in the cgroup."""
    found: set[int] = set()
    for hierarchy in hierarchies():
        for folder, _, _ in os.walk(hierarchy / CGROUP):
            with contextlib.suppress(OSError):
                found.update(
                    int(pid) for pid in (Path(folder) / "cgroup.procs").read_text().split()
                )
    return found


def exists() -> bool:
    """Return whether the cgroup exists in any hierarchy."""
    return any((hierarchy / CGROUP).exists() for hierarchy in hierarchies())


def remove(patience: float = 30) -> None:
    """Kill all processes in the cgroup and remove it.

    Args:
        patience: The limit in seconds.

    Raises:
        ClusterError: Processes are still running after that time.
    """
    deadline = time.monotonic() + patience
    while pids := processes():
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise ClusterError(
                f"Processes of the cluster do not end: {sorted(pids)}. Check `ps` and try again."
            )
        time.sleep(0.05)
    for hierarchy in hierarchies():
        for folder, _, _ in os.walk(hierarchy / CGROUP, topdown=False):
            _remove_folder(Path(folder), deadline)


def _remove_folder(folder: Path, deadline: float) -> None:
    while True:
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            # The kernel needs a moment after the last process has ended.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
