"""One database, the keys of one test in Redis, and the trainers that use them."""

from __future__ import annotations

import os
import pickle
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
import redis
from psycopg2.extras import Json, execute_values

from retraining_job.contract import environment_name
from tests.integration.job.trainers import ForkServer, TrainerProcess

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor  # noqa: N812

START = datetime(2025, 1, 1, tzinfo=UTC)
SMALL: dict[str, Any] = {
    "preset": "reference",
    "forest_trees": 3,
    "forest_height": 5,
    "forest_window": 50,
    "database_retry_delay_seconds": 0,
}
"""A quickly trained forest with the promotion policy `Reference`, which promotes every tie.

These tests are about what follows from a verdict, not about how it is reached.
"""

RECOMMENDED: dict[str, Any] = {
    "preset": "recommended",
    "forest_trees": 10,
    "forest_height": 6,
    "forest_weight": 1,
    "deviation_weight": 0,
    "hold_out_anomalies": 10,
    "alert_rate_factor": 1_000,
}
"""A small forest without a deviation score.

The limit of the alert rate is off, because forests of this size differ by more than it allows.
"""

EVERY = 50
"""One event in so many is an anomaly."""


def separable_features(number: int) -> dict[str, float]:
    """Return features that need scaling. Those of anomalies are outside the normal range."""
    source = random.Random(number)  # noqa: S311  # made-up data
    middle = 6.5 if number % EVERY == 0 else 5.0
    return {
        "amount": 100.0 * (middle + source.uniform(-1, 1)),
        "hour_of_day": middle + source.uniform(-1, 1),
        "risk": (middle + source.uniform(-1, 1)) / 10.0,
    }


def simple_features(number: int) -> dict[str, float]:
    """Return the features of an event without a difference between anomalies and normal events."""
    return {"amount": number % 97 / 97, "hour_of_day": number % 24}


NEVER = -1
"""What Redis answers as the time to live of a key that never expires. A key that has just expired
has none either, but another answer."""


class World:
    """One database, the keys of one test in Redis, and the trainers that use them.

    Args:
        fork_server: Starts the trainers.
        redis_url: The Redis.
        database_url: The PostgreSQL database.
        prefix: Prefix of all keys in Redis.
        folder: Where trainers write logs and termination messages.
    """

    def __init__(
        self,
        *,
        fork_server: ForkServer,
        redis_url: str,
        database_url: str,
        prefix: str,
        folder: Path,
    ) -> None:
        self.fork_server, self.redis_url, self.database_url = fork_server, redis_url, database_url
        self.model_key, self.version_key = f"{prefix}active_model", f"{prefix}model_version"
        self.folder = folder
        self.redis: Any = redis.Redis.from_url(redis_url)  # redis-py types each answer as a union

    def start(
        self,
        run_id: str = "run-1",
        arguments: Sequence[str] = ("train",),
        environment: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> TrainerProcess:
        """Start a trainer with the small forest, if no settings replace it."""
        fields = {
            **SMALL,
            "model_key": self.model_key,
            "version_key": self.version_key,
            "run_id": run_id,
            "reason": "drift_detected",
            "request": "retraining/demo",
            **settings,
        }
        return TrainerProcess(
            self.fork_server,
            {
                "PATH": os.environ["PATH"],
                "DATABASE_URL": self.database_url,
                "REDIS_URL": self.redis_url,
                **{environment_name(field): str(value) for field, value in fields.items()},
                **(environment or {}),
            },
            arguments,
            self.folder,
        )

    def train(self, run_id: str = "run-1", **settings: Any) -> TrainerProcess:
        """Run a training to its end."""
        return self.start(run_id, **settings).wait()

    def migrate(self, **settings: Any) -> TrainerProcess:
        """Run the migration to its end."""
        return self.start(arguments=("migrate",), **settings).wait()

    @contextmanager
    def cursor(self) -> Iterator[Cursor]:
        """Open a connection and a transaction, which is committed at the end of the block."""
        with (
            closing(psycopg2.connect(self.database_url)) as connection,
            connection,
            connection.cursor() as cursor,
        ):
            yield cursor

    def sql(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Execute a statement. Returns its rows, if it has any."""
        with self.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def seed(
        self,
        rows: int,
        *,
        label: Callable[[int], object] = lambda number: number % 2,
        features: Callable[[int], object] = simple_features,
        table: str = "scored_events",
    ) -> None:
        """Write events, the oldest first, one per minute."""
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
            execute_values(cursor, f"INSERT INTO {table} VALUES %s", values)  # noqa: S608

    def seed_separable(self, rows: int = 3_000) -> None:
        """Write events, the oldest first, among which anomalies differ from normal events."""
        self.seed(rows, label=lambda number: int(number % EVERY == 0), features=separable_features)

    def put_champion(self, blob: bytes, version: bytes = b"1") -> None:
        """Store a model as the former scoring service did, without a manifest."""
        self.redis.set(self.model_key, blob)
        self.redis.set(self.version_key, version)

    @property
    def version(self) -> bytes | None:
        """Return the number of the live model."""
        version: bytes | None = self.redis.get(self.version_key)
        return version

    @property
    def model(self) -> Any:
        """Return the live model as a dict of river's objects, or None."""
        blob = self.redis.get(self.model_key)
        return blob and pickle.loads(blob)  # noqa: S301  # as the former scoring service reads it

    @property
    def versions(self) -> list[tuple[Any, ...]]:
        """Return the rows of `model_versions`."""
        return self.sql(
            "SELECT version, trigger_reason, precision_score, n_samples"
            " FROM model_versions ORDER BY version"
        )

    @property
    def runs(self) -> list[tuple[Any, ...]]:
        """Return the rows of `retraining_runs`, without those of announced runs."""
        return self.sql(
            "SELECT run_id, verdict, reason, version FROM retraining_runs"
            " WHERE reason <> 'announced' ORDER BY finished_at"
        )

    @property
    def staged(self) -> list[bytes]:
        """Return the keys of models that were uploaded and are not live."""
        return list(self.redis.scan_iter(f"{self.model_key}:staging:*"))
