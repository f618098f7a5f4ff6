"""Reads which RetrainRequests were created, changed or deleted while no operator was running.

A process can die after it has created a RetrainRequest and before its record is among the handled
offsets. If somebody deletes the request before the next process lists all requests, only the API
server's history of changes contains it.
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
"""The API server sends past changes without delay, so a pause of this length is their end."""


async def catch_up(
    cluster: KubeClient, requested: RequestedPositions, resource_version: int
) -> None:
    """Add the records of all RetrainRequests that have changed since a resource version.

    If the history cannot be read, only RetrainRequests that still exist prevent a second run of
    their records.

    Args:
        cluster: The API server.
        requested: Gets the records.
        resource_version: The version at which the handled offsets were written.
    """
    count = 0
    try:
        async with cluster.watch(REQUESTS, resource_version, WATCH_SECONDS) as events:
            async for event in read_until_quiet(events, QUIET_SECONDS):
                requested.add(event["object"])
                count += 1
    except ExpiredError:
        logger.info(
            "The API server has no history of RetrainRequests since version %d.", resource_version
        )
    except KubeError as error:
        logger.warning("The history of RetrainRequests could not be read: %s", error)
    else:
        logger.debug(
            "Read %d changes of RetrainRequests since version %d.", count, resource_version
        )


async def read_until_quiet(
    events: AsyncIterator[Manifest], seconds: float
) -> AsyncIterator[Manifest]:
    """Pass on events until none arrives for a while.

    Args:
        events: The events.
        seconds: The length of the pause that ends the iteration.

    Yields:
        The events.
    """
    while True:
        try:
            async with asyncio.timeout(seconds):
                event = await anext(events)
        except (TimeoutError, StopAsyncIteration):
            return
        yield event
