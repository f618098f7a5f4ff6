"""Fuzz targets: bytes become an object of the cluster, and every other object stays as it was.

A target raises only if a value from outside had an effect that it must not have. A defect behind
a fence counts as well.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from retraining_operator.api.approval_rules import build_approval
from retraining_operator.api.conditions import ConditionType
from retraining_operator.api.fields import MalformedObjectError
from retraining_operator.api.job_container import InvalidRequestError
from retraining_operator.api.job_manifest import build_job
from retraining_operator.api.names import Task
from retraining_operator.api.outcome import read_outcome
from retraining_operator.api.outcome_status import build_finished_status
from retraining_operator.api.request import read_request
from retraining_operator.api.request_limits import build_limits, find_refusal
from retraining_operator.api.retrain_approval import build_mark
from retraining_operator.audit.row import build_row
from retraining_operator.contract import (
    Preset,
    UnreadableRowError,
    read_result,
    read_row,
    to_line,
)
from retraining_operator.leader.holder_pod import is_operator_ended
from retraining_operator.leader.lease import (
    LeaseAction,
    LeaseObservation,
    build_lease,
    choose_action,
    read_lease,
)
from retraining_operator.observability.problems import ObjectProblem, ProblemReporter
from retraining_operator.planning.plan import plan
from retraining_operator.planning.snapshot import PlanInput
from retraining_operator.planning.steps import WriteStatus
from retraining_operator.settings import Settings, Triggers
from retraining_operator.watch.cache import ClusterCache
from tests.fuzz.cluster_objects import (
    APPROVAL,
    BAD_JOB,
    FINISHED,
    JOB,
    LEASE,
    NOW,
    POD,
    REFUSAL,
    RESULT,
    ROW,
    SPEC,
    request_body,
)
from tests.system.random_input import check_sentence

SETTINGS = Settings.model_validate(
    {
        "namespace": "fraud",
        "kafka": {"bootstrapServers": "kafka:9092"},
        "redis": {"name": "redis-secret"},
        "database": {"name": "database-secret"},
        "trainer": {"preset": "recommended"},
        "job": {
            "image": "retraining-job:0.1.0",
            "resources": {
                "requests": {"cpu": "500m", "memory": "1Gi"},
                "limits": {"memory": "2Gi"},
            },
        },
    }
)
TRIGGERS = Triggers(
    max_concurrent=2, cooldown_seconds=60, max_runs_per_day=5, breaker_failures=2, coalesce=True
)


class StrictReporter(ProblemReporter):
    """Raises a defect that the operator would only report."""

    def report(
        self,
        problem: ObjectProblem,
        key: str,
        message: str,
        *,
        request_uid: str = "",
        error: Exception | None = None,
    ) -> None:
        """Raise the cause of a defect. Check the message of any other problem."""
        if error is not None:
            raise error
        check_sentence(to_line(message))
        super().report(problem, key, message, request_uid=request_uid)


def parse(data: bytes) -> Any:
    """Return the JSON value of some bytes; the bytes as a text if they are not JSON."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return data.decode(errors="replace")


def build_neighbours() -> ClusterCache:
    """Build a cache with requests that a bad object must not affect."""
    cache = ClusterCache(StrictReporter())
    cache.update_request(request_body("waiting"))
    cache.update_request(request_body("suspended") | {"spec": {"suspend": True}})
    cache.update_request(request_body("running", {"jobName": "running-job"}))
    return cache


def describe_plan(cache: ClusterCache) -> dict[str, tuple[str, str]]:
    """Return the step of each request by name: its kind, and the message that it writes."""
    requests = list(cache.requests.values())
    known = PlanInput(
        requests,
        cache.own_jobs.select(),
        cache.list_finished_runs(),
        approvals=cache.approvals.by_request,
        needs_four_eyes=True,
    )
    found = plan(known, TRIGGERS.model_copy(update={"max_concurrent": 20}), NOW)
    assert not found.failures, found.failures
    described = {}
    for step in found.steps:
        message = ""
        if isinstance(step, WriteStatus):
            json.dumps(step.status, allow_nan=False)
            for entry in step.status["conditions"]:
                check_sentence(entry["message"])
            message = step.status["conditions"][0]["message"]
        described[step.request.name] = (type(step).__name__, message)
    return described


EXPECTED = {name: step for name, step in describe_plan(build_neighbours()).items() if name != "bad"}


def check_neighbours(cache: ClusterCache) -> None:
    """Fail if the plan of the other requests is not the same as without the bad object."""
    cooldown = {"waiting"}  # it may wait for the end of the bad request's run, as designed
    found = describe_plan(cache)
    for name, step in EXPECTED.items():
        assert name in cooldown or found.get(name) == step, (name, found.get(name))
    assert found["waiting"][0] in {"Launch", "WriteStatus"}
    cache.count_waiting()
    cache.count_work({})
    cache.own_jobs.report_foreign(cache.problems)


def fuzz_request(data: bytes) -> None:
    """Read a RetrainRequest of any shape."""
    cache = build_neighbours()
    cache.update_request(parse(data))
    check_neighbours(cache)
    for request in cache.requests.values():
        row = build_row(request, {}, Preset.RECOMMENDED, NOW)
        assert all("\0" not in value for value in row.values() if isinstance(value, str))
    cache.remove_deleted_request(parse(data))


def fuzz_job(data: bytes) -> None:
    """Read a Job of any shape."""
    cache = build_neighbours()
    cache.update_request(request_body("bad", {"jobName": BAD_JOB, "jobUid": "job-of-bad"}))
    cache.update_job(parse(data))
    check_neighbours(cache)
    cache.remove_job(parse(data))


def fuzz_pod(data: bytes) -> None:
    """Read a pod of any shape, and conclude a Job with it."""
    cache = build_neighbours()
    cache.update_request(request_body("bad", {"jobName": BAD_JOB, "jobUid": "job-of-bad"}))
    cache.update_job(JOB)
    cache.update_pod(parse(data))
    check_neighbours(cache)
    is_operator_ended(parse(data))
    job = cache.jobs[Task.TRAIN]["uid-of-bad"]
    outcome = read_outcome(job, cache.list_attempts("uid-of-bad"))
    request = read_request(request_body("bad"))
    status = build_finished_status(request, outcome, NOW, job)
    check_sentence(status["conditions"][0]["message"])
    json.dumps(status, allow_nan=False)
    version = status.get("version")
    assert version is None or 0 <= version < 2**63


def fuzz_approval(data: bytes) -> None:
    """Read a RetrainApproval of any shape, and answer a request with it."""
    cache = build_neighbours()
    waiting = FINISHED | {"retrainApprovalUid": "approval-of-bad"}
    cache.update_request(request_body("bad", waiting))
    cache.approvals.update(parse(data))
    check_neighbours(cache)
    for approval in cache.approvals.by_request.values():
        if approval.answer:
            check_sentence(f"{build_approval(approval, is_verified=False)}.")
    for approval in cache.approvals.foreign.values():
        json.dumps(build_mark(approval, NOW), allow_nan=False)
    cache.approvals.remove(parse(data))


def fuzz_refusal(data: bytes) -> None:
    """Read an Event of any shape."""
    cache = build_neighbours()
    cache.update_refusal(parse(data))
    check_neighbours(cache)


def fuzz_lease(data: bytes) -> None:
    """Read a Lease of any shape."""
    try:
        lease = read_lease(parse(data), 15)
    except MalformedObjectError as error:
        check_sentence(str(error))
        return
    assert 0 < lease.seconds <= 3600
    choose_action(LeaseObservation(lease, 0.0), "me_1", 10.0)
    change = build_lease(LeaseAction.TAKE, lease, "me_1", 15, NOW)
    assert 0 <= change["spec"]["leaseTransitions"] < 2**31


def fuzz_row(data: bytes) -> None:
    """Read a row of `retraining_runs` of any shape."""
    row = parse(data)
    if isinstance(row, Mapping):
        try:
            result = read_row(row)
        except UnreadableRowError:
            return
        assert (result.message or "").isprintable()


def fuzz_result(data: bytes) -> None:
    """Read a result document of any shape."""
    result = read_result(data.decode(errors="replace"))
    if result is not None:
        check_sentence((result.message or "empty")[:2000])
        assert result.version is None or 0 <= result.version < 2**63
        json.dumps(result.model_dump(mode="json"), allow_nan=False)
        request = read_request(request_body("bad"))
        assert request.conditions[ConditionType.SUCCEEDED].reason == ""


def fuzz_spec(data: bytes) -> None:
    """Read a spec of any shape, compare it with the limits, and build its Job."""
    request = read_request(request_body("bad") | {"spec": parse(data)})
    if request.malformed is not None:
        check_sentence(to_line(request.malformed))
        return
    refusal = find_refusal(request, build_limits(SETTINGS))
    if refusal is not None:
        check_sentence(to_line(refusal))
    try:
        manifest = build_job(request, SETTINGS)
    except InvalidRequestError as error:
        check_sentence(to_line(str(error)))
        return
    json.dumps(manifest, allow_nan=False)
    [container] = manifest["spec"]["template"]["spec"]["containers"]
    assert all(isinstance(variable.get("value", ""), str) for variable in container["env"])


TARGETS: dict[str, Callable[[bytes], None]] = {
    "request": fuzz_request,
    "spec": fuzz_spec,
    "job": fuzz_job,
    "pod": fuzz_pod,
    "approval": fuzz_approval,
    "refusal": fuzz_refusal,
    "lease": fuzz_lease,
    "row": fuzz_row,
    "result": fuzz_result,
}
GENUINE: dict[str, list[Any]] = {
    "request": [request_body("bad", FINISHED), request_body("bad") | {"spec": SPEC}],
    "spec": [SPEC, {"rollbackTo": 3}, request_body("bad")["spec"]],
    "job": [JOB],
    "pod": [POD],
    "approval": [APPROVAL],
    "refusal": [REFUSAL],
    "lease": [LEASE],
    "row": [ROW],
    "result": [RESULT],
}
"""Genuine values to start from."""


def build_seeds(name: str) -> list[bytes]:
    """Return the genuine inputs of a target."""
    return [json.dumps(value).encode() for value in GENUINE[name]]


SEEDS: dict[str, Callable[[], list[bytes]]] = {name: partial(build_seeds, name) for name in TARGETS}
