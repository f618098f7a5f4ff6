"""The images of the cluster, their inputs, and loading them into containerd."""

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.cluster import base_image, binaries, buildah, cache, node
from tests.cluster.addresses import PAUSE_IMAGE
from tests.cluster.errors import ClusterError
from tests.cluster.paths import SOURCE, Paths
from tests.cluster.processes import ClusterProcess
from tests.cluster.steps import SetupTask, Steps, say

RECIPES = SOURCE / "recipes"
CTR = ("/usr/bin/ctr", "--address=/run/containerd/containerd.sock", "--namespace=k8s.io")


@dataclass(frozen=True)
class Image:
    """One image: its name, its Dockerfile, and the files that the Dockerfile copies."""

    name: str
    dockerfile: Path
    context: Callable[[SetupTask, Paths], Path]
    inputs: tuple[Path, ...]

    @cached_property
    def key(self) -> str:
        """Return the hash of everything that the image is made from.

        Computed once, because files may change during the build.
        """
        return cache.digest(base_image.key(), self.dockerfile, *self.inputs)

    @property
    def reference(self) -> str:
        """Return the name for pods. It changes with the inputs."""
        return (
            PAUSE_IMAGE if self.name == "pause" else f"localhost/retraining-{self.name}:{self.key}"
        )

    def archive(self, task: SetupTask, paths: Paths) -> Path:
        """Return the image as an archive. It is built first if its inputs have changed.

        Args:
            task: The running step, which has the log.
            paths: The folders of the checkout's cluster.

        Returns:
            The archive.
        """

        def build(folder: Path) -> None:
            base = _base(task, paths)
            context = self.context(task, paths)
            arguments = {"BASE_IMAGE": base}
            buildah.build(
                task, paths, self.reference, self.dockerfile, context=context, arguments=arguments
            )
            buildah.save(task, paths, self.reference, folder / "image.tar")

        return cache.entry(paths.cache, f"image-{self.name}", self.key, build) / "image.tar"


def pause() -> Image:
    """Return the image that holds a pod's namespaces open."""
    dockerfile = RECIPES / "pause" / "Dockerfile"
    return Image("pause", dockerfile, binaries.kubernetes, (binaries.PROGRAMS / "pause",))


def services() -> tuple[Image, ...]:
    """Return the images of Kafka, Redis and PostgreSQL."""

    def of(name: str, context: Callable[[SetupTask, Paths], Path]) -> Image:
        return Image(name, RECIPES / name / "Dockerfile", context, (RECIPES / name,))

    def recipe(name: str) -> Callable[[SetupTask, Paths], Path]:
        return lambda _task, _paths: RECIPES / name

    return (
        of("kafka", _kafka_files),
        of("redis", recipe("redis")),
        of("postgres", recipe("postgres")),
    )


def project(paths: Paths) -> tuple[Image, ...]:
    """Return the project's own images, built from the repository's root."""

    def of(name: str, folder: str) -> Image:
        dockerfile = paths.checkout / folder / "Dockerfile"
        sources = [
            paths.checkout / word
            for line in dockerfile.read_text().splitlines()
            if line.startswith("COPY ") and "--from=" not in line
            for word in line.split()[1:-1]
        ]
        return Image(name, dockerfile, lambda _task, _paths: paths.checkout, tuple(sources))

    return of("operator", "operator"), of("job", "job_image")


def load(paths: Paths, steps: Steps, images: tuple[Image, ...]) -> None:
    """Build missing images, and load missing images into the running cluster's containerd.

    Args:
        paths: The folders of the checkout's cluster.
        steps: Runs and prints the steps.
        images: The images.

    Raises:
        ClusterError: No cluster of this checkout runs.
    """
    holder = ClusterProcess.read(paths.run / "node")
    if holder is None:
        raise ClusterError(
            "No cluster of this checkout runs. Start it with `python3 -m tests.cluster up`."
        )
    inside = [*node.enter(holder), *CTR]
    listed = subprocess.run(
        [*inside, "images", "list", "--quiet"], check=True, capture_output=True, text=True
    )
    present = set(listed.stdout.split())

    def bring_in(image: Image) -> Callable[[SetupTask], None]:
        def action(task: SetupTask) -> None:
            with image.archive(task, paths).open("rb") as archive:
                task.run([*inside, "images", "import", "-"], stdin=archive)

        return action

    steps.together(
        {f"image {each.name}": bring_in(each) for each in images if each.reference not in present}
    )


def load_all(paths: Paths, steps: Steps) -> None:
    """Load the images of services and project, and write their names to a file.

    Args:
        paths: The folders of the checkout's cluster.
        steps: Runs and prints the steps.
    """
    images = (*services(), *project(paths))
    load(paths, steps, images)
    say(f"{'done':7} images are loaded")
    half = paths.images.with_suffix(".half")
    half.write_text(json.dumps({image.name: image.reference for image in images}, indent=2) + "\n")
    half.rename(paths.images)


def _base(task: SetupTask, paths: Paths) -> str:
    name = f"localhost/retraining-base:{base_image.key()}"
    with cache.alone(paths.cache, "buildah-base"):
        try:
            buildah.run(
                task, paths, "inspect", "--type", "image", "--format", "{{.FromImageID}}", name
            )
        except ClusterError:
            folder = base_image.build(task, paths)
            buildah.build(task, paths, name, RECIPES / "base" / "Dockerfile", context=folder)
    return name


def _kafka_files(task: SetupTask, paths: Paths) -> Path:
    recipe = RECIPES / "kafka"

    def gather(folder: Path) -> None:
        shutil.copytree(recipe / "bin", folder / "bin")
        jars = [
            "dependency:copy-dependencies",
            "-DincludeScope=runtime",
            f"-DoutputDirectory={folder}/libs",
        ]
        task.run(["mvn", "--batch-mode", "--quiet", f"--file={recipe}/pom.xml", *jars])

    return cache.entry(paths.cache, "kafka", cache.digest(recipe), gather)
