"""Genuine objects of the cluster, which the fuzz targets start from."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from retraining_operator.api.names import build_approval_name, build_job_name
from retraining_operator.api.retrain_approval import build_owner_reference
from tests.unit.operator.attempts import document, job_owner

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


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
SPEC = {
    "reason": "drift",
    "preset": "recommended",
    "rows": 5000,
    "minimumRows": 500,
    "holdOutRows": 1000,
    "threshold": "0.9",
    "policy": "NonInferior",
    "margin": "0.02",
    "onInconclusive": "Keep",
    "acceptInputChange": False,
    "promotion": "Manual",
    "dryRun": True,
    "scaling": "Auto",
    "deadlineSeconds": 3600,
    "retries": 2,
    "resources": {
        "requests": {"cpu": "250m", "memory": "64Mi"},
        "limits": {"cpu": "1", "memory": "2Gi"},
    },
    "suspend": False,
}
