"""Installs the CRD without the chart."""

from __future__ import annotations

from pathlib import Path

from tests.system.kubectl import Kubectl

CRDS = Path(__file__).parents[2] / "crds"


def install_crd(kubectl: Kubectl) -> None:
    """Apply the CRD and wait until the API server serves it.

    It is applied with Helm's field manager, as in the README. Otherwise the next installation with
    Helm would conflict.
    """
    kubectl(
        "apply",
        "--server-side",
        "--force-conflicts",
        "--field-manager=helm",
        "--filename",
        str(CRDS),
    )
    kubectl("wait", "--for=condition=Established", "crd/retrainrequests.retraining.dev")
