"""Errors of Redis by their code, the first word: what each means, and whether another try may succeed. Pure.

A script's error carries the code of the command that failed in it.
"""

from __future__ import annotations

from retraining_job.contract.environment import REDIS_URL, environment_name, value_name
from retraining_job.contract.error_class import ErrorClass
from retraining_job.contract.verdict import Failure

UNAVAILABLE, WRONG = Failure.DEPENDENCY_UNAVAILABLE, Failure.BAD_CONFIGURATION

SETTING = f"redis.url ({REDIS_URL})"
KEYS = (
    f"{value_name('model_key')} ({environment_name('model_key')}) and {value_name('version_key')} "
    f"({environment_name('version_key')})"
)
WAIT = "Another try may succeed."
CLUSTER = (
    f"Redis Cluster is not supported, because a promotion changes several keys in one step: {SETTING} must lead to a "
    "Redis that is no cluster."
)

NO_CODE = "no code"
TLS_CODE = "TLS"

REDIS_ERRORS = (
    ErrorClass(
        NO_CODE,
        UNAVAILABLE,
        True,
        f"The Redis of {SETTING} is away",
        f"{WAIT} Check host, port and network.",
    ),
    ErrorClass(
        TLS_CODE,
        WRONG,
        False,
        f"The connection to the Redis of {SETTING} cannot be encrypted as asked",
        "Correct the scheme (redis:// without and rediss:// with encryption) and the parameters that begin with ssl_.",
    ),
    ErrorClass(
        "NOAUTH",
        WRONG,
        False,
        f"Redis wants another password than {SETTING} has, or one where it has none",
        "Correct the password.",
    ),
    ErrorClass(
        "WRONGPASS",
        WRONG,
        False,
        f"Redis wants another password than {SETTING} has, or one where it has none",
        "Correct the password.",
    ),
    ErrorClass(
        "NOPERM",
        WRONG,
        False,
        f"Redis does not let the user of {SETTING} do what the trainer needs",
        "Grant the rights in docs/how-to/database-and-redis.md.",
    ),
    ErrorClass(
        "DENIED",
        WRONG,
        False,
        f"The Redis of {SETTING} refuses connections from here",
        "Switch its protected mode off, or set a password.",
    ),
    ErrorClass(
        "WRONGTYPE",
        WRONG,
        False,
        f"A key in Redis holds something else than a string; {KEYS} name the keys of the model and its version",
        "Name other keys, or delete what is there.",
    ),
    ErrorClass(
        "READONLY",
        UNAVAILABLE,
        True,
        f"The Redis of {SETTING} is a read-only replica; it must be the primary",
        "After a failover, another try may succeed.",
    ),
    ErrorClass(
        "OOM",
        UNAVAILABLE,
        True,
        "Redis is at its memory limit and takes no new model; the live one is untouched",
        "Raise maxmemory.",
    ),
    ErrorClass(
        "LOADING",
        UNAVAILABLE,
        True,
        f"The Redis of {SETTING} is away, because it loads its data",
        WAIT,
    ),
    ErrorClass(
        "BUSY",
        UNAVAILABLE,
        True,
        "Redis is busy with a script",
        f"{WAIT} See SCRIPT KILL in its documentation.",
    ),
    ErrorClass(
        "UNKILLABLE", UNAVAILABLE, True, "Redis is busy with a script that cannot be ended", WAIT
    ),
    ErrorClass(
        "MISCONF",
        UNAVAILABLE,
        True,
        "Redis takes no writes, because it cannot save its data to disk; the live model is untouched",
        "Look at its log: the disk may be full.",
    ),
    ErrorClass(
        "NOREPLICAS",
        UNAVAILABLE,
        True,
        "Redis takes no writes, because too few replicas follow it; the live model is untouched",
        "Bring the replicas back, or change min-replicas-to-write.",
    ),
    ErrorClass(
        "MASTERDOWN",
        UNAVAILABLE,
        True,
        "The replica has lost its primary",
        "Bring the primary back.",
    ),
    ErrorClass(
        "NOMASTERLINK",
        UNAVAILABLE,
        True,
        "The replica has lost its primary",
        "Bring the primary back.",
    ),
    ErrorClass("FAILOVER", UNAVAILABLE, True, "A failover of Redis is going on", WAIT),
    ErrorClass(
        "MOVED",
        WRONG,
        False,
        "Redis is a cluster, and this key is on another of its nodes",
        CLUSTER,
    ),
    ErrorClass(
        "ASK",
        WRONG,
        False,
        "Redis is a cluster, and this key is on its way to another of its nodes",
        CLUSTER,
    ),
    ErrorClass(
        "CROSSSLOT",
        WRONG,
        False,
        "Redis is a cluster, and the keys are on several of its nodes",
        CLUSTER,
    ),
    ErrorClass("CLUSTERDOWN", UNAVAILABLE, True, "The cluster of Redis is down", CLUSTER),
    ErrorClass(
        "TRYAGAIN",
        UNAVAILABLE,
        True,
        "Keys of Redis are on their way to another node",
        f"{WAIT} {CLUSTER}",
    ),
    ErrorClass("EXECABORT", UNAVAILABLE, True, "Redis took a transaction back", WAIT),
    ErrorClass("NOSCRIPT", UNAVAILABLE, True, "Redis has forgotten the script", WAIT),
    ErrorClass("INPROG", UNAVAILABLE, True, "Redis is busy with another task", WAIT),
    ErrorClass(
        "IOERR", UNAVAILABLE, True, "Redis has a fault of its disk or network", "Look at its log."
    ),
    ErrorClass("NOTREADY", UNAVAILABLE, True, "Redis is not ready yet", WAIT),
    ErrorClass(
        "NOPROTO",
        WRONG,
        False,
        "Redis does not speak the protocol that is asked for",
        f"Take protocol out of {SETTING}.",
    ),
    ErrorClass(
        "ERR",
        UNAVAILABLE,
        True,
        "Redis reports an error without a code of its own",
        f"{WAIT} Look at its log.",
    ),
)

UNKNOWN = ErrorClass(
    "other",
    UNAVAILABLE,
    True,
    "Redis reports an error that the trainer does not know",
    f"{WAIT} Look at its log.",
)

_ROWS = {row.code: row for row in REDIS_ERRORS}


def redis_error(code: str | None) -> ErrorClass:
    """Return the row for a code.

    Args:
        code: The first word of an error, or None if the server has said nothing.

    Returns:
        The row, or else `UNKNOWN`.
    """
    return _ROWS.get(code or NO_CODE, UNKNOWN)
