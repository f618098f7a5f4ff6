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
from tests.fuzz.neighbours import build_neighbours, check_neighbours, parse
from tests.system.random_input import check_sentence
from tests.unit.operator.sample_settings import build_settings

SETTINGS = build_settings()


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
