"""Small models, and the keys of one live model in Redis with all that is done to it: what tests of publishing share."""

import json
from datetime import UTC, datetime

import numpy as np
import redis

from retraining_job.contract import Result, Verdict
from retraining_job.deviation import StandardAbsoluteDeviation
from retraining_job.model.array_forest import ArrayForest
from retraining_job.model.model import Model
from retraining_job.model.pickle_writer import write_pickle
from retraining_job.model.state import write_state
from retraining_job.registry.champion import read_champion
from retraining_job.registry.keys import Keys
from retraining_job.registry.publish import ModelPackage, publish
from retraining_job.runs.package import build_provenance
from retraining_job.settings import DecideSettings

NAMES = ("amount", "hour_of_day")
EVENT = {"amount": 0.3, "hour_of_day": 0.6}
KEY = "a key that is long enough"


def model_of_seed(seed=1):
    """A model that differs from those of other seeds."""
    forest = ArrayForest.grow(NAMES, n_trees=3, height=4, window_size=20, seed=seed)
    forest.learn_many(np.random.default_rng(seed).random((60, 2)))
    return Model(forest, StandardAbsoluteDeviation())


def score(model):
    return model.hst.score_one(EVENT)


def result_of(run_id, version, **more):
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


class Shelf:
    """One live model in Redis."""

    def __init__(self, url, model_key="active_model", version_key="model_version", **settings):
        self.url = url
        self.redis = redis.Redis.from_url(url)
        self.common = {
            "DATABASE_URL": "none",
            "model_key": model_key,
            "version_key": version_key,
            **settings,
        }
        self.keys = Keys.of(self.settings().registry)

    def settings(self, run_id="run-1", **more):
        return DecideSettings(
            **{
                "REDIS_URL": self.url,
                "decision": "approve",
                **self.common,
                "run_id": run_id,
                **more,
            }
        )

    def package(self, seed=1, **provenance):
        model = model_of_seed(seed)
        settings = self.settings()
        return ModelPackage(
            write_pickle(model, settings.deviation_class),
            write_state(model),
            build_provenance(settings, **provenance),
        )

    def publish(self, run_id="run-1", *, seed=1, package=None, champion=None, **settings):
        """Publish a model as a run does that has evaluated it against the present champion."""
        registry = self.settings(run_id, **settings).registry
        champion = champion or read_champion(registry)
        return publish(
            registry,
            package or self.package(seed),
            judged_against=champion.stamp,
            result=result_of(run_id, champion.highest + 1),
        )

    def put_foreign(self, seed=1, version=1, blob=None):
        """Put a model there as the old service does."""
        blob = blob or self.package(seed).pickle
        self.redis.set(self.keys.model, blob)
        self.redis.set(self.keys.version, version)
        return blob

    def champion(self, **settings):
        return read_champion(self.settings(**settings).registry)

    @property
    def meta(self):
        return json.loads(self.redis.get(self.keys.meta))

    @property
    def history(self):
        return {
            int(version): json.loads(text)
            for version, text in self.redis.hgetall(self.keys.history).items()
        }

    @property
    def staged(self):
        return list(self.redis.scan_iter(f"{self.keys.model}:staging:*"))

    def picture(self):
        """All that stands under the model's keys, to the last byte, and what of it is to vanish by itself."""
        names = sorted([*self.redis.scan_iter(f"{self.keys.model}*"), self.keys.version.encode()])
        return {name: (self.redis.dump(name), self.redis.ttl(name) >= 0) for name in names}
