"""An idle operator without and with thousands of finished requests, and its start with them."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from retraining_operator.api.conditions import format_time
from retraining_operator.api.outcome import JobOutcome
from retraining_operator.api.outcome_status import build_finished_status, set_recorded_condition
from retraining_operator.api.record_request import build_request
from retraining_operator.api.request import read_request
from retraining_operator.audit.recorded import DONE
from retraining_operator.contract import ContenderMetrics, PartMetrics, Result, Verdict
from retraining_operator.kube.connection import CONNECTIONS
from retraining_operator.kube.resources import REQUESTS
from tests.bench.operator.place import Place
from tests.bench.operator.process import Memory, Operator, operator
from tests.bench.operator.records import producing, trigger
from tests.bench.operator.sight import new_jobs

FINISHED = 5000
CALM_SECONDS = 10
REST_SECONDS = 30
FILL_PARALLEL = CONNECTIONS
LOG_TAIL = "\n".join(
    ["2026-11-24T04:00:00Z Trained the challenger on 45,000 events; the rest is held out."] * 30
)
KEEP = {"maxCount": 10 * FINISHED}
"""Retention that deletes nothing. By default the newest 1,000 are kept."""


@dataclass(frozen=True)
class Rest:
    """What an idle operator uses."""

    core: float
    """The share of one core."""
    memory: Memory


@dataclass(frozen=True)
class Resumption:
    """Seconds from the start of the process."""

    ready: float
    first_job: float
    """The Job of a record that was sent before the start."""


async def measure_rest(process: Operator) -> Rest:
    """Observe an operator for a while."""
    await asyncio.sleep(CALM_SECONDS)
    began, used = time.perf_counter(), process.processor_seconds()
    await asyncio.sleep(REST_SECONDS)
    core = (process.processor_seconds() - used) / (time.perf_counter() - began)
    return Rest(core, process.memory())


async def measure_fresh(place: Place) -> Rest:
    """Measure an operator that never had a request."""
    with operator(place.config()) as process:
        await asyncio.to_thread(process.wait_until_ready)
        return await measure_rest(process)


async def measure_resumption(place: Place) -> tuple[Resumption, Rest]:
    """Fill the namespace with finished requests, then start an operator."""
    await fill(place)
    async with producing(place) as producer, new_jobs(place) as jobs:
        await producer.send()
        with operator(place.config(retention=KEEP)) as process:
            ready = await asyncio.to_thread(process.wait_until_ready)
            first_job = await jobs.wait_for(1, 120) - process.started
            return Resumption(ready, first_job), await measure_rest(process)


async def fill(place: Place) -> None:
    """Create finished requests as a promotion leaves them, including all metrics."""
    places = asyncio.Semaphore(FILL_PARALLEL)
    part = PartMetrics(
        average_precision=0.8123,
        roc_auc=0.9345,
        budget_precision=0.71,
        budget_recall=0.62,
        alert_rate=0.0123,
    )
    metrics = ContenderMetrics(precision=0.97, combined=part, hst=part, sad=part)
    moment = datetime.now(UTC)
    message = (
        "Promoted: average precision 0.8123 against 0.7991, "
        "not worse by more than 0.05 with 95 % confidence."
    )
    result = Result.model_validate(
        {
            "run_id": "bench",
            "verdict": Verdict.PROMOTED,
            "promoted": True,
            "reason": "not_inferior",
            "message": message,
            "n_samples": 50_000,
            "version": 7,
            "champion_version": 6,
            "metrics": {"challenger": metrics, "champion": metrics},
            "started_at": moment,
            "finished_at": moment,
        }
    )

    facts = {
        "jobName": "bench-job",
        "attempts": 1,
        "startTime": format_time(moment),
        "completionTime": format_time(moment),
    }

    async def create(offset: int) -> None:
        async with places:
            stored = read_request(
                await place.cluster.create(
                    REQUESTS, build_request(trigger(place, offset), place.namespace)
                )
            )
            status = build_finished_status(
                stored, JobOutcome(Verdict.PROMOTED, message, result), moment
            )
            status = (
                set_recorded_condition(stored, status, DONE, moment) | facts | {"logTail": LOG_TAIL}
            )
            await place.cluster.patch_status(stored.name, stored.resource_version, status)

    await asyncio.gather(*(create(offset) for offset in range(FINISHED)))
