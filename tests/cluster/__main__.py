"""Command line of the test cluster: `python3 -m tests.cluster COMMAND`."""

import argparse
import sys

from tests.cluster import cluster, images, lifecycle, preflight, services, status
from tests.cluster.components import COMPONENTS
from tests.cluster.errors import ClusterError
from tests.cluster.paths import Paths
from tests.cluster.steps import Steps


def main() -> int:
    """Run one command. Returns its exit code."""
    arguments = _parser().parse_args()
    paths = Paths.here()
    steps = Steps(paths.cache / "log")
    try:
        _carry_out(arguments, paths, steps)
    except ClusterError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("Interrupted. Run the same command again to continue.", file=sys.stderr)
        return 130
    return 0


def _carry_out(arguments: argparse.Namespace, paths: Paths, steps: Steps) -> None:
    if arguments.command != "status":
        preflight.check_system()
    match arguments.command:
        case "up":
            with cluster.locked():
                cluster.up(paths, steps)
        case "down":
            with cluster.locked():
                cluster.down(paths, steps)
        case "images":
            with cluster.locked():
                images.load_all(paths, steps)
        case "services":
            with cluster.locked():
                services.install(paths, steps, arguments.namespace)
        case "status":
            status.show(paths)
        case "start":
            lifecycle.start(paths, component := lifecycle.named(arguments.component))
            lifecycle.wait_until_healthy(paths, component)
        case "stop":
            lifecycle.stop(paths, lifecycle.named(arguments.component))
        case "restart":
            component = lifecycle.named(arguments.component)
            lifecycle.stop(paths, component)
            lifecycle.start(paths, component)
            lifecycle.wait_until_healthy(paths, component)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python3 -m tests.cluster", description="The cluster for tests and the demo."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("up", help="bring the cluster up, from whatever state the machine is in")
    commands.add_parser(
        "down", help="remove the cluster and everything that it left on the machine"
    )
    commands.add_parser(
        "images", help="build the images whose inputs changed and load them into the cluster"
    )
    service = commands.add_parser(
        "services", help="install Kafka, Redis and PostgreSQL in the cluster"
    )
    service.add_argument("--namespace", default="retraining")
    commands.add_parser("status", help="say what runs")
    for verb in ("start", "stop", "restart"):
        one = commands.add_parser(verb, help=f"{verb} one component of the cluster")
        one.add_argument("component", choices=[component.name for component in COMPONENTS])
    return parser


if __name__ == "__main__":
    sys.exit(main())
