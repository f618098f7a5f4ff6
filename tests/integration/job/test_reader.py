"""The unchanged example reader, in a process of its own, on a calibrated model."""

import os
import re
import subprocess
import sys
from pathlib import Path

import redis

from tests.integration.job.world import RECOMMENDED, World

READER = Path(__file__).parents[3] / "docs" / "examples" / "reader.py"
READ = 200
"""The newest events, which the reader scores. The hold-out has the same ones."""


def test_reader_raises_the_alerts_that_the_evaluation_has_seen(
    separable_world: World, own_redis: redis.Redis, own_redis_server: str
) -> None:
    assert own_redis.ping()
    world = separable_world
    run = world.train(
        "run-1",
        environment={"REDIS_URL": own_redis_server},
        **{
            **RECOMMENDED,
            "model_key": "active_model",
            "version_key": "model_version",
            "forest_weight": 0.7,
            "deviation_weight": 0.3,
            "hold_out_size": READ,
            "hold_out_anomalies": 4,
            "alert_budget": 0.05,
        },
    )
    assert run.code == 0, run.log
    [[evidence]] = world.sql("SELECT evidence FROM retraining_runs WHERE run_id = 'run-1'")
    assert evidence["split"]["hold_out"]["rows"] == READ
    assert evidence["calibration"]["target_rate"] == 0.05
    chosen = evidence["calibration"]["candidates"][evidence["calibration"]["chosen"]]
    assert (chosen["reached"], chosen["direction"] != 0) == (True, True)
    reader = subprocess.run(
        [sys.executable, READER],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "REDIS_URL": own_redis_server,
            "DATABASE_URL": world.database_url,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert reader.returncode == 0, reader.stderr
    counted = re.search(r"an alert for (\d+) of the 200 newest events; (\d+) of", reader.stdout)
    assert counted, reader.stdout
    challenger = evidence["challenger"]
    rate, recall = challenger["metrics"]["combined"]["alert_rate"], challenger["threshold_recall"]
    assert int(counted[1]) == round(rate * READ) > 0
    assert int(counted[2]) == round(recall * evidence["split"]["anomalies"])
