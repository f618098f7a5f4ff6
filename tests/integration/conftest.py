"""Redis and PostgreSQL of the integration tests: `TEST_REDIS_URL` and `TEST_DATABASE_URL`.

If they are not set, the services of the test cluster are used. If there is neither, the tests are
skipped, or fail if `CI` is set.
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
    """Return the address of a pod for this machine, or skip the test."""
    if not endpoints.is_there():
        reason = f"There is no {pod}: neither TEST_*_URL is set nor is the test cluster up."
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    return endpoints.endpoint(pod, port)


@pytest.fixture(scope="session")
def redis_url() -> str:
    """A Redis that tests share. Each uses its own keys."""
    return os.environ.get("TEST_REDIS_URL") or f"redis://{endpoint('redis-0', 6379)}/0"


@pytest.fixture(scope="session")
def own_redis_server() -> Iterator[str]:
    """A separate Redis, whose memory and role a test may change. It ends with the session."""
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
    """A client of it for one test, after which its settings are restored."""
    with redis.Redis.from_url(own_redis_server) as client:
        yield client
        client.replicaof("NO", "ONE")
        client.config_set("maxmemory", 0)
        client.config_set("maxmemory-policy", "noeviction")
        client.flushall()


@pytest.fixture(scope="session")
def database_server_url() -> str:
    """A PostgreSQL in which databases can be created."""
    if url := os.environ.get("TEST_DATABASE_URL"):
        return url
    address = endpoint("postgres-0", 5432)
    return at(secret("postgres", "url"), address=address)


@pytest.fixture
def key_prefix(redis_url: str) -> Iterator[str]:
    """A prefix for the keys of one test, which are deleted after it."""
    prefix = f"test-{secrets.token_hex(6)}:"
    yield prefix
    with redis.Redis.from_url(redis_url) as client:
        for key in client.scan_iter(f"{prefix}*"):
            client.unlink(key)


@pytest.fixture
def database_url(database_server_url: str) -> Iterator[str]:
    """A new database for one test, which is deleted after it."""
    name = f"test_{secrets.token_hex(6)}"
    with (
        closing(psycopg2.connect(database_server_url)) as connection,
        connection.cursor() as cursor,
    ):
        connection.autocommit = True
        cursor.execute(f"CREATE DATABASE {name}")
        yield at(database_server_url, path=name)
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
