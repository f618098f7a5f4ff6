"""A proxy in front of Redis and PostgreSQL that fails where a test says."""

from __future__ import annotations

import itertools
import queue
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


def kill_at_every_message(
    through_proxy: ThroughProxy, start: StartRun, prepare: Callable[[str], object] | None = None
) -> Iterator[tuple[str, TrainerProcess]]:
    """Kill a process before its n-th message arrives, for every n, and then start it again.

    What the process receives changes nothing outside of it. So a kill at an answer has the same
    effect as a kill before the next message.

    Args:
        through_proxy: The fixture.
        start: Starts the process of a run, in an environment if one is given.
        prepare: Prepares a run, if that is needed.

    Yields:
        The run's id, and its second process, which has ended.
    """
    through, number = False, 0
    while not through:
        number += 1
        run_id = f"run-{number}"
        if prepare:
            prepare(run_id)
        started: queue.SimpleQueue[TrainerProcess] = queue.SimpleQueue()
        rule = kill_at_message(number, started)
        with through_proxy(rule) as environment:
            doomed = start(run_id, environment)
            started.put(doomed)
            through = doomed.wait().code != KILLED
        yield run_id, start(run_id).wait()


def kill_at_message(number: int, started: queue.SimpleQueue[TrainerProcess]) -> Rule:
    """Return a rule that kills a process at one message and drops this and all later messages."""
    sent = itertools.count(1)

    def rule(chunk: Chunk) -> None:
        place = next(sent) if chunk.to_server else 0
        if place == number:
            started.get().kill()
        if place >= number:
            raise ConnectionAbortedError

    return rule
