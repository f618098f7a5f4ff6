"""A proxy in front of Redis and PostgreSQL that fails where a test says."""

from __future__ import annotations

import queue
import re
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from tests.integration.job.trainers import TrainerProcess

KILLED = -9
"""The exit code of a process that got SIGKILL."""


@dataclass
class Chunk:
    """Bytes on their way through the proxy."""

    number: int
    service: str
    to_server: bool
    data: bytes


Rule = Callable[[Chunk], object]
"""Checks each chunk. If it raises ConnectionAbortedError, the connection ends without the chunk."""

ThroughProxy = Callable[[Rule], AbstractContextManager[dict[str, str]]]
"""Opens a proxy with a rule. Yields the environment variables of a trainer that uses it."""


class StartRun(Protocol):
    """Starts the process of a run, in an environment if one is given."""

    def __call__(self, run_id: str, environment: dict[str, str] | None = None) -> TrainerProcess:
        """Start it."""


class Proxy:
    """Passes bytes between a trainer and both services, and asks a rule about each chunk.

    Args:
        rule: The rule.
    """

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.lock = threading.Lock()
        self.count = 0

    def check(self, service: str, to_server: bool, data: bytes) -> None:
        """Apply the rule to a chunk."""
        with self.lock:
            self.count += 1
            self.rule(Chunk(self.count, service, to_server, data))

    @contextmanager
    def before(self, service: str, url: str) -> Iterator[str]:
        """Listen on a port of this host. Yields the URL of the service through this port."""
        target = urlsplit(url)
        proxy = self

        class ProxyHandler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with socket.create_connection((target.hostname, target.port)) as server:
                    back = threading.Thread(
                        target=self.copy, args=(server, self.request, False), daemon=True
                    )
                    back.start()
                    self.copy(self.request, server, True)
                    back.join()

            def copy(self, source: socket.socket, sink: socket.socket, to_server: bool) -> None:
                try:
                    while data := source.recv(1 << 20):
                        proxy.check(service, to_server, data)
                        sink.sendall(data)
                except OSError:  # a peer is gone, or the rule has raised
                    pass
                for end in (source, sink):
                    with suppress(OSError):
                        end.shutdown(socket.SHUT_RDWR)

        with socketserver.ThreadingTCPServer(("127.0.0.1", 0), ProxyHandler) as listener:
            listener.daemon_threads = True
            listener.block_on_close = False
            threading.Thread(
                target=listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
            ).start()
            login, at, _ = target.netloc.rpartition("@")
            address = f"{login}{at}127.0.0.1:{listener.server_address[1]}"
            yield target._replace(netloc=address).geturl()
            listener.shutdown()


WRITES = re.compile(
    rb"\b(COMMIT|INSERT|UPDATE|DELETE|CREATE|ALTER|DROP|COPY|CALL|DO|TRUNCATE|NOTIFY)\b",
    re.IGNORECASE,
)
"""Statements that may change the database. All others end without effect if the process dies."""
COMMAND = re.compile(rb"(?:^|\r\n)\*[0-9]+\r\n\$[0-9]+\r\n([A-Za-z]+)\r\n")
READS = frozenset(
    b"AUTH CLIENT EXISTS GET GETRANGE HELLO HGET HGETALL HKEYS HSCAN HSTRLEN INFO MGET MULTI PING "
    b"SELECT STRLEN TTL TYPE".split()
)
"""Commands that change nothing in Redis."""


def may_change(chunk: Chunk) -> bool:
    """Return whether a chunk may change what others see. When in doubt, it may."""
    if chunk.service == "database":
        return WRITES.search(chunk.data) is not None
    commands = {command.upper() for command in COMMAND.findall(chunk.data)}
    return not commands or not commands <= READS


def kill_at_every_message(
    through_proxy: ThroughProxy, start: StartRun, prepare: Callable[[str], object] | None = None
) -> Iterator[tuple[str, TrainerProcess]]:
    """Kill a process at the first message and after each one that may change something.

    A kill after a message that only reads has the same effect as one before it, and what the
    process receives changes nothing outside of it. So these are all the kills that differ. After
    each, the process is started again.

    Args:
        through_proxy: The fixture.
        start: Starts the process of a run, in an environment if one is given.
        prepare: Prepares a run, if that is needed.

    Yields:
        The run's id, and its second process, which has ended.
    """
    through, number = False, 0
    while not through:
        run_id = f"run-{number + 1}"
        if prepare:
            prepare(run_id)
        started: queue.SimpleQueue[TrainerProcess] = queue.SimpleQueue()
        rule = kill_after_changes(number, started)
        with through_proxy(rule) as environment:
            doomed = start(run_id, environment)
            started.put(doomed)
            through = doomed.wait().code != KILLED
        yield run_id, start(run_id).wait()
        number += 1


def kill_after_changes(number: int, started: queue.SimpleQueue[TrainerProcess]) -> Rule:
    """Return a rule that kills a process at the first message after some that may change something.

    That message and all later ones are dropped.

    Args:
        number: How many such messages get through.
        started: Contains the process.
    """
    left, is_killed = number, False

    def rule(chunk: Chunk) -> None:
        nonlocal left, is_killed
        if chunk.to_server and not left and not is_killed:
            is_killed = True
            started.get().kill()
        if is_killed:
            raise ConnectionAbortedError
        if chunk.to_server and may_change(chunk):
            left -= 1

    return rule
