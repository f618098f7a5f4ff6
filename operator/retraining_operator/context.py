"""What one operator process holds: made in `__main__`, handed to kopf as its memo."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from retraining_operator.audit.writer import Archive
from retraining_operator.fault_injection import Crashes
from retraining_operator.observability.metrics import Metrics
from retraining_operator.priority import Precedence
from retraining_operator.settings import Settings
from retraining_operator.watch.cache import View


@dataclass
class Context:
    """The operator's parts that the handlers and the HTTP server need."""

    settings: Settings
    view: View = field(default_factory=View)
    metrics: Metrics = field(default_factory=Metrics)
    crashes: Crashes = field(default_factory=Crashes.off)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    archive: Archive = field(init=False)
    precedence: Precedence = field(init=False)

    def __post_init__(self) -> None:
        self.archive = Archive(self.settings.database_url)
        self.precedence = Precedence(self.view.changed.set)
