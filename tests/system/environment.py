"""Where the system runs: the cluster that `make` brings up, or one that the user has."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.system.kubectl import CommandError, Kubectl, run

ROOT = Path(__file__).parents[2]
STATE = ROOT / ".cluster"
SERVICES_NAMESPACE = "retraining"


@dataclass(frozen=True)
class Environment:
    """A cluster with its tools and the images to run there."""

    kubectl: Kubectl
    helm: str
    images: dict[str, str]
    """Full references of `operator` and `job`; of `kafka`, `redis`, `postgres` where they are not the public ones."""
    context: str | None = None
    """The name of kubectl's current context, where the cluster is the user's own."""

    @property
    def services(self) -> Kubectl:
        """kubectl in the namespace of Kafka, Redis and PostgreSQL."""
        return self.kubectl.inside(SERVICES_NAMESPACE)


def ours() -> Environment:
    """Give the cluster of this checkout, which `python3 -m tests.cluster up` has brought up."""
    tools = STATE / "bin"
    kubectl = Kubectl(str(tools / "kubectl"), STATE / "kubeconfig", SERVICES_NAMESPACE)
    images = STATE / "images.json"
    return Environment(
        kubectl, str(tools / "helm"), json.loads(images.read_text()) if images.exists() else {}
    )


def existing() -> Environment:
    """Give the user's own cluster: kubectl's current context.

    Raises:
        CommandError: where a tool or an image's name is missing.
    """
    tools = {name: shutil.which(name) for name in ("kubectl", "helm")}
    images = {
        name: os.environ.get(variable)
        for name, variable in (("operator", "IMAGE"), ("job", "JOB_IMAGE"))
    }
    kubectl, helm, operator, job = (
        tools["kubectl"],
        tools["helm"],
        images["operator"],
        images["job"],
    )
    if not kubectl or not helm:
        raise CommandError("CLUSTER=existing needs kubectl and helm on the PATH.")
    if not operator or not job:
        raise CommandError(
            "CLUSTER=existing needs IMAGE and JOB_IMAGE: the operator's and the trainer's image, built from "
            "operator/Dockerfile and job_image/Dockerfile and put where the cluster can pull them."
        )
    context = run([kubectl, "config", "current-context"]).strip()
    return Environment(
        Kubectl(kubectl, None, SERVICES_NAMESPACE),
        helm,
        {"operator": operator, "job": job},
        context,
    )
