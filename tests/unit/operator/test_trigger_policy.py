"""The rules of the trigger policy."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from retraining_operator.api.admission import Allow, Refuse, Wait
from retraining_operator.api.job import read_job
from retraining_operator.api.names import Task
from retraining_operator.api.reasons import ConditionReason
from retraining_operator.api.request import read_request
from retraining_operator.planning.plan import plan
from retraining_operator.planning.snapshot import PlanInput, build_snapshot
from retraining_operator.planning.steps import Launch, Replace, WriteStatus
from retraining_operator.planning.trigger_policy import admit, admit_all
from retraining_operator.settings import Triggers
from tests.unit.operator.admissions import Ended, Named, answer, planned

Build = Callable[..., dict[str, Any]]


# By default each trigger is one run.


def test_nothing_waits_by_default(request_named: Named, now: datetime, ended: Ended) -> None:
    past = [ended(0.01, failed=True, name=f"r{number}") for number in range(100)]
    assert answer(request_named(), now, past, running=1) == Allow()


def test_queued_request_waits_for_a_running_one(request_named: Named, now: datetime) -> None:
    found = answer(request_named(), now, running=2)
    assert (type(found), found.reason) == (Wait, ConditionReason.QUEUED)
    assert "at most 2 runs may be active (triggers.maxConcurrent)" in found.message


def test_forbid_refuses_above_the_limit(request_named: Named, now: datetime) -> None:
    found = answer(request_named(), now, running=1, max_concurrent=1, concurrency_policy="Forbid")
    assert (type(found), found.reason) == (Refuse, ConditionReason.FORBIDDEN)
    assert answer(request_named(), now, max_concurrent=1, concurrency_policy="Forbid") == Allow()


def test_run_whose_job_was_deleted_counts_as_running_until_it_has_an_outcome(
    request_body: Build, request_named: Named, now: datetime
) -> None:
    deleted = read_request(
        request_body("deleted", status={"jobName": "deleted-job"}, created="2026-03-01T09:00:00Z")
    )
    found = planned([deleted, request_named("new")], now, max_concurrent=1)
    assert found.waiting_reasons == {"new": ConditionReason.QUEUED}


def test_replace_ends_the_oldest_that_runs(
    request_body: Build, job_body: Build, request_named: Named, now: datetime
) -> None:
    old = read_request(
        request_body("old", status={"jobName": "old-job"}, created="2026-03-01T10:00:00Z")
    )
    older = read_request(
        request_body("older", status={"jobName": "older-job"}, created="2026-03-01T09:00:00Z")
    )
    new = request_named("new")
    jobs = [job_body("old", active=1), job_body("older", active=1)]
    found = planned([old, older, new], now, jobs, concurrency_policy="Replace")
    [step] = [step for step in found.steps if isinstance(step, Replace)]
    assert (step.request, step.by, step.job.name) == (older, new, "older-a373ce4b76c3")


def test_replace_does_not_end_a_second_one_for_the_same_request(
    request_body: Build, job_body: Build, request_named: Named, now: datetime
) -> None:
    running = [
        read_request(request_body(name, status={"jobName": f"{name}-job"})) for name in ("a", "b")
    ]
    ending = job_body("a", active=1)
    ending["metadata"]["annotations"] = {"retraining.dev/replaced-by": "new"}
    found = planned(
        [*running, request_named("new")],
        now,
        [ending, job_body("b", active=1)],
        concurrency_policy="Replace",
    )
    assert not [step for step in found.steps if isinstance(step, Replace)]


def test_replace_lets_only_the_newest_wait(request_named: Named, now: datetime) -> None:
    requests = [request_named(f"r{second}", second) for second in range(4)]
    found = admit_all(requests, build_snapshot(Triggers(concurrency_policy="Replace"), now, [], []))
    kinds = [type(found[request.uid]) for request in requests]
    assert kinds == [Refuse, Refuse, Allow, Allow]
    assert "newer request r3 replaces it" in found["uid-of-r0"].message  # type: ignore[union-attr]


# Time.


def test_cooldown_counts_from_the_last_end(
    request_named: Named, now: datetime, ended: Ended
) -> None:
    past = [ended(30, name="early"), ended(5, name="late")]
    found = answer(request_named(), now, past, cooldown_seconds=600)
    assert (found.reason, found.until) == (ConditionReason.COOLDOWN, now + timedelta(minutes=5))
    assert found.message == (
        "The last run, late, ended at 2026-03-01 11:55:00 UTC. The next run may start at"
        " 2026-03-01 12:05:00 UTC "
        "(triggers.cooldownSeconds: 600)."
    )
    assert answer(request_named(), now, past, cooldown_seconds=300) == Allow()


def test_cooldown_does_not_count_what_never_ran(
    request_named: Named, now: datetime, ended: Ended
) -> None:
    merged = ended(1, ran=False, started_at=None)
    assert answer(request_named(), now, [merged], cooldown_seconds=600) == Allow()


def test_runs_in_24_hours_are_limited(request_named: Named, now: datetime, ended: Ended) -> None:
    past = [ended(60 * hours, name=f"r{hours}") for hours in (1, 5, 30)]
    assert answer(request_named(), now, past, max_runs_per_day=3) == Allow()
    found = answer(request_named(), now, past, max_runs_per_day=2)
    assert (found.reason, found.until) == (ConditionReason.BUDGET_SPENT, now + timedelta(hours=19))
    assert (
        "2 runs started within 24 hours, and the limit is 2 (triggers.maxRunsPerDay)"
        in found.message
    )


def test_running_retrains_count_for_the_budget(request_named: Named, now: datetime) -> None:
    assert (
        answer(request_named(), now, running=1, max_runs_per_day=1).reason
        == ConditionReason.BUDGET_SPENT
    )


def test_run_that_started_more_than_24_hours_ago_does_not_count_for_the_budget(
    request_named: Named, now: datetime
) -> None:
    running_since = [now - timedelta(hours=25)]
    snapshot = build_snapshot(Triggers(max_runs_per_day=1), now, running_since, [])
    assert admit(request_named(), snapshot) == Allow()


def test_loop_plans_again_when_the_first_request_may_start(
    request_named: Named, now: datetime, ended: Ended
) -> None:
    found = plan(
        PlanInput([request_named()], {task: {} for task in Task}, [ended(5)]),
        Triggers(cooldown_seconds=600),
        now,
    )
    assert found.wake_at == now + timedelta(minutes=5)
    assert found.waiting_reasons == {"first": ConditionReason.COOLDOWN}


# Failures.


def test_breaker_opens_after_failures_in_a_row(
    request_named: Named, now: datetime, ended: Ended
) -> None:
    past = [ended(30), ended(20, failed=True), ended(10, failed=True, name="latest")]
    found = answer(request_named(), now, past, breaker_failures=2)
    assert (found.reason, found.until) == (
        ConditionReason.BREAKER_OPEN,
        now + timedelta(minutes=20),
    )
    assert (
        "The last 2 runs failed (triggers.breakerFailures), most recently latest with OutOfMemory"
        in found.message
    )
    assert answer(request_named(), now, past, breaker_failures=3) == Allow()


def test_breaker_lets_one_through_as_a_trial(
    request_named: Named, now: datetime, ended: Ended
) -> None:
    past = [ended(40, failed=True), ended(35, failed=True)]
    requests = [request_named(f"r{second}", second) for second in range(3)]
    found = admit_all(requests, build_snapshot(Triggers(breaker_failures=2), now, [], past))
    assert [type(found[request.uid]) for request in requests] == [Allow, Wait, Wait]


def test_breaker_closes_on_success(request_named: Named, now: datetime, ended: Ended) -> None:
    past = [ended(40, failed=True), ended(35, failed=True), ended(1)]
    assert answer(request_named(), now, past, breaker_failures=2) == Allow()


# Pause and rollback.


def test_pause_stops_all_requests(request_named: Named, now: datetime) -> None:
    assert answer(request_named(), now, paused=True).reason == ConditionReason.PAUSED
    assert answer(request_named(rollbackTo=3), now, paused=True).reason == ConditionReason.PAUSED


def test_rollback_does_not_wait_for_runs(request_named: Named, now: datetime, ended: Ended) -> None:
    past = [ended(1, failed=True)]
    limits = {"max_runs_per_day": 1, "cooldown_seconds": 600, "breaker_failures": 1}
    assert answer(request_named(rollbackTo=3), now, past, running=9, **limits) == Allow()


def test_one_rollback_runs_at_a_time_and_none_takes_the_place_of_a_run(
    request_named: Named, now: datetime
) -> None:
    requests = [request_named(f"back-{second}", second, rollbackTo=1) for second in range(8)]
    requests += [request_named("a", 8), request_named("b", 9), request_named("c", 10)]
    found = planned(requests, now, max_concurrent=2)
    launched = [step.request.name for step in found.steps if isinstance(step, Launch)]
    assert launched == ["back-0", "a", "b"]
    assert set(found.waiting_reasons.values()) == {ConditionReason.QUEUED}
    assert len(found.waiting_reasons) == 8
    more = planned(requests, now, max_rollbacks=3)
    assert sum(step.request.is_rollback for step in more.steps if isinstance(step, Launch)) == 3


@pytest.mark.parametrize("policy", ["Queue", "Forbid", "Replace"])
def test_running_rollback_delays_only_rollbacks(
    request_named: Named,
    request_body: Build,
    job_body: Build,
    now: datetime,
    policy: str,
) -> None:
    running = read_request(
        request_body("running", {"rollbackTo": 1}, status={"jobName": "running-job"})
    )
    requests = [running, request_named("a", 5), request_named("back", 6, rollbackTo=2)]
    for jobs in ([job_body("running", active=1)], []):  # its Job is known, or was deleted
        found = planned(requests, now, jobs, max_concurrent=1, concurrency_policy=policy)
        launched = [step.request.name for step in found.steps if isinstance(step, Launch)]
        assert launched == ["a"]
        assert found.waiting_reasons == {"back": ConditionReason.QUEUED}
    over = planned(requests, now, [job_body("running", end="Complete")], max_concurrent=1)
    launched = [step.request.name for step in over.steps if isinstance(step, Launch)]
    assert launched == ["a", "back"]


@pytest.mark.parametrize("policy", ["Queue", "Forbid", "Replace"])
def test_request_that_may_not_run_takes_no_place_and_replaces_no_run(
    request_named: Named, now: datetime, policy: str
) -> None:
    requests = [request_named("greedy"), request_named("a", 1), request_named("greedy-too", 2)]
    refusals = {"uid-of-greedy": "spec.margin: 1.", "uid-of-greedy-too": "spec.margin: 1."}
    known = PlanInput(requests, {task: {} for task in Task}, refusals=refusals)
    found = plan(known, Triggers(max_concurrent=1, concurrency_policy=policy), now)
    assert [step.request.name for step in found.steps if isinstance(step, Launch)] == ["a"]
    ends = {
        step.request.name: step.status["conditions"][0]
        for step in found.steps
        if isinstance(step, WriteStatus)
    }
    assert {(end["status"], end["reason"]) for end in ends.values()} == {
        ("False", "RequestNotAllowed")
    }
    assert set(ends) == {"greedy", "greedy-too"}


@pytest.mark.parametrize("has_job", [True, False])
def test_request_that_has_started_continues_if_the_limits_change(
    request_body: Build, job_body: Build, now: datetime, has_job: bool
) -> None:
    launching = {"type": "Succeeded", "status": "Unknown", "reason": "Launching", "message": "x"}
    started = read_request(request_body(status={"jobName": "first-job", "conditions": [launching]}))
    job = read_job(job_body(active=1))
    assert job
    jobs = {Task.TRAIN: {job.request_uid: job} if has_job else {}, Task.DECIDE: {}}
    known = PlanInput([started], jobs, refusals={started.uid: "spec.margin: 1."})
    [step] = plan(known, Triggers(), now).steps
    assert isinstance(step, WriteStatus if has_job else Launch)
    if isinstance(step, WriteStatus):
        assert not step.is_final


def test_started_request_is_not_admitted_again(
    request_body: Build, job_body: Build, now: datetime
) -> None:
    running = read_request(request_body(status={"jobName": "first-job"}))
    found = planned([running], now, [job_body(active=1)], paused=True)
    assert not [step for step in found.steps if isinstance(step, Launch)]
    assert found.waiting_reasons == {}


def test_suspended_requests_and_rollbacks_replace_no_other(
    request_named: Named, now: datetime
) -> None:
    requests = [
        request_named("a"),
        request_named("held", 1, suspend=True),
        request_named("back", 2, rollbackTo=3),
    ]
    triggers = Triggers(concurrency_policy="Replace", max_concurrent=1)
    found = admit_all(requests, build_snapshot(triggers, now, [], []))
    assert found["uid-of-a"] == Allow()


def test_trial_may_start_when_the_reset_time_is_over(
    request_named: Named, now: datetime, ended: Ended
) -> None:
    past = [ended(30, failed=True)]
    assert answer(request_named(), now, past, breaker_failures=1) == Allow()


def test_breaker_that_is_off_does_not_look_at_failures(
    request_named: Named, now: datetime, ended: Ended
) -> None:
    past = [ended(5, failed=True)]
    assert answer(request_named(), now, past, cooldown_seconds=60) == Allow()


def test_launch_in_progress_counts_for_the_budget_from_now(
    request_named: Named, now: datetime
) -> None:
    requests = [request_named("launching"), request_named("next", 1)]
    found = plan(
        PlanInput(requests, {task: {} for task in Task}, launching={"uid-of-launching"}),
        Triggers(max_runs_per_day=1),
        now,
    )
    assert found.wake_at == now + timedelta(hours=24)
    assert found.waiting_reasons == {"next": ConditionReason.BUDGET_SPENT}
