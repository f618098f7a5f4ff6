"""Installs the CRDs without the chart."""

from __future__ import annotations

from pathlib import Path

from tests.system.kubectl import Kubectl

CRDS = Path(__file__).parents[2] / "crds"


def install_crd(kubectl: Kubectl) -> None:
    """Apply the CRDs and wait until the API server serves them.

    They are applied with Helm's field manager, as in the README. Otherwise the next installation
    with Helm would conflict.
    """
    kubectl(
        "apply",
        "--server-side",
        "--force-conflicts",
        "--field-manager=helm",
        "--filename",
        str(CRDS),
    )
    crds = (f"crd/{name}.retraining.dev" for name in ("retrainrequests", "retrainapprovals"))
    kubectl("wait", "--for=condition=Established", *crds)
