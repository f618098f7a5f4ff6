"""Leader election by a Lease.

A leader renews the Lease. The others take it if nobody has renewed it for its duration, which they
measure with their own monotonic clock from when they saw it change. Clocks of different machines
are never compared. A leader that cannot renew counts its own deadline from before it sent the last
renewal, so it stops before any other may start. Each write carries the version that was read, so if
two processes take the Lease at once, the API server rejects one of the writes. A leader whose pod
has ended cannot act, so nobody waits for its Lease to expire.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

from retraining_operator.api import names
from retraining_operator.api.fields import MalformedObjectError
from retraining_operator.api.request import Manifest
from retraining_operator.kube.client import KubeClient
from retraining_operator.kube.errors import (
    AlreadyExistsError,
    ConflictError,
    ForbiddenError,
    KubeError,
    NotFoundError,
)
from retraining_operator.kube.resources import LEASES
from retraining_operator.leader.holder_pod import HolderPod
from retraining_operator.leader.lease import (
    LeaseAction,
    LeaseObservation,
    build_lease,
    choose_action,
    is_same_pod,
    observe,
    read_lease,
)
from retraining_operator.settings import LeaderElection
from retraining_operator.watch.health import WatchHealth

logger = logging.getLogger(__name__)

MIN_RETRY_SECONDS = 0.05


class LeaseLostError(Exception):
    """This process may no longer lead; the text says why."""


class Elector:
    """Acquires, renews and releases the Lease.

    Args:
        cluster: The API server, over a connection of its own, so that no burst of other calls
            delays a renewal.
        settings: The times.
        watch_health: Checks that the Lease's versions come through the watch.
        identity: The unique name of this process.
    """

    def __init__(
        self,
        *,
        cluster: KubeClient,
        settings: LeaderElection,
        watch_health: WatchHealth,
        identity: str,
    ) -> None:
        self._cluster = cluster
        self._settings = settings
        self._watch_health = watch_health
        self._identity = identity
        self._holder_pod = HolderPod(cluster)
        self._is_forbidden_logged = False
        self._observation: LeaseObservation | None = None
        self._renewed_at = 0.0
        """When the last acknowledged renewal was sent, by the monotonic clock in seconds."""
        self.is_leading = False
        self.tried = asyncio.Event()
        """Set once it is known whether this process leads from its start."""
        self.tried_at: float | None = None
        """When the Lease was last tried, by the monotonic clock in seconds."""

    @property
    def holder(self) -> str:
        """The identity in the Lease as last read; empty if nobody holds it or none was read."""
        lease = self._observation.lease if self._observation else None
        return lease.holder if lease else ""

    async def resumes(self) -> bool:
        """Check whether an earlier process of this pod holds the Lease, or there is no election.

        That earlier process has ended, so nobody else acts now. A list that starts now therefore
        shows everything that was done before this process leads.
        """
        if not self._settings.enabled:
            return True
        try:
            await self._read()
        except KubeError as error:
            logger.warning("Reading the Lease %s failed: %s Trying again.", names.LEASE, error)
        return is_same_pod(self.holder, self._identity)

    async def run(self, lead: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Wait for the Lease and lead while it is held, again and again.

        A leader that loses the Lease stands by, so a temporarily unavailable API server does not
        end the process. All work has stopped before the Lease is released.

        Args:
            lead: Does the leader's work until it is cancelled.
        """
        if not self._settings.enabled:
            self.is_leading = True
            self.tried.set()
            return await lead()
        while True:
            await self._acquire()
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._renew())
                    group.create_task(lead())
            except* LeaseLostError as lost:
                logger.warning("Lost the Lease: %s Standing by.", lost.exceptions[0])
            finally:
                self.is_leading = False
                await self._release()

    async def _acquire(self) -> None:
        reported = ""
        while not await self._try():
            self.tried.set()
            if self.holder and self.holder != reported:
                reported = self.holder
                logger.info("%s leads. Standing by.", reported)
            await asyncio.sleep(self._compute_wait())
        self.is_leading = True
        self.tried.set()
        logger.info("Leading as %s.", self._identity)

    def _compute_wait(self) -> float:
        """Return the seconds until the next try, at the latest when the Lease expires."""
        seconds = self._settings.retry_period_seconds
        lease = self._observation.lease if self._observation else None
        if self._observation and lease and lease.holder:
            seconds = min(seconds, self._observation.since + lease.seconds - time.monotonic())
        return max(MIN_RETRY_SECONDS, seconds)

    async def _renew(self) -> None:
        settings = self._settings
        while True:
            await asyncio.sleep(settings.retry_period_seconds)
            try:
                async with asyncio.timeout_at(self._renewed_at + settings.renew_deadline_seconds):
                    while not await self._try():
                        if self.holder != self._identity:
                            raise LeaseLostError(f"{self.holder or 'Another process'} holds it.")
                        await asyncio.sleep(settings.retry_period_seconds)
            except TimeoutError:
                raise LeaseLostError(
                    f"It could not be renewed for {settings.renew_deadline_seconds:g} s "
                    "(leaderElection.renewDeadlineSeconds)."
                ) from None

    async def _try(self) -> bool:
        """Try once to acquire or renew the Lease. Returns True if it certainly holds it now."""
        self.tried_at = time.monotonic()
        try:
            if self._observation is None or not self.is_leading:
                await self._read()
            try:
                return await self._act()
            except (AlreadyExistsError, ConflictError, NotFoundError):
                # Another process was faster, or an earlier try of this process has succeeded.
                await self._read()
                return await self._act()
        except (KubeError, MalformedObjectError) as error:
            logger.warning(
                "Acquiring or renewing the Lease %s failed: %s Trying again.", names.LEASE, error
            )
            return False

    async def _read(self) -> None:
        try:
            body = await self._cluster.read(
                LEASES, names.LEASE, self._settings.retry_period_seconds
            )
        except NotFoundError:
            self._observation = observe(self._observation, None, time.monotonic())
        else:
            self._observe(body)

    async def _act(self) -> bool:
        began = time.monotonic()
        observation = self._observation or LeaseObservation(None, began)
        action = choose_action(observation, self._identity, began)
        if action is LeaseAction.WAIT:
            if not await self._has_holder_ended():
                return False
            action = LeaseAction.TAKE
        change = build_lease(
            action,
            observation.lease,
            self._identity,
            self._settings.lease_duration_seconds,
            datetime.now(UTC),
        )
        await self._write(change, is_new=action is LeaseAction.CREATE)
        self._renewed_at = began
        return True

    async def _has_holder_ended(self) -> bool:
        try:
            has_ended = await self._holder_pod.has_ended(
                self.holder, self._settings.retry_period_seconds
            )
        except KubeError as error:
            self._log_unreadable_holder(error)
            return False
        if has_ended:
            logger.info("The pod of %s has ended or is gone. Taking the Lease.", self.holder)
        return has_ended

    def _log_unreadable_holder(self, error: KubeError) -> None:
        """Log a missing right once: without it, a takeover always waits for the Lease to expire."""
        level = logging.DEBUG
        if isinstance(error, ForbiddenError) and not self._is_forbidden_logged:
            level, self._is_forbidden_logged = logging.WARNING, True
        logger.log(
            level,
            "The pod of the holder %s cannot be read, so a takeover waits until the Lease "
            "expires: %s",
            self.holder,
            error,
        )

    async def _write(self, change: Manifest, *, is_new: bool) -> None:
        seconds = self._settings.retry_period_seconds
        if is_new:
            self._observe(await self._cluster.create(LEASES, change, seconds))
        else:
            self._observe(await self._cluster.patch(LEASES, names.LEASE, change, seconds))

    def _observe(self, body: Manifest) -> None:
        lease = read_lease(body, self._settings.lease_duration_seconds)
        self._observation = observe(self._observation, lease, time.monotonic())
        self._watch_health.expect_version(LEASES.plural, int(lease.version))

    async def _release(self) -> None:
        """Release the Lease, so that another process need not wait until it expires."""
        if self.holder != self._identity:
            return
        try:
            await self._read()  # A renewal that was cancelled may have succeeded.
            lease = self._observation.lease if self._observation else None
            if lease and lease.holder == self._identity:
                change = {
                    "metadata": {"resourceVersion": lease.version},
                    "spec": {"holderIdentity": None},
                }
                await self._write(change, is_new=False)
                logger.info("Released the Lease.")
        except KubeError as error:
            logger.warning("The Lease could not be released: %s It will expire.", error)
