"""Starts, repairs and removes the cluster."""

import contextlib
import fcntl
import shutil
import string
import time
from collections.abc import Iterator

from tests.cluster import (
    binaries,
    buildah,
    certificates,
    cgroup,
    images,
    lifecycle,
    node,
    packages,
    preflight,
    remains,
)
from tests.cluster.addresses import NODE_NAME, template_values
from tests.cluster.components import API_SERVER, COMPONENTS, PROGRAMS
from tests.cluster.errors import ClusterError
from tests.cluster.kubectl import kubectl
from tests.cluster.paths import MACHINE, SOURCE, Paths
from tests.cluster.remains import Owner
from tests.cluster.steps import SetupTask, Steps, say


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """Hold the lock of the machine's cluster, so that other commands wait."""
    path = MACHINE / "lock"
    while True:
        MACHINE.mkdir(mode=0o755, exist_ok=True)
        with path.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("Waiting for another command on the cluster to end.")
                fcntl.flock(lock, fcntl.LOCK_EX)
            # A `down` also deletes the lock's file, after which this lock protects nothing.
            if path.exists() and path.samefile(f"/proc/self/fd/{lock.fileno()}"):
                yield
                return


def up(paths: Paths, steps: Steps) -> None:
    """Start the cluster, from any state of the machine.

    Args:
        paths: The folders of the checkout's cluster.
        steps: Runs and prints the steps.

    Raises:
        ClusterError: Another checkout has a cluster on this machine.
    """
    owner = Owner.read()
    if owner is not None and owner.living:
        if owner.checkout != paths.checkout:
            raise ClusterError(
                f"A cluster of the checkout {owner.checkout} runs on this machine, and only one"
                " can run. "
                f"Remove it with `python3 -m tests.cluster down` in {owner.checkout}."
            )
        _mend(paths, steps)
        return
    preflight.check_room(paths)
    if remains.present():
        steps.run("remove what a cluster left", lambda _: remains.clear(paths.state))
    if wanted := packages.missing():
        steps.run("Debian packages", lambda task: packages.install(task, wanted))
    _build(paths, steps)
    steps.run("certificates and settings", lambda task: _lay_out(task, paths))
    steps.run("node", lambda _: _start_node(paths))
    steps.run("components", lambda _: _start_components(paths))
    images.load(paths, steps, (images.pause(),))


def down(paths: Paths, steps: Steps) -> None:
    """Remove the cluster and everything that it left on the machine.

    Args:
        paths: The folders of the checkout's cluster.
        steps: Runs and prints the steps.

    Raises:
        ClusterError: The cluster on this machine belongs to another checkout.
    """
    owner = Owner.read()
    if owner is not None and owner.living and owner.checkout != paths.checkout:
        raise ClusterError(
            f"The cluster on this machine belongs to the checkout {owner.checkout}. "
            f"Remove it with `python3 -m tests.cluster down` there."
        )
    steps.run("cluster down", lambda _: remains.clear(paths.state))
    shutil.rmtree(MACHINE, ignore_errors=True)


def _mend(paths: Paths, steps: Steps) -> None:
    dead = [
        component.name for component in COMPONENTS if lifecycle.process(paths, component) is None
    ]
    name = f"start again {', '.join(dead)}" if dead else "cluster is healthy"
    steps.run(name, lambda _: _start_components(paths))


def _build(paths: Paths, steps: Steps) -> None:
    def service_images(task: SetupTask) -> None:
        buildah.remove_unfinished_builds(task, paths)
        for image in images.services():
            image.archive(task, paths)

    steps.together(
        {
            "Kubernetes programs": lambda task: binaries.kubernetes(task, paths),
            "helm": lambda task: binaries.helm(task, paths),
            "images of the services": service_images,
        }
    )


def _lay_out(task: SetupTask, paths: Paths) -> None:
    for folder in (paths.bin, paths.log, paths.run, paths.config / "cni", paths.volumes):
        folder.mkdir(parents=True)
    built = binaries.kubernetes(task, paths)
    # Copies, because the node cannot see the cache, and clearing the cache must not break a
    # running cluster.
    shutil.copy2(built / "programs", paths.bin / "programs")
    shutil.copy2(binaries.helm(task, paths) / "helm", paths.bin / "helm")
    for program in PROGRAMS:
        (paths.bin / program).symlink_to("programs")
    for template in (SOURCE / "config").iterdir():
        folder = paths.config / "cni" if template.suffix == ".conflist" else paths.config
        (folder / template.name).write_text(
            string.Template(template.read_text()).safe_substitute(template_values())
        )
    certificates.make(paths)


def _start_node(paths: Paths) -> None:
    cgroup.create()
    holder = node.start(paths.state)
    holder.write(paths.run / "node")
    Owner(paths.checkout, holder).write()


def _start_components(paths: Paths) -> None:
    for component in COMPONENTS:
        lifecycle.start(paths, component)
        if component is API_SERVER:
            lifecycle.wait_until_healthy(paths, component)
            _apply_addons(paths)
    for component in COMPONENTS:
        lifecycle.wait_until_healthy(paths, component)
    kubectl(paths, "wait", "--for=condition=Ready", f"node/{NODE_NAME}", "--timeout=60s")


def _apply_addons(paths: Paths) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            kubectl(
                paths,
                "apply",
                "--server-side",
                "--force-conflicts",
                "-f",
                str(paths.config / "addons.yaml"),
            )
        except ClusterError:
            # The API server reports ready a moment before it has created its own namespaces.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return
