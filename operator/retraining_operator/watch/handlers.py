"""kopf's handlers, which store each watch event in the cache."""

from __future__ import annotations

import asyncio
import itertools
import platform
from dataclasses import dataclass
from typing import Any, cast

import kopf

from retraining_operator.api import names
from retraining_operator.api.fields import Fields
from retraining_operator.kube.client import PAGE_OBJECTS
from retraining_operator.kube.resources import EVENTS, LEASES, REFUSAL_SELECTOR
from retraining_operator.watch.cache import ClusterCache
from retraining_operator.watch.object_fence import fence_object

RETRY_SECONDS = 3
"""How long kopf waits before it calls an unavailable API server again."""


@dataclass
class Memo:
    """What kopf passes to each handler.

    Args:
        cache: The watched objects.
        stopping: Set when the process is asked to stop.
    """

    cache: ClusterCache
    stopping: asyncio.Event


async def watch(memo: Memo, namespace: str, *, has_lease: bool) -> None:
    """Run kopf until a signal stops it.

    Args:
        memo: The cache that is updated, and the event that is set when kopf stops.
        namespace: The namespace to watch.
        has_lease: Whether there is a Lease to watch, because leader election is enabled.
    """
    await kopf.operator(
        registry=build_registry(has_lease=has_lease),
        settings=build_settings(),
        memo=memo,
        namespaces=[namespace],
        # kopf's default needs the user's name, which a bare uid does not have
        identity=cast("Any", platform.node()),
    )
    memo.stopping.set()


async def _handle_request(event: kopf.RawEvent, memo: Memo, **_: Any) -> None:
    _record_delivery(names.PLURAL, event, memo)
    if event["type"] == "DELETED":
        memo.cache.remove_deleted_request(event["object"])
    else:
        memo.cache.update_request(event["object"])


async def _handle_approval(event: kopf.RawEvent, memo: Memo, **_: Any) -> None:
    _record_delivery(names.APPROVAL_PLURAL, event, memo)
    if event["type"] == "DELETED":
        memo.cache.approvals.remove(event["object"])
    else:
        memo.cache.approvals.update(event["object"])


async def _handle_job(event: kopf.RawEvent, memo: Memo, **_: Any) -> None:
    _record_delivery(names.JOBS, event, memo)
    if event["type"] == "DELETED":
        memo.cache.remove_job(event["object"])
    else:
        memo.cache.update_job(event["object"])


async def _handle_pod(event: kopf.RawEvent, memo: Memo, **_: Any) -> None:
    """Store a pod, also when it is deleted, because that event may show how its trainer ended."""
    _record_delivery(names.PODS, event, memo)
    memo.cache.update_pod(event["object"], is_deleted=event["type"] == "DELETED")


async def _handle_refusal(event: kopf.RawEvent, memo: Memo, **_: Any) -> None:
    """Store that the API server has rejected a Job's pod.

    The watch health does not cover these Events, because days may pass without one. Each
    resynchronization lists them.
    """
    memo.cache.update_refusal(event["object"], is_deleted=event["type"] == "DELETED")


async def _handle_lease(event: kopf.RawEvent, memo: Memo, **_: Any) -> None:
    """Record that the watch is alive. The Lease changes every few seconds."""
    _record_delivery(LEASES.plural, event, memo)


def _record_delivery(kind: str, event: kopf.RawEvent, memo: Memo) -> None:
    with fence_object(memo.cache.problems, kind, event["object"]):
        version = Fields.of(event["object"]).fields("metadata").require_version()
        memo.cache.watch_health.record_delivery(kind, version)


async def _stop_others(memo: Memo, **_: Any) -> None:
    """Stop the other tasks together with kopf."""
    memo.stopping.set()


def build_registry(*, has_lease: bool) -> kopf.OperatorRegistry:
    """Build a registry with the handlers, so that importing this module has no effect.

    All handlers are for plain events, because kopf writes no annotation and no finalizer for these.
    The handlers need neither: all state that has to be stored is in the cluster already.
    """
    registry = kopf.OperatorRegistry()
    kopf.on.login(registry=registry)(login)
    kopf.on.cleanup(registry=registry)(_stop_others)
    kopf.on.event(names.GROUP, names.VERSION, names.PLURAL, registry=registry)(_handle_request)
    approvals = (names.GROUP, names.VERSION, names.APPROVAL_PLURAL)
    kopf.on.event(*approvals, registry=registry)(_handle_approval)
    managed = {names.LABEL_MANAGED_BY: names.MANAGED_BY}
    kopf.on.event("batch", "v1", "jobs", labels=managed, registry=registry)(_handle_job)
    kopf.on.event("", "v1", "pods", labels=managed, registry=registry)(_handle_pod)
    kopf.on.event(*EVENTS, registry=registry)(_handle_refusal)
    if has_lease:
        kopf.on.event(*LEASES, registry=registry)(_handle_lease)
    return registry


def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
    """Return the login of the pod's service account, else of the current kubeconfig."""
    return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)


class NoDiffs(kopf.AnnotationsDiffBaseStorage):
    """Stores no earlier version of objects, because kopf would copy each object for that."""

    def fetch(self, **_: Any) -> None:
        """Return no earlier version."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        """Return an empty version."""
        return kopf.BodyEssence()


def build_settings() -> kopf.OperatorSettings:
    """Build kopf's settings."""
    settings = kopf.OperatorSettings()
    # a foreign peering object named "default" would pause this operator
    settings.peering.standalone = True
    settings.posting.enabled = False  # the operator writes its own Events
    settings.persistence.diffbase_storage = NoDiffs()
    # CRDs and namespaces are fixed, and watching them needs further rights
    settings.scanning.disabled = True
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 310
    # the API server sends a bookmark each minute, so a silent watch is reopened
    settings.watching.inactivity_timeout = 70
    settings.watching.field_selectors[LEASES] = f"metadata.name={names.LEASE}"
    settings.watching.field_selectors[EVENTS] = REFUSAL_SELECTOR
    # by default kopf gives up after a minute
    settings.networking.error_backoffs = itertools.repeat(RETRY_SECONDS)
    settings.watching.connect_timeout = 10
    settings.watching.chunk_size = PAGE_OBJECTS
    # kopf keeps a worker for each object until this time has passed; thousands take 70 MiB
    settings.queueing.idle_timeout = 0.1
    settings.networking.request_timeout = 30
    return settings
