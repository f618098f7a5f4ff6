"""Starts the operator: `python -m retraining_operator --config FILE`.

Composes the parts; decides nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import platform
import signal
import sys
from collections.abc import Coroutine
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from prometheus_client import disable_created_metrics

from retraining_operator.api import names
from retraining_operator.context import Context
from retraining_operator.controller.executor import Executor
from retraining_operator.controller.reconciler import Reconciler
from retraining_operator.controller.replica import Replica
from retraining_operator.fault_injection import FaultInjection
from retraining_operator.intake import replay
from retraining_operator.intake.intake import Intake
from retraining_operator.kafka.consumer import Consumer
from retraining_operator.kube.client import NoClusterAccessError, connect
from retraining_operator.kube.event_recorder import EventRecorder
from retraining_operator.leader.lease import Elector, identify
from retraining_operator.observability import logs
from retraining_operator.observability.gauges import Sources
from retraining_operator.settings import Settings, SettingsError, read_settings

DEFAULT_CONFIG = Path("/etc/retraining-operator/config.yaml")
EXIT_FAILED = 1
EXIT_BAD_SETTING = 78
SWITCH_SECONDS = 0.0005
"""How long a thread keeps the interpreter; at Python's own 5 ms a busy event loop starves the consumer's thread."""
LATER_SECONDS = 1.0
"""How long modules wait to be imported that no first Job needs: an import takes the interpreter from all else."""

logger = logging.getLogger("retraining_operator")


def main() -> int:
    """Run until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(
        prog="retraining_operator", description="Turns triggers into retraining Jobs."
    )
    parser.add_argument(
        "--config", type=Path, default=DEFAULT_CONFIG, help="the configuration file (YAML)"
    )
    replay.add_parser(parser.add_subparsers(dest="command"))
    arguments = parser.parse_args()
    try:
        settings = read_settings(arguments.config)
        crashes = FaultInjection.read(os.environ)
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201  # logging is not set up without settings
        return EXIT_BAD_SETTING
    if arguments.command == "replay":
        return asyncio.run(replay.run(settings, arguments))
    logs.configure(settings.log_format, settings.log_level)
    disable_created_metrics()  # type: ignore[no-untyped-call]  # else each counter has a second series
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        asyncio.run(operate(settings, crashes))
    except NoClusterAccessError as error:
        logger.error("%s", error)  # noqa: TRY400  # a sentence for a person, who has no use for a traceback
        return EXIT_BAD_SETTING
    except Exception:
        logger.exception("The operator ends, to be started anew by Kubernetes.")
        return EXIT_FAILED
    logger.info("Stopped.")
    return 0


async def operate(settings: Settings, crashes: FaultInjection) -> None:
    """Run one replica and its HTTP server; any part of them dying ends them all."""
    context = Context(settings, crashes=crashes)
    async with connect(settings.namespace) as cluster, connect(settings.namespace) as apart:
        narrator = EventRecorder(cluster, platform.node())
        worker = Executor(context, cluster, narrator, now)
        reconciler = Reconciler(context, cluster, worker, now)
        intake = Intake(context, cluster)
        consumer = Consumer(settings.kafka, intake.accept, context.metrics, instance_id(settings))
        elector = Elector(apart, context, identify(settings.pod_name))
        replica = Replica(context, reconciler, consumer, elector, intake)
        context.metrics.export_gauges(
            Sources(
                leading=lambda: elector.leading,
                acting=lambda: replica.acting,
                work=reconciler.counts,
                consumer=consumer.state,
                intake=intake.state,
            )
        )
        serving = serve(context, replica)
        await run_until_stopped(context.stopping, replica.run(partial(watch, context)), serving)


def instance_id(settings: Settings) -> str:
    """Build the consumer's fixed identity in its group: one for each release and topic, whatever pod it runs in.

    Only the holder of the Lease consumes, so the next one may take this identity over at once.
    """
    identity = f"{settings.namespace}/{settings.ledger_name}/{settings.kafka.topic}"
    return f"retraining-operator-{names.digest(identity, 16)}"


def now() -> datetime:
    """Give the time."""
    return datetime.now(UTC)


async def serve(context: Context, replica: Replica) -> None:
    """Serve /health, /ready and /metrics; the module comes after what the first Job waits for."""
    await asyncio.sleep(LATER_SECONDS)
    http = await asyncio.to_thread(import_module, "retraining_operator.observability.http")
    app = http.build_app(context.metrics.registry, replica.alive, replica.ready)
    await http.serve(app, context.settings.http_port)


async def watch(context: Context) -> None:
    """Run kopf; its modules come after what the first Job waits for."""
    await asyncio.sleep(LATER_SECONDS)
    handlers = await asyncio.to_thread(import_module, "retraining_operator.watch.handlers")
    await handlers.watch(context)


async def run_until_stopped(stopping: asyncio.Event, *parts: Coroutine[Any, Any, None]) -> None:
    """Run parts side by side until one fails or a stop is asked for."""
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stopping.set)  # until kopf starts and takes them over
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(part) for part in parts]
        await stopping.wait()
        for task in tasks:
            task.cancel()


if __name__ == "__main__":
    sys.exit(main())
