"""Sends HTTP requests to the API server. Every call is bounded in time.

This is the only module that sees the errors of the official client and of aiohttp. The client logs
in, connects and sends. Its generated classes are not used, because importing the one for the core
group alone takes a second: the operator builds the paths, and objects are plain JSON.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any, cast

import aiohttp
from kubernetes.aio.client.api_client import ApiClient

from retraining_operator.api.kubernetes_errors import CLIENT_TIMEOUT, Answer
from retraining_operator.api.request import Manifest
from retraining_operator.kube.answers import parse_object, parse_watch_event
from retraining_operator.kube.errors import (
    ApiServerUnavailableError,
    read_error,
    read_watch_error,
)

CALL_TIMEOUT_SECONDS = 10


class Transport:
    """HTTP requests to one API server.

    Args:
        api: The official client, which adds the login.
    """

    def __init__(self, api: ApiClient) -> None:
        self._api = api

    async def request(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, **options: Any
    ) -> bytes:
        """Send one request and read its answer.

        Args:
            method: The HTTP method.
            path: The URL path, as `ResourceKind.path` builds it.
            body: Sent as JSON; None for no body.
            **options: `query` (parameters), `content_type` and `seconds` (time limit of the whole
                call, default 10).

        Returns:
            The answer's body.

        Raises:
            KubeError: If the API server did not answer, or answered with an error.
        """
        try:
            async with await self._send(method, path, body, **options) as answer:
                content = await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _build_unavailable_error(error) from error
        if answer.status >= 300:
            raise read_error(answer.status, content.decode(errors="replace"))
        return content

    async def request_object(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, **options: Any
    ) -> Manifest:
        """Send one request and parse its answer as a JSON object.

        Args:
            method: The HTTP method.
            path: The URL path.
            body: Sent as JSON; None for no body.
            **options: As for `request`.

        Returns:
            The object.

        Raises:
            KubeError: If the API server did not answer, or answered with an error.
        """
        return parse_object(await self.request(method, path, body, **options))

    @asynccontextmanager
    async def watch(
        self, path: str, query: Mapping[str, str], seconds: float
    ) -> AsyncIterator[AsyncGenerator[Manifest, None]]:
        """Open a watch.

        Args:
            path: The URL path.
            query: The query's parameters.
            seconds: Time limit of the whole watch.

        Yields:
            Watch events with `type` and `object`. The API server has accepted the watch.

        Raises:
            ExpiredError: If the resource version is too old.
            KubeError: If the API server did not answer, or the watch broke.
        """
        try:
            async with await self._send("GET", path, query=query, seconds=seconds) as answer:
                if answer.status >= 300:
                    body = (await answer.read()).decode(errors="replace")
                    raise read_watch_error(answer.status, body)
                async with aclosing(_read_watch_events(answer)) as events:
                    yield events
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _build_unavailable_error(error) from error

    async def _send(  # noqa: PLR0913  # the parts of an HTTP request
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
        seconds: float = CALL_TIMEOUT_SECONDS,
    ) -> aiohttp.ClientResponse:
        """Send one request. The caller reads the answer, which the time limit includes."""
        request = await self._api.param_serialize(
            method,
            path,
            query_params=list((query or {}).items()),
            header_params={"Accept": "application/json", "Content-Type": content_type},
            body=body,
            auth_settings=["BearerToken"],
        )
        answer = await self._api.call_api(
            *request, _request_timeout=seconds, _preload_content=False
        )
        return cast("aiohttp.ClientResponse", answer.response)


def _build_unavailable_error(cause: Exception) -> ApiServerUnavailableError:
    """Build the error of a call that received no answer."""
    error = ApiServerUnavailableError(
        f"The API server did not answer: {type(cause).__name__} {cause}".strip()
    )
    if isinstance(cause, TimeoutError) and not isinstance(cause, aiohttp.ConnectionTimeoutError):
        error.answer = Answer(0, CLIENT_TIMEOUT)
    return error


async def _read_watch_events(answer: aiohttp.ClientResponse) -> AsyncGenerator[Manifest, None]:
    rest = b""
    # Chunks instead of lines, because a line may be longer than aiohttp reads as one.
    async for chunk in answer.content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield parse_watch_event(line)
