"""The message of a request that may not start."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from retraining_operator.api.admission import Refuse, Wait
from retraining_operator.api.reasons import ConditionReason
from retraining_operator.api.request import read_request
from retraining_operator.planning.snapshot import build_snapshot
from retraining_operator.planning.steps import WriteStatus
from retraining_operator.planning.trigger_policy import admit_all
from retraining_operator.settings import Triggers
from tests.unit.operator.admissions import Ended, Named, answer, planned

Build = Callable[..., dict[str, Any]]


def test_message_about_a_suspended_request_says_how_to_start_it(
    request_named: Named, now: datetime
) -> None:
    assert answer(request_named(suspend=True), now) == Wait(
        ConditionReason.SUSPENDED, "spec.suspend is true. To start the Job, set it to false."
    )


def test_message_about_a_paused_request_names_the_value(
    request_named: Named, now: datetime
) -> None:
    assert answer(request_named(), now, paused=True) == Wait(
        ConditionReason.PAUSED,
        "All runs are paused (triggers.paused). They start in order once it is false.",
    )


def test_message_about_a_forbidden_request_has_the_limit_and_advice(
    request_named: Named, now: datetime
) -> None:
    assert answer(request_named(), now, running=2, concurrency_policy="Forbid") == Refuse(
        ConditionReason.FORBIDDEN,
        "2 runs were active when it arrived, and the limit is 2 (triggers.maxConcurrent, "
        "concurrencyPolicy: Forbid), so it does not run. Apply a new RetrainRequest if it is still "
        "wanted.",
    )


def test_replacing_request_waits_for_the_run_to_stop(request_named: Named, now: datetime) -> None:
    assert answer(request_named(), now, running=2, concurrency_policy="Replace") == Wait(
        ConditionReason.QUEUED, "It replaces an active run and starts when that run has stopped."
    )


def test_replaced_request_has_its_reason(request_named: Named, now: datetime) -> None:
    requests = [request_named(f"r{second}", second) for second in range(3)]
    found = admit_all(requests, build_snapshot(Triggers(concurrency_policy="Replace"), now, [], []))
    assert found["uid-of-r0"] == Refuse(
        ConditionReason.REPLACED,
        "The newer request r2 replaces it (triggers.concurrencyPolicy: Replace).",
    )


def test_message_about_a_trial_has_the_last_failure(
    request_named: Named, now: datetime, ended: Ended
) -> None:
    past = [
        ended(minutes, failed=True, name=f"r{minutes}", reason=reason)
        for minutes, reason in ((60, "BadData"), (50, "JobFailed"), (40, "OutOfMemory"))
    ]
    assert answer(request_named(), now, past, running=1, breaker_failures=3) == Wait(
        ConditionReason.BREAKER_OPEN,
        "The last 3 runs failed (triggers.breakerFailures), most recently r40 with OutOfMemory. "
        "A trial is running. If it succeeds, the others start.",
    )


def test_refused_request_ends_with_its_reason(
    request_body: Build, job_body: Build, request_named: Named, now: datetime
) -> None:
    running = read_request(request_body("old", status={"jobName": "old-job"}))
    late = request_named("late")
    found = planned(
        [running, late],
        now,
        [job_body("old", active=1)],
        max_concurrent=1,
        concurrency_policy="Forbid",
    )
    [step] = [step for step in found.steps if step.request.name == "late"]
    assert isinstance(step, WriteStatus)
    assert step.request == late
    succeeded = step.status["conditions"][0]
    assert (succeeded["status"], succeeded["reason"]) == ("False", "ConcurrencyForbidden")
    assert datetime.fromisoformat(succeeded["lastTransitionTime"]) == now
