"""Finds out what cluster this machine has, living or left behind, and clears away what is left of one."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import cgroup, node
from tests.cluster.paths import MACHINE
from tests.cluster.processes import Process

RECORD = MACHINE / "owner.json"


@dataclass(frozen=True)
class Owner:
    """The checkout that started the machine's cluster, and the node's first process."""

    checkout: Path
    holder: Process

    @classmethod
    def read(cls) -> "Owner | None":
        """Return what the machine-wide record says, which may be about a cluster that is no more."""
        try:
            record = json.loads(RECORD.read_text())
            return cls(Path(record["checkout"]), Process(record["pid"], record["started"]))
        except (OSError, ValueError, KeyError):
            return None

    def write(self) -> None:
        """Note this owner for every checkout on the machine."""
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
        """Tell whether the cluster can still be used: its node, its API server and its way in are there."""
        state = self.checkout / ".cluster"
        server = Process.read(state / "run" / "kube-apiserver")
        return self.holder.alive and server is not None and (state / "kubeconfig").exists()


def present() -> bool:
    """Tell whether there is anything of a cluster on this machine."""
    return cgroup.exists() or node.link_exists() or RECORD.exists()


def clear(state: Path) -> None:
    """End what still runs of a cluster, whoever started it, and remove every trace but for the cache.

    Mounts, pods' interfaces and packet filter rules need no care: they are the namespaces', and end
    with them.
    """
    owner = Owner.read()
    cgroup.remove()
    node.remove_link()
    for folder in {state, owner.checkout / state.name} if owner else {state}:
        shutil.rmtree(folder, ignore_errors=True)
    RECORD.unlink(missing_ok=True)
