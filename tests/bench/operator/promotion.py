"""Time from produced record to promoted challenger with a real trainer, against an empty Job."""

from __future__ import annotations

import asyncio
import copy
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any

import psycopg2
import redis

from retraining_operator.api.job_manifest import build_job
from retraining_operator.api.names import LABEL_MANAGED_BY
from retraining_operator.api.record_request import build_request
from retraining_operator.api.request import read_request
from retraining_operator.kube.resources import JOBS, REQUESTS
from retraining_operator.settings import Settings
from tests.bench.operator.place import Place
from tests.bench.operator.process import operator
from tests.bench.operator.records import producing, trigger
from tests.bench.operator.sight import Body, watching
from tests.bench.rows import TABLE
from tests.system import environment
from tests.system.endpoints import at, endpoint, secret

SIZES = (2_000, 50_000)
"""Numbers of events: a small table, and as many as the default settings read."""
ROUNDS = 3
END_SECONDS = 120
FORESTS = (42, 43, 44, 45)
"""Seeds, because the same forest on the same events is no new model."""


@dataclass(frozen=True)
class PromotionTimes:
    """Seconds, medians of the rounds."""

    events: int
    promoted: float
    empty: float
    trainer: float
    """Part of it from the Job's start to its end, in whole seconds, by its status."""


async def measure_promotions(place: Place, bare: Place) -> list[PromotionTimes]:
    """Promote challengers on tables of two sizes.

    Args:
        place: Namespace and topic.
        bare: The place of the floor.

    Returns:
        The times, by number of events.
    """
    database, store = endpoint("postgres-0", 5432), endpoint("redis-0", 6379)
    mark = place.topic.replace("-", "_")
    with a_database(at(secret("postgres", "url"), address=database), mark) as url:
        await asyncio.to_thread(migrate, url)
        create_secrets(place, mark)
        try:
            return [await measure_size(place, bare, url, mark, events) for events in SIZES]
        finally:
            with redis.Redis.from_url(f"redis://{store}/0") as client:
                for key in client.scan_iter(f"{mark}:*"):
                    client.unlink(key)


async def measure_size(
    place: Place, bare: Place, url: str, mark: str, events: int
) -> PromotionTimes:
    """Run rounds alternating with the empty Job.

    Args:
        place: Namespace and topic.
        bare: The place of the floor.
        url: The database's URL.
        mark: Makes names unique.
        events: The number of events.

    Returns:
        The times.
    """
    await asyncio.to_thread(fill, url, events)
    promoted, empty, trainer = [], [], []
    for number, seed in enumerate(FORESTS[: ROUNDS + 1]):
        config = configuration(place, mark, events, seed)
        with operator(config, DATABASE_URL=url) as process:
            await asyncio.to_thread(process.wait_until_ready)
            async with (
                producing(place) as producer,
                watching(place, REQUESTS, promoted_name) as requests,
            ):
                nothing = await empty_job(
                    bare, Settings.model_validate(config), f"{events}-{number}"
                )
                [sent] = await producer.send()
                seconds = await requests.wait_for_name(sent.request, END_SECONDS) - sent.at
                status = (await place.cluster.read(REQUESTS, sent.request))["status"]
        if number:  # the first has no champion
            promoted.append(seconds)
            empty.append(nothing)
            trainer.append(seconds_between(status["startTime"], status["completionTime"]))
    return PromotionTimes(events, median(promoted), median(empty), median(trainer))


def configuration(place: Place, mark: str, events: int, seed: int) -> dict[str, Any]:
    """Build the configuration. Every challenger that differs from the champion is promoted.

    Args:
        place: Namespace and topic.
        mark: Makes names unique.
        events: The number of events.
        seed: The forest's seed.

    Returns:
        The configuration file.
    """
    return place.config(
        job={"image": environment.ours().images["job"], "serviceAccountName": "default"},
        trainer={
            "rows": events,
            "modelKey": f"{mark}:active_model",
            "versionKey": f"{mark}:model_version",
            "margin": 1,
            "onInconclusive": "Promote",  # a small table has too few anomalies
            "alertRateFactor": 1000,
            "deviationFeature": "risk_score_raw",
            "forestSeed": seed,
        },
    )


async def empty_job(place: Place, settings: Settings, name: str) -> float:
    """Run the trainer's Job without work. Returns the seconds from creation to completion.

    Args:
        place: Namespace and topic.
        settings: The operator's settings.
        name: The Job's name.

    Returns:
        The seconds.
    """
    request = await place.cluster.create(
        REQUESTS, build_request(trigger(place, hash(name) % 10**9), place.namespace)
    )
    manifest = copy.deepcopy(build_job(read_request(request), settings))
    manifest["metadata"] = {"name": f"empty-{name}", "namespace": place.namespace}
    template = manifest["spec"]["template"]
    del template["metadata"]["labels"][LABEL_MANAGED_BY]
    container = template["spec"]["containers"][0]
    container |= {"command": ["true"], "args": [], "env": []}
    async with watching(place, JOBS, completed_name) as jobs:
        began = time.perf_counter()
        await place.cluster.create(JOBS, manifest)
        return await jobs.wait_for_name(f"empty-{name}", END_SECONDS) - began


def completed_name(job: Body) -> str | None:
    """Return the name of a complete Job."""
    return name_where(job, "Complete")


def promoted_name(request: Body) -> str | None:
    """Return the name of a RetrainRequest whose challenger is live."""
    return name_where(request, "Promoted")


def name_where(body: Body, condition: str) -> str | None:
    """Return an object's name if a condition of it is true.

    Args:
        body: The object.
        condition: The condition's type.

    Returns:
        The name, or None.
    """
    conditions = (body.get("status") or {}).get("conditions") or ()
    is_so = any(one["type"] == condition and one["status"] == "True" for one in conditions)
    return str(body["metadata"]["name"]) if is_so else None


def seconds_between(first: str, last: str) -> float:
    """Compute the seconds between two times of Kubernetes objects.

    Args:
        first: The earlier time, RFC 3339.
        last: The later time, RFC 3339.

    Returns:
        The seconds.
    """
    return (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds()


@contextmanager
def a_database(server: str, name: str) -> Iterator[str]:
    """Create a database and yield its URL.

    Args:
        server: The server's URL.
        name: The database's name.

    Yields:
        The URL.
    """
    with closing(psycopg2.connect(server)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(f"CREATE DATABASE {name}")
        try:
            yield at(server, path=name)
        finally:
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


def migrate(url: str) -> None:
    """Create the audit trail's tables.

    Args:
        url: The database's URL.

    Raises:
        RuntimeError: The migration failed.
    """
    command = [sys.executable, "-m", "retraining_job", "migrate"]
    done = subprocess.run(
        command, env={"DATABASE_URL": url}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"The migration failed:\n{done.stderr[-2000:]}")


def fill(url: str, events: int) -> None:
    """Replace the events.

    Args:
        url: The database's URL.
        events: The number of events.
    """
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS scored_events")
        cursor.execute(TABLE.format(name="scored_events", rows=events))


def create_secrets(place: Place, database: str) -> None:
    """Create the Secrets with the two URLs.

    Args:
        place: Namespace and topic.
        database: The database's name.
    """
    urls = {
        "database": at(secret("postgres", "url"), path=database),
        "redis": secret("redis", "url"),
    }
    for name, url in urls.items():
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name},
            "stringData": {"url": url},
        }
        place.kubectl.apply(json.dumps(body))
