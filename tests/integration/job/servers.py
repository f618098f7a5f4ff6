"""A Redis and a PostgreSQL of one test's own, beside the shared ones in their pods, which it may kill and restart."""

import subprocess
from contextlib import contextmanager

from tests.system.endpoints import KUBECTL, endpoint


class Server:
    """One server in a pod; its address outlives it."""

    def __init__(self, pod, port, *, start, kill, remove):
        self.pod, self._start, self._kill, self._remove = pod, start, kill, remove
        self.address = endpoint(pod, port)

    def run(self, script):
        command = [*KUBECTL, "exec", self.pod, "--", "sh", "-c", script]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def start(self):
        self.run(self._start)

    def restart(self):
        """Kill it as a power cut would, and start it again."""
        self.run(self._kill)
        self.start()

    def remove(self):
        self.run(f"{self._kill}\n{self._remove}")


@contextmanager
def running(pod, port, **scripts):
    server = Server(pod, port, **scripts)
    server.start()
    try:
        yield server
    finally:
        server.remove()


def redis_server(port):
    """Run a Redis that has on its disk whatever it has answered for."""
    folder, ping = f"/var/tmp/redis-{port}", f"redis-cli -p {port} ping 2>/dev/null | grep -q PONG"  # noqa: S108  # in the pod
    return running(
        "redis-0",
        port,
        start=f"""
            mkdir -p {folder}
            redis-server --port {port} --protected-mode no --dir {folder} --appendonly yes --appendfsync always \
                --save '' --daemonize yes --pidfile {folder}/pid >/dev/null
            until {ping}; do sleep 0.02; done
        """,
        kill=f"kill -9 $(cat {folder}/pid); while {ping}; do sleep 0.02; done",
        remove=f"rm -rf {folder}",
    )


def postgres_server(port, language=""):
    """Run a PostgreSQL that forgets nothing that it has committed, and speaks a language."""
    folder = f"/var/tmp/postgres-{port}"  # noqa: S108  # in the pod
    options = f"-p {port} -c lc_messages=C.UTF-8 -k /tmp -c listen_addresses=0.0.0.0 -c shared_buffers=16MB"
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
                LANGUAGE={language} {binaries}/pg_ctl -D {folder} -o "{options}" -l {folder}.log -w start
            done
        """,
        kill=f"{binaries}/pg_ctl -D {folder} -m immediate -w stop",
        remove=f"rm -rf {folder} {folder}.log",
    )
