"""The live model is compared with the audit trail, and no number from outside is believed."""

import json
from typing import Any

import pytest

from tests.integration.job.model_registry import KEY
from tests.integration.job.trainers import TrainerProcess
from tests.integration.job.world import World

SIGNED = {"SIGNING_KEY": KEY}


def train(world: World, run_id: str, environment: dict[str, str] | None = None) -> TrainerProcess:
    return world.train(run_id, environment=SIGNED if environment is None else environment)


def keys_of(world: World) -> list[str]:
    name = world.model_key
    return [name, world.version_key, f"{name}:meta", f"{name}:state", f"{name}:epoch"]


def put_the_first_back(world: World) -> None:
    """Publish a signed model, copy it, publish a second one, and put the copy back."""
    assert train(world, "run-1").result.version == 1
    copies = {name: world.redis.dump(name) for name in keys_of(world)}
    assert train(world, "run-2").result.version == 2
    for name, copy in copies.items():
        world.redis.restore(name, 0, copy, replace=True)
    assert world.version == b"1"


def test_older_signed_model_is_refused_and_can_go_on_by_a_rollback(world: World) -> None:
    put_the_first_back(world)
    live = world.redis.mget(keys_of(world))
    run = train(world, "run-3")
    assert (run.code, run.result.verdict) == (0, "UnreadableChampion"), run.log
    assert "it is version 1, published at" in run.result.message
    assert "the audit trail knows version 2" in run.result.message
    assert run.result.champion_version == 1
    assert world.redis.mget(keys_of(world)) == live
    back = world.start("back", ("rollback", "--to", "1"), environment=SIGNED).wait()
    assert (back.code, back.result.verdict, back.result.version) == (0, "Restored", 3), back.log
    assert train(world, "run-4").result.version == 4


def test_older_model_of_an_unsigned_installation_is_replaced(world: World) -> None:
    put_the_first_back(world)
    run = train(world, "run-3", {})
    assert (run.result.verdict, run.result.version) == ("Promoted", 3), run.log
    assert "is not the newest: it is version 1" in run.log


@pytest.mark.parametrize("lost", ["all keys", "the last promotion"])
def test_accepted_loss_is_recorded_and_ends_with_the_next_version(world: World, lost: str) -> None:
    put_the_first_back(world)
    if lost == "all keys":
        for name in world.redis.scan_iter(f"{world.model_key}*"):
            world.redis.delete(name)
        world.redis.delete(world.version_key)
    refused = train(world, "run-3")
    assert refused.result.verdict == "UnreadableChampion"
    assert "accept-loss" in refused.result.message
    for number in (1, 2):  # the second time there is nothing to accept
        accepted = world.start(f"accept-{number}", ("accept-loss",), environment=SIGNED).wait()
        assert accepted.code == 0, accepted.log
    assert world.sql(
        "SELECT run_id, verdict, version, champion_version FROM retraining_runs"
        " WHERE reason = 'loss_accepted'"
    ) == [("accept-1", None, None, 2)]
    run = train(world, "run-4")
    assert (run.result.verdict, run.result.version) == ("Promoted", 3), run.log
    copies = {name: world.redis.dump(name) for name in keys_of(world)}
    assert train(world, "run-5").result.version == 4
    for name, copy in copies.items():
        world.redis.restore(name, 0, copy, replace=True)
    assert train(world, "run-6").result.verdict == "UnreadableChampion", "accepted only once"


def test_loss_cannot_be_accepted_without_a_table_to_record_it(world: World) -> None:
    put_the_first_back(world)
    world.sql("DROP TABLE retraining_runs")
    run = world.start("accept", ("accept-loss",), environment=SIGNED).wait()
    assert run.code == 78
    assert "has no table retraining_runs" in run.log


@pytest.mark.parametrize("environment", [SIGNED, {}], ids=["signed", "unsigned"])
def test_forged_run_document_ends_no_run(world: World, environment: dict[str, str]) -> None:
    assert train(world, "run-1", environment).result.version == 1
    forged = {
        **json.loads(train(world, "run-1", environment).result.document()),
        "run_id": "run-2",
        "version": 4242,
    }
    world.redis.set(f"{world.model_key}:run:run-2", json.dumps(forged))
    run = train(world, "run-2", environment)
    assert (run.result.verdict, run.result.version) == ("Promoted", 2), run.log
    assert "is not the result of this run" in run.log
    assert [row[0] for row in world.versions] == [1, 2]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("trained", {"first": "2024-01-01T00:00:00Z", "last": "2999-01-01T00:00:00Z", "rows": 9}),
        ("n_samples", 10**12),
        ("published_at", "2999-01-01T00:00:00Z"),
        ("version", 10**20),
    ],
)
def test_manifest_that_cannot_be_true_is_reported(world: World, field: str, value: Any) -> None:
    train(world, "run-1", {})
    key = f"{world.model_key}:meta"
    world.redis.set(key, json.dumps({**json.loads(world.redis.get(key)), field: value}))
    run = train(world, "run-2", {})
    assert run.result.verdict == "UnreadableChampion", run.log
    assert field in run.result.message
    assert [row[0] for row in world.versions] == [1]


def test_forged_field_of_the_history_has_no_effect_on_runs(world: World) -> None:
    train(world, "run-1", {})
    world.redis.hset(f"{world.model_key}:history", "999999999999999", "x")
    for number in (2, 3):
        run = train(world, f"run-{number}", {})
        assert (run.result.verdict, run.result.version) == ("Promoted", number), run.log
    assert [row[0] for row in world.versions] == [1, 2, 3]


@pytest.mark.parametrize("environment", [SIGNED, {}], ids=["signed", "unsigned"])
@pytest.mark.parametrize("table", ["retraining_runs", "model_versions"])
def test_recorded_version_out_of_range_does_not_count(
    world: World, table: str, environment: dict[str, str]
) -> None:
    train(world, "run-1", environment)
    world.sql("ALTER TABLE model_versions ALTER version TYPE bigint")
    world.sql(f"UPDATE {table} SET version = 999999999999999999")  # noqa: S608  # constants
    run = train(world, "run-2", environment)
    assert (run.result.verdict, run.result.version) == ("Promoted", 2), run.log
    assert f"1 rows of {table} have a version that no run can have" in run.log
    back = world.start("back", ("rollback", "--to", "1"), environment=environment).wait()
    assert (back.result.verdict, back.result.version) == ("Restored", 3), back.log


@pytest.mark.parametrize("version", [3, 10**6, 10**18])
def test_accepted_loss_of_a_version_that_nobody_has_recorded_does_not_count(
    world: World, version: int
) -> None:
    put_the_first_back(world)
    world.sql(
        "INSERT INTO retraining_runs (run_id, reason, message, champion_version, started_at,"  # noqa: S608
        f" finished_at) VALUES ('x', 'loss_accepted', 'm', {version}, now(), now())"
    )
    assert train(world, "run-3").result.verdict == "UnreadableChampion"


def test_rejected_challenger_whose_earlier_copy_was_put_back_stays_rejected(world: World) -> None:
    train(world, "run-1")
    waiting = world.train("run-2", promotion="Manual", environment=SIGNED)
    assert waiting.result.withheld == "AwaitingApproval", waiting.log
    key = f"{world.model_key}:challenger:run-2"
    copy = world.redis.dump(key)
    for answer in ("reject", "approve"):
        world.redis.restore(key, 0, copy, replace=True)
        decided = world.start("run-2", ("decide",), environment=SIGNED, approval=answer).wait()
        assert (decided.code, decided.result.withheld) == (0, "Rejected"), decided.log
    assert world.version == b"1"


def test_key_is_rotated_by_a_command(world: World) -> None:
    train(world, "run-1")
    train(world, "run-2")
    both = {"SIGNING_KEY": "the next key, long enough", "SIGNING_KEY_PREVIOUS": KEY}
    rotated = world.start("sign", ("sign", "--rotate"), environment=both).wait()
    assert rotated.code == 0, rotated.log
    new = {"SIGNING_KEY": "the next key, long enough"}
    back = world.start("back", ("rollback", "--to", "1"), environment=new).wait()
    assert (back.code, back.result.version) == (0, 3), back.log
    assert train(world, "run-3", new).result.version == 4
