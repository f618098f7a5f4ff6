"""The HTTP server answers probes and scrapes, whatever other clients do."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest
from prometheus_client import CollectorRegistry, Counter

from retraining_operator.observability.http import (
    HEAD_LIMIT_BYTES,
    Handler,
    HttpServer,
    build_routes,
    respond_to,
)

GET = b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n"


def routes(problem: str | None = None) -> dict[str, Handler]:
    registry = CollectorRegistry()
    Counter("seen", "Seen.", registry=registry).inc()
    return dict(build_routes(registry, lambda: None, lambda: problem))


def status_of(head: bytes) -> int:
    return int(respond_to(routes("not yet"), head).split(b" ")[1])


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (GET % b"/health", 200),
        (GET % b"/ready", 503),
        (GET % b"/metrics?name=seen", 200),
        (GET % b"/", 404),
        (b"POST /health HTTP/1.1\r\n\r\n", 405),
        (b"GET /health\r\n\r\n", 400),
        (b"\x00\xff\r\n\r\n", 400),
        (b"GET /health HTTP/2.0\r\n\r\n", 400),
        (b"GET  /health HTTP/1.1\r\n\r\n", 400),
    ],
)
def test_request_has_a_status(head: bytes, status: int) -> None:
    assert status_of(head) == status


def test_probe_says_what_is_missing() -> None:
    response = respond_to(routes("not yet"), GET % b"/ready")
    assert response.endswith(b'\r\n\r\n{"status": "not yet"}')


@pytest.mark.parametrize("kind", [b"text/plain", b"application/openmetrics-text"])
@pytest.mark.parametrize(
    "version", [b"", b"1.x.\xff", b"a", b"1.0.0.a\nX-Forged: 1", b"9" * 5000, b"1.0.0"]
)
def test_hostile_accept_header_is_neither_an_error_nor_repeated(
    kind: bytes, version: bytes
) -> None:
    head = b"GET /metrics HTTP/1.1\r\nAccept: %s; version=%s\r\n\r\n" % (kind, version)
    response, _, _ = respond_to(routes(), head).partition(b"\r\n\r\n")
    assert response.startswith(b"HTTP/1.1 200 ")
    assert len(response.splitlines()) == 4
    assert b"Forged" not in response


def test_client_gets_the_exposition_format_that_it_asks_for() -> None:
    head = b"GET /metrics HTTP/1.1\r\nAccept: application/openmetrics-text; version=1.0.0\r\n\r\n"
    assert b"Content-Type: application/openmetrics-text; version=1.0.0" in respond_to(
        routes(), head
    )


def test_head_request_has_no_body() -> None:
    response = respond_to(routes(), b"HEAD /health HTTP/1.1\r\n\r\n")
    assert response.endswith(b"\r\n\r\n")
    assert b"Content-Length: 16" in response


@pytest.fixture
async def port() -> AsyncIterator[int]:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        number = int(found.getsockname()[1])
    server = HttpServer(routes(), connections=3, seconds=30)
    running = asyncio.create_task(server.run(number))
    await asyncio.sleep(0.05)
    yield number
    running.cancel()
    await asyncio.wait([running])


async def ask(port: int, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    answer = await reader.read()
    writer.close()
    return answer


async def is_closed(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read() == b""
    except ConnectionError:
        return True


async def test_probe_is_answered_and_its_connection_closed(port: int) -> None:
    assert (await ask(port, GET % b"/health")).endswith(b'{"status": "ok"}')


async def test_slow_clients_do_not_keep_others_out(port: int) -> None:
    slow = [await asyncio.open_connection("127.0.0.1", port) for _ in range(10)]
    for _, writer in slow:
        writer.write(b"GET /health HTTP/1.1\r\nX: ")
    await asyncio.sleep(0.05)
    assert (await ask(port, GET % b"/health")).endswith(b'{"status": "ok"}')
    assert [await is_closed(reader) for reader, _ in slow[:7]] == [True] * 7  # the oldest
    for _, writer in slow:
        writer.close()


async def test_endless_head_is_refused(port: int) -> None:
    endless = b"GET /health HTTP/1.1\r\nX: " + b"x" * 3 * HEAD_LIMIT_BYTES
    with contextlib.suppress(ConnectionError):  # the rest of the head was not read
        assert (await ask(port, endless))[:13] in {b"HTTP/1.1 431 ", b""}
    assert (await ask(port, GET % b"/health")).endswith(b'{"status": "ok"}')


async def test_connection_ends_after_its_time() -> None:
    server = HttpServer(routes(), seconds=0.05)
    listening = await asyncio.start_server(server.handle, host="127.0.0.1", port=0)
    number = listening.sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", number)
    writer.write(b"GET /hea")
    assert await is_closed(reader)
    writer.close()
    listening.close()
