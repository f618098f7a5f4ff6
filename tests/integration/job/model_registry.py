"""Small models, and the keys of one live model in Redis with everything that is done to them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import redis

from retraining_job.contract import Result, Verdict
from retraining_job.deviation import StandardAbsoluteDeviation
from retraining_job.model.array_forest import ArrayForest
from retraining_job.model.model import Model
from retraining_job.model.pickle_writer import write_pickle
from retraining_job.model.state import write_state
from retraining_job.registry.champion import Champion, read_champion
from retraining_job.registry.keys import Keys
from retraining_job.registry.package import ModelPackage
from retraining_job.registry.publish import Overtaken, Published, publish
from retraining_job.runs.package import build_provenance
from retraining_job.settings import DecideSettings

NAMES = ("amount", "hour_of_day")
EVENT = {"amount": 0.3, "hour_of_day": 0.6}
KEY = "a key that is long enough"


def model_of_seed(seed: int = 1) -> Model:
    """Return a model that differs from those of other seeds."""
    forest = ArrayForest.grow(NAMES, n_trees=3, height=4, window_size=20, seed=seed)
    forest.learn_many(np.random.default_rng(seed).random((60, 2)))
    return Model(forest, StandardAbsoluteDeviation())


def score(model: Model | None) -> float:
    """Return the forest's score of an event."""
    assert model
    return float(model.hst.score_one(EVENT))


def result_of(run_id: str, version: int | None, **more: Any) -> Result:
    """Return the result of a run that promoted its challenger, with fields replaced."""
    now = datetime.now(UTC)
    fields = {
        "reason": "not_inferior",
        "message": "It is good.",
        "verdict": Verdict.PROMOTED,
        "promoted": True,
        **more,
    }
    return Result(
        run_id=run_id, version=version, n_samples=60, started_at=now, finished_at=now, **fields
    )


class ModelRegistry:
    """The registry of one model in Redis.

    Args:
        url: The Redis.
        model_key: The key of the live model.
        version_key: The key of its version.
        settings: Settings of all runs, by name.
    """

    def __init__(
        self,
        url: str,
        model_key: str = "active_model",
        version_key: str = "model_version",
        **settings: Any,
    ) -> None:
        self.url = url
        self.redis: Any = redis.Redis.from_url(url)  # redis-py types each answer as a union
        self.common = {
            "DATABASE_URL": "none",
            "model_key": model_key,
            "version_key": version_key,
            **settings,
        }
        self.keys = Keys.of(self.settings().registry)

    def settings(self, run_id: str = "run-1", **more: Any) -> DecideSettings:
        """Return the settings of a run."""
        return DecideSettings(
            **{
                "REDIS_URL": self.url,
                "approval": "approve",
                **self.common,
                "run_id": run_id,
                **more,
            }
        )

    def package(self, seed: int = 1, **provenance: Any) -> ModelPackage:
        """Build the model package of a seed."""
        model = model_of_seed(seed)
        settings = self.settings()
        return ModelPackage(
            write_pickle(model, settings.deviation_class),
            write_state(model),
            build_provenance(settings, **provenance),
        )

    def publish(
        self,
        run_id: str = "run-1",
        *,
        seed: int = 1,
        package: ModelPackage | None = None,
        champion: Champion | None = None,
        **settings: Any,
    ) -> Published | Overtaken:
        """Publish a model as a run does that has compared it with the present champion."""
        registry = self.settings(run_id, **settings).registry
        champion = champion or read_champion(registry)
        return publish(
            registry,
            package or self.package(seed),
            expected_live=champion.stamp,
            result=result_of(run_id, champion.highest + 1),
        )

    def put_foreign(self, seed: int = 1, version: int = 1, blob: bytes | None = None) -> bytes:
        """Store a model as the former scoring service did. Returns its pickle."""
        blob = blob or self.package(seed).pickle
        self.redis.set(self.keys.model, blob)
        self.redis.set(self.keys.version, version)
        return blob

    def champion(self, **settings: Any) -> Champion:
        """Read the champion."""
        return read_champion(self.settings(**settings).registry)

    @property
    def meta(self) -> Any:
        """Return the live model's manifest, parsed."""
        return json.loads(self.redis.get(self.keys.meta))

    @property
    def history(self) -> dict[int, Any]:
        """Return the former versions, parsed, with their manifests."""
        entries: Mapping[bytes, bytes] = self.redis.hgetall(self.keys.history)
        history = {int(version): json.loads(text) for version, text in entries.items()}
        for entry in history.values():
            if entry["manifest"] is not None:
                entry["manifest"] = json.loads(entry["manifest"])
        return history

    def change_entry(self, version: int, **fields: Any) -> None:
        """Change fields of a former version as somebody would who has no key."""
        entry = {**self.history[version], **fields}
        if isinstance(entry["manifest"], dict):
            entry["manifest"] = json.dumps(entry["manifest"])
        self.redis.hset(self.keys.history, version, json.dumps(entry))

    def copy_entry(self, version: int, to: int) -> None:
        """Store a former version under another number."""
        self.redis.hset(self.keys.history, to, self.redis.hget(self.keys.history, version))

    @property
    def staged(self) -> list[bytes]:
        """Return the keys of models that were uploaded and are not live."""
        return list(self.redis.scan_iter(f"{self.keys.model}:staging:*"))

    def contents(self) -> dict[bytes, tuple[bytes, bool]]:
        """Return the dump of each value under the model's keys, and whether it expires."""
        names = sorted([*self.redis.scan_iter(f"{self.keys.model}*"), self.keys.version.encode()])
        return {name: (self.redis.dump(name), self.redis.ttl(name) >= 0) for name in names}


Change = Callable[[ModelRegistry], object]
"""Damages a registry, or changes it as somebody else would."""


MakeRegistry = Callable[[str], ModelRegistry]
"""Publishes three versions, signed with a key, or not if it is empty. Returns their registry."""
