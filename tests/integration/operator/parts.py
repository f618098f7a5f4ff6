"""The parts of one operator process, composed as `composition` does."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime

from retraining_operator.api.request_limits import build_limits
from retraining_operator.audit.writer import AuditWriter
from retraining_operator.controller.executor import build_executor
from retraining_operator.controller.pruner import Pruner
from retraining_operator.controller.reconciler import Reconciler
from retraining_operator.controller.resynchronizer import Resynchronizer
from retraining_operator.fault_injection import FaultInjection
from retraining_operator.intake.intake import Intake
from retraining_operator.kube.client import KubeClient
from retraining_operator.kube.event_recorder import EventRecorder
from retraining_operator.leader.elector import Elector
from retraining_operator.observability.metrics import Metrics
from retraining_operator.priority import LINGER_SECONDS, WritePriority
from retraining_operator.settings import LeaderElection, Settings
from retraining_operator.watch.cache import ClusterCache
from retraining_operator.watch.health import WatchHealth


@dataclass
class OperatorParts:
    """What the loops of one operator process share."""

    settings: Settings
    cache: ClusterCache = field(default_factory=ClusterCache)
    metrics: Metrics = field(default_factory=Metrics)
    fault_injection: FaultInjection = field(default_factory=FaultInjection.disabled)
    write_priority: WritePriority = field(init=False)
    audit_writer: AuditWriter = field(init=False)

    def __post_init__(self) -> None:
        self.write_priority = WritePriority(self.cache.changed.set)
        self.audit_writer = AuditWriter(self.settings.database_url)


def build_intake(parts: OperatorParts, cluster: KubeClient) -> Intake:
    """Build an intake.

    Args:
        parts: the process that it belongs to.
        cluster: the API server.

    Returns:
        The intake.
    """
    return Intake(
        cluster=cluster,
        cache=parts.cache,
        metrics=parts.metrics,
        write_priority=parts.write_priority,
        fault_injection=parts.fault_injection,
        settings=parts.settings,
    )


def build_reconciler(parts: OperatorParts, cluster: KubeClient) -> Reconciler:
    """Build a reconciler with its executor.

    Args:
        parts: the process that it belongs to.
        cluster: the API server.

    Returns:
        The reconciler.
    """
    event_recorder = EventRecorder(cluster, "test")
    executor = build_executor(
        cluster=cluster,
        cache=parts.cache,
        metrics=parts.metrics,
        audit_writer=parts.audit_writer,
        event_recorder=event_recorder,
        settings=parts.settings,
        fault_injection=parts.fault_injection,
        clock=now,
    )
    return Reconciler(
        cache=parts.cache,
        executor=executor,
        pruner=Pruner(cluster=cluster, cache=parts.cache),
        write_priority=parts.write_priority,
        triggers=parts.settings.triggers,
        limits=build_limits(parts.settings),
        approvals=parts.settings.approvals,
        retention=parts.settings.retention,
        clock=now,
        event_recorder=event_recorder,
    )


async def populate(parts: OperatorParts, cluster: KubeClient) -> None:
    """Fill the cache.

    Args:
        parts: the process that it belongs to.
        cluster: the API server.
    """
    await Resynchronizer(
        cluster=cluster, cache=parts.cache, triggers=parts.settings.triggers, clock=now
    ).populate()


def build_elector(
    cluster: KubeClient,
    settings: LeaderElection,
    name: str,
    watch_health: WatchHealth | None = None,
) -> Elector:
    """Build an elector.

    Args:
        cluster: the API server.
        settings: the times.
        name: the name of its pod.
        watch_health: what is informed of the Lease's versions.

    Returns:
        The elector.
    """
    return Elector(
        cluster=cluster,
        settings=settings,
        watch_health=watch_health or WatchHealth(),
        identity=f"{name}_1",
    )


def now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


async def reconcile(reconciler: Reconciler) -> None:
    """Plan once and wait until every step is done."""
    await asyncio.sleep(LINGER_SECONDS)
    async with asyncio.TaskGroup() as group:
        reconciler.dispatch(group)
