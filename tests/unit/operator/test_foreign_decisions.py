"""Only an own Job applies an approval, and only the one that was announced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from retraining_operator.kube.resources import JOBS
from retraining_operator.settings import Settings
from tests.unit.operator.attempts import document
from tests.unit.operator.forged_jobs import (
    DECIDING,
    TRAINING,
    await_approval,
    finish_job,
    forge_job,
)
from tests.unit.operator.memory_cluster import NOW, MemoryCluster, MemoryOperator

Build = Callable[..., dict[str, Any]]


async def test_forged_decision_beside_a_challenger_that_waits_changes_nothing(
    cluster: MemoryCluster, operator: MemoryOperator, request_body: Build
) -> None:
    await await_approval(cluster, operator, request_body)
    forge_job(cluster, name=DECIDING, job_uid="forged-decision")
    await operator.reconcile()
    assert operator.condition("Promoted")[:2] == ("Unknown", "AwaitingApproval")
    assert operator.status().get("version") is None
    assert operator.count_problems("foreign") == 1


async def test_squatter_of_the_decision_s_name_is_not_believed(
    cluster: MemoryCluster, operator: MemoryOperator, request_body: Build
) -> None:
    await await_approval(cluster, operator, request_body)
    forge_job(cluster, name=DECIDING, job_uid="forged-decision")
    operator.answer("Approve", "jane")
    await operator.reconcile()
    truth, reason, message = operator.condition("Promoted")
    assert (truth, reason) == ("False", "JobNameTaken")
    assert "uid forged-decision" in message
    assert operator.status().get("version") is None


async def test_approval_is_stored_before_its_job_and_a_change_of_the_job_does_not_alter_it(
    cluster: MemoryCluster, operator: MemoryOperator, request_body: Build
) -> None:
    await await_approval(cluster, operator, request_body)
    operator.answer("Approve", "jane")
    await operator.reconcile()
    forged = {"metadata": {"annotations": {"retraining.dev/approval": "approve by the boss"}}}
    await cluster.patch(JOBS, DECIDING, forged)
    finish_job(cluster, DECIDING, document(NOW, verdict="Promoted", promoted=True, version=2))
    await operator.reconcile()
    assert operator.status()["approvalBy"] == "jane"
    assert operator.status()["version"] == 2
    assert operator.condition("Promoted")[0] == "True"


async def test_interrupted_launch_of_a_decision_is_repeated(
    cluster: MemoryCluster, operator: MemoryOperator, request_body: Build, settings: Settings
) -> None:
    await await_approval(cluster, operator, request_body)
    cluster.lost_answers = 1
    operator.answer("Approve", "jane")
    await operator.reconcile(1)
    cluster.has_policy = False
    restarted = MemoryOperator(cluster, settings)
    await restarted.reconcile()
    assert sorted(restarted.jobs()) == sorted([TRAINING, DECIDING])
    assert restarted.condition("Promoted")[1] == "ApplyingApproval"
    assert restarted.status()["approvalBy"] == "jane"
