"""The cluster's cgroup: how its processes are told from everyone else's, and how they are ended.

Children inherit it, containers are made below it, and no process outside the cluster ever enters
it. So, unlike a process id in a file, it stays right after a crash, and after the checkout that
started the cluster is gone.
"""

import contextlib
import os
import signal
import time
from pathlib import Path

from tests.cluster.addresses import CGROUP
from tests.cluster.errors import ClusterError


def hierarchies() -> list[Path]:
    """Return where the cgroup file systems are mounted: one on cgroup v2, one per controller on v1."""
    mounts = (line.split() for line in Path("/proc/mounts").read_text().splitlines())
    return [Path(fields[1]) for fields in mounts if fields[2] in {"cgroup", "cgroup2"}]


def create() -> None:
    """Make the cgroup in every hierarchy, as the kubelet wants to find it."""
    for hierarchy in hierarchies():
        (hierarchy / CGROUP / "node").mkdir(parents=True, exist_ok=True)
        for level in (hierarchy, hierarchy / CGROUP):
            for controller in ("cpuset", "cpu", "io", "memory", "pids"):
                # Only cgroup v2 has the file, and a controller that is missing there is the
                # kubelet's to judge.
                with contextlib.suppress(OSError):
                    (level / "cgroup.subtree_control").write_text(f"+{controller}")


def entrance() -> Path:
    """Return the file that takes in the components' process ids."""
    candidates = [hierarchy / CGROUP / "node" for hierarchy in hierarchies()]
    # On v1 a cpuset must be filled in before it takes a process, so the choice is one that needs
    # nothing.
    chosen = next((path for path in candidates if path.parts[-3] == "pids"), candidates[0])
    return chosen / "cgroup.procs"


def processes() -> set[int]:
    """Return the ids of all the processes in the cgroup."""
    found: set[int] = set()
    for hierarchy in hierarchies():
        for folder, _, _ in os.walk(hierarchy / CGROUP):
            with contextlib.suppress(OSError):
                found.update(
                    int(pid) for pid in (Path(folder) / "cgroup.procs").read_text().split()
                )
    return found


def exists() -> bool:
    """Tell whether anything of the cgroup is there."""
    return any((hierarchy / CGROUP).exists() for hierarchy in hierarchies())


def remove(patience: float = 30) -> None:
    """End every process in the cgroup at once and remove it."""
    deadline = time.monotonic() + patience
    while pids := processes():
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise ClusterError(
                f"Processes of the cluster do not end: {sorted(pids)}; look at `ps` and try again."
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
            # The kernel needs a moment after the last process has gone.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
