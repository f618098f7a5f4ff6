"""A run has one effect, even if it is repeated, killed at any point, or runs beside others."""

import time

import pytest

from retraining_job.audit.runs import AUDIT_LOCK
from tests.integration.job.proxy import Chunk, Rule, ThroughProxy, kill_at_every_message
from tests.integration.job.world import NEVER, World

BOTH_ENDS = pytest.mark.parametrize("ended_by", ["Promoted", "InsufficientData"])


def assert_one_effect(world: World, run_id: str = "run-1", version: int = 1) -> None:
    """One promotion, one row of each kind, nothing else in Redis, and a model that can be read."""
    assert world.version == str(version).encode()
    assert [row[0] for row in world.versions] == list(range(1, version + 1))
    assert [row for row in world.runs if row[0] == run_id] == [
        (run_id, "Promoted", world.runs[-1][2], version)
    ]
    assert world.model is not None
    assert world.redis.ttl(world.model_key) == -1


@BOTH_ENDS
def test_second_attempt_reports_the_outcome_of_the_first(world: World, ended_by: str) -> None:
    minimum = 500 if ended_by == "Promoted" else 5_000
    first = world.train(minimum_rows=minimum)
    assert first.result.verdict == ended_by
    versions, runs, model = world.versions, world.runs, world.redis.get(world.model_key)
    second = world.train(minimum_rows=minimum)
    assert second.code == 0
    assert second.result == first.result
    assert "An earlier attempt of this run has ended" in second.log
    assert (world.versions, world.runs, world.redis.get(world.model_key)) == (versions, runs, model)


def test_second_attempt_finds_the_first_in_the_database_if_redis_was_emptied(
    world: World,
) -> None:
    first = world.train()
    world.redis.delete(f"{world.model_key}:run:run-1")
    second = world.train()
    assert second.result == first.result
    assert_one_effect(world)


def test_killed_between_publishing_and_recording(world: World) -> None:
    with world.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [AUDIT_LOCK])
        run = world.start()
        run.wait_for("Published the challenger")
        run.kill()
        assert run.wait().code == -9
    assert (world.version, world.versions, world.runs) == (b"1", [], [])
    run = world.train()
    assert run.result.verdict == "Promoted"
    assert_one_effect(world)


@pytest.mark.parametrize("document", ["kept", "forgotten"])
def test_next_run_backfills_the_row_of_a_killed_run(world: World, document: str) -> None:
    with world.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [AUDIT_LOCK])
        run = world.start("dead", reason="why the dead run was asked for", request="ns/dead")
        run.wait_for("Published the challenger")
        run.kill()
        run.wait()
    if document == "forgotten":
        world.redis.delete(f"{world.model_key}:run:dead")
    run = world.train("next")
    assert "the audit row of version 1, because its run dead ended" in run.log
    assert [row[:2] for row in world.versions] == [
        (1, "why the dead run was asked for"),
        (2, "drift_detected"),
    ]
    rows = world.sql(
        "SELECT run_id, request, verdict, version FROM retraining_runs ORDER BY version"
    )
    assert rows == [("dead", "ns/dead", "Promoted", 1), ("next", "retraining/demo", "Promoted", 2)]
    assert "was never recorded" not in world.train("third").log


def test_rollback_backfills_the_row_of_a_killed_run(world: World) -> None:
    world.train("first")
    with world.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [AUDIT_LOCK])
        run = world.start("dead")
        run.wait_for("Published the challenger")
        run.kill()
        run.wait()
    assert world.start("back", ("rollback", "--to", "1")).wait().code == 0
    assert [row[0] for row in world.versions] == [1, 2, 3]
    assert world.version == b"3"


def test_killed_at_every_message_it_sends(world: World, through_proxy: ThroughProxy) -> None:
    number = 0
    for _, run in kill_at_every_message(
        through_proxy, lambda run_id, environment=None: world.start(run_id, environment=environment)
    ):
        number += 1
        where = f"killed at message {number}"
        assert run.result.verdict == "Promoted", run.log
        assert run.result.version == number, where
        assert world.version == str(number).encode(), where
        assert [row[0] for row in world.versions] == list(range(1, number + 1)), where
        assert [row[0] for row in world.runs] == [f"run-{i + 1}" for i in range(number)], where
    assert number > 8, "the proxy saw far fewer changes than a run makes"
    assert all(world.redis.ttl(key) != NEVER for key in world.staged), (
        "what a killed run has staged must vanish by itself"
    )


def test_publishing_with_a_lost_answer_is_repeated_without_a_second_effect(
    world: World, through_proxy: ThroughProxy
) -> None:
    lost: list[Chunk] = []

    def lose_the_answer(chunk: Chunk) -> None:
        if (
            chunk.service == "redis"
            and not chunk.to_server
            and b"published" in chunk.data
            and not lost
        ):
            lost.append(chunk)
            raise ConnectionAbortedError

    with through_proxy(lose_the_answer) as environment:
        run = world.start(environment=environment).wait()
    assert lost
    assert (run.code, run.result.verdict) == (0, "Promoted"), run.log
    assert "Trying again" in run.log
    assert_one_effect(world)
    assert not world.staged


def test_row_that_fails_after_publishing_is_pending(
    world: World, through_proxy: ThroughProxy
) -> None:
    published = []

    def lose_the_database_after_publishing(chunk: Chunk) -> None:
        if chunk.service == "redis" and not chunk.to_server and b"published" in chunk.data:
            published.append(chunk)
        if chunk.service == "database" and published:
            raise ConnectionAbortedError

    with through_proxy(lose_the_database_after_publishing) as environment:
        run = world.start(environment=environment, database_retries=2).wait()
    assert (run.code, run.result.reason, run.result.verdict) == (76, "AuditPending", None), run.log
    assert (run.result.promoted, run.result.version) == (True, 1)
    assert run.log.count("Trying again") == 2
    assert "live as version 1, but its audit row is not written" in run.result.message
    assert world.versions == []
    model = world.redis.get(world.model_key)
    assert world.train().result.verdict == "Promoted"
    assert_one_effect(world)
    assert world.redis.get(world.model_key) == model


def test_other_verdict_that_cannot_be_recorded_is_retried(world: World) -> None:
    world.sql("ALTER TABLE retraining_runs ADD CONSTRAINT never CHECK (verdict IS NULL)")
    run = world.train(minimum_rows=5_000)
    assert run.code != 0
    world.sql("ALTER TABLE retraining_runs DROP CONSTRAINT never")
    assert world.train(minimum_rows=5_000).result.verdict == "InsufficientData"
    assert len(world.runs) == 1


def overtaking(world: World, times: int) -> Rule:
    """A rule by which another run promotes just before this one's script arrives."""
    left = [times]

    def rule(chunk: Chunk) -> None:
        if chunk.service == "redis" and chunk.to_server and b"EVALSHA" in chunk.data and left[0]:
            left[0] -= 1
            world.redis.incr(world.version_key)

    return rule


def test_overtaken_run_evaluates_again(world: World, through_proxy: ThroughProxy) -> None:
    world.train("run-0")
    with through_proxy(overtaking(world, 2)) as environment:
        run = world.start(environment=environment).wait()
    assert (run.result.verdict, run.result.champion_version, run.result.version) == (
        "Promoted",
        3,
        4,
    ), run.log
    assert (
        "Another run has promoted version 2 since version 1 was read. Evaluating again." in run.log
    )
    assert world.version == b"4"
    assert not world.staged


def test_run_that_is_overtaken_too_often_keeps_the_champion(
    world: World, through_proxy: ThroughProxy
) -> None:
    world.train("run-0")
    live = world.redis.get(world.model_key)
    with through_proxy(overtaking(world, 99)) as environment:
        run = world.start(environment=environment).wait()
    assert (run.code, run.result.verdict, run.result.reason) == (0, "Kept", "overtaken"), run.log
    assert run.result.champion_version == 6
    assert world.redis.get(world.model_key) == live
    assert world.runs[-1] == ("run-1", "Kept", "overtaken", None)
    assert not world.staged


def test_eight_parallel_runs_leave_consecutive_unique_versions(world: World) -> None:
    runs = [world.start(f"run-{i}") for i in range(8)]
    results = [run.wait().result for run in runs]
    promoted = sorted(result.version or 0 for result in results if result.verdict == "Promoted")
    assert promoted
    assert promoted == list(range(1, len(promoted) + 1))
    assert {result.verdict for result in results} <= {"Promoted", "Kept"}
    assert all(result.reason == "overtaken" for result in results if result.verdict == "Kept")
    assert world.version == str(len(promoted)).encode()
    assert [row[0] for row in world.versions] == promoted
    assert sorted(row[0] for row in world.runs) == [f"run-{i}" for i in range(8)]
    assert not world.staged


def test_same_run_started_eight_times_at_once_has_one_effect(world: World) -> None:
    runs = [world.start("run-1") for _ in range(8)]
    results = [run.wait().result for run in runs]
    assert {run.code for run in runs} == {0}, "\n".join(run.log for run in runs)
    assert len({result.document() for result in results}) == 1
    assert_one_effect(world)
    assert not world.staged


def test_reader_never_sees_a_model_without_its_version(world: World) -> None:
    """While trainers publish, each model has one version, and each version one model."""
    runs = [world.start(f"run-{i}", forest_seed=i) for i in range(6)]
    seen = set()
    deadline = time.monotonic() + 60
    while any(not run.document.read_text() for run in runs) and time.monotonic() < deadline:
        model, version = world.redis.mget(world.model_key, world.version_key)
        seen.add((model, version))
    for run in runs:
        run.wait()
    assert len({version for _, version in seen}) == len(seen) == len({model for model, _ in seen})


def test_staged_model_that_redis_dropped_is_uploaded_again(
    world: World, through_proxy: ThroughProxy
) -> None:
    dropped: list[bytes] = []

    def drop_once(chunk: Chunk) -> None:
        if (
            chunk.service == "redis"
            and chunk.to_server
            and b"EVALSHA" in chunk.data
            and not dropped
        ):
            dropped.extend(world.staged)
            world.redis.unlink(*dropped)

    with through_proxy(drop_once) as environment:
        run = world.start(environment=environment).wait()
    assert dropped
    assert run.result.verdict == "Promoted", run.log
    assert "Redis dropped the uploaded model" in run.log
    assert_one_effect(world)
