"""The cluster on which the system runs: the test cluster, or one of the user."""

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
    """A cluster, its tools, and the images that run there."""

    kubectl: Kubectl
    helm: str
    images: dict[str, str]
    """Full references of `operator` and `job`, and of services that do not use the public image."""
    context: str | None = None
    """The name of kubectl's current context, if the cluster is the user's."""

    @property
    def services(self) -> Kubectl:
        """kubectl in the namespace of Kafka, Redis and PostgreSQL."""
        return self.kubectl.inside(SERVICES_NAMESPACE)


def ours() -> Environment:
    """Return the test cluster of this checkout."""
    tools = STATE / "bin"
    kubectl = Kubectl(str(tools / "kubectl"), STATE / "kubeconfig", SERVICES_NAMESPACE)
    images = STATE / "images.json"
    return Environment(
        kubectl, str(tools / "helm"), json.loads(images.read_text()) if images.exists() else {}
    )


def existing() -> Environment:
    """Return the user's cluster: kubectl's current context.

    Raises:
        CommandError: A tool or an image's name is missing.
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
            "CLUSTER=existing needs IMAGE and JOB_IMAGE, the images of operator and trainer."
            " Build them from "
            "operator/Dockerfile and job_image/Dockerfile, and push them where the cluster can"
            " pull them."
        )
    context = run([kubectl, "config", "current-context"]).strip()
    return Environment(
        Kubectl(kubectl, None, SERVICES_NAMESPACE),
        helm,
        {"operator": operator, "job": job},
        context,
    )
