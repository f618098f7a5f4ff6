"""Serves `/health`, `/ready` and `/metrics` over HTTP."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

Check = Callable[[], str | None]
"""Returns what is wrong as a sentence, or None."""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def build_app(registry: CollectorRegistry, alive: Check, ready: Check) -> web.Application:
    """Build the application.

    Args:
        registry: The metrics.
        alive: The check of `/health`.
        ready: The check of `/ready`.

    Returns:
        The application. A probe responds with 200, or with 503 and the sentence of its check.
    """

    async def respond_metrics(request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(registry), headers={"Content-Type": content_type})

    app = web.Application()
    app.router.add_get("/health", build_probe(alive))
    app.router.add_get("/ready", build_probe(ready))
    app.router.add_get("/metrics", respond_metrics)
    return app


def build_probe(check: Check) -> Handler:
    """Build the handler of a probe."""

    async def respond(_: web.Request) -> web.StreamResponse:
        problem = check()
        return web.json_response({"status": problem or "ok"}, status=503 if problem else 200)

    return respond


async def serve(app: web.Application, port: int) -> None:
    """Serve until cancelled.

    Args:
        app: The application.
        port: The TCP port.
    """
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, port=port).start()
        logging.getLogger(__name__).info("Serving /health, /ready and /metrics on port %d.", port)
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
