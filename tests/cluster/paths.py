"""The cluster's files: in the checkout, in the user's cache, and in one machine-wide folder."""

import os
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).resolve().parent
"""This package's folder, with the templates and the source of the programs."""

MACHINE = Path("/run/retraining-cluster")
"""Names the cluster that runs on this machine, for all checkouts."""


@dataclass(frozen=True)
class Paths:
    """The folders of one checkout's cluster."""

    checkout: Path
    cache: Path

    @classmethod
    def here(cls) -> "Paths":
        """Return the paths of the checkout that contains this package."""
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        return cls(checkout=SOURCE.parent.parent, cache=Path(base) / "retraining-operator")

    @property
    def state(self) -> Path:
        """Everything that a running cluster writes."""
        return self.checkout / ".cluster"

    @property
    def bin(self) -> Path:
        """The programs of the running cluster, including kubectl and helm."""
        return self.state / "bin"

    @property
    def log(self) -> Path:
        """One log for each component."""
        return self.state / "log"

    @property
    def run(self) -> Path:
        """One file for each component, with its process id and start time."""
        return self.state / "run"

    @property
    def config(self) -> Path:
        """The templates with the addresses filled in."""
        return self.state / "config"

    @property
    def pki(self) -> Path:
        """Keys, certificates and the components' kubeconfigs."""
        return self.state / "pki"

    @property
    def volumes(self) -> Path:
        """The folders behind the persistent volumes."""
        return self.state / "volumes"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.state / "kubeconfig"

    @property
    def images(self) -> Path:
        """The names of the images that are loaded, as JSON."""
        return self.state / "images.json"
