"""kopf's handlers: the only place where the watch meets our code.

Each takes one event into the view.
"""

from __future__ import annotations

import asyncio
import itertools
import platform
from dataclasses import dataclass
from typing import Any, cast

import kopf

from retraining_operator.api import names
from retraining_operator.kube.client import PAGE_OBJECTS
from retraining_operator.kube.resources import EVENTS, LEASES, REFUSAL_SELECTOR
from retraining_operator.watch.cache import ClusterCache

RETRY_SECONDS = 3
"""How soon kopf asks an API server again that was away."""


@dataclass
class Memo:
    """What the handlers work with; kopf passes it to each of them.

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
        identity=cast(
            "Any", platform.node()
        ),  # kopf's own guess needs the user's name, and a bare uid has none
    )
    memo.stopping.set()


async def observe_request(event: kopf.RawEvent, memo: Memo, **_: Any) -> None:
    """Take in what became of a RetrainRequest."""
    came_back(names.PLURAL, event, memo)
    if event["type"] == "DELETED":
        memo.cache.lose_request(event["object"])
    else:
        memo.cache.see_request(event["object"])


async def observe_job(event: kopf.RawEvent, memo: Memo, **_: Any) -> None:
    """Take in what became of a Job."""
    came_back(names.JOBS, event, memo)
    if event["type"] == "DELETED":
        memo.cache.forget_job(event["object"])
    else:
        memo.cache.see_job(event["object"])


async def observe_pod(event: kopf.RawEvent, memo: Memo, **_: Any) -> None:
    """Take in what a pod waits for and how its trainer ended; also from the last word of a pod that is gone."""
    came_back(names.PODS, event, memo)
    memo.cache.see_pod(event["object"], gone=event["type"] == "DELETED")


async def observe_refusal(event: kopf.RawEvent, memo: Memo, **_: Any) -> None:
    """Record that the API server has refused a Job's pod.

    The watch health does not cover these Events, because days may pass without one. Each
    resynchronization lists them.
    """
    memo.cache.see_refusal(event["object"], gone=event["type"] == "DELETED")


async def observe_lease(event: kopf.RawEvent, memo: Memo, **_: Any) -> None:
    """Notice that the watch is alive: the Lease changes every few seconds, even where nothing else does."""
    came_back(LEASES.plural, event, memo)


def came_back(kind: str, event: kopf.RawEvent, memo: Memo) -> None:
    """Tell the canary what the watch has brought."""
    memo.cache.watch_health.came_back(kind, int(event["object"]["metadata"]["resourceVersion"]))


async def begin_stop(memo: Memo, **_: Any) -> None:
    """Let the other tasks stop together with kopf."""
    memo.stopping.set()


def build_registry(*, has_lease: bool) -> kopf.OperatorRegistry:
    """Register the handlers in a registry of our own, so that importing this module does nothing.

    Plain events and nothing else: they write no annotation, need no finalizer, and what they would
        have to remember is in the cluster already.
    """
    registry = kopf.OperatorRegistry()
    kopf.on.login(registry=registry)(login)
    kopf.on.cleanup(registry=registry)(begin_stop)
    kopf.on.event(names.GROUP, names.VERSION, names.PLURAL, registry=registry)(observe_request)
    mine = {names.LABEL_MANAGED_BY: names.MANAGED_BY}
    kopf.on.event("batch", "v1", "jobs", labels=mine, registry=registry)(observe_job)
    kopf.on.event("", "v1", "pods", labels=mine, registry=registry)(observe_pod)
    kopf.on.event(*EVENTS, registry=registry)(observe_refusal)
    if has_lease:
        kopf.on.event(*LEASES, registry=registry)(observe_lease)
    return registry


def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
    """Log in with the pod's own service account, or with the current kubeconfig outside of a cluster."""
    return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)


class NoDiffs(kopf.AnnotationsDiffBaseStorage):
    """Keeps nothing to compare with: plain events ask for no differences, and kopf would copy each object for them."""

    def fetch(self, **_: Any) -> None:
        """Give what was kept."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        """Give what would be kept."""
        return kopf.BodyEssence()


def build_settings() -> kopf.OperatorSettings:
    """Build kopf's own settings."""
    settings = kopf.OperatorSettings()
    settings.peering.standalone = (
        True  # a foreign peering object named "default" would freeze this operator
    )
    settings.posting.enabled = False  # Events are ours to write
    settings.persistence.diffbase_storage = NoDiffs()
    settings.scanning.disabled = (
        True  # neither CRDs nor namespaces come and go for us, and watching them needs rights
    )
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 310
    settings.watching.inactivity_timeout = (
        70  # the API server sends a word each minute: a silent watch is opened again
    )
    settings.watching.field_selectors[LEASES] = f"metadata.name={names.LEASE}"
    settings.watching.field_selectors[EVENTS] = REFUSAL_SELECTOR
    settings.networking.error_backoffs = itertools.repeat(
        RETRY_SECONDS
    )  # else kopf gives up after a minute
    settings.watching.connect_timeout = 10
    settings.watching.chunk_size = PAGE_OBJECTS
    settings.queueing.idle_timeout = (
        0.1  # thousands of workers that wait for a second event would take 70 MiB
    )
    settings.networking.request_timeout = 30
    return settings
