"""A Redis and a PostgreSQL of one test, which may kill and restart them.

They run beside the shared ones, in the same pods.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from tests.system.endpoints import KUBECTL, endpoint


class Server:
    """One server process in a pod. Its address stays the same over restarts.

    Args:
        pod: The pod.
        port: The port.
        start: Shell script that starts it and returns when it answers.
        kill: Shell script that kills it.
        remove: Shell script that removes its data.
    """

    def __init__(self, pod: str, port: int, *, start: str, kill: str, remove: str) -> None:
        self.pod, self._start, self._kill, self._remove = pod, start, kill, remove
        self.address = endpoint(pod, port)

    def run(self, script: str) -> None:
        """Run a shell script in the pod."""
        command = [*KUBECTL, "exec", self.pod, "--", "sh", "-c", script]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def start(self) -> None:
        """Start it."""
        self.run(self._start)

    def restart(self) -> None:
        """Kill it as a power failure would, and start it again."""
        self.run(self._kill)
        self.start()

    def remove(self) -> None:
        """Kill it and remove its data."""
        self.run(f"{self._kill}\n{self._remove}")


@contextmanager
def running(pod: str, port: int, *, start: str, kill: str, remove: str) -> Iterator[Server]:
    """Run a server, which is removed at the end of the block."""
    server = Server(pod, port, start=start, kill=kill, remove=remove)
    server.start()
    try:
        yield server
    finally:
        server.remove()


def redis_server(port: int) -> AbstractContextManager[Server]:
    """Run a Redis that has each acknowledged write on its disk."""
    folder = f"/var/tmp/redis-{port}"  # noqa: S108  # in the pod
    ping = f"redis-cli -p {port} ping 2>/dev/null | grep -q PONG"
    return running(
        "redis-0",
        port,
        start=f"""
            mkdir -p {folder}
            redis-server --port {port} --protected-mode no --dir {folder} \
                --appendonly yes --appendfsync always --save '' \
                --daemonize yes --pidfile {folder}/pid >/dev/null
            until {ping}; do sleep 0.02; done
        """,
        kill=f"kill -9 $(cat {folder}/pid); while {ping}; do sleep 0.02; done",
        remove=f"rm -rf {folder}",
    )


def postgres_server(port: int, language: str = "") -> AbstractContextManager[Server]:
    """Run a PostgreSQL that keeps what it has committed, with messages in a language."""
    folder = f"/var/tmp/postgres-{port}"  # noqa: S108  # in the pod
    options = (
        f"-p {port} -c lc_messages=C.UTF-8 -k /tmp -c listen_addresses=0.0.0.0 -c"
        " shared_buffers=16MB"
    )
    binaries = "/usr/lib/postgresql/15/bin"
    return running(
        "postgres-0",
        port,
        start=f"""
            if ! test -d {folder}; then
                {binaries}/initdb -D {folder} -U postgres -A trust --no-sync >/dev/null
                echo "host all all all trust" >> {folder}/pg_hba.conf
            fi
            until {binaries}/pg_isready -q -h 127.0.0.1 -p {port}; do
                LANGUAGE={language} {binaries}/pg_ctl -D {folder} -o "{options}" \
                    -l {folder}.log -w start
            done
        """,
        kill=f"{binaries}/pg_ctl -D {folder} -m immediate -w stop",
        remove=f"rm -rf {folder} {folder}.log",
    )
