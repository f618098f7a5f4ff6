"""An API server in memory: it stores objects, and other users may write into it at any time."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from retraining_operator.api import names
from retraining_operator.api.approval_rules import POLICY_MESSAGE
from retraining_operator.api.request_limits import build_limits
from retraining_operator.audit.writer import AuditWriter
from retraining_operator.controller.executor import build_executor
from retraining_operator.controller.pruner import Pruner
from retraining_operator.controller.reconciler import Reconciler
from retraining_operator.fault_injection import FaultInjection
from retraining_operator.kube.client import KubeClient
from retraining_operator.kube.errors import KubeError, read_error
from retraining_operator.kube.event_recorder import EventRecorder
from retraining_operator.kube.resources import ResourceKind
from retraining_operator.observability.metrics import Metrics
from retraining_operator.observability.problems import ProblemReporter
from retraining_operator.priority import WritePriority
from retraining_operator.settings import Settings
from retraining_operator.watch.cache import ClusterCache

STATUS = (
    '{{"kind": "Status", "reason": "{reason}", "message": "{reason}", '
    '"details": {{"kind": "{kind}"}}}}'
)
DENIED = json.dumps(
    {"kind": "Status", "reason": "Forbidden", "message": f"denied request: {POLICY_MESSAGE}"}
)
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def build_error(status: int, reason: str, kind: str) -> KubeError:
    """Build the error of an answer of the API server.

    Args:
        status: The HTTP status.
        reason: The reason of the Status object.
        kind: The plural of the object's kind.

    Returns:
        The error.
    """
    return read_error(status, STATUS.format(reason=reason, kind=kind))


def merge(stored: Any, change: Any) -> Any:
    """Return a JSON merge patch applied to a value.

    Args:
        stored: The value.
        change: The patch.

    Returns:
        The new value.
    """
    if not isinstance(change, Mapping):
        return change
    merged = dict(stored) if isinstance(stored, Mapping) else {}
    for name, value in change.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge(merged.get(name), value)
    return merged


class MemoryCluster:
    """Stores objects by kind and name."""

    def __init__(self) -> None:
        self.namespace = "fraud"
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.events: list[dict[str, Any]] = []
        self.version = 100
        self.lost_answers = 0
        """How many creations of Jobs are stored although the answer does not arrive."""
        self.has_policy = True
        """Whether the admission policy on approvals is in force."""
        self.pruned_fields: set[str] = set()
        """Fields of a status that an outdated CRD does not know."""

    def put(self, plural: str, body: dict[str, Any]) -> dict[str, Any]:
        """Store an object as another user would."""
        self.version += 1
        body = copy.deepcopy(body)
        metadata = body["metadata"]
        metadata |= {"resourceVersion": str(self.version), "namespace": self.namespace}
        metadata.setdefault("uid", f"uid-{plural}-{self.version}")
        metadata.setdefault("creationTimestamp", "2026-03-01T11:00:00Z")
        self.objects[plural, metadata["name"]] = body
        return copy.deepcopy(body)

    async def create(
        self, kind: ResourceKind, manifest: dict[str, Any], _seconds: float = 0
    ) -> dict[str, Any]:
        if kind.plural == "events":
            self.events.append(manifest)
            return manifest
        if (kind.plural, manifest["metadata"]["name"]) in self.objects:
            raise build_error(409, "AlreadyExists", kind.plural)
        body = self.put(kind.plural, manifest)
        if kind.plural == "jobs" and self.lost_answers:
            self.lost_answers -= 1
            raise read_error(504, STATUS.format(reason="Timeout", kind="jobs"))
        return body

    async def read(self, kind: ResourceKind, name: str, _seconds: float = 0) -> dict[str, Any]:
        if (kind.plural, name) not in self.objects:
            raise build_error(404, "NotFound", kind.plural)
        return copy.deepcopy(self.objects[kind.plural, name])

    async def patch(
        self, kind: ResourceKind, name: str, change: dict[str, Any], _seconds: float = 0
    ) -> dict[str, Any]:
        name = name.removesuffix("/status")
        return self.put(kind.plural, merge(await self.read(kind, name), change))

    async def request_object(self, *_: object, **__: object) -> dict[str, Any]:
        """Answer the dry run that finds out whether the policy on approvals is in force."""
        if self.has_policy:
            raise read_error(403, DENIED)
        return {}

    async def patch_status(
        self, name: str, resource_version: int, status: Mapping[str, object]
    ) -> dict[str, Any]:
        body = self.objects[names.PLURAL, name]
        if body["metadata"]["resourceVersion"] != str(resource_version):
            raise build_error(409, "Conflict", names.PLURAL)
        kept = {key: value for key, value in status.items() if key not in self.pruned_fields}
        return self.put(names.PLURAL, merge(body, {"status": kept}))

    async def list_pods(self, request_uid: str | None = None) -> list[dict[str, Any]]:
        return [
            body
            for (plural, _), body in self.objects.items()
            if plural == "pods"
            and request_uid in {None, body["metadata"]["labels"].get(names.LABEL_REQUEST_UID)}
        ]

    async def read_log(self, *_: object) -> str:
        return "The end of the log.\n"

    async def end_job(self, job: str, annotations: Mapping[str, str]) -> dict[str, Any]:
        body = merge(self.objects["jobs", job], {"metadata": {"annotations": dict(annotations)}})
        return self.put("jobs", body)

    async def set_job_ttl(self, job: str, seconds: int) -> dict[str, Any]:
        body = self.objects["jobs", job]
        return self.put("jobs", merge(body, {"spec": {"ttlSecondsAfterFinished": seconds}}))

    @property
    def transport(self) -> MemoryCluster:
        return self

    @property
    def client(self) -> KubeClient:
        return cast("KubeClient", self)


class EqualPriority(WritePriority):
    """No write waits for another one."""

    def compute_wait(self) -> float:
        return 0.0


class MemoryOperator:
    """One operator process on an API server in memory.

    Args:
        cluster: The API server.
        settings: The operator's settings.
    """

    def __init__(self, cluster: MemoryCluster, settings: Settings) -> None:
        self.cluster = cluster
        self.metrics = Metrics()
        self.cache = ClusterCache(ProblemReporter(self.metrics.count_skipped_object))
        event_recorder = EventRecorder(cluster.client, "test")
        write_priority = EqualPriority(self.cache.changed.set)
        self.reconciler = Reconciler(
            cache=self.cache,
            executor=build_executor(
                cluster=cluster.client,
                cache=self.cache,
                metrics=self.metrics,
                audit_writer=AuditWriter(None),
                event_recorder=event_recorder,
                settings=settings,
                fault_injection=FaultInjection.disabled(),
                clock=lambda: NOW,
            ),
            pruner=Pruner(cluster=cluster.client, cache=self.cache),
            write_priority=write_priority,
            triggers=settings.triggers,
            limits=build_limits(settings),
            approvals=settings.approvals,
            retention=settings.retention,
            clock=lambda: NOW,
            event_recorder=event_recorder,
        )

    def watch(self) -> None:
        """Store all objects in the cache, as the watch would, Jobs before requests."""
        update = {
            "jobs": self.cache.update_job,
            names.APPROVAL_PLURAL: self.cache.approvals.update,
            names.PLURAL: self.cache.update_request,
            "pods": self.cache.update_pod,
        }
        for kind, apply in update.items():
            for (plural, _), body in list(self.cluster.objects.items()):
                if plural == kind:
                    apply(body)

    async def reconcile(self, passes: int = 6) -> None:
        """Watch, plan and carry out the steps a few times."""
        for _ in range(passes):
            self.watch()
            async with asyncio.TaskGroup() as group:
                self.reconciler.dispatch(group)

    def count_problems(self, problem: str) -> float:
        """Return the metric of ignored objects for one problem."""
        found = self.metrics.registry.get_sample_value(
            "retraining_skipped_objects_total", {"reason": problem}
        )
        return found or 0.0

    def status(self, name: str = "first") -> dict[str, Any]:
        """Return the stored status of a request."""
        found: dict[str, Any] = self.cluster.objects[names.PLURAL, name].get("status", {})
        return found

    def condition(self, kind: str = "Succeeded", name: str = "first") -> tuple[str, str, str]:
        """Return status, reason and message of a condition."""
        for condition in self.status(name).get("conditions", []):
            if condition["type"] == kind:
                return condition["status"], condition["reason"], condition["message"]
        return "", "", ""

    def answer(self, word: str, approver: str) -> None:
        """Answer the RetrainApproval of the request `first`, as a person would."""
        [body] = self.approvals()
        spec = body["spec"] | {"answer": word, "approver": approver}
        self.cluster.put(names.APPROVAL_PLURAL, {**body, "spec": spec})

    def approvals(self) -> list[dict[str, Any]]:
        """Return all RetrainApprovals."""
        found = self.cluster.objects.items()
        return [body for (plural, _), body in found if plural == names.APPROVAL_PLURAL]

    def jobs(self) -> list[str]:
        """Return the names of all Jobs."""
        return [name for plural, name in self.cluster.objects if plural == "jobs"]

    def event_notes(self, reason: str) -> list[str]:
        """Return the notes of the Events with a reason."""
        return [event["note"] for event in self.cluster.events if event["reason"] == reason]
