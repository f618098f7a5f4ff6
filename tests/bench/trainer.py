"""Benchmarks of the trainer. They take a few minutes, most of it for plain river."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from statistics import median

import psycopg2
import redis

from tests.bench.child import Figures, measured
from tests.bench.page import heading, table
from tests.bench.rows import TABLE
from tests.system.endpoints import at, endpoint, secret

ROWS = 50_000
MANY = 1_000_000
SIDES = ("select", "text", "ours")
"""How the rows are read: as objects, as text, and into columns."""
ROUNDS = 5
STEP = re.compile(r"Z ([A-Z][a-z' A-Z]+) in ([0-9.]+) s\.")
DATABASE = {
    "Queried the audit trail",
    "Read the events",
    "Announced the promotion",
    "Recorded the run",
}
CALIBRATIONS = "None", "Auto"
TRAINER_ROUNDS = 3
TRAINER_GOALS = {
    "total": "2 x",
    "peak": "400 MB",
    "without the database": "3 s",
    "the script in Redis": "1 ms",
}


def measure() -> None:
    """Run all."""
    with tempfile.TemporaryDirectory() as folder:
        forest(Path(folder))
    database, store = endpoint("postgres-0", 5432), endpoint("redis-0", 6379)
    server, name = at(secret("postgres", "url"), address=database), f"bench_{secrets.token_hex(4)}"
    with closing(psycopg2.connect(server)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(f"CREATE DATABASE {name}")
        try:
            url = at(server, path=name)
            fill(url)
            reading(url)
            growth(url)
            trainer(url, f"redis://{store}/0", name)
        finally:
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


def forest(folder: Path) -> None:
    """Compare with plain river on the same events."""
    sides = {
        side: measured("tests.bench.forest", side, str(ROWS), str(folder / side))
        for side in ("river", "ours")
    }
    for side, figures in sides.items():
        figures["load"] = measured("tests.bench.forest", "load", "0", str(folder / side))["load"]
        figures["train, evaluate, write"] = (
            figures["train"] + figures["evaluate"] + figures["write"]
        )
    river, ours = sides["river"], sides["ours"]
    same = "equal" if river["checksum"] == ours["checksum"] else "DIFFERENT"
    heading(
        f"The forest: {ROWS:,} events of 11 features, 25 trees of height 15. Scores are {same}."
    )
    names = (
        "import",
        "build",
        "train",
        "evaluate",
        "write",
        "train, evaluate, write",
        "load",
        "peak",
        "megabytes",
    )
    goals = {"train, evaluate, write": "40 x", "peak": "400 MB"}
    rows = [
        (
            name,
            show(name, river[name]),
            show(name, ours[name]),
            f"{river[name] / ours[name]:.1f} x",
            goals.get(name, ""),
        )
        for name in names
    ]
    table([("step", "river", "ours", "ratio", "goal"), *rows])


def fill(url: str) -> None:
    """Create the events."""
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(TABLE.format(name="scored_events", rows=ROWS))
        cursor.execute(TABLE.format(name="many_events", rows=MANY))


def reading(url: str) -> None:
    """Compare with a plain SELECT, alternately."""
    arguments = url, "scored_events", str(ROWS)
    rounds = [
        [measured("tests.bench.rows", side, *arguments)["read"] for side in SIDES]
        for _ in range(ROUNDS)
    ]
    plain, text, ours = (median(side) for side in zip(*rounds, strict=True))
    heading(f"Reading {ROWS:,} events from PostgreSQL, median of {ROUNDS}")
    table(
        [
            ("", "plain", "into columns", "ratio", "goal"),
            (
                "plain SELECT into Python",
                f"{plain:.3f} s",
                f"{ours:.3f} s",
                f"{ours / plain:.2f}",
                "1.33",
            ),
            (
                "the same, features left as text",
                f"{text:.3f} s",
                f"{ours:.3f} s",
                f"{ours / text:.2f}",
                "",
            ),
        ]
    )


def growth(url: str) -> None:
    """Compare a million rows with fifty thousand."""
    few = measured("tests.bench.rows", "ours", url, "scored_events", str(ROWS))
    many = measured("tests.bench.rows", "ours", url, "many_events", str(MANY))
    heading(f"{MANY:,} events against {ROWS:,}: {MANY // ROWS} times as many")
    rows = [
        (name, show(name, few[name]), show(name, many[name]), f"{many[name] / few[name]:.1f} x")
        for name in ("read", "train", "evaluate", "peak")
    ]
    table([("step", f"{ROWS:,}", f"{MANY:,}", "growth"), *rows])


def trainer(url: str, store: str, mark: str) -> None:
    """Run the whole trainer, as the Job does, against its own champion.

    Args:
        url: The database's URL.
        store: Redis' URL.
        mark: Makes names unique.
    """
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": url,
        "REDIS_URL": store,
        "RETRAIN_ALERT_RATE_FACTOR": "1000",
        "RETRAIN_MARGIN": "1",
        "RETRAIN_DEVIATION_FEATURE": "risk_score_raw",  # the made-up amounts carry no information
    }
    heading(
        f"The whole trainer: {ROWS:,} events, default settings, against its own champion, "
        f"median of {TRAINER_ROUNDS}"
    )
    one_run(environment, "migrate")
    rounds = [
        [replace_champion(environment, store, mark, calibration) for calibration in CALIBRATIONS]
        for _ in range(TRAINER_ROUNDS)
    ]
    plain, calibrated = (
        {name: median(round_[name] for round_ in side) for name in side[0]}
        for side in zip(*rounds, strict=True)
    )
    table(
        [
            ("step", "calibration: None", "calibration: Auto", "ratio", "goal"),
            *(
                (
                    name,
                    show(name, plain[name]),
                    show(name, value),
                    f"{value / plain[name]:.2f} x",
                    TRAINER_GOALS.get(name, ""),
                )
                for name, value in calibrated.items()
            ),
        ]
    )


def replace_champion(
    environment: dict[str, str], store: str, mark: str, calibration: str
) -> Figures:
    """Train a first model, and then one that replaces it.

    Args:
        environment: The trainer's environment variables.
        store: Redis' URL.
        mark: Makes names unique.
        calibration: The calibration of both.

    Returns:
        Seconds by step of the second.
    """
    key = f"{mark}.{calibration}.{secrets.token_hex(4)}"
    environment = environment | {
        "RETRAIN_MODEL_KEY": f"{key}:active_model",
        "RETRAIN_VERSION_KEY": f"{key}:model_version",
        "RETRAIN_CALIBRATION": calibration,
    }
    with redis.Redis.from_url(store) as client:
        try:
            one_run(environment | {"RETRAIN_RUN_ID": f"{key}.first"}, "train")
            client.config_resetstat()
            figures = one_run(
                environment | {"RETRAIN_RUN_ID": f"{key}.second", "RETRAIN_FOREST_SEED": "7"},
                "train",
            )
            calls = client.info("commandstats").get("cmdstat_evalsha", {})
        finally:
            for name in client.scan_iter(f"{key}:*"):
                client.unlink(name)
    database = sum(figures[name] for name in DATABASE)
    return {
        **figures,
        "without the database": figures["total"] - database,
        "the script in Redis": calls.get("usec_per_call", float("nan")) / 1e6,
    }


def one_run(environment: dict[str, str], command: str) -> Figures:
    """Run the trainer once. The durations of its steps come from its log.

    Args:
        environment: The trainer's environment variables.
        command: The trainer's command.

    Returns:
        Seconds by step.

    Raises:
        RuntimeError: The run published nothing.
    """
    watch = "import resource, runpy, sys, atexit; sys.argv = ['retraining_job', sys.argv[1]];"
    watch += (
        "atexit.register(lambda: print('PEAK',"
        " resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000));"
    )
    watch += "runpy.run_module('retraining_job', run_name='__main__')"
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", watch, command],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    total = time.perf_counter() - start
    if done.returncode or (command == "train" and "Published the challenger" not in done.stderr):
        raise RuntimeError(f"The run published nothing:\n{done.stderr[-2000:]}")
    figures = {name: float(seconds) for name, seconds in STEP.findall(done.stderr)}
    peak = float(done.stdout.partition("PEAK ")[2] or "nan")
    rest = total - sum(figures.values())
    return {**figures, "start and evaluate": rest, "total": total, "peak": peak}


def show(name: str, value: float) -> str:
    """Format a figure with its unit.

    Args:
        name: The name of the figure.
        value: The figure.

    Returns:
        The text.
    """
    if name in {"peak", "megabytes"}:
        return f"{value:,.0f} MB"
    if value < 0.01:
        return f"{1000 * value:.2f} ms"
    return f"{value:.3f} s" if value < 10 else f"{value:.1f} s"
