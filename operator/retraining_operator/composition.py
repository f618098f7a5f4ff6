"""Composes one operator process: builds its parts, and runs them until a stop or a failure."""

from __future__ import annotations

import asyncio
import platform
import signal
from collections.abc import Coroutine
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from typing import Any

from retraining_operator.api import names
from retraining_operator.api.request_limits import build_limits
from retraining_operator.audit.writer import AuditWriter
from retraining_operator.controller.approval_policy import ApprovalPolicy
from retraining_operator.controller.executor import build_executor
from retraining_operator.controller.pruner import Pruner
from retraining_operator.controller.reconciler import Reconciler
from retraining_operator.controller.replica import Replica
from retraining_operator.controller.resynchronizer import Resynchronizer
from retraining_operator.fault_injection import FaultInjection
from retraining_operator.intake.intake import Intake
from retraining_operator.kafka.consumer import Consumer
from retraining_operator.kube.client import KubeClient
from retraining_operator.kube.connection import connect
from retraining_operator.kube.event_recorder import EventRecorder
from retraining_operator.leader.elector import Elector
from retraining_operator.leader.lease import build_identity
from retraining_operator.observability.gauges import Sources
from retraining_operator.observability.metrics import Metrics
from retraining_operator.observability.problems import ProblemReporter
from retraining_operator.priority import WritePriority
from retraining_operator.settings import Settings
from retraining_operator.watch.cache import ClusterCache

LATE_IMPORT_SECONDS = 1.0
"""Delay of imports that the first Job does not need. An import blocks the interpreter."""


async def operate(settings: Settings, fault_injection: FaultInjection) -> None:
    """Run one replica, its HTTP server and its watch until a stop is requested or a part fails.

    Args:
        settings: The operator's settings.
        fault_injection: The points at which a test stops the process.
    """
    metrics, stopping = Metrics(), asyncio.Event()
    cache = ClusterCache(ProblemReporter(metrics.count_skipped_object))
    # The Lease has a connection of its own: no burst of other calls may delay its renewal.
    async with connect(settings.namespace) as cluster, connect(settings.namespace) as lease_cluster:
        replica = build_replica(
            cluster=cluster,
            lease_cluster=lease_cluster,
            cache=cache,
            metrics=metrics,
            settings=settings,
            fault_injection=fault_injection,
        )
        await run_until_stopped(
            stopping,
            replica.run(partial(watch, settings, cache, stopping)),
            serve(settings.http_port, metrics, replica),
        )


def build_replica(  # noqa: PLR0913  # the dependencies of its parts, by keyword
    *,
    cluster: KubeClient,
    lease_cluster: KubeClient,
    cache: ClusterCache,
    metrics: Metrics,
    settings: Settings,
    fault_injection: FaultInjection,
) -> Replica:
    """Build a replica and all its parts, and connect the gauges to them.

    Args:
        cluster: The API server.
        lease_cluster: A connection to the API server for the Lease alone.
        cache: The watched objects.
        metrics: The process's metrics.
        settings: The operator's settings.
        fault_injection: The points at which a test stops the process.

    Returns:
        The replica. It does nothing before it is run.
    """
    write_priority = WritePriority(cache.changed.set)
    intake = Intake(
        cluster=cluster,
        cache=cache,
        metrics=metrics,
        write_priority=write_priority,
        fault_injection=fault_injection,
        settings=settings,
    )
    consumer = Consumer(settings.kafka, intake.accept, metrics, build_instance_id(settings))
    reconciler = build_reconciler(
        cluster=cluster,
        cache=cache,
        metrics=metrics,
        write_priority=write_priority,
        settings=settings,
        fault_injection=fault_injection,
    )
    elector = Elector(
        cluster=lease_cluster,
        settings=settings.leader_election,
        watch_health=cache.watch_health,
        identity=build_identity(settings.pod_name),
    )
    resynchronizer = Resynchronizer(
        cluster=cluster, cache=cache, triggers=settings.triggers, clock=get_time
    )
    replica = Replica(
        approval_policy=ApprovalPolicy(cluster),
        cache=cache,
        resynchronizer=resynchronizer,
        reconciler=reconciler,
        consumer=consumer,
        elector=elector,
        intake=intake,
    )
    metrics.export_gauges(
        Sources(
            leading=lambda: elector.is_leading,
            acting=lambda: replica.is_acting,
            work=reconciler.count_work,
            consumer=consumer.get_state,
            intake=intake.get_state,
        )
    )
    return replica


def build_reconciler(  # noqa: PLR0913  # the dependencies of its parts, by keyword
    *,
    cluster: KubeClient,
    cache: ClusterCache,
    metrics: Metrics,
    write_priority: WritePriority,
    settings: Settings,
    fault_injection: FaultInjection,
) -> Reconciler:
    """Build the reconciler, with the executor that carries out its plans.

    Args:
        cluster: The API server.
        cache: The watched objects.
        metrics: The process's metrics.
        write_priority: Lets urgent writes go first.
        settings: The operator's settings.
        fault_injection: The points at which a test stops the process.

    Returns:
        The reconciler.
    """
    event_recorder = EventRecorder(cluster, platform.node())
    executor = build_executor(
        cluster=cluster,
        cache=cache,
        metrics=metrics,
        audit_writer=AuditWriter(settings.database_url),
        event_recorder=event_recorder,
        settings=settings,
        fault_injection=fault_injection,
        clock=get_time,
    )
    return Reconciler(
        cache=cache,
        executor=executor,
        pruner=Pruner(cluster=cluster, cache=cache),
        write_priority=write_priority,
        triggers=settings.triggers,
        limits=build_limits(settings),
        approvals=settings.approvals,
        retention=settings.retention,
        clock=get_time,
        event_recorder=event_recorder,
    )


def build_instance_id(settings: Settings) -> str:
    """Build the consumer's static member id (`group.instance.id`): one for each release and topic.

    It does not depend on the pod. Only the holder of the Lease consumes, so the next holder may
    take this identity over at once.
    """
    identity = f"{settings.namespace}/{settings.handled_offsets_name}/{settings.kafka.topic}"
    return f"retraining-operator-{names.compute_digest(identity, 16)}"


def get_time() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


async def serve(port: int, metrics: Metrics, replica: Replica) -> None:
    """Serve /health, /ready and /metrics.

    The HTTP server is imported late, so that its import does not delay the first Job.

    Args:
        port: The TCP port.
        metrics: What /metrics exports.
        replica: What /health and /ready report on.
    """
    await asyncio.sleep(LATE_IMPORT_SECONDS)
    http = await asyncio.to_thread(import_module, "retraining_operator.observability.http")
    routes = http.build_routes(metrics.registry, replica.check_liveness, replica.check_readiness)
    await http.HttpServer(routes).run(port)


async def watch(settings: Settings, cache: ClusterCache, stopping: asyncio.Event) -> None:
    """Run kopf.

    It is imported late, so that its import does not delay the first Job.

    Args:
        settings: The namespace to watch, and whether there is a Lease.
        cache: Where watched objects are stored.
        stopping: Set when kopf is asked to stop.
    """
    await asyncio.sleep(LATE_IMPORT_SECONDS)
    handlers = await asyncio.to_thread(import_module, "retraining_operator.watch.handlers")
    memo = handlers.Memo(cache, stopping)
    has_lease = settings.leader_election.enabled
    await handlers.watch(memo, settings.namespace, has_lease=has_lease)


async def run_until_stopped(stopping: asyncio.Event, *parts: Coroutine[Any, Any, None]) -> None:
    """Run coroutines concurrently until one fails or a stop is requested.

    Args:
        stopping: Requests the stop. SIGTERM and SIGINT set it.
        parts: The coroutines. All are cancelled at a stop.
    """
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stopping.set)  # kopf replaces these when it starts
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(part) for part in parts]
        await stopping.wait()
        for task in tasks:
            task.cancel()
