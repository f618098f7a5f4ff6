"""Installs Kafka, Redis and PostgreSQL with their Helm chart, on volumes on this machine."""

import json
import shutil
from pathlib import Path

from tests.cluster.addresses import INSIDE, NODE_NAME
from tests.cluster.kubectl import client_environment, kubectl
from tests.cluster.paths import Paths
from tests.cluster.steps import SetupTask, Steps

CHART = Path("tests") / "services"
STATEFUL_SETS = ("kafka", "postgres", "redis")


def install(paths: Paths, steps: Steps, namespace: str) -> None:
    """Install or upgrade the services, and wait until they are ready.

    Args:
        paths: The folders of the checkout's cluster.
        steps: Runs and prints the steps.
        namespace: The namespace.
    """
    steps.run("volumes", lambda _: _make_volumes(paths, namespace))
    steps.run("Kafka, Redis, PostgreSQL", lambda task: _install_chart(task, paths, namespace))


def _install_chart(task: SetupTask, paths: Paths, namespace: str) -> None:
    images = json.loads(paths.images.read_text())
    access = [f"--kubeconfig={paths.kubeconfig}", f"--namespace={namespace}"]
    names = [f"--set=images.{name}={images[name]}" for name in STATEFUL_SETS]
    upgrade = [
        "upgrade",
        "--install",
        "--create-namespace",
        "services",
        str(paths.checkout / CHART),
        *names,
    ]
    task.run([str(paths.bin / "helm"), *access, *upgrade], environment=client_environment())
    # Helm itself gives up if a pod restarts once.
    for name in STATEFUL_SETS:
        rollout = ["rollout", "status", f"statefulset/{name}", "--timeout=3m"]
        task.run([str(paths.bin / "kubectl"), *access, *rollout], environment=client_environment())


def _make_volumes(paths: Paths, namespace: str) -> None:
    """Create a volume for each claim of the chart, again if its former claim was deleted."""
    listed = json.loads(kubectl(paths, "get", "persistentvolumes", "--output=json"))["items"]
    phases = {volume["metadata"]["name"]: volume["status"]["phase"] for volume in listed}
    for service in STATEFUL_SETS:
        name = f"{namespace}-{service}"
        folder = paths.volumes / name
        if phases.get(name) in {"Released", "Failed"}:
            kubectl(paths, "delete", "persistentvolume", name)
            shutil.rmtree(folder, ignore_errors=True)
        # The kubelet assigns the folder to the pod's group when it mounts it.
        folder.mkdir(exist_ok=True)
        kubectl(
            paths,
            "apply",
            "--server-side",
            "--filename=-",
            stdin=json.dumps(_volume(name, namespace, service)),
        )


def _volume(name: str, namespace: str, service: str) -> dict[str, object]:
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [NODE_NAME]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "folder",
            "persistentVolumeReclaimPolicy": "Retain",
            "claimRef": {"namespace": namespace, "name": f"data-{service}-0"},
            "local": {"path": f"{INSIDE}/volumes/{name}"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
        },
    }
