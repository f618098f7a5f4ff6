"""Random records, specs, approvals and pods are accepted or refused with one line."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from retraining_operator.api.approval import Approval
from retraining_operator.api.approval_rules import build_approval, find_objection
from retraining_operator.api.approval_status import describe_ignored_answer
from retraining_operator.api.job import Job, read_job
from retraining_operator.api.job_container import InvalidRequestError
from retraining_operator.api.job_manifest import build_job
from retraining_operator.api.names import Task
from retraining_operator.api.outcome import JobOutcome, read_outcome
from retraining_operator.api.outcome_status import build_finished_status
from retraining_operator.api.pod import read_attempt, read_pod
from retraining_operator.api.record_request import build_request
from retraining_operator.api.request import RetrainRequest, read_request
from retraining_operator.api.retrain_approval import RetrainApproval, read_retrain_approval
from retraining_operator.api.trigger import KafkaPosition, MalformedRecordError
from retraining_operator.contract import ApprovalAnswer, Failure, Verdict, Withheld
from retraining_operator.intake.record_parser import parse_trigger
from retraining_operator.planning.plan import plan
from retraining_operator.planning.snapshot import PlanInput
from retraining_operator.planning.steps import Launch, WriteStatus
from retraining_operator.settings import Settings, Triggers
from tests.system.random_input import (
    check_sentence,
    objects,
    places,
    plausible_specs,
    records,
    spoilt_specs,
    texts,
    values,
    written,
)
from tests.unit.operator.attempts import job_owner

pytestmark = pytest.mark.slow

Build = Callable[..., dict[str, Any]]
FIXED = [HealthCheck.function_scoped_fixture]
"""The fixtures here are builders and constants, the same for every example."""


def so_many(count: int) -> examples:
    return examples(
        max_examples=count, deadline=None, suppress_health_check=[*FIXED, HealthCheck.too_slow]
    )


@so_many(3500)
@given(records, places)
def test_record_becomes_a_request_or_one_error_message(
    value: bytes | None, place: tuple[str, int, int, int]
) -> None:
    try:
        trigger = parse_trigger(KafkaPosition(*place), value)
    except MalformedRecordError as error:
        check_sentence(f"Skipped the record {KafkaPosition(*place)} ({error.kind}): {error}.")
        return
    body = build_request(trigger, "fraud")
    assert len(body["metadata"]["name"]) <= 63
    assert 1 <= len(body["spec"]["reason"]) <= 1000
    assert len(body["spec"]["trigger"]["timestamp"]) == len("2026-03-01T12:00:00.000Z")
    written(body).decode()


@so_many(2000)
@given(st.one_of(plausible_specs, spoilt_specs))
def test_spec_becomes_a_job_or_one_error_message(
    request_body: Build, settings: Settings, now: datetime, spec: dict[str, Any]
) -> None:
    request = read_request({**request_body(), "spec": spec})
    try:
        job = build_job(request, settings)
    except InvalidRequestError as error:
        check_sentence(said(request, JobOutcome("InvalidRequest", str(error)), now))
        return
    if request.malformed is not None:
        check_sentence(said(request, JobOutcome("InvalidRequest", request.malformed), now))
        return
    assert all(isinstance(variable.get("value", ""), str) for variable in container(job)["env"])


answers = st.fixed_dictionaries(
    {"answer": st.sampled_from(["Approve", "Reject"]), "approver": st.text(min_size=1)},
    optional={"comment": st.text(min_size=1), "requestedBy": texts},
)


@so_many(1000)
@given(answers, st.booleans())
def test_answer_becomes_one_line(
    request_body: Build, approval_body: Build, answer: dict[str, Any], four_eyes: bool
) -> None:
    answered = read_retrain_approval(approval_body(**answer))
    request = read_request(request_body())
    for is_verified in (True, False):
        check_sentence(f"{build_approval(answered, is_verified=is_verified)}.")
        objection = find_objection(request, answered, four_eyes=four_eyes, is_verified=is_verified)
        if objection:
            check_sentence(describe_ignored_answer(answered.name, objection))


conditions = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["Succeeded", "Promoted", "Recorded", "Other"]),
        "status": st.sampled_from(["True", "False", "Unknown"]),
        "reason": st.sampled_from(["Queued", "Running", "JobCreated", *Verdict, *Failure]),
        "message": st.text(min_size=1, max_size=30),
        "lastTransitionTime": st.just("2026-03-01T11:59:00Z"),
    }
)
statuses = st.fixed_dictionaries(
    {},
    optional={
        "conditions": st.lists(
            conditions, max_size=3, unique_by=lambda condition: condition["type"]
        ),
        "jobName": st.just("first-job"),
        "withheld": st.sampled_from(list(Withheld)),
        "approval": st.sampled_from(["approve", "reject"]),
        "approvalBy": texts,
        "approvalJobName": st.just("first-approval"),
        "retrainApprovalUid": st.sampled_from(["uid-of-approval-of-r0", "of-another-one"]),
        "version": st.integers(1, 9),
    },
)
job_states = st.fixed_dictionaries(
    {
        "end": st.sampled_from([None, "Complete", "Failed"]),
        "reason": st.sampled_from(
            ["", "DeadlineExceeded", "BackoffLimitExceeded", "PodFailurePolicy"]
        ),
        "approval": st.sampled_from([None, Approval(ApprovalAnswer.REJECT, "x")]),
        "active": st.sampled_from([None, 0, 1]),
        "ready": st.sampled_from([None, 0, 1]),
        "failed": st.integers(0, 3),
    }
)
request_states = st.fixed_dictionaries(
    {
        "spec": st.one_of(plausible_specs, spoilt_specs),
        "status": statuses,
        "answer": st.one_of(st.none(), st.just({}), answers),
        "job": st.one_of(st.none(), job_states),
    }
)


policies = st.builds(
    Triggers,
    max_concurrent=st.integers(1, 3),
    concurrency_policy=st.sampled_from(["Queue", "Forbid", "Replace"]),
    cooldown_seconds=st.sampled_from([0, 600]),
    coalesce=st.booleans(),
    max_runs_per_day=st.integers(0, 2),
    breaker_failures=st.integers(0, 2),
    paused=st.booleans(),
)


@so_many(700)
@given(states=st.lists(request_states, max_size=3), policy=policies)
def test_plan_has_one_step_for_each_request_and_respects_the_concurrency_limit(
    request_body: Build,
    job_body: Build,
    approval_body: Build,
    now: datetime,
    *,
    states: list[dict[str, Any]],
    policy: Triggers,
) -> None:
    requests: list[RetrainRequest] = []
    jobs: dict[Task, dict[str, Job]] = {task: {} for task in Task}
    approvals: dict[str, RetrainApproval] = {}
    for number, one in enumerate(states):
        name = f"r{number}"
        requests.append(read_request(request_body(name, one["spec"], one["status"])))
        if one["answer"] is not None:
            given_answer = read_retrain_approval(approval_body(name, **one["answer"]))
            approvals[given_answer.challenger] = given_answer
        if one["job"]:
            job = read_job(job_body(name, **one["job"]))
            assert job
            jobs[job.task][job.request_uid] = job
    running = [
        request
        for request in requests
        if (job := jobs[Task.TRAIN].get(request.uid))
        and job.end is None
        and not request.is_finished
    ]
    found = plan(PlanInput(requests, jobs, approvals=approvals), policy, now)
    assert len({step.request.uid for step in found.steps}) == len(found.steps)
    launched = [step.request for step in found.steps if isinstance(step, Launch)]
    placed = [request for request in launched if not request.is_launching]
    for limit, is_rollback in ((policy.max_concurrent, False), (policy.max_rollbacks, True)):
        free = limit - sum(request.is_rollback is is_rollback for request in running)
        assert sum(request.is_rollback is is_rollback for request in placed) <= max(0, free)
    for step in found.steps:
        if isinstance(step, WriteStatus):
            assert all(
                condition["message"] and condition["reason"]
                for condition in step.status["conditions"]
            )


moment = st.just("2026-03-01T11:59:00Z")
documents = st.fixed_dictionaries(
    {
        "run_id": texts,
        "reason": st.sampled_from(list(Failure)),
        "message": texts,
        "started_at": moment,
        "finished_at": moment,
    },
    optional={
        "verdict": st.sampled_from(list(Verdict)),
        "version": values,
        "promoted": st.booleans(),
    },
)

ends = st.fixed_dictionaries(
    {},
    optional={
        "finishedAt": st.sampled_from(["2026-03-01T11:59:00Z", "", None]),
        "exitCode": st.integers(-1, 256),
        "reason": st.one_of(texts, st.just("OOMKilled")),
        "message": st.one_of(
            documents.map(written), objects.map(written), st.binary(max_size=30)
        ).map(lambda text: text.decode(errors="replace")),
    },
)
pods = st.builds(
    lambda name, end, owned: {
        "metadata": {"ownerReferences": [job_owner()] if owned else None},
        "status": {"containerStatuses": [{"name": name, "state": {"terminated": end}}]},
    },
    st.sampled_from(["trainer", "trainer", "sidecar"]),
    ends,
    st.booleans(),
)


@so_many(800)
@given(found=st.lists(pods, max_size=2), state=job_states)
def test_end_of_any_pod_has_a_reason_and_a_message(
    request_body: Build,
    job_body: Build,
    now: datetime,
    found: list[dict[str, Any]],
    state: dict[str, Any],
) -> None:
    job = read_job(job_body(**{**state, "end": state["end"] or "Failed"}))
    assert job
    for body in found:
        read_pod(body)
    attempts = [attempt for body in found if (attempt := read_attempt(body))]
    outcome = read_outcome(job, attempts)
    check_sentence(said(read_request(request_body()), outcome, now))
    assert outcome.reason in {*Verdict, *Failure} or outcome.reason.isalpha()


def said(request: RetrainRequest, outcome: JobOutcome, now: datetime) -> str:
    message: str = build_finished_status(request, outcome, now)["conditions"][0]["message"]
    return message


def container(job: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = job["spec"]["template"]["spec"]["containers"][0]
    return found
