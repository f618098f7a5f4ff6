"""What one operator process holds: made in `__main__`, handed to kopf as its memo."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from retraining_operator.audit.writer import AuditWriter
from retraining_operator.fault_injection import FaultInjection
from retraining_operator.observability.metrics import Metrics
from retraining_operator.priority import WritePriority
from retraining_operator.settings import Settings
from retraining_operator.watch.cache import ClusterCache


@dataclass
class Context:
    """The operator's parts that the handlers and the HTTP server need."""

    settings: Settings
    view: ClusterCache = field(default_factory=ClusterCache)
    metrics: Metrics = field(default_factory=Metrics)
    crashes: FaultInjection = field(default_factory=FaultInjection.off)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    archive: AuditWriter = field(init=False)
    precedence: WritePriority = field(init=False)

    def __post_init__(self) -> None:
        self.archive = AuditWriter(self.settings.database_url)
        self.precedence = WritePriority(self.view.changed.set)
