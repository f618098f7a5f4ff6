"""Fixtures that build objects as the API server returns them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from retraining_operator.api.approval import Approval
from retraining_operator.api.names import Task, build_approval_name, build_job_name
from retraining_operator.api.outcome_status import build_finished_status
from retraining_operator.api.request import RetrainRequest, read_request
from retraining_operator.api.retrain_approval import build_owner_reference
from retraining_operator.planning.finished import FinishedRun
from retraining_operator.settings import Settings
from tests.unit.operator.awaited_approvals import Ask, in_database
from tests.unit.operator.finished_runs import outcome
from tests.unit.operator.memory_cluster import MemoryCluster, MemoryOperator
from tests.unit.operator.sample_settings import build_settings

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def settings() -> Settings:
    return build_settings()


@pytest.fixture
def request_body() -> Callable[..., dict[str, Any]]:
    def build(
        name: str = "first",
        spec: dict[str, Any] | None = None,
        status: dict[str, Any] | None = None,
        version: int = 7,
        *,
        created: str = "2026-03-01T11:00:00Z",
    ) -> dict[str, Any]:
        return {
            "metadata": {
                "name": name,
                "namespace": "fraud",
                "uid": f"uid-of-{name}",
                "generation": 1,
                "resourceVersion": str(version),
                "creationTimestamp": created,
            },
            "spec": spec or {"reason": "by hand"},
            "status": status or {},
        }

    return build


@pytest.fixture
def job_body() -> Callable[..., dict[str, Any]]:
    def build(
        request: str = "first",
        end: str | None = None,
        reason: str = "",
        approval: Approval | None = None,
        **status: Any,
    ) -> dict[str, Any]:
        task = "decision" if approval else "job"
        conditions = [
            {
                "type": end,
                "status": "True",
                "reason": reason,
                "message": "",
                "lastTransitionTime": "2026-03-01T11:05:00Z",
            }
        ]
        return {
            "metadata": {
                "name": build_job_name(
                    request, f"uid-of-{request}", Task.DECIDE if approval else Task.TRAIN
                ),
                "uid": f"uid-of-{task}-of-{request}",
                "resourceVersion": "9",
                "labels": {"retraining.dev/task": "decide"} if approval else {},
                "annotations": {},
                "ownerReferences": [
                    {
                        "apiVersion": "retraining.dev/v1alpha1",
                        "kind": "RetrainRequest",
                        "name": request,
                        "uid": f"uid-of-{request}",
                        "controller": True,
                    }
                ],
            },
            "spec": {},
            "status": {
                "startTime": "2026-03-01T11:00:01Z",
                "conditions": conditions if end else [],
                **status,
            },
        }

    return build


@pytest.fixture
def approval_body() -> Callable[..., dict[str, Any]]:
    def build(
        request: str = "first", version: int = 8, *, name: str | None = None, **spec: Any
    ) -> dict[str, Any]:
        uid = f"uid-of-{request}"
        return {
            "metadata": {
                "name": name or build_approval_name(request, uid),
                "namespace": "fraud",
                "uid": f"uid-of-approval-of-{request}",
                "resourceVersion": str(version),
                "ownerReferences": [build_owner_reference(request, uid)],
            },
            "spec": {"request": request, "challenger": uid, "verifiesApprover": True, **spec},
        }

    return build


@pytest.fixture
def ended(now: datetime) -> Callable[..., FinishedRun]:
    def build(
        minutes_ago: float = 10, *, failed: bool = False, name: str = "before", **other: Any
    ) -> FinishedRun:
        end = now - timedelta(minutes=minutes_ago)
        kept: dict[str, Any] = {
            "reason": "OutOfMemory" if failed else "Kept",
            "recorded": True,
            "ran": True,
            "merged_into": None,
        }
        kept |= {
            "trigger_reason": "",
            "resource_version": 1,
            "arrival": ("", -1, -1, name),
            "uid": f"uid-of-{name}",
        }
        return FinishedRun(
            **{"name": name, "started_at": end, "ended_at": end, "failed": failed, **kept, **other}
        )

    return build


@pytest.fixture
def request_named(request_body: Callable[..., dict[str, Any]]) -> Callable[..., RetrainRequest]:
    def build(name: str = "first", second: int = 0, **spec: Any) -> RetrainRequest:
        return read_request(
            request_body(
                name, {"reason": "drift", **spec}, created=f"2026-03-01T11:00:{second:02d}Z"
            )
        )

    return build


@pytest.fixture
def cluster() -> MemoryCluster:
    return MemoryCluster()


@pytest.fixture
def operator(cluster: MemoryCluster, settings: Settings) -> MemoryOperator:
    return MemoryOperator(cluster, settings)


@pytest.fixture
def awaits(request_body: Callable[..., dict[str, Any]], now: datetime) -> Ask:
    """Return a function that builds a request whose challenger awaits approval."""
    first = build_finished_status(
        read_request(request_body()),
        outcome(now, verdict="Promoted", withheld="AwaitingApproval", metrics=None),
        now,
    )

    def build(spec: dict[str, Any] | None = None, **status: Any) -> RetrainRequest:
        stored = {"retrainApprovalUid": "uid-of-approval-of-first", **first, **status}
        return read_request(request_body(spec=spec, status=in_database(stored)))

    return build
