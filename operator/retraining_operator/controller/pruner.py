"""Deletes finished RetrainRequests."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from retraining_operator.kube.client import KubeClient
from retraining_operator.kube.errors import ConflictError, KubeError, NotFoundError
from retraining_operator.planning.finished import FinishedRun
from retraining_operator.watch.cache import ClusterCache

logger = logging.getLogger(__name__)


class Pruner:
    """Deletes finished RetrainRequests.

    Args:
        cluster: The API server.
        cache: The watched objects.
    """

    def __init__(self, *, cluster: KubeClient, cache: ClusterCache) -> None:
        self._cluster = cluster
        self._cache = cache

    async def prune(self, runs: Iterable[FinishedRun]) -> None:
        """Delete finished requests. After an error the rest is left to a later plan."""
        for run in runs:
            try:
                await self._cluster.delete_request(run.name, run.uid, run.resource_version)
            except (ConflictError, NotFoundError):
                # If it still exists and has changed, the watch delivers the newer version, unless
                # it already has.
                self._cache.remove_settled(run)
            except KubeError as error:
                logger.warning(
                    "The finished RetrainRequest %s could not be deleted. Trying again later. %s",
                    run.name,
                    error,
                )
                return
            else:
                self._cache.remove_request(run.uid)
                logger.info(
                    "Deleted the finished RetrainRequest %s. Its outcome stays in the database.",
                    run.name,
                )
