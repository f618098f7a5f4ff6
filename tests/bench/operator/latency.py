"""Time from produced record to created Job, one at a time, alternating with the floor."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from statistics import quantiles

from retraining_operator.api.job_manifest import build_job
from retraining_operator.api.record_request import build_request
from retraining_operator.api.request import read_request
from retraining_operator.kube.errors import KubeError
from retraining_operator.kube.resources import JOBS, REQUESTS
from retraining_operator.settings import Settings
from tests.bench.operator.place import Place
from tests.bench.operator.process import operator
from tests.bench.operator.records import BareConsumer, Producer, patience, producing, trigger
from tests.bench.operator.sight import new_jobs, new_requests

SAMPLES = 200
WARM_UP = 10


@dataclass(frozen=True)
class Latency:
    """Milliseconds."""

    floor: list[float]
    """A plain poll of the record, then creation of a RetrainRequest and a Job."""
    requests: list[float]
    """Record produced to RetrainRequest seen by a watch."""
    jobs: list[float]
    """Record produced to Job seen by a watch."""


def percentile(values: list[float], percent: int) -> float:
    """Return a percentile.

    Args:
        values: The samples.
        percent: From 0 to 100.

    Returns:
        The percentile.
    """
    return quantiles(values, n=100, method="inclusive")[percent - 1]


async def measure_latency(place: Place, bare: Place) -> Latency:
    """Measure alternately, so that other load of the machine affects both sides alike.

    Args:
        place: Namespace and topic.
        bare: The place of the floor.

    Returns:
        The latencies.
    """
    found = Latency([], [], [])
    config = place.config(triggers={"maxConcurrent": 10_000})
    settings = Settings.model_validate(bare.config())
    consumer = await asyncio.to_thread(BareConsumer, bare.topic)
    with operator(config) as process:
        await asyncio.to_thread(process.wait_until_ready)
        async with (
            producing(place) as ours,
            producing(bare) as theirs,
            new_requests(place) as requests,
            new_jobs(place) as jobs,
        ):
            for number in range(-WARM_UP, SAMPLES):
                floor = await bare_sample(bare, theirs, consumer, settings, number + WARM_UP)
                await patience()
                [sent] = await ours.send()
                job = await jobs.wait_for_name(sent.request)
                request = await requests.wait_for_name(sent.request)
                await forget(place, sent.request)
                await patience()
                if number >= 0:
                    found.floor.append(1000 * floor)
                    found.requests.append(1000 * (request - sent.at))
                    found.jobs.append(1000 * (job - sent.at))
    await asyncio.to_thread(consumer.close)
    return found


async def bare_sample(
    place: Place, producer: Producer, consumer: BareConsumer, settings: Settings, number: int
) -> float:
    """Measure the floor, in seconds.

    Args:
        place: Namespace and topic.
        producer: Sends the record.
        consumer: Polls it.
        settings: The operator's settings.
        number: The number of the sample.

    Returns:
        The seconds.
    """
    polling = asyncio.create_task(asyncio.to_thread(consumer.poll))
    await patience()
    [sent] = await producer.send()
    polled = await polling - sent.at
    manifest = build_request(trigger(place, number), place.namespace)
    began = time.perf_counter()
    stored = await place.cluster.create(REQUESTS, manifest)
    await place.cluster.create(JOBS, build_job(read_request(stored), settings))
    written = time.perf_counter() - began
    await forget(place, manifest["metadata"]["name"])
    return polled + written


async def forget(place: Place, name: str) -> None:
    """Delete a request and its Job, so that each sample starts from the same state.

    Args:
        place: Namespace and topic.
        name: The request's name.
    """
    stored = await place.cluster.read(REQUESTS, name)
    while True:
        try:
            metadata = stored["metadata"]
            return await place.cluster.delete_request(
                name, metadata["uid"], int(metadata["resourceVersion"])
            )
        except KubeError:  # its status was written in the meantime
            stored = await place.cluster.read(REQUESTS, name)
