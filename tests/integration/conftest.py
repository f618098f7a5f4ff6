"""Real services for the integration tests: Redis and PostgreSQL from `TEST_REDIS_URL` and `TEST_DATABASE_URL`.

Where these are not set, the services of the test cluster are used. Where there is neither, the
tests are left out; with `CI` set that is a failure instead.
"""

import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest
import redis

from tests.system import endpoints
from tests.system.endpoints import KUBECTL, at, secret


def endpoint(pod: str, port: int) -> str:
    """Give the address under which a pod is reached from here, or leave the test out."""
    if not endpoints.is_there():
        reason = f"There is no {pod}: neither TEST_*_URL is set nor is the test cluster up."
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    return endpoints.endpoint(pod, port)


@pytest.fixture(scope="session")
def redis_url() -> str:
    """A Redis that tests share; each keeps to keys of its own."""
    return os.environ.get("TEST_REDIS_URL") or f"redis://{endpoint('redis-0', 6379)}/0"


@pytest.fixture(scope="session")
def own_redis_server() -> Iterator[str]:
    """A Redis beside the shared one, whose memory and role a test may change; it ends with the tests."""
    port = 20_000 + secrets.randbelow(10_000)  # two tests at once may each have one
    serve = f"""
        redis-server --port {port} --protected-mode no --save '' --dir /tmp >/dev/null &
        until redis-cli -p {port} ping 2>/dev/null; do sleep 0.05; done
        cat >/dev/null
        kill $!
    """
    command = [*KUBECTL, "exec", "--stdin", "redis-0", "--", "sh", "-c", serve]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        assert b"PONG" in process.stdout.readline()
        yield f"redis://{endpoint('redis-0', port)}/0"
        process.stdin.close()


@pytest.fixture
def own_redis(own_redis_server: str) -> Iterator[redis.Redis]:
    """A client of it, for one test; afterwards it is as it was."""
    with redis.Redis.from_url(own_redis_server) as client:
        yield client
        client.replicaof("NO", "ONE")
        client.config_set("maxmemory", 0)
        client.config_set("maxmemory-policy", "noeviction")
        client.flushall()


@pytest.fixture(scope="session")
def database_server_url() -> str:
    """A PostgreSQL where databases can be made."""
    if url := os.environ.get("TEST_DATABASE_URL"):
        return url
    address = endpoint("postgres-0", 5432)
    return at(secret("postgres", "url"), address=address)


@pytest.fixture
def key_prefix(redis_url: str) -> Iterator[str]:
    """A beginning for the keys of one test, which are gone after it."""
    prefix = f"test-{secrets.token_hex(6)}:"
    yield prefix
    with redis.Redis.from_url(redis_url) as client:
        for key in client.scan_iter(f"{prefix}*"):
            client.unlink(key)


@pytest.fixture
def database_url(database_server_url: str) -> Iterator[str]:
    """A fresh database for one test, gone after it."""
    name = f"test_{secrets.token_hex(6)}"
    with (
        closing(psycopg2.connect(database_server_url)) as connection,
        connection.cursor() as cursor,
    ):
        connection.autocommit = True
        cursor.execute(f"CREATE DATABASE {name}")
        yield at(database_server_url, path=name)
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
