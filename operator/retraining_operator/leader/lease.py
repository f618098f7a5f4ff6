"""Who of several operators acts: the one that holds the Lease. Driven by the replica, which acts while it leads.

A leader renews the Lease; the others take it once nobody has renewed it for its duration, counted
by their own monotonic clock from when they saw it change: clocks of different machines are never
compared. A leader that could not renew counts its own deadline from before the last renewal was
sent, so it gives up before any other may start. Each write carries the version that was read, so of
two that take the Lease at once one is refused. A leader whose pod has ended cannot act, so nobody
waits for the end of its Lease.
"""

from __future__ import annotations

import asyncio
import logging
import platform
import time
import uuid
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum, auto
from typing import Any

from retraining_operator.api import names
from retraining_operator.api.request import Manifest
from retraining_operator.kube.client import KubeClient
from retraining_operator.kube.errors import (
    AlreadyExistsError,
    ConflictError,
    KubeError,
    NotFoundError,
)
from retraining_operator.kube.resources import LEASES
from retraining_operator.leader.holder import HolderPod, pod_of
from retraining_operator.settings import LeaderElection
from retraining_operator.watch.health import WatchHealth

logger = logging.getLogger(__name__)


class LeaseLostError(Exception):
    """This process may not act any more; the text says why."""


@dataclass(frozen=True)
class Lease:
    """The Lease as it stood in the cluster."""

    holder: str
    """Empty where the last one has released it."""
    seconds: float
    """How long its holder may be silent."""
    renewed: str
    """Its holder's own time; only compared for being another one."""
    transitions: int
    version: str = field(compare=False)


@dataclass(frozen=True)
class LeaseObservation:
    """What was last seen of the Lease, None where there is none, and since when it stands so by the local clock."""

    lease: Lease | None
    since: float


class Move(Enum):
    """What to do about the Lease."""

    CREATE = auto()
    TAKE = auto()
    RENEW = auto()
    WAIT = auto()


def identify(pod: str) -> str:
    """Name this process; no other one ever has the same name."""
    unique = uuid.uuid4().hex[:12]
    return f"{pod}_{unique}" if pod else f"{platform.node()}-{unique}"


def same_pod(holder: str, me: str) -> bool:
    """Tell whether two processes are of one pod, where a container starts only after the last one has ended."""
    return bool(pod_of(me)) and pod_of(holder) == pod_of(me)


def sight(before: LeaseObservation | None, lease: Lease | None, now: float) -> LeaseObservation:
    """Take in what was read; a Lease that has not changed is as old as it was."""
    return LeaseObservation(lease, before.since if before and before.lease == lease else now)


def decide(seen: LeaseObservation, me: str, now: float) -> Move:
    """Decide what this process may do about the Lease."""
    lease = seen.lease
    if lease is None:
        return Move.CREATE
    if lease.holder == me:
        return Move.RENEW
    if not lease.holder or same_pod(lease.holder, me) or now >= seen.since + lease.seconds:
        return Move.TAKE
    return Move.WAIT


def read_lease(body: Mapping[str, Any], default_seconds: float) -> Lease:
    """Read the cluster's object; a holder that does not say how long it may be silent has the default."""
    spec = body.get("spec") or {}
    return Lease(
        holder=spec.get("holderIdentity") or "",
        seconds=spec.get("leaseDurationSeconds") or default_seconds,
        renewed=spec.get("renewTime") or "",
        transitions=spec.get("leaseTransitions") or 0,
        version=body["metadata"]["resourceVersion"],
    )


def build_lease(move: Move, before: Lease | None, me: str, seconds: int, now: datetime) -> Manifest:
    """Build the Lease to create, or what changes in the one that was read."""
    time_of_day = now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    spec: Manifest = {
        "holderIdentity": me,
        "leaseDurationSeconds": seconds,
        "renewTime": time_of_day,
    }
    if move is not Move.RENEW:
        spec["acquireTime"] = time_of_day
        spec["leaseTransitions"] = before.transitions + 1 if before else 0
    if before:
        return {"metadata": {"resourceVersion": before.version}, "spec": spec}
    return {
        "apiVersion": f"{LEASES.group}/{LEASES.version}",
        "kind": "Lease",
        "metadata": {"name": names.LEASE, "labels": {names.LABEL_MANAGED_BY: names.MANAGED_BY}},
        "spec": spec,
    }


class Elector:
    """Gets the Lease, keeps it, and gives it back."""

    def __init__(
        self,
        *,
        cluster: KubeClient,
        settings: LeaderElection,
        watch_health: WatchHealth,
        identity: str,
    ) -> None:
        """Elect this process.

        Args:
            cluster: a connection of its own, so that no burst of other calls holds a renewal up.
            settings: the times.
            watch_health: told of the Lease's versions.
            identity: this process' name, its alone.
        """
        self._cluster = cluster
        self._settings = settings
        self._watch_health = watch_health
        self._me = identity
        self._holder_pod = HolderPod(cluster)
        self._seen: LeaseObservation | None = None
        self._renewed_at = 0.0
        """When the last renewal that was acknowledged was sent."""
        self.leading = False
        self.tried = asyncio.Event()
        """Set once it is known whether this process leads from its start on."""
        self.tried_at: float | None = None
        """When the Lease was last tried for, whatever came of it, by the monotonic clock."""

    @property
    def holder(self) -> str:
        """Who holds the Lease, as last seen; empty where nobody does or nothing was seen yet."""
        return self._seen.lease.holder if self._seen and self._seen.lease else ""

    async def resumes(self) -> bool:
        """Return whether this process goes on for one that has ended: its own pod's former one, or the only one.

        Nobody can have acted meanwhile, so a list that begins now has all that was done.
        """
        if not self._settings.enabled:
            return True
        try:
            await self._look()
        except KubeError as error:
            logger.warning("The Lease %s: %s Trying again.", names.LEASE, error)
        return same_pod(self.holder, self._me)

    async def run(self, lead: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Wait for the Lease and act while it is held, again and again; acting is over before the Lease is given back.

        A leader that loses it stands by once more: an API server that is away for a while costs no
            process its life.
        """
        if not self._settings.enabled:
            self.leading = True
            self.tried.set()
            return await lead()
        while True:
            await self._acquire()
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._renew())
                    group.create_task(lead())
            except* LeaseLostError as lost:
                logger.warning("%s Nothing is begun any more; standing by.", lost.exceptions[0])
            finally:
                self.leading = False
                await self._release()

    async def _acquire(self) -> None:
        told = ""
        while not await self._attempt():
            self.tried.set()
            if self.holder and self.holder != told:
                told = self.holder
                logger.info("%s leads; standing by.", told)
            await asyncio.sleep(self._pause())
        self.leading = True
        self.tried.set()
        logger.info("Leading as %s.", self._me)

    def _pause(self) -> float:
        """Give when to look again: at the latest when the Lease may be taken."""
        pause = self._settings.retry_period_seconds
        if self._seen and self._seen.lease and self.holder:
            pause = min(pause, self._seen.since + self._seen.lease.seconds - time.monotonic())
        return max(0.05, pause)

    async def _renew(self) -> None:
        settings = self._settings
        while True:
            await asyncio.sleep(settings.retry_period_seconds)
            try:
                async with asyncio.timeout_at(self._renewed_at + settings.renew_deadline_seconds):
                    while not await self._attempt():
                        if self.holder != self._me:
                            raise LeaseLostError(
                                f"{self.holder or 'Somebody else'} holds the Lease now."
                            )
                        await asyncio.sleep(settings.retry_period_seconds)
            except TimeoutError:
                raise LeaseLostError(
                    f"The Lease could not be renewed for {settings.renew_deadline_seconds:g} s "
                    "(leaderElection.renewDeadlineSeconds)."
                ) from None

    async def _attempt(self) -> bool:
        """Try once to get or to keep the Lease; tell whether it is ours for sure."""
        self.tried_at = time.monotonic()
        try:
            if self._seen is None or not self.leading:
                await self._look()
            try:
                return await self._move()
            except (
                AlreadyExistsError,
                ConflictError,
                NotFoundError,
            ):  # somebody was quicker, or an earlier try of ours has worked
                await self._look()
                return await self._move()
        except KubeError as error:
            logger.warning("The Lease %s: %s Trying again.", names.LEASE, error)
            return False

    async def _look(self) -> None:
        try:
            body = await self._cluster.read(
                LEASES, names.LEASE, self._settings.retry_period_seconds
            )
        except NotFoundError:
            self._seen = sight(self._seen, None, time.monotonic())
        else:
            self._see(body)

    async def _move(self) -> bool:
        began = time.monotonic()
        seen = self._seen or LeaseObservation(None, began)
        move = decide(seen, self._me, began)
        if move is Move.WAIT:
            if not await self._holder_has_ended():
                return False
            move = Move.TAKE
        change = build_lease(
            move, seen.lease, self._me, self._settings.lease_duration_seconds, datetime.now(UTC)
        )
        await self._write(change, new=move is Move.CREATE)
        self._renewed_at = began
        return True

    async def _holder_has_ended(self) -> bool:
        try:
            ended = await self._holder_pod.has_ended(
                self.holder, self._settings.retry_period_seconds
            )
        except KubeError as error:
            logger.debug("The pod of the holder %s: %s", self.holder, error)
            return False
        if ended:
            logger.info("The pod of %s has ended or is gone. Taking the Lease.", self.holder)
        return ended

    async def _write(self, change: Manifest, *, new: bool) -> None:
        seconds = self._settings.retry_period_seconds
        if new:
            self._see(await self._cluster.create(LEASES, change, seconds))
        else:
            self._see(await self._cluster.patch(LEASES, names.LEASE, change, seconds))

    def _see(self, body: Manifest) -> None:
        lease = read_lease(body, self._settings.lease_duration_seconds)
        self._seen = sight(self._seen, lease, time.monotonic())
        self._watch_health.expect_version(LEASES.plural, int(lease.version))

    async def _release(self) -> None:
        """Give the Lease back, so that another one need not wait for its end."""
        if self.holder != self._me:
            return
        try:
            await self._look()  # a renewal that the stop has cut short may have worked
            if self._seen and (lease := self._seen.lease) and lease.holder == self._me:
                change = {
                    "metadata": {"resourceVersion": lease.version},
                    "spec": {"holderIdentity": None},
                }
                await self._write(change, new=False)
                logger.info("Gave the Lease back.")
        except KubeError as error:
            logger.warning("The Lease could not be given back: %s It runs out by itself.", error)
