"""The demo with 49,097 real events, a full-size forest, and a reader that uses only river."""

import subprocess
import sys

import pytest

from tests.system import environment
from tests.system.environment import ROOT
from tests.system.services import Postgres, Redis


@pytest.mark.timeout(420)
def test_demo_runs_to_its_end() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.demo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    services = environment.ours().services
    database = Postgres(services, "retraining")
    rows = database.rows(
        "SELECT version, trigger_reason, n_samples FROM model_versions"
        " ORDER BY trained_at DESC LIMIT 2"
    )
    by_record = next(row for row in rows if row[1] == "drift_detected")
    assert by_record[2] == "49097"
    assert Redis(services, 0).run("GET", "model_version") == max((row[0] for row in rows), key=int)
    assert "HalfSpaceTrees and StandardAbsoluteDeviation" in done.stdout
    assert "The model raises an alert for" in done.stdout
