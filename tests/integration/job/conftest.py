"""Trainers as real processes, the world they meet, and a proxy that fails where a test says."""

import dataclasses
import itertools
import json
import os
import pickle
import queue
import random
import secrets
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest
import redis
from psycopg2.extras import Json, execute_values

from retraining_job.contract import environment_name, read_result

NURSERY = Path(__file__).with_name("nursery.py")
START = datetime(2025, 1, 1, tzinfo=UTC)
SMALL = {
    "preset": "reference",
    "forest_trees": 3,
    "forest_height": 5,
    "forest_window": 50,
    "database_retry_delay_seconds": 0,
}
"""A forest that is made in no time, and the old rule, under which every tie is a promotion: what is tested here is what
becomes of a verdict, not how it is reached."""


RECOMMENDED = {
    "preset": "recommended",
    "forest_trees": 10,
    "forest_height": 6,
    "forest_weight": 1,
    "deviation_weight": 0,
    "hold_out_anomalies": 10,
    "alert_rate_factor": 1_000,
}
"""A small forest that has the say alone, and no guard of the alert rate, which another forest of this size trips."""

EVERY = 50
"""One event in so many is an anomaly."""


def features(number):
    """Normal events in a cloud, anomalies outside of it; in units that need scaling."""
    source = random.Random(number)  # noqa: S311  # made-up data
    middle = 6.5 if number % EVERY == 0 else 5.0
    return {
        "amount": 100.0 * (middle + source.uniform(-1, 1)),
        "hour_of_day": middle + source.uniform(-1, 1),
        "risk": (middle + source.uniform(-1, 1)) / 10.0,
    }


class Nursery:
    """Starts trainers from a process that has loaded all they need."""

    def __init__(self, process):
        self.process = process
        self.lock = threading.Lock()

    def order(self, **order):
        with self.lock:
            self.process.stdin.write(json.dumps(order) + "\n")
            self.process.stdin.flush()
            return int(self.process.stdout.readline())


@pytest.fixture(scope="session")
def nursery():
    with subprocess.Popen(
        [sys.executable, str(NURSERY)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Nursery(process)
        process.stdin.close()


class Started:
    """A trainer that was started."""

    def __init__(self, nursery, environment, arguments, folder):
        self.nursery = nursery
        self.output = folder / f"log-{secrets.token_hex(4)}"
        self.document = folder / f"document-{secrets.token_hex(4)}"
        self.document.touch()  # as the kubelet does
        environment = {**environment, environment_name("termination_log"): str(self.document)}
        self.pid = nursery.order(
            environment=environment, arguments=arguments, output=str(self.output)
        )

    def kill(self, number=signal.SIGKILL):
        os.kill(self.pid, number)

    def wait(self):
        self.code = self.nursery.order(wait=self.pid)
        self.result = read_result(self.document.read_text())
        return self

    @property
    def log(self):
        return self.output.read_text()

    @property
    def log_so_far(self):
        return self.log if self.output.exists() else ""

    def wait_for(self, text):
        for _ in range(3_000):
            if text in self.log_so_far:
                return
            time.sleep(0.01)
        pytest.fail(f"{text!r} never stood in the log:\n{self.log}")


class World:
    """One database, the keys of one test in Redis, and the trainers that meet there."""

    def __init__(self, *, nursery, redis_url, database_url, prefix, folder):
        self.nursery, self.redis_url, self.database_url = nursery, redis_url, database_url
        self.model_key, self.version_key = f"{prefix}active_model", f"{prefix}model_version"
        self.folder = folder
        self.redis = redis.Redis.from_url(redis_url)

    def start(self, run_id="run-1", arguments=("train",), environment=None, **settings):
        fields = {
            **SMALL,
            "model_key": self.model_key,
            "version_key": self.version_key,
            "run_id": run_id,
            "reason": "drift_detected",
            "request": "retraining/demo",
            **settings,
        }
        return Started(
            self.nursery,
            {
                "PATH": os.environ["PATH"],
                "DATABASE_URL": self.database_url,
                "REDIS_URL": self.redis_url,
                **{environment_name(field): str(value) for field, value in fields.items()},
                **(environment or {}),
            },
            list(arguments),
            self.folder,
        )

    def train(self, run_id="run-1", **settings):
        return self.start(run_id, **settings).wait()

    def migrate(self, **settings):
        return self.start(arguments=("migrate",), **settings).wait()

    @contextmanager
    def cursor(self):
        with (
            closing(psycopg2.connect(self.database_url)) as connection,
            connection,
            connection.cursor() as cursor,
        ):
            yield cursor

    def sql(self, statement, *values):
        with self.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def seed(self, rows, *, label=lambda number: number % 2, features=None, table="scored_events"):
        """Write events, the oldest first."""
        features = features or (
            lambda number: {"amount": number % 97 / 97, "hour_of_day": number % 24}
        )
        values = [
            (
                START + timedelta(minutes=i),
                i % 97 / 97,
                0.1,
                False,
                label(i),
                1.0,
                Json(features(i)),
            )
            for i in range(rows)
        ]
        with self.cursor() as cursor:
            execute_values(cursor, f"INSERT INTO {table} VALUES %s", values)  # noqa: S608  # a test's own word

    def put_champion(self, blob, version=b"1"):
        self.redis.set(self.model_key, blob)
        self.redis.set(self.version_key, version)

    @property
    def version(self):
        return self.redis.get(self.version_key)

    @property
    def model(self):
        blob = self.redis.get(self.model_key)
        return blob and pickle.loads(blob)  # noqa: S301  # as the old scoring service reads it

    @property
    def versions(self):
        """The rows of `model_versions`."""
        return self.sql(
            "SELECT version, trigger_reason, precision_score, n_samples FROM model_versions ORDER BY version"
        )

    @property
    def runs(self):
        """The rows of `retraining_runs`, but for those that a dead run has only announced."""
        return self.sql(
            "SELECT run_id, verdict, reason, version FROM retraining_runs WHERE reason <> 'announced'"
            " ORDER BY finished_at"
        )

    @property
    def staged(self):
        """Models that were uploaded and are not live."""
        return list(self.redis.scan_iter(f"{self.model_key}:staging:*"))


@pytest.fixture
def bare_world(nursery, redis_url, database_url, key_prefix, tmp_path):
    """A world whose database has no tables."""
    world = World(
        nursery=nursery,
        redis_url=redis_url,
        database_url=database_url,
        prefix=key_prefix,
        folder=tmp_path,
    )
    yield world
    world.redis.close()


@pytest.fixture
def world(bare_world):
    """A world whose database is migrated and has 600 events."""
    assert bare_world.migrate().code == 0
    bare_world.seed(600)
    return bare_world


@pytest.fixture
def judged_world(bare_world):
    """A world with events that can be told apart."""
    assert bare_world.migrate().code == 0
    bare_world.seed(3_000, label=lambda number: int(number % EVERY == 0), features=features)
    return bare_world


@dataclasses.dataclass
class Chunk:
    """Bytes on their way through the proxy."""

    number: int
    service: str
    to_server: bool
    data: bytes


class Proxy:
    """Stands between a trainer and both services, and asks a rule about all that passes.

    Where the rule raises ConnectionAbortedError, the bytes do not arrive and the connection ends.
    """

    def __init__(self, rule):
        self.rule = rule
        self.lock = threading.Lock()
        self.count = 0

    def passes(self, service, to_server, data):
        with self.lock:
            self.count += 1
            self.rule(Chunk(self.count, service, to_server, data))

    @contextmanager
    def before(self, service, url):
        """Listen on an address that leads to the service."""
        target = urlsplit(url)
        proxy = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                with socket.create_connection((target.hostname, target.port)) as server:
                    back = threading.Thread(
                        target=self.copy, args=(server, self.request, False), daemon=True
                    )
                    back.start()
                    self.copy(self.request, server, True)
                    back.join()

            def copy(self, source, sink, to_server):
                try:
                    while data := source.recv(1 << 20):
                        proxy.passes(service, to_server, data)
                        sink.sendall(data)
                except OSError:  # an end is gone, or the rule has raised
                    pass
                for end in (source, sink):
                    with suppress(OSError):
                        end.shutdown(socket.SHUT_RDWR)

        with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as listener:
            listener.daemon_threads = True
            listener.block_on_close = False
            threading.Thread(
                target=listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
            ).start()
            login, at, _ = target.netloc.rpartition("@")
            address = f"{login}{at}127.0.0.1:{listener.server_address[1]}"
            yield target._replace(netloc=address).geturl()
            listener.shutdown()


@pytest.fixture
def through_proxy(world):
    """Give what makes the environment of a trainer that reaches both services through a proxy with a rule."""

    @contextmanager
    def environment(rule):
        proxy = Proxy(rule)
        with (
            proxy.before("redis", world.redis_url) as redis_url,
            proxy.before("database", world.database_url) as url,
        ):
            yield {"REDIS_URL": redis_url, "DATABASE_URL": url}

    return environment


def killed_at_every_message(through_proxy, start, prepare=None):
    """Kill a process before its n-th message arrives, for every n until one gets through; then start it once more.

    What it gets changes nothing in the world: to die before the next message it sends is to die at
        an answer.

    Args:
        through_proxy: the fixture.
        start: starts the process of a run, in an environment where one is given.
        prepare: makes the world ready for a run, where that is needed.

    Yields:
        The run's id, and its second process, which has ended.
    """
    through, number = False, 0
    while not through:
        number += 1
        run_id = f"run-{number}"
        if prepare:
            prepare(run_id)
        started, sent = queue.SimpleQueue(), itertools.count(1)

        def kill_at_the_last(chunk, last=number, started=started, sent=sent):
            place = next(sent) if chunk.to_server else 0
            if place == last:
                started.get().kill()
            if place >= last:
                raise ConnectionAbortedError

        with through_proxy(kill_at_the_last) as environment:
            doomed = start(run_id, environment)
            started.put(doomed)
            through = doomed.wait().code != -9
        yield run_id, start(run_id).wait()
