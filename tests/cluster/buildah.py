"""Builds images from ordinary Dockerfiles with buildah, in a separate store.

A build gets what this machine needs to reach its package registries: pip's settings as a secret,
certificates and package sources as read-only mounts. None of it becomes part of the image.
"""

import configparser
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.cluster import base_image
from tests.cluster.paths import Paths
from tests.cluster.steps import SetupTask

CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
LENT_SETTINGS = (
    "index-url",
    "extra-index-url",
    "trusted-host",
    "proxy",
    "timeout",
    "default-timeout",
    "retries",
)
"""Settings of pip for reaching packages, without those that contain a path of this machine."""

IN_OWN_MOUNTS = 'mkdir -p "$1" && mount -t tmpfs tmpfs "$1" && shift && exec "$@"'


def run(task: SetupTask, paths: Paths, *arguments: str) -> None:
    """Run buildah so that its mounts end with it, even if it is killed.

    Args:
        task: The running step, which has the log.
        paths: The folders of the checkout's cluster.
        *arguments: buildah's command line.
    """
    store = paths.cache / "buildah"
    command = [
        "buildah",
        "--root",
        str(store / "root"),
        "--runroot",
        str(store / "run"),
        "--storage-driver",
        "overlay",
    ]
    task.run(
        [
            "unshare",
            "--mount",
            "sh",
            "-c",
            IN_OWN_MOUNTS,
            "sh",
            str(store / "run"),
            *command,
            *arguments,
        ]
    )


def remove_unfinished_builds(task: SetupTask, paths: Paths) -> None:
    """Remove the working containers of builds that were killed.

    Args:
        task: The running step, which has the log.
        paths: The folders of the checkout's cluster.
    """
    run(task, paths, "rm", "--all")


def build(
    task: SetupTask,
    paths: Paths,
    name: str,
    dockerfile: Path,
    *,
    context: Path,
    arguments: Mapping[str, str] | None = None,
) -> None:
    """Build one image under a name. Layers with unchanged inputs are reused.

    Args:
        task: The running step, which has the log.
        paths: The folders of the checkout's cluster.
        name: The image's name.
        dockerfile: The Dockerfile.
        context: The folder from which the Dockerfile copies.
        arguments: Build arguments by name.
    """
    with tempfile.TemporaryDirectory() as lent:
        pip, sources, proxy = (
            Path(lent, "pip.conf"),
            Path(lent, "sources.list"),
            Path(lent, "proxy"),
        )
        pip.write_text(_pip_settings())
        sources.write_text("".join(f"deb {line}\n" for line in base_image.sources()))
        proxy.write_text(_package_proxy())
        run(
            *(
                task,
                paths,
                "build",
                "--layers",
                "--isolation",
                "chroot",
                "--network",
                "host",
                "--pull-never",
            ),
            *("--format", "oci", "--tag", name, "--file", str(dockerfile)),
            *("--secret", f"id=pip,src={pip}"),
            *(
                "--volume",
                f"{sources}:/etc/apt/sources.list:ro",
                "--volume",
                f"{proxy}:/etc/apt/apt.conf:ro",
            ),
            *("--volume", f"{_certificates()}:{CERTIFICATES}:ro"),
            *(
                word
                for key, value in (arguments or {}).items()
                for word in ("--build-arg", f"{key}={value}")
            ),
            str(context),
        )


def save(task: SetupTask, paths: Paths, name: str, archive: Path) -> None:
    """Write an image to an archive that containerd can import, without compression.

    Args:
        task: The running step, which has the log.
        paths: The folders of the checkout's cluster.
        name: The image's name.
        archive: The archive to write.
    """
    run(task, paths, "push", name, f"docker-archive:{archive}:{name}")


def _pip_settings() -> str:
    found = configparser.ConfigParser(interpolation=None, strict=False)
    home = Path.home()
    files = [
        Path("/etc/pip.conf"),
        home / ".pip" / "pip.conf",
        home / ".config" / "pip" / "pip.conf",
    ]
    files += [Path(sys.prefix) / "pip.conf", Path(os.environ.get("PIP_CONFIG_FILE", os.devnull))]
    found.read(files, encoding="utf-8")
    lines = []
    for name in LENT_SETTINGS:
        said = [found.get(section, name, fallback=None) for section in ("global", "install")]
        said.append(os.environ.get(f"PIP_{name.upper().replace('-', '_')}"))
        if value := next(filter(None, reversed(said)), None):
            # A list, such as extra-index-url, goes on one line.
            lines.append(f"{name} = {' '.join(value.split())}")
    return "\n".join(["[global]", f"cert = {CERTIFICATES}", *lines, ""])


def _package_proxy() -> str:
    settings = subprocess.run(
        ["apt-config", "dump", "Acquire"], check=True, capture_output=True, text=True
    ).stdout
    return "".join(f"{line}\n" for line in settings.splitlines() if "::proxy" in line.lower())


def _certificates() -> str:
    for variable in ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        bundle = os.environ.get(variable)
        if bundle and Path(bundle).is_file():
            return bundle
    return CERTIFICATES
