"""The cluster's life: brought up, mended and taken down. Driven by the command line in `__main__`."""

import contextlib
import fcntl
import os
import shutil
import string
import subprocess
import time
from collections.abc import Iterator

from tests.cluster import binaries, certificates, cgroup, lifecycle, node, packages, preflight, remains
from tests.cluster.addresses import NODE_ADDRESS, NODE_NAME, template_values
from tests.cluster.components import COMPONENTS, CONTAINERD, ETCD, PROGRAMS
from tests.cluster.errors import ClusterError
from tests.cluster.paths import MACHINE, SOURCE, Paths
from tests.cluster.remains import Owner
from tests.cluster.steps import Steps, Task, say


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """Keep every other command that changes the machine's cluster waiting."""
    MACHINE.mkdir(mode=0o755, exist_ok=True)
    with (MACHINE / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Waiting for another command on the cluster to end.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def up(paths: Paths, steps: Steps) -> None:
    """Bring the cluster up from whatever state the machine is in."""
    preflight.check(paths)
    owner = Owner.read()
    if owner is not None and owner.living:
        if owner.checkout != paths.checkout:
            raise ClusterError(
                f"A cluster of the checkout {owner.checkout} runs on this machine, and there can be one at a time; "
                f"take it down with `python3 -m tests.cluster down` in {owner.checkout}."
            )
        _mend(paths, steps)
        return
    if remains.present():
        steps.run("clear what a cluster left", lambda _: remains.clear(paths.state))
    if wanted := packages.missing():
        steps.run("Debian packages", lambda task: packages.install(task, wanted))
    steps.run("Kubernetes programs", lambda task: binaries.kubernetes(task, paths))
    steps.run("helm", lambda task: binaries.helm(task, paths))
    steps.run("certificates and settings", lambda task: _lay_out(task, paths))
    steps.run("node", lambda _: _start_node(paths))
    steps.run("control plane", lambda _: _start_components(paths))
    steps.run("node ready", lambda _: _wait_for_node(paths))


def down(paths: Paths, steps: Steps) -> None:
    """Take everything away."""
    owner = Owner.read()
    if owner is not None and owner.living and owner.checkout != paths.checkout:
        raise ClusterError(f"The cluster on this machine is that of {owner.checkout}; take it down from there.")
    steps.run("cluster down", lambda _: remains.clear(paths.state))
    shutil.rmtree(MACHINE, ignore_errors=True)


def _mend(paths: Paths, steps: Steps) -> None:
    dead = [component for component in COMPONENTS if lifecycle.process(paths, component) is None]
    if dead:
        names = ", ".join(component.name for component in dead)
        steps.run(f"start again {names}", lambda _: _start_components(paths))
    steps.run("node ready", lambda _: _wait_for_node(paths))


def _lay_out(task: Task, paths: Paths) -> None:
    for folder in (paths.bin, paths.log, paths.run, paths.config / "cni", paths.volumes):
        folder.mkdir(parents=True)
    built = binaries.kubernetes(task, paths)
    # Copies, since the node sees nothing of the cache, and a cleared cache must not hurt a running cluster.
    shutil.copy2(built / "programs", paths.bin / "programs")
    shutil.copy2(binaries.helm(task, paths) / "helm", paths.bin / "helm")
    for program in PROGRAMS:
        (paths.bin / program).symlink_to("programs")
    for template in (SOURCE / "config").iterdir():
        folder = paths.config / "cni" if template.suffix == ".conflist" else paths.config
        (folder / template.name).write_text(string.Template(template.read_text()).safe_substitute(template_values()))
    certificates.make(paths)


def _start_node(paths: Paths) -> None:
    cgroup.create()
    holder = node.start(paths.state)
    holder.write(paths.run / "node")
    Owner(paths.checkout, holder).write()


def _start_components(paths: Paths) -> None:
    for component in COMPONENTS:
        lifecycle.start(paths, component)
        if component not in (ETCD, CONTAINERD):
            lifecycle.wait_until_healthy(paths, component)


def _wait_for_node(paths: Paths) -> None:
    kubectl(paths, "apply", "--server-side", "--force-conflicts", "-f", str(paths.config / "addons.yaml"))
    kubectl(paths, "wait", "--for=condition=Ready", f"node/{NODE_NAME}", "--timeout=60s")


def kubectl(paths: Paths, *arguments: str) -> str:
    """Run kubectl as the cluster's administrator and return what it prints."""
    done = subprocess.run(
        [str(paths.bin / "kubectl"), f"--kubeconfig={paths.kubeconfig}", *arguments],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "NO_PROXY": NODE_ADDRESS, "no_proxy": NODE_ADDRESS},
    )
    if done.returncode:
        raise ClusterError(f"`kubectl {' '.join(arguments)}` failed: {done.stderr.strip()}")
    return done.stdout
