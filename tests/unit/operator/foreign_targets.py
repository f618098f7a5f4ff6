"""Fuzz targets: bytes become an object of the cluster, and every other object stays as it was.

Each target takes bytes, so that a coverage-guided fuzzer can call it as well. It raises only if a
value from outside had an effect that it must not have.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from retraining_operator.api.approval_rules import build_approval
from retraining_operator.api.conditions import ConditionType
from retraining_operator.api.fields import MalformedObjectError
from retraining_operator.api.names import Task, build_approval_name, build_job_name
from retraining_operator.api.outcome import read_outcome
from retraining_operator.api.outcome_status import build_finished_status
from retraining_operator.api.request import read_request
from retraining_operator.api.retrain_approval import build_mark, build_owner_reference
from retraining_operator.audit.row import build_row
from retraining_operator.contract import Preset, read_result, read_row
from retraining_operator.intake.handled_offset import parse_entry
from retraining_operator.leader.lease import (
    LeaseAction,
    LeaseObservation,
    build_lease,
    choose_action,
    read_lease,
)
from retraining_operator.planning.plan import plan
from retraining_operator.planning.snapshot import PlanInput
from retraining_operator.planning.steps import WriteStatus
from retraining_operator.settings import Triggers
from retraining_operator.watch.cache import ClusterCache
from tests.system.random_input import check_sentence
from tests.unit.operator.attempts import document, job_owner

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TRIGGERS = Triggers(
    max_concurrent=2, cooldown_seconds=60, max_runs_per_day=5, breaker_failures=2, coalesce=True
)


def condition(kind: str, status: str, reason: str) -> dict[str, Any]:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": "A sentence.",
        "lastTransitionTime": "2026-03-01T11:05:00Z",
    }


def request_body(name: str, status: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "metadata": {
            "name": name,
            "namespace": "fraud",
            "uid": f"uid-of-{name}",
            "generation": 1,
            "resourceVersion": "7",
            "creationTimestamp": "2026-03-01T11:00:00Z",
            "annotations": {"retraining.dev/approval": "approve by Jane Doe"},  # has no effect
        },
        "spec": {
            "reason": "drift",
            "trigger": {
                "topic": "drift",
                "partition": 0,
                "offset": 3,
                "timestamp": "2026-03-01T11:00:00.000Z",
                "record": "{}",
            },
        },
        "status": status or {},
    }


BAD_JOB = build_job_name("bad", "uid-of-bad")
FINISHED = {
    "observedGeneration": 1,
    "conditions": [
        condition("Succeeded", "True", "Promoted"),
        condition("Promoted", "Unknown", "AwaitingApproval"),
        condition("Recorded", "True", "Recorded"),
    ],
    "jobName": BAD_JOB,
    "jobUid": "job-of-bad",
    "launches": ["0" * 32],
    "attempts": 1,
    "startTime": "2026-03-01T11:00:01Z",
    "completionTime": "2026-03-01T11:05:00Z",
    "verdict": "Promoted",
    "withheld": "AwaitingApproval",
    "version": 3,
    "championVersion": 2,
    "samples": 1000,
    "merged": {"count": 1, "first": "x", "last": "x", "reasons": ["drift"]},
    "window": {"first": "2026-02-01T00:00:00Z", "last": "2026-03-01T00:00:00Z", "rows": 1000},
    "metrics": {"challenger": {"precision": 0.9}},
    "waitingFor": {"reason": "Unschedulable", "message": "No node."},
    "logTail": "The end.",
}
JOB = {
    "metadata": {
        "name": BAD_JOB,
        "namespace": "fraud",
        "uid": "job-of-bad",
        "resourceVersion": "8",
        "labels": {"retraining.dev/task": "train"},
        "annotations": {"retraining.dev/launch": "x"},
        "ownerReferences": [
            {
                "apiVersion": "retraining.dev/v1alpha1",
                "kind": "RetrainRequest",
                "name": "bad",
                "uid": "uid-of-bad",
                "controller": True,
            }
        ],
    },
    "spec": {"backoffLimit": 3, "activeDeadlineSeconds": 3600, "ttlSecondsAfterFinished": 60},
    "status": {
        "active": 0,
        "failed": 1,
        "startTime": "2026-03-01T11:00:01Z",
        "conditions": [condition("Failed", "True", "BackoffLimitExceeded")],
    },
}
POD = {
    "metadata": {
        "name": "bad-x",
        "uid": "pod-of-bad",
        "resourceVersion": "9",
        "creationTimestamp": "2026-03-01T11:00:02Z",
        "labels": {"retraining.dev/request-uid": "uid-of-bad"},
        "ownerReferences": [job_owner("job-of-bad")],
    },
    "status": {
        "phase": "Running",
        "reason": "",
        "conditions": [condition("PodScheduled", "False", "Unschedulable")],
        "containerStatuses": [
            {
                "name": "trainer",
                "state": {
                    "terminated": {
                        "exitCode": 0,
                        "reason": "Completed",
                        "finishedAt": "2026-03-01T11:04:00Z",
                        "message": document(NOW, run_id="uid-of-bad", verdict="Kept"),
                    }
                },
            },
            {"name": "proxy", "state": {"running": {"startedAt": "2026-03-01T11:00:03Z"}}},
        ],
        "initContainerStatuses": [
            {"name": "init", "state": {"waiting": {"reason": "ErrImagePull", "message": "no"}}}
        ],
    },
}
APPROVAL = {
    "metadata": {
        "name": build_approval_name("bad", "uid-of-bad"),
        "namespace": "fraud",
        "uid": "approval-of-bad",
        "resourceVersion": "9",
        "annotations": {"retraining.dev/launch": "x"},
        "ownerReferences": [build_owner_reference("bad", "uid-of-bad")],
    },
    "spec": {
        "request": "bad",
        "challenger": "uid-of-bad",
        "verifiesApprover": True,
        "answer": "Approve",
        "approver": "jane",
        "requestedBy": "joe",
        "comment": "better on cards",
    },
    "status": {"conditions": [condition("Other", "True", "Any")]},
}
REFUSAL = {
    "metadata": {"name": "e", "creationTimestamp": "2026-03-01T11:00:02Z"},
    "reason": "FailedCreate",
    "note": f'Error creating: pods "{BAD_JOB}-abcde" is forbidden: exceeded quota',
    "regarding": {"apiVersion": "batch/v1", "kind": "Job", "name": BAD_JOB, "uid": "job-of-bad"},
    "series": {"lastObservedTime": "2026-03-01T11:00:03.000000Z", "count": 2},
    "eventTime": "2026-03-01T11:00:02.000000Z",
}
LEASE = {
    "metadata": {"name": "retraining-operator", "resourceVersion": "5"},
    "spec": {
        "holderIdentity": "pod-1_0123",
        "leaseDurationSeconds": 15,
        "renewTime": "2026-03-01T11:59:59.000000Z",
        "leaseTransitions": 2,
    },
}
ENTRY = {
    "topic": "drift",
    "partition": 0,
    "topicId": "t",
    "offset": 12,
    "latestTimestampMs": 1000,
    "open": [3, 4],
}
ROW = {
    "run_id": "r",
    "verdict": "Kept",
    "reason": "inferior",
    "message": "m",
    "version": None,
    "champion_version": 2,
    "n_samples": 1000,
    "metrics": {"challenger": {"precision": 0.9}},
    "window_first": "2026-02-01T00:00:00Z",
    "window_last": "2026-03-01T00:00:00Z",
    "started_at": "2026-03-01T11:00:00Z",
    "finished_at": "2026-03-01T11:04:00Z",
    "withheld": None,
}
RESULT = json.loads(document(NOW, verdict="Kept", version=3, n_samples=1000))


def parse(data: bytes) -> Any:
    """Return the JSON value of some bytes; the bytes as a text if they are not JSON."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return data.decode(errors="replace")


def build_neighbours() -> ClusterCache:
    """Build a cache with requests that a bad object must not affect."""
    cache = ClusterCache()
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


def fuzz_entry(data: bytes) -> None:
    """Read an entry of the handled offsets of any shape."""
    parsed = parse_entry(data.decode(errors="replace"))
    if parsed is not None:
        _, partition, entry = parsed
        assert -1 <= partition < 2**63
        assert -1 <= entry.offset < 2**63


def fuzz_row(data: bytes) -> None:
    """Read a row of `retraining_runs` of any shape."""
    row = parse(data)
    if isinstance(row, Mapping):
        try:
            result = read_row(row)
        except ValidationError:
            return
        check_sentence(result.message or "empty")


def fuzz_result(data: bytes) -> None:
    """Read a result document of any shape."""
    result = read_result(data.decode(errors="replace"))
    if result is not None:
        check_sentence((result.message or "empty")[:2000])
        assert result.version is None or 0 <= result.version < 2**63
        json.dumps(result.model_dump(mode="json"), allow_nan=False)
        request = read_request(request_body("bad"))
        assert request.conditions[ConditionType.SUCCEEDED].reason == ""


TARGETS: dict[str, tuple[Callable[[bytes], None], Any]] = {
    "request": (fuzz_request, request_body("bad", FINISHED)),
    "job": (fuzz_job, JOB),
    "pod": (fuzz_pod, POD),
    "approval": (fuzz_approval, APPROVAL),
    "refusal": (fuzz_refusal, REFUSAL),
    "lease": (fuzz_lease, LEASE),
    "entry": (fuzz_entry, ENTRY),
    "row": (fuzz_row, ROW),
    "result": (fuzz_result, RESULT),
}
"""For each target the function and a genuine value to start from."""
