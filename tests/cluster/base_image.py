"""A replacement for a public Python base image: Debian's own files, installed by debootstrap."""

import shutil
import subprocess
from pathlib import Path

from tests.cluster import cache
from tests.cluster.paths import Paths
from tests.cluster.steps import SetupTask

SUITE = "bookworm"
INCLUDE = "ca-certificates,python3-venv"
USELESS = ("usr/share/doc", "usr/share/locale", "var/cache/apt", "var/lib/apt/lists", "var/log")
OF_THIS_MACHINE = (
    "etc/hostname",
    "etc/resolv.conf",
    "etc/apt/sources.list",
    "etc/apt/apt.conf",
    "etc/machine-id",
)


def key() -> str:
    """Return the hash of everything that the base image is made from."""
    return cache.digest(SUITE, INCLUDE, *USELESS, *OF_THIS_MACHINE)


def build(task: SetupTask, paths: Paths) -> Path:
    """Return the folder with the base image's files as `root.tar`.

    Args:
        task: The running step, which has the log.
        paths: The folders of the checkout's cluster.

    Returns:
        The folder.
    """

    def make(folder: Path) -> None:
        root = folder / "root"
        archive = [line.split()[0] for line in sources()[:1]]
        # In its own mount namespace, so that no mount is left if it is killed.
        command = ["unshare", "--mount", "debootstrap"]
        task.run(
            [*command, "--variant=minbase", f"--include={INCLUDE}", SUITE, str(root), *archive]
        )
        for useless in USELESS:
            shutil.rmtree(root / useless)
            (root / useless).mkdir()
        # Empty instead of absent, because builds mount the machine's own files over them.
        for name in OF_THIS_MACHINE:
            (root / name).write_text("")
        task.run(
            [
                "tar",
                "--create",
                "--numeric-owner",
                f"--directory={root}",
                f"--file={folder}/root.tar",
                ".",
            ]
        )
        shutil.rmtree(root)

    return cache.entry(paths.cache, "base", key(), make)


def sources() -> list[str]:
    """Return this machine's package sources for the suite, the archive first.

    Each line has the form `SITE RELEASE COMPONENT`.
    """
    command = [
        "apt-get",
        "indextargets",
        "--format",
        "$(SITE) $(RELEASE) $(COMPONENT)",
        "Created-By: Packages",
    ]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    suites = [SUITE, f"{SUITE}-updates", f"{SUITE}-security"]
    ours = [line for line in lines if line.split()[1] in suites]
    return sorted(ours, key=lambda line: suites.index(line.split()[1]))
