"""Serves `/health`, `/ready` and `/metrics` over HTTP, with limits on what a client may send.

The number of connections, the size of a request's head and the time of a whole connection are
limited. If all connections are in use, the oldest one is closed: slow clients must not keep
Kubernetes from its probes.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import NamedTuple

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

logger = logging.getLogger(__name__)

CONNECTIONS_LIMIT = 64
HEAD_LIMIT_BYTES = 8192
CONNECTION_SECONDS = 10.0
"""Time limit from the connection to the end of the response. A scrape takes milliseconds."""
HEAD_END = b"\r\n\r\n"
VERSION_PARAMETER = re.compile(r"version=([^;,]*)")
VERSION = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){2} *")
"""The versions of exposition formats that a client may ask for. For others, prometheus_client fails
or repeats them in its answer."""

Check = Callable[[], str | None]
"""Returns what is wrong as a sentence, or None."""


class Request(NamedTuple):
    """A request without a body."""

    method: str
    path: str
    headers: Mapping[str, str]
    """Names in lower case."""


class Response(NamedTuple):
    """A response."""

    status: HTTPStatus
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"


Handler = Callable[[Request], Response]


class BadRequestError(Exception):
    """The head of a request is not HTTP."""


def build_routes(registry: CollectorRegistry, alive: Check, ready: Check) -> dict[str, Handler]:
    """Build the handlers by path.

    Args:
        registry: The metrics.
        alive: The check of `/health`.
        ready: The check of `/ready`.

    Returns:
        The handlers. A probe responds with 200, or with 503 and the sentence of its check.
    """

    def respond_metrics(request: Request) -> Response:
        accept = request.headers.get("accept", "")
        versions = VERSION_PARAMETER.findall(accept)
        is_valid = all(map(VERSION.fullmatch, versions))
        encode, content_type = choose_encoder(accept if is_valid else "")
        return Response(HTTPStatus.OK, encode(registry), content_type)

    return {
        "/health": build_probe(alive),
        "/ready": build_probe(ready),
        "/metrics": respond_metrics,
    }


def build_probe(check: Check) -> Handler:
    """Build the handler of a probe."""

    def respond(_: Request) -> Response:
        problem = check()
        status = HTTPStatus.SERVICE_UNAVAILABLE if problem else HTTPStatus.OK
        body = json.dumps({"status": problem or "ok"}).encode()
        return Response(status, body, "application/json; charset=utf-8")

    return respond


def read_request(head: bytes) -> Request:
    """Parse the head of a request.

    Raises:
        BadRequestError: If it is not HTTP.
    """
    first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    parts = first.split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise BadRequestError
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    return Request(parts[0], parts[1].partition("?")[0], headers)


def respond_to(routes: Mapping[str, Handler], head: bytes) -> bytes:
    """Handle a request.

    Args:
        routes: The handlers by path.
        head: The head of the request.

    Returns:
        The bytes of the response. The connection is closed after it.
    """
    is_head = False
    try:
        request = read_request(head)
        is_head = request.method == "HEAD"
        handler = routes.get(request.path)
        if request.method not in {"GET", "HEAD"}:
            response = Response(HTTPStatus.METHOD_NOT_ALLOWED)
        elif handler is None:
            response = Response(HTTPStatus.NOT_FOUND)
        else:
            response = handler(request)
    except BadRequestError:
        response = Response(HTTPStatus.BAD_REQUEST)
    except Exception:
        logger.exception("A request of the HTTP server failed.")
        response = Response(HTTPStatus.INTERNAL_SERVER_ERROR)
    return format_response(response, with_body=not is_head)


def format_response(response: Response, *, with_body: bool = True) -> bytes:
    """Format a response as HTTP.

    Args:
        response: The response.
        with_body: Whether to send its body.

    Returns:
        Its bytes.
    """
    head = (
        f"HTTP/1.1 {response.status.value} {response.status.phrase}\r\n"
        f"Content-Type: {response.content_type}\r\n"
        f"Content-Length: {len(response.body)}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode("latin-1") + (response.body if with_body else b"")


class HttpServer:
    """Serves requests, one for each connection.

    Args:
        routes: The handlers by path.
        connections: How many connections may be open.
        seconds: Time limit of a connection.
    """

    def __init__(
        self,
        routes: Mapping[str, Handler],
        connections: int = CONNECTIONS_LIMIT,
        seconds: float = CONNECTION_SECONDS,
    ) -> None:
        self._routes = routes
        self._limit = connections
        self._seconds = seconds
        self._open: dict[asyncio.StreamWriter, None] = {}
        """The open connections, the oldest one first."""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Handle one connection.

        Args:
            reader: What the client sends.
            writer: What the client receives.
        """
        self._open[writer] = None
        if len(self._open) > self._limit:
            self._abort(next(iter(self._open)))
        try:
            async with asyncio.timeout(self._seconds):
                writer.write(await self._respond(reader))
                await writer.drain()
                writer.close()
                await writer.wait_closed()
        except (TimeoutError, OSError, asyncio.IncompleteReadError):
            logger.debug("A client of the HTTP server was too slow, or has gone.")
        finally:
            self._abort(writer)

    async def _respond(self, reader: asyncio.StreamReader) -> bytes:
        try:
            head = await reader.readuntil(HEAD_END)
        except asyncio.LimitOverrunError:
            return format_response(Response(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE))
        return respond_to(self._routes, head)

    def _abort(self, writer: asyncio.StreamWriter) -> None:
        self._open.pop(writer, None)
        writer.transport.abort()

    async def run(self, port: int) -> None:
        """Serve until cancelled.

        Args:
            port: The TCP port.
        """
        server = await asyncio.start_server(self.handle, port=port, limit=HEAD_LIMIT_BYTES)
        logger.info("Serving /health, /ready and /metrics on port %d.", port)
        try:
            await asyncio.Event().wait()
        finally:
            server.close()
            for writer in list(self._open):
                self._abort(writer)
