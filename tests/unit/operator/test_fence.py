"""One bad object ends one request: all others are read and planned as without it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from retraining_operator.api.job_manifest import build_job
from retraining_operator.api.names import Task
from retraining_operator.api.request import RetrainRequest, read_request
from retraining_operator.api.request_limits import find_refusal
from retraining_operator.controller import launcher, reconciler
from retraining_operator.controller.approval_keeper import ApprovalKeeper
from retraining_operator.planning import plan as plan_module
from retraining_operator.planning import trigger_policy
from retraining_operator.planning.finished import read_finished_run
from retraining_operator.planning.plan import Plan, plan
from retraining_operator.planning.request_steps import plan_admission
from retraining_operator.planning.snapshot import PlanInput
from retraining_operator.planning.steps import Launch
from retraining_operator.settings import Settings, Triggers
from retraining_operator.watch.cache import ClusterCache
from tests.unit.operator.memory_cluster import MemoryCluster, MemoryOperator

Build = Callable[..., dict[str, Any]]
NO_JOBS: dict[Task, dict[str, Any]] = {task: {} for task in Task}


def plan_all(requests: list[RetrainRequest], now: datetime, **triggers: Any) -> Plan:
    return plan(PlanInput(requests, NO_JOBS), Triggers(max_concurrent=5, **triggers), now)


def fail_for(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that has a defect for one request."""

    def fail(request: RetrainRequest, *arguments: Any, **options: Any) -> Any:
        if request.name == name:
            raise RuntimeError("a defect\nforged line")
        return function(request, *arguments, **options)

    return fail


@pytest.mark.parametrize(
    ("module", "function"),
    [
        (plan_module, "is_candidate"),
        (plan_module, "plan_training"),
        (plan_module, "plan_admission"),
        (trigger_policy, "admit"),
    ],
    ids=["before admission", "after admission", "after its answer", "in the trigger policy"],
)
def test_defect_in_the_plan_of_one_request_does_not_change_the_others(
    request_body: Build,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
    module: Any,
    function: str,
) -> None:
    bad, *good = (read_request(request_body(name)) for name in ("bad", "good", "better"))
    launched = read_request(request_body("running", status={"jobName": "running-job"}))
    expected = {step.request.name: step for step in plan_all([*good, launched], now).steps}
    monkeypatch.setattr(module, function, fail_for("bad", getattr(module, function)))
    found = plan_all([bad, *good, launched], now)
    others = {step.request.name: step for step in found.steps if step.request.name != "bad"}
    assert others == expected
    if function != "plan_training":  # which is not called for a request that is admitted
        assert list(found.failures) == [bad.uid]


async def test_defect_is_logged_counted_and_reported_once(
    request_body: Build,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    cluster = MemoryCluster()
    operator = MemoryOperator(cluster, settings)
    for name in ("bad", "good"):
        cluster.put("retrainrequests", request_body(name))
    monkeypatch.setattr(plan_module, "plan_admission", fail_for("bad", plan_admission))
    with caplog.at_level(logging.WARNING):
        await operator.reconcile()
    assert operator.condition(name="good")[1] == "JobCreated"
    lines = [record for record in caplog.records if "fraud/bad" in record.getMessage()]
    assert len(lines) == 1
    assert lines[0].exc_info
    assert operator.count_problems("defect") == 1
    assert len(operator.event_notes("OperatorDefect")) == 1


async def test_defect_of_one_launch_leaves_its_place_to_others(
    request_body: Build, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = MemoryCluster()
    triggers = settings.triggers.model_copy(update={"max_concurrent": 1})
    operator = MemoryOperator(cluster, settings.model_copy(update={"triggers": triggers}))
    monkeypatch.setattr(launcher, "build_job", fail_for("bad", build_job))
    cluster.put("retrainrequests", request_body("bad", created="2026-03-01T10:00:00Z"))
    cluster.put("retrainrequests", request_body("good"))
    await operator.reconcile()
    assert operator.condition(name="good")[1] == "JobCreated"
    assert operator.count_problems("defect") == 1


async def test_defect_of_a_side_task_ends_neither_the_loop_nor_a_run(
    request_body: Build,
    approval_body: Build,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("a defect")

    cluster = MemoryCluster()
    operator = MemoryOperator(cluster, settings)
    monkeypatch.setattr(ApprovalKeeper, "mark_foreign", fail)
    cluster.put("retrainapprovals", approval_body(name="somebodys"))
    cluster.put("retrainrequests", request_body("good"))
    for _ in range(2):
        await operator.reconcile()
    assert operator.condition(name="good")[1] == "JobCreated"
    assert operator.count_problems("defect") == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"metadata": None},
        {"metadata": []},
        [],
        "text",
        {"metadata": {"name": "x"}},
        {"metadata": {"name": "x", "uid": 3, "namespace": "n", "resourceVersion": "1"}},
        {"metadata": {"name": "x", "uid": "u", "namespace": "n", "resourceVersion": "many"}},
        {"metadata": {"name": "x" * 1000, "uid": "u", "namespace": "n", "resourceVersion": "1"}},
    ],
)
def test_object_that_cannot_be_identified_is_ignored_and_reported_once(
    request_body: Build, body: Any, caplog: pytest.LogCaptureFixture
) -> None:
    cache = ClusterCache()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            cache.update_request(body)
        cache.update_request(request_body())
        cache.update_job(body)
        cache.update_pod(body)
        cache.update_refusal(body)
        cache.remove_job(body)
        cache.remove_deleted_request(body)
    assert list(cache.requests) == ["uid-of-first"]
    about_request = [record for record in caplog.records if "RetrainRequest" in record.getMessage()]
    assert len(about_request) == 1


STALE = "2999-12-31T23:59:59Z"


def finished(request_body: Build, **status: Any) -> RetrainRequest:
    succeeded = {"type": "Succeeded", "status": "False", "reason": "OutOfMemory", "message": "m"}
    stored = {"jobName": "j", "conditions": [succeeded], **status}
    return read_request(request_body("edited", status=stored))


@pytest.mark.parametrize(
    "times",
    [
        {"completionTime": STALE, "startTime": STALE},
        {"completionTime": "9999-12-31T23:59:59Z", "startTime": "0001-01-01T00:00:00+14:00"},
        {"completionTime": "yesterday", "startTime": 17},
        {"completionTime": None, "startTime": ["2026-03-01T11:00:00Z"]},
        {"completionTime": "2026-03-01T11:59:60Z", "startTime": "2026-13-01T00:00:00Z"},
    ],
)
def test_times_that_somebody_has_edited_stop_no_other_request(
    request_body: Build, now: datetime, times: dict[str, Any]
) -> None:
    run = read_finished_run(finished(request_body, **times))
    waiting = read_request(request_body("second"))
    known = PlanInput([waiting], NO_JOBS, [run])
    triggers = Triggers(cooldown_seconds=0, max_runs_per_day=1, breaker_failures=1)
    steps = plan(known, triggers, now).steps
    assert [step.request for step in steps] == [waiting]


def test_cooldown_after_a_run_of_the_year_2999_does_not_last_for_ever(
    request_body: Build, now: datetime
) -> None:
    run = read_finished_run(finished(request_body, completionTime=STALE))
    waiting = read_request(request_body("second"))
    known = PlanInput([waiting], NO_JOBS, [run])
    assert plan(known, Triggers(cooldown_seconds=600), now).steps == [Launch(waiting)]


async def test_request_that_cannot_be_judged_is_refused_and_others_run(
    settings: Settings, request_body: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciler, "find_refusal", fail_for("bad", find_refusal))
    cluster = MemoryCluster()
    operator = MemoryOperator(cluster, settings)
    for name in ("bad", "good"):
        cluster.put("retrainrequests", request_body(name))
    await operator.reconcile()
    assert operator.condition(name="bad")[:2] == ("False", "RequestNotAllowed")
    assert operator.condition(name="good")[1] == "JobCreated"
