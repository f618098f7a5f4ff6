"""Normalization of the setting `REDIS_URL`.

Common variants of URLs are accepted. No message contains a part of the URL that may be a part of
the password.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

from retraining_job.contract.database_url import clean_secret

SCHEMES = {
    "redis": "redis",
    "rediss": "rediss",
    "valkey": "redis",
    "valkeys": "rediss",
    "unix": "unix",
    "redis+socket": "unix",
    "redis+unix": "unix",
    "redis+tls": "rediss",
    "redis+ssl": "rediss",
}
SENTINELS = {
    "redis+sentinel",
    "redis-sentinel",
    "sentinel",
    "rediss+sentinel",
    "redis+sentinel+ssl",
}
CLUSTERS = {"redis+cluster", "rediss+cluster", "redis-cluster", "cluster"}
OTHER_SCHEMES = {
    "http",
    "https",
    "tcp",
    "amqp",
    "memcached",
    "postgres",
    "postgresql",
    "mysql",
    "mongodb",
}

PARAMETERS = {
    "db", "socket_timeout", "socket_connect_timeout", "socket_keepalive", "health_check_interval",
    "max_connections", "protocol", "timeout", "username", "password", "retry_on_timeout",
}  # fmt: skip
TLS_PARAMETERS = {
    "ssl_cert_reqs", "ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile",
    "ssl_check_hostname", "ssl_min_version", "ssl_ciphers",
}  # fmt: skip
FOREIGN_PARAMETERS = {
    "decode_responses", "ssl", "tls", "prefix", "name", "virtual_host", "encoding", "family",
    "password_file", "connect_timeout", "read_timeout", "client_name", "database", "sentinel",
    "master", "service_name", "skip_verify", "insecure", "pool_size", "min_idle_conns",
    "dial_timeout",
}  # fmt: skip
"""Parameters of other clients."""

FORM = (
    "it is not of the form redis://user:password@host:6379/0, or its password has characters that "
    "must be percent-encoded"
)


class RedisUrlError(ValueError):
    """The setting is wrong. The text is the end of a sentence, without any part of a password."""


def normalize_redis_url(url: str) -> str:
    """Return the URL as redis-py reads it.

    Raises:
        RedisUrlError: It is wrong.
    """
    text = clean_secret(url)
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1].strip()
    if any(mark in text for mark in "\n\r\0"):
        raise RedisUrlError("it has more than one line")
    scheme, separator, rest = text.partition("://")
    name = scheme.lower()
    if separator and name in SENTINELS:
        raise RedisUrlError(
            "Redis Sentinel is not supported: use the address of a Service of the primary"
        )
    if separator and name in CLUSTERS:
        raise RedisUrlError(
            "Redis Cluster is not supported: use the address of a Redis that is not a cluster"
        )
    if separator and name in OTHER_SCHEMES:
        raise RedisUrlError(
            f"it begins with {name}://, and a URL of Redis begins with redis:// or rediss://"
        )
    if not separator or name not in SCHEMES:
        raise RedisUrlError(FORM)
    text = f"{SCHEMES[name]}://{rest}"
    try:
        check_url(text)
    except RedisUrlError:
        raise
    except ValueError:  # a malformed port, or a host in brackets
        raise RedisUrlError(FORM) from None
    return text


def check_url(text: str) -> None:
    """Check a URL that redis-py would misread or fail with later.

    Raises:
        RedisUrlError: It is wrong.
        ValueError: The host or the port is malformed.
    """
    parts = urlsplit(text)
    # A /, ? or # in the password has cut the URL short.
    if "@" in parts.path + parts.query + parts.fragment or parts.fragment:
        raise RedisUrlError(FORM)
    if parts.scheme != "unix":
        if parts.port is not None and not 0 < parts.port < 65_536:
            raise RedisUrlError("its port is not between 1 and 65535")
        if not re.fullmatch(r"/?[0-9]{0,9}/?", parts.path):
            raise RedisUrlError("what follows the host is not the number of a database, such as /0")
    if "," in parts.netloc.rpartition("@")[2]:
        raise RedisUrlError("it names several hosts: use the address of a Service of the primary")
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name in TLS_PARAMETERS:
            if parts.scheme != "rediss":
                raise RedisUrlError(f"the parameter {name} needs a URL that begins with rediss://")
        elif name in FOREIGN_PARAMETERS:
            raise RedisUrlError(
                f"the parameter {name} is not one of redis-py's, the library that connects"
            )
        elif name not in PARAMETERS:
            raise RedisUrlError(
                "it has a parameter that is not one of redis-py's, or its password has a ?"
            )
        if name in {"db", "protocol"} and not value.isdigit():
            raise RedisUrlError(f"the parameter {name} must be a whole number")
