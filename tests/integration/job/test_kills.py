"""Fifty trainers are killed at random moments, some together with Redis or PostgreSQL.

After each round, the guarantees are checked: each run has exactly one effect.
"""

import json
import os
import random
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from retraining_job.audit.runs import AUDIT_LOCK
from retraining_job.contract import ExitCode, Result
from retraining_job.registry.champion import read_champion
from retraining_job.registry.manifest import sha256
from retraining_job.settings import TrainSettings
from tests.integration.job.proxy import ThroughProxy, kill_at_every_message
from tests.integration.job.servers import Server, postgres_server, redis_server
from tests.integration.job.trainers import ForkServer, TrainerProcess
from tests.integration.job.world import NEVER, RECOMMENDED, World

ROUNDS = 50
RESTART_EVERY = 10
SEED = int(os.environ.get("KILLS_SEED", "20261124"))
TRIES = 8
STEPS = (
    "Queried the audit trail",
    "Read the events",
    "Read the champion",
    "Training a challenger",
    "Trained the challenger",
    "Packed the challenger",
    "Announced the promotion",
    "Sent the challenger to Redis",
    "Published the challenger",
    "Recorded the run",
)
AGAIN = {-9, ExitCode.DEPENDENCY_UNAVAILABLE, ExitCode.AUDIT_PENDING}
"""Ends after which a Job starts its pod again."""


class KillableWorld(World):
    """A world on servers that may be killed."""

    servers: list[Server]


@pytest.fixture
def own_world(
    fork_server: ForkServer,
    tmp_path: Path,
    redis_url: str,  # noqa: ARG001  # skips if there is no cluster
    database_server_url: str,  # noqa: ARG001
) -> Iterator[KillableWorld]:
    """A world on servers that may be killed."""
    port = 20_000 + secrets.randbelow(10_000)
    with redis_server(port) as store, postgres_server(port) as database:
        world = KillableWorld(
            fork_server=fork_server,
            redis_url=f"redis://{store.address}/0",
            database_url=f"postgresql://postgres@{database.address}/postgres",
            prefix="",
            folder=tmp_path,
        )
        assert world.migrate().code == 0
        world.seed_separable(1_000)
        world.redis = redis.Redis.from_url(world.redis_url, retry=Retry(ConstantBackoff(0.05), 20))
        world.servers = [store, database]
        yield world
        world.redis.close()


def test_kills_at_random_moments(own_world: KillableWorld) -> None:
    source = random.Random(SEED)  # noqa: S311  # to be repeated
    world, ends = own_world, []
    for number in range(1, ROUNDS + 1):
        run_id = f"run-{number}"
        settings = {"history_versions": 3, **(RECOMMENDED if source.random() < 0.3 else {})}
        restarts = number % RESTART_EVERY == 0
        where = (
            f"seed {SEED}, round {number}:"
            f" {run_and_kill(world, source, run_id, settings, restarts=restarts)}"
        )
        result = run_until_verdict(world, run_id, settings, where)
        ends.append((run_id, str(result.verdict), result.version))
        check(world, ends, where)
    kinds = {verdict for _, verdict, _ in ends}
    assert "Promoted" in kinds
    assert len([version for *_, version in ends if version]) > ROUNDS / 2


def run_and_kill(
    world: KillableWorld,
    source: random.Random,
    run_id: str,
    settings: dict[str, Any],
    *,
    restarts: bool,
) -> str:
    """Start a run and kill it at a random moment. Returns a description of the moment."""
    run = world.start(run_id, **settings)
    if source.random() < 0.5:
        step, delay = source.choice(STEPS), source.random() * 0.01
        for _ in range(400):
            if step in run.log_so_far or run.document.read_text():
                break
            time.sleep(0.002)
        description = f"killed {1000 * delay:.1f} ms after {step!r}"
    else:
        delay = source.random() * 0.5
        description = f"killed after {1000 * delay:.0f} ms"
    time.sleep(delay)
    if restarts:
        server = source.choice(world.servers)
        server.restart()
        description += f", with {server.pod} restarted"
    run.kill()
    run.wait()
    return description


def run_until_verdict(world: World, run_id: str, settings: dict[str, Any], where: str) -> Result:
    """Start a run as often as its Job would."""
    for _ in range(TRIES):
        run = world.train(run_id, **settings)
        if run.code not in AGAIN:
            assert run.code == 0, f"{where}\n{run.log}"
            return run.result
    pytest.fail(f"{where}: no end after {TRIES} tries\n{run.log}")


def check(world: World, ends: list[tuple[str, str, int | None]], where: str) -> None:
    """Check the state of the world after so many runs."""
    promoted = [(version, run_id) for run_id, _, version in ends if version]
    assert [version for version, _ in promoted] == list(range(1, len(promoted) + 1)), where
    assert world.sql("SELECT version, run_id FROM model_versions ORDER BY version") == promoted, (
        where
    )
    rows = world.sql(
        "SELECT run_id, verdict, version FROM retraining_runs ORDER BY split_part(run_id, '-',"
        " 2)::int"
    )
    assert rows == ends, where
    last = promoted[-1] if promoted else (0, "")
    assert int(world.version or 0) == last[0], where
    if promoted:
        manifest = json.loads(world.redis.get(f"{world.model_key}:meta"))
        assert (manifest["version"], manifest["run_id"]) == last, where
        assert (
            int(world.redis.get(f"{world.model_key}:epoch")) == manifest["epoch"] == len(promoted)
        ), where
        assert sha256(world.redis.get(world.model_key)) == manifest["pickle_sha256"], where
        assert sha256(world.redis.get(f"{world.model_key}:state")) == manifest["state_sha256"], (
            where
        )
        settings = TrainSettings(
            DATABASE_URL="none",
            REDIS_URL=world.redis_url,
            run_id="check",
            model_key=world.model_key,
            version_key=world.version_key,
        )
        assert read_champion(settings.registry).version == last[0], where
        stored = world.redis.hvals(f"{world.model_key}:history")
        models = [json.loads(json.loads(text)["manifest"])["state_sha256"] for text in stored]
        assert len(models) == len(set(models)), where
        assert len(set(models) - {manifest["state_sha256"]}) <= 3, where
    assert world.redis.ttl(world.model_key) == (-1 if promoted else -2), where
    assert all(world.redis.ttl(key) != NEVER for key in world.staged), where


def test_approval_killed_at_every_message(
    separable_world: World, through_proxy: ThroughProxy
) -> None:
    """One challenger for each kill, evaluated against the champion that the last kill has left."""
    world, settings = (
        separable_world,
        {**RECOMMENDED, "promotion": "Manual", "on_inconclusive": "Promote", "margin": 1},
    )

    def start(run_id: str, environment: dict[str, str] | None = None) -> TrainerProcess:
        return world.start(
            run_id, ("decide",), environment, approval="approve", approval_by="Jane Doe"
        )

    def prepare(run_id: str) -> None:
        evaluated = world.train(run_id, **settings, forest_seed=int(run_id.removeprefix("run-")))
        assert evaluated.result.withheld == "AwaitingApproval", evaluated.log

    number = 0
    for run_id, run in kill_at_every_message(through_proxy, start, prepare):
        number += 1
        assert run.code == 0, run.log
        withheld, approval_by, version = world.sql(
            "SELECT withheld, approval_by, version FROM retraining_runs WHERE run_id = %s", run_id
        )[0]
        assert (withheld, approval_by, version) == (None, "Jane Doe", number)
        assert [row[0] for row in world.versions] == list(range(1, number + 1))
        assert world.version == str(number).encode()
    assert number > 6, "the proxy saw far fewer changes than an approval makes"


def test_rejection_killed_between_redis_and_the_database(separable_world: World) -> None:
    world = separable_world
    world.train("run-1", **RECOMMENDED, promotion="Manual")

    def reject() -> TrainerProcess:
        return world.start("run-1", ("decide",), approval="reject", approval_by="Jane Doe")

    with world.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [AUDIT_LOCK])
        run = reject()
        wait_until(
            lambda: b'"rejected":true' in world.redis.get(f"{world.model_key}:challenger:run-1")
        )
        run.kill()
        run.wait()
    again = reject().wait()
    assert again.result.withheld == "Rejected", again.log
    assert world.sql("SELECT withheld, approval_by FROM retraining_runs") == [
        ("Rejected", "Jane Doe")
    ]
    assert world.version is None


def wait_until(holds: Callable[[], bool]) -> None:
    for _ in range(1_000):
        if holds():
            return
        time.sleep(0.01)
    pytest.fail("it never came to be")


def test_rollback_killed_at_every_message(world: World, through_proxy: ThroughProxy) -> None:
    for seed in (1, 2):
        assert world.train(f"seed-{seed}", forest_seed=seed).result.version == seed
    number = 0

    def start(run_id: str, environment: dict[str, str] | None = None) -> TrainerProcess:
        return world.start(run_id, ("rollback", "--to", str(number + 1)), environment)

    for run_id, run in kill_at_every_message(through_proxy, start):
        number += 1
        assert run.code == 0, run.log
        assert [row[0] for row in world.versions] == list(range(1, number + 3))
        assert world.sql(
            "SELECT verdict, version FROM retraining_runs WHERE run_id = %s", run_id
        ) == [("Restored", number + 2)]
        assert world.version == str(number + 2).encode()
    assert number > 6, "the proxy saw far fewer changes than a rollback makes"


def test_one_of_eight_parallel_runs_publishes_and_the_others_name_it(
    separable_world: World,
) -> None:
    """All evaluate against the same champion. The first to publish wins; the others repeat."""
    world, settings = separable_world, {**RECOMMENDED, "on_inconclusive": "Promote"}
    assert world.train("first", **settings).result.version == 1
    runs = [world.start(f"run-{seed}", forest_seed=seed, **settings) for seed in range(8)]
    ended = [run.wait() for run in runs]
    winners = {run.result.version or 0: run for run in ended if run.result.promoted}
    assert sorted(winners) == list(range(2, 2 + len(winners)))
    assert [row[0] for row in world.versions] == list(range(1, 2 + len(winners)))
    assert world.version == str(1 + len(winners)).encode()
    first = winners[2].result.run_id
    others = [run for run in ended if run.result.run_id != first]
    description = [
        run for run in others if f"Another run has promoted version 2 of run {first}" in run.log
    ]
    met_later = [run for run in others if (run.result.champion_version or 0) >= 2]
    assert description
    beaten = [run for run in others if run not in description and run not in met_later]
    assert not [run for run in beaten if run.result.promoted or run.result.reason == "overtaken"]
    assert not world.staged
