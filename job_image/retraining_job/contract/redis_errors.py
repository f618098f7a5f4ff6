"""Errors of Redis by their code, the first word: what each means, and whether it is retried.

The error of a script has the code of the command that failed in it.
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
WAIT = "Another attempt may succeed."
CLUSTER = (
    "Redis Cluster is not supported, because a promotion changes several keys in one step: "
    f"{SETTING} must lead to a Redis that is not a cluster."
)

NO_CODE = "no code"
TLS_CODE = "TLS"

REDIS_ERRORS = (
    ErrorClass(
        NO_CODE,
        UNAVAILABLE,
        True,
        f"The Redis of {SETTING} is unavailable",
        f"{WAIT} Check host, port and network.",
    ),
    ErrorClass(
        TLS_CODE,
        WRONG,
        False,
        f"The connection to the Redis of {SETTING} cannot be encrypted as configured",
        "Correct the scheme (redis:// without and rediss:// with encryption) and the parameters "
        "that begin with ssl_.",
    ),
    ErrorClass(
        "NOAUTH",
        WRONG,
        False,
        f"Redis requires another password than {SETTING} has, or one although it has none",
        "Correct the password.",
    ),
    ErrorClass(
        "WRONGPASS",
        WRONG,
        False,
        f"Redis requires another password than {SETTING} has, or one although it has none",
        "Correct the password.",
    ),
    ErrorClass(
        "NOPERM",
        WRONG,
        False,
        f"The user of {SETTING} lacks a right that the trainer needs",
        "Grant the rights in docs/how-to/database-and-redis.md.",
    ),
    ErrorClass(
        "DENIED",
        WRONG,
        False,
        f"The Redis of {SETTING} refuses connections from here",
        "Disable its protected mode, or set a password.",
    ),
    ErrorClass(
        "WRONGTYPE",
        WRONG,
        False,
        f"A key in Redis does not hold a string; {KEYS} set the keys of the model and its version",
        "Set other keys, or delete the value.",
    ),
    ErrorClass(
        "READONLY",
        UNAVAILABLE,
        True,
        f"The Redis of {SETTING} is a read-only replica; it must be the primary",
        "After a failover, another attempt may succeed.",
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
        f"The Redis of {SETTING} is unavailable, because it loads its data",
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
        "Redis takes no writes, because it cannot save its data to disk; the live model is "
        "untouched",
        "Check its log: the disk may be full.",
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
    ErrorClass("FAILOVER", UNAVAILABLE, True, "A failover of Redis is in progress", WAIT),
    ErrorClass(
        "MOVED",
        WRONG,
        False,
        "Redis is a cluster, and the key is on another node",
        CLUSTER,
    ),
    ErrorClass(
        "ASK",
        WRONG,
        False,
        "Redis is a cluster, and the key is moving to another node",
        CLUSTER,
    ),
    ErrorClass(
        "CROSSSLOT",
        WRONG,
        False,
        "Redis is a cluster, and the keys are on several nodes",
        CLUSTER,
    ),
    ErrorClass("CLUSTERDOWN", UNAVAILABLE, True, "The cluster of Redis is down", CLUSTER),
    ErrorClass(
        "TRYAGAIN",
        UNAVAILABLE,
        True,
        "Keys of Redis are moving to another node",
        f"{WAIT} {CLUSTER}",
    ),
    ErrorClass("EXECABORT", UNAVAILABLE, True, "Redis discarded a transaction", WAIT),
    ErrorClass("NOSCRIPT", UNAVAILABLE, True, "Redis has forgotten the script", WAIT),
    ErrorClass("INPROG", UNAVAILABLE, True, "Redis is busy with another task", WAIT),
    ErrorClass(
        "IOERR", UNAVAILABLE, True, "Redis has an error of its disk or network", "Check its log."
    ),
    ErrorClass("NOTREADY", UNAVAILABLE, True, "Redis is not ready yet", WAIT),
    ErrorClass(
        "NOPROTO",
        WRONG,
        False,
        "Redis does not support the protocol that is set",
        f"Remove protocol from {SETTING}.",
    ),
    ErrorClass(
        "ERR",
        UNAVAILABLE,
        True,
        "Redis reports an error without a code of its own",
        f"{WAIT} Check its log.",
    ),
)

UNKNOWN = ErrorClass(
    "other",
    UNAVAILABLE,
    True,
    "Redis reports an error that the trainer does not know",
    f"{WAIT} Check its log.",
)

_ROWS = {row.code: row for row in REDIS_ERRORS}


def redis_error(code: str | None) -> ErrorClass:
    """Get the row for a code.

    Args:
        code: The first word of an error, or None if the server has not answered.

    Returns:
        The row, or else `UNKNOWN`.
    """
    return _ROWS.get(code or NO_CODE, UNKNOWN)
