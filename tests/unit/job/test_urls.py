"""The URLs of the database and of Redis: what is accepted, and the messages about the rest."""

from __future__ import annotations

import pytest
from psycopg2.extensions import parse_dsn

from retraining_job.contract.database_url import DatabaseUrlError, connection_parameters
from retraining_job.contract.redis_url import RedisUrlError, normalize_redis_url

PARTS = {"user": "u", "password": "p", "host": "h", "port": "5432", "dbname": "d"}


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p@h:5432/d",
        "postgresql://u:p@h:5432/d\n",
        "\ufeffpostgresql://u:p@h:5432/d \r\n",
        '"postgresql://u:p@h:5432/d"',
        "postgres://u:p@h:5432/d",
        "postgresql+psycopg2://u:p@h:5432/d",
        "postgresql+asyncpg://u:p@h:5432/d",
        "timescaledb://u:p@h:5432/d",
        "POSTGRESQL://u:p@h:5432/d",
        "jdbc:postgresql://h:5432/d?user=u&password=p",
        "host=h port=5432 user=u password=p dbname=d\n",
    ],
)
def test_common_spellings_of_a_url_are_accepted(url: str) -> None:
    assert connection_parameters(url, parse_dsn, os_user=False) == PARTS


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("postgresql://u@a:1,b/d", {"host": "a,b", "port": "1,"}),
        ("postgresql://u@/d?host=/var/run/postgresql", {"host": "/var/run/postgresql"}),
        ("postgresql://u@%2Fvar%2Frun/d", {"host": "/var/run"}),
        ("postgresql://u:%40%2F%3F%23%25@h/d", {"password": "@/?#%"}),
        ("postgresql://u@h/d?sslmode=verify-full&connect_timeout=3", {"sslmode": "verify-full"}),
        ("postgresql://u@[::1]:5432/d", {"host": "::1"}),
        ("jdbc:postgresql://h/d?user=u&ApplicationName=x", {"application_name": "x"}),
    ],
)
def test_parts_of_a_url_are_kept(url: str, parts: dict[str, str]) -> None:
    found = connection_parameters(url, parse_dsn, os_user=False)
    assert {name: found[name] for name in parts} == parts


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://u:p@h/d?schema=public", "the parameter schema is not one of libpq's"),
        ("postgresql://u:p@h/d?pgbouncer=true", "the parameter pgbouncer is not one of libpq's"),
        ("jdbc:postgresql://h/d?user=u&ssl=true", "use sslmode=require"),
        ("postgresql://u:p@h/d?sslmode=on", "the parameter sslmode must be one of"),
        ("postgresql://u:p@h/d?connect_timeout=soon", "connect_timeout must be a whole number"),
        ("postgresql://u:p@h:99999/d", "its port is not between"),
        ("mysql://u:p@h/d", "it begins with mysql://"),
        ("postgresql://h/d", "it names no user"),
        ("postgresql://u:p@h/d\npostgresql://u:p@h/d", "more than one line"),
    ],
)
def test_what_is_wrong_with_the_database_s_url_is_named(url: str, expected: str) -> None:
    with pytest.raises(DatabaseUrlError, match=expected):
        connection_parameters(url, parse_dsn, os_user=False)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:secret@more?schema=x@h/d",
        "postgresql://u:secret/more?schema=x@h/d",
        "secret://u:p@h/d",
        "postgresql://u:sec%zzret@h/d",
        "postgresql://u:p@h:secret/d",
        "secret",
        "postgresql://u@h/d?secret=1",
    ],
)
def test_no_part_of_a_password_is_shown(url: str) -> None:
    with pytest.raises(DatabaseUrlError) as expected:
        connection_parameters(url, parse_dsn, os_user=False)
    assert not [
        piece for piece in ("secret", "schema", "more", "zz") if piece in str(expected.value)
    ]


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("redis://:p@h:6379/0\n", "redis://:p@h:6379/0"),
        ("\ufeffrediss://u:p@h ", "rediss://u:p@h"),
        ("'redis://h/2'", "redis://h/2"),
        ("valkey://h:1/0", "redis://h:1/0"),
        ("valkeys://h:1/0", "rediss://h:1/0"),
        ("unix:///run/redis.sock?db=1", "unix:///run/redis.sock?db=1"),
        ("redis+socket:///run/redis.sock", "unix:///run/redis.sock"),
        ("REDIS://h", "redis://h"),
        ("rediss://h/0?ssl_cert_reqs=none", "rediss://h/0?ssl_cert_reqs=none"),
    ],
)
def test_common_spellings_of_a_redis_url_are_accepted(url: str, plain: str) -> None:
    assert normalize_redis_url(url) == plain


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis+sentinel://h:26379/mymaster/0", "Sentinel is not supported"),
        ("redis+cluster://h:6379", "Cluster is not supported"),
        ("http://h", "it begins with http://"),
        ("redis://h:6379/first", "is not the number of a database"),
        ("redis://h:0/0", "its port is not between"),
        ("redis://a:1,b:2/0", "is not of the form"),
        ("redis://a,b:2/0", "it names several hosts"),
        ("redis://h/0?ssl_cert_reqs=none", "needs a URL that begins with rediss://"),
        ("redis://h/0?decode_responses=True", "the parameter decode_responses"),
        ("redis://h/0?db=one", "the parameter db must be"),
        ("redis://h/0?secret=1", "a parameter that is not one of redis-py's"),
        ("redis://h\nredis://h", "more than one line"),
        ("h:6379", "is not of the form"),
    ],
)
def test_what_is_wrong_with_redis_url_is_named(url: str, expected: str) -> None:
    with pytest.raises(RedisUrlError, match=expected) as error:
        normalize_redis_url(url)
    assert "secret" not in str(error.value)
