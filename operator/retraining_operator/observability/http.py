"""`/health`, `/ready` and `/metrics`, driven by the kubelet's probes and by Prometheus."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

Check = Callable[[], str | None]
"""Gives a sentence that says what is wrong, or None."""


def build_app(registry: CollectorRegistry, alive: Check, ready: Check) -> web.Application:
    """Build the application; a check that finds nothing wrong answers 200, else 503 with its sentence."""

    def answering(check: Check) -> Callable[[web.Request], asyncio.Future[web.Response]]:
        async def answer(_: web.Request) -> web.Response:
            trouble = check()
            return web.json_response({"status": trouble or "ok"}, status=503 if trouble else 200)

        return answer  # type: ignore[return-value]  # aiohttp takes any coroutine function

    async def metrics(request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(registry), headers={"Content-Type": content_type})

    app = web.Application()
    app.router.add_get("/health", answering(alive))
    app.router.add_get("/ready", answering(ready))
    app.router.add_get("/metrics", metrics)
    return app


async def serve(app: web.Application, port: int) -> None:
    """Serve until cancelled."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, port=port).start()
        logging.getLogger(__name__).info("Serving /health, /ready and /metrics on port %d.", port)
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
