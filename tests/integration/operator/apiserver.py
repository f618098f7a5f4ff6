"""A proxy in front of the API server that simulates broken networks: open, silent connections."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

from tests.system.environment import STATE


class ApiServerProxy:
    """A TCP proxy in front of the API server."""

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig
        """Its kubeconfig, which leads through the proxy."""
        self._lets_through = asyncio.Event()
        self._lets_through.set()
        self._tasks: set[asyncio.Task[None]] = set()

    def freeze(self) -> None:
        """Block the present connections. New ones work."""
        self._lets_through.clear()
        self._lets_through = asyncio.Event()
        self._lets_through.set()

    def cut(self) -> None:
        """Block all connections without closing them."""
        self._lets_through.clear()

    def unblock(self) -> None:
        """Unblock everything, including what was delayed."""
        self._lets_through.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        lets_through = self._lets_through
        server = urlsplit(address(STATE / "kubeconfig"))
        far_reader, far_writer = await asyncio.open_connection(server.hostname, server.port)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await asyncio.gather(
                pump(reader, far_writer, lets_through), pump(far_reader, writer, lets_through)
            )
        for end in (writer, far_writer):
            end.close()

    async def close(self) -> None:
        """Close all connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def pump(
    source: asyncio.StreamReader, sink: asyncio.StreamWriter, lets_through: asyncio.Event
) -> None:
    """Copy one direction."""
    while data := await source.read(1 << 16):
        await lets_through.wait()
        sink.write(data)
        await sink.drain()
    sink.close()


def address(kubeconfig: Path) -> str:
    """Read the API server's address."""
    server: str = json.loads(kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
    return server


@contextlib.asynccontextmanager
async def proxy_to_apiserver(folder: Path) -> AsyncIterator[ApiServerProxy]:
    """Run a proxy for the block."""
    proxy = ApiServerProxy(folder / "kubeconfig")
    listener = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    config = json.loads((STATE / "kubeconfig").read_text())
    config["clusters"][0]["cluster"]["server"] = (
        f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    )
    proxy.kubeconfig.write_text(json.dumps(config))
    yield proxy
    listener.close()
    await proxy.close()
