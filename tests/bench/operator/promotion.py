"""Record produced to challenger promoted, the whole way with a real trainer, against an empty Job's start and end."""

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
from retraining_operator.api.request import build_request, read_request
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
"""Events: a small table, and as many as the default settings read."""
ROUNDS = 3
END_SECONDS = 120
FORESTS = (42, 43, 44, 45)
"""Seeds: the same forest on the same events would be no new model."""


@dataclass(frozen=True)
class Promotion:
    """Seconds, medians of the rounds."""

    events: int
    promoted: float
    empty: float
    trainer: float
    """Of the former, from the start of the Job to its end, in whole seconds, as the status tells."""


async def measure_promotions(place: Place, bare: Place) -> list[Promotion]:
    """Promote some challengers on tables of two sizes."""
    database, store = endpoint("postgres-0", 5432), endpoint("redis-0", 6379)
    mark = place.topic.replace("-", "_")
    with a_database(at(secret("postgres", "url"), address=database), mark) as url:
        await asyncio.to_thread(migrate, url)
        give_secrets(place, mark)
        try:
            return [await measure_size(place, bare, url, mark, events) for events in SIZES]
        finally:
            with redis.Redis.from_url(f"redis://{store}/0") as client:
                for key in client.scan_iter(f"{mark}:*"):
                    client.unlink(key)


async def measure_size(place: Place, bare: Place, url: str, mark: str, events: int) -> Promotion:
    """Take rounds in turns with the empty Job."""
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
        if number:  # the first has no champion to beat
            promoted.append(seconds)
            empty.append(nothing)
            trainer.append(seconds_between(status["startTime"], status["completionTime"]))
    return Promotion(events, median(promoted), median(empty), median(trainer))


def configuration(place: Place, mark: str, events: int, seed: int) -> dict[str, Any]:
    """Give the configuration: every challenger that is not the champion itself is promoted."""
    return place.config(
        job={"image": environment.ours().images["job"], "serviceAccountName": "default"},
        trainer={
            "rows": events,
            "modelKey": f"{mark}:active_model",
            "versionKey": f"{mark}:model_version",
            "margin": 1,
            "onInconclusive": "Promote",  # a small table has too few anomalies to tell
            "alertRateFactor": 1000,
            "deviationFeature": "risk_score_raw",
            "forestSeed": seed,
        },
    )


async def empty_job(place: Place, settings: Settings, name: str) -> float:
    """Run the trainer's own Job with nothing to do; give the seconds from its creation to its completion."""
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
    """Take Jobs that are complete."""
    return name_where(job, "Complete")


def promoted_name(request: Body) -> str | None:
    """Take RetrainRequests whose challenger is live."""
    return name_where(request, "Promoted")


def name_where(body: Body, condition: str) -> str | None:
    """Give an object's name where a condition of it is true."""
    conditions = (body.get("status") or {}).get("conditions") or ()
    is_so = any(one["type"] == condition and one["status"] == "True" for one in conditions)
    return str(body["metadata"]["name"]) if is_so else None


def seconds_between(first: str, last: str) -> float:
    """Give the seconds between two times as Kubernetes writes them."""
    return (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds()


@contextmanager
def a_database(server: str, name: str) -> Iterator[str]:
    """Give the URL of a database of our own."""
    with closing(psycopg2.connect(server)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(f"CREATE DATABASE {name}")
        try:
            yield at(server, path=name)
        finally:
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


def migrate(url: str) -> None:
    """Make the audit trail's tables."""
    command = [sys.executable, "-m", "retraining_job", "migrate"]
    done = subprocess.run(
        command, env={"DATABASE_URL": url}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"The migration failed:\n{done.stderr[-2000:]}")


def fill(url: str, events: int) -> None:
    """Make the events anew."""
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS scored_events")
        cursor.execute(TABLE.format(name="scored_events", rows=events))


def give_secrets(place: Place, database: str) -> None:
    """Give the Job's container its two addresses."""
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
