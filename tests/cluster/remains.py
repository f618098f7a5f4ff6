"""Finds the cluster of this machine, running or not, and removes what is left of it."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import cgroup, node
from tests.cluster.paths import MACHINE
from tests.cluster.processes import ClusterProcess

RECORD = MACHINE / "owner.json"


@dataclass(frozen=True)
class Owner:
    """The checkout that started the machine's cluster, and the node's first process."""

    checkout: Path
    holder: ClusterProcess

    @classmethod
    def read(cls) -> "Owner | None":
        """Return the recorded owner. Its cluster may no longer exist."""
        try:
            record = json.loads(RECORD.read_text())
            return cls(Path(record["checkout"]), ClusterProcess(record["pid"], record["started"]))
        except (OSError, ValueError, KeyError):
            return None

    def write(self) -> None:
        """Record this owner for every checkout on the machine."""
        record = {
            "checkout": str(self.checkout),
            "pid": self.holder.pid,
            "started": self.holder.started,
        }
        half = RECORD.with_suffix(".half")
        half.write_text(json.dumps(record))
        half.rename(RECORD)

    @property
    def living(self) -> bool:
        """Return whether the cluster is usable: its node, API server and kubeconfig exist."""
        state = self.checkout / ".cluster"
        server = ClusterProcess.read(state / "run" / "kube-apiserver")
        return self.holder.alive and server is not None and (state / "kubeconfig").exists()


def present() -> bool:
    """Return whether anything of a cluster is on this machine."""
    return cgroup.exists() or node.link_exists() or RECORD.exists()


def clear(state: Path) -> None:
    """Kill all processes of a cluster and remove its files, except for the cache.

    Mounts, pods' interfaces and packet filter rules end with the namespaces.
    """
    owner = Owner.read()
    cgroup.remove()
    node.remove_link()
    for folder in {state, owner.checkout / state.name} if owner else {state}:
        shutil.rmtree(folder, ignore_errors=True)
    RECORD.unlink(missing_ok=True)
