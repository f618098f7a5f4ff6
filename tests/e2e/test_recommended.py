"""The recommended preset on the cluster: promotion, rejection, approval and rollback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.world import ClusterWorld
from tests.system import shuttle
from tests.system.kubectl import CommandError, wait_for

RECOMMENDED = {"preset": "recommended"}
RAW = RECOMMENDED | {"scaling": "None", "calibration": "None"}
"""As the old service trained."""


def shuttle_rows() -> Iterator[tuple[object, ...]]:
    """Build Shuttle's rows with the first reading as amount, for the deviation score."""
    for row in shuttle.rows():
        *columns, features = row
        yield *columns, json.dumps({**json.loads(str(features)), "amount": columns[1]})


@pytest.fixture
def shuttle_world(world: ClusterWorld) -> ClusterWorld:
    world.load(shuttle_rows())
    return world


def test_scaled_challenger_replaces_the_raw_champion_not_the_reverse_and_can_be_rolled_back(
    shuttle_world: ClusterWorld,
) -> None:
    world = shuttle_world
    first = world.wait_for_end(world.apply("raw", **RAW))
    assert (first["verdict"], first["version"]) == ("FirstModel", 1)
    second = world.wait_for_end(world.apply("scaled", **RECOMMENDED))
    assert (second["verdict"], second["version"], second["championVersion"]) == ("Promoted", 2, 1)
    metrics = {
        name: second["metrics"][name]["combined"]["averagePrecision"]
        for name in ("champion", "challenger")
    }
    assert metrics["challenger"] > metrics["champion"]
    # On Shuttle the raw model ranks hardly worse, so that the default margin would allow it.
    again = world.wait_for_end(world.apply("raw-again", **RAW, margin="0.02"))
    assert again["verdict"] == "Kept"
    assert world.condition("raw-again", "Promoted")["status"] == "False"
    back = world.wait_for_end(world.apply("back", rollbackTo=1, reason="the scaled one floods us"))
    assert (back["verdict"], back["version"], back["championVersion"]) == ("Restored", 3, 2)
    assert world.redis.run("GET", "model_version") == "3"
    nowhere = world.wait_for_end(world.apply("nowhere", rollbackTo=99))
    assert "Version 99 is not stored" in nowhere["conditions"][0]["message"]
    [[page]] = world.postgres.rows(
        "SELECT report FROM retraining_runs WHERE request LIKE '%/raw-again'"
    )
    assert "<svg" in page


def test_dry_run_evaluates_and_publishes_nothing(shuttle_world: ClusterWorld) -> None:
    world = shuttle_world
    status = world.wait_for_end(world.apply("dry", dryRun=True, **RECOMMENDED))
    assert (status["verdict"], status["withheld"]) == ("FirstModel", "DryRun")
    assert world.condition("dry", "Promoted")["reason"] == "DryRun"
    assert world.redis.run("KEYS", "*") == ""


@pytest.mark.parametrize(("word", "live"), [("Approve", "1"), ("Reject", "")])
def test_manual_promotion_waits_for_approval(
    shuttle_world: ClusterWorld, word: str, live: str
) -> None:
    world = shuttle_world
    status = world.wait_for_end(world.apply("asked", promotion="Manual", **RECOMMENDED))
    assert (status["verdict"], status["withheld"]) == ("FirstModel", "AwaitingApproval")
    assert world.condition("asked", "Promoted")["status"] == "Unknown"
    assert world.redis.run("GET", "model_version") == ""
    approval = wait_for("the RetrainApproval", lambda: find_approval(world, "asked"))
    whoami = ("auth", "whoami", "--output", "jsonpath={.status.userInfo.username}")
    person = world.kubectl(*whoami).strip()
    apply_answer(world, approval, word, person)
    truth = {"Approve": "True", "Reject": "False"}[word]
    world.wait_for_truth("asked", "Promoted", truth)
    assert world.redis.run("GET", "model_version") == live
    [[by]] = world.postgres.rows("SELECT approval_by FROM retraining_runs")
    assert by == person
    assert world.kubectl.get("rtr", "asked")["status"]["approvalVerified"] is True


def find_approval(world: ClusterWorld, request: str) -> dict[str, Any] | None:
    """Find the RetrainApproval of a request, not that of an earlier request of its name."""
    uid = world.kubectl.get("rtr", request)["metadata"]["uid"]
    approvals = world.kubectl.items("retrainapprovals")
    return next((each for each in approvals if each["spec"]["challenger"] == uid), None)


def apply_answer(world: ClusterWorld, approval: dict[str, Any], answer: str, approver: str) -> None:
    """Apply a RetrainApproval with an answer. In another person's name it is refused."""
    kinds = {key: approval[key] for key in ("apiVersion", "kind")}
    body = {**kinds, "metadata": {"name": approval["metadata"]["name"]}}
    spec = approval["spec"] | {"answer": answer}
    with pytest.raises(CommandError, match="must be the user name of the person who answers"):
        world.kubectl.apply({**body, "spec": spec | {"approver": "Jane Doe"}})
    world.kubectl.apply({**body, "spec": spec | {"approver": approver}})
