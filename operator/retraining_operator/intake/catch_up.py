"""What became of RetrainRequests while no operator ran: those that were created and deleted since a resource version.

A process can die after it has created a RetrainRequest and before the ledger knows its record. If
somebody deletes the RetrainRequest before the next process lists what there is, only the API
server's history tells that it was there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

from retraining_operator.api.request import Manifest
from retraining_operator.kube.client import KubeClient
from retraining_operator.kube.errors import ExpiredError, KubeError
from retraining_operator.kube.resources import REQUESTS
from retraining_operator.watch.requested_positions import RequestedPositions

logger = logging.getLogger(__name__)

WATCH_SECONDS = 3
QUIET_SECONDS = 0.3
"""The API server sends what has changed since a version at once, so a pause of this length is its end."""


async def catch_up(
    cluster: KubeClient, requested: RequestedPositions, resource_version: int
) -> None:
    """Add the records of all RetrainRequests that were created, changed or deleted since a version.

    If the history cannot be read, only RetrainRequests that still exist keep their records from
    running again.

    Args:
        cluster: the API server.
        requested: the records that are added to.
        resource_version: the version at which everything handled before was written down.
    """
    seen = 0
    try:
        async with cluster.watch(REQUESTS, resource_version, WATCH_SECONDS) as events:
            async for event in until_quiet(events, QUIET_SECONDS):
                requested.add(event["object"])
                seen += 1
    except ExpiredError:
        logger.info(
            "The API server has no history of RetrainRequests since version %d any more.",
            resource_version,
        )
    except KubeError as error:
        logger.warning("The history of RetrainRequests could not be read: %s", error)
    else:
        logger.debug("Read %d changes of RetrainRequests since version %d.", seen, resource_version)


async def until_quiet(events: AsyncIterator[Manifest], seconds: float) -> AsyncIterator[Manifest]:
    """Pass events on until none has come for a while.

    Args:
        events: where they come from.
        seconds: how long the pause is that ends it.
    """
    while True:
        try:
            async with asyncio.timeout(seconds):
                event = await anext(events)
        except (TimeoutError, StopAsyncIteration):
            return
        yield event
