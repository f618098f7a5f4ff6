"""Why a connection to PostgreSQL could not be made: the SQLSTATE, which psycopg2 does not tell at that moment.

The one part of the contract that does I/O, and needs psycopg2: import it only where there is a
database anyway.
"""

from __future__ import annotations

import ctypes
import os
import select
import socket
import ssl
import struct
import time
from collections.abc import Mapping
from contextlib import closing
from typing import Any, NamedTuple

import psycopg2
from psycopg2.extensions import POLL_OK, POLL_READ

from retraining_job.contract.error_class import ErrorClass
from retraining_job.contract.postgres_errors import TLS, postgres_error

SQLSTATE_ONLY = 3
"""libpq's PQERRORS_SQLSTATE: an error's message is then its severity and its code, in every language."""

PASSWORD_CODE = "28P01"  # noqa: S105  # a code
"""The code for a wrong password; used where the server asks for one and none was given, which has no code."""

SSL_REQUEST = struct.pack("!ii", 8, 80_877_103)
FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl")


class LoginFailure(NamedTuple):
    """Why there is no connection."""

    row: ErrorClass
    code: str | None
    """The SQLSTATE; None if the server told none."""
    problem: str
    """What is wrong, where this side knows it; else empty, and libpq's own words count."""


def login_failure(parts: Mapping[str, Any], seconds: float) -> LoginFailure:
    """Find out why a connection could not be made, by trying once more and listening to the code.

    Args:
        parts: libpq's parameters.
        seconds: How long to try.

    Returns:
        The failure. If this try succeeds, the fault has passed, and the failure is one that another
        try may mend.
    """
    for name in FILES:
        path = str(parts.get(name, ""))
        if path not in {"", "system"} and not os.path.isfile(path):  # noqa: PTH113  # libpq's own kind of path
            return LoginFailure(
                TLS, None, f"there is no file at the path that the parameter {name} names"
            )
    code = login_code(parts, seconds)
    if code is None and (problem := tls_problem(parts, seconds)):
        return LoginFailure(TLS, None, problem)
    return LoginFailure(postgres_error(code), code, "")


def login_code(parts: Mapping[str, Any], seconds: float) -> str | None:
    """Return the SQLSTATE with which the server refuses a login; None if it does not, or tells none."""
    library = ctypes.CDLL(psycopg2._psycopg.__file__)  # finds the libpq that it is linked with
    deadline = time.monotonic() + seconds
    try:
        connection = psycopg2.connect(**{**parts, "async_": True})
    except (psycopg2.Error, UnicodeDecodeError):
        return None
    with closing(connection):
        pointer = ctypes.c_void_p(connection.pgconn_ptr)
        library.PQsetErrorVerbosity(pointer, SQLSTATE_ONLY)
        try:
            while (state := connection.poll()) != POLL_OK:
                waited = [connection.fileno()]
                left = max(0.0, deadline - time.monotonic())
                ready = select.select(
                    *((waited, [], []) if state == POLL_READ else ([], waited, [])), left
                )
                if not any(ready):
                    return None
        except (psycopg2.Error, UnicodeDecodeError, OSError, ValueError):
            if library.PQconnectionNeedsPassword(pointer):
                return PASSWORD_CODE
            library.PQerrorMessage.restype = ctypes.c_char_p
            return code_in(library.PQerrorMessage(pointer) or b"")
    return None


def code_in(message: bytes) -> str | None:
    """Return the code at the end of a message's last line that has one: `FATAL:  28P01`."""
    for line in reversed(message.decode("ascii", errors="replace").splitlines()):
        severity, separator, code = line.rpartition(":  ")
        if separator and severity and len(code) == 5 and code.isalnum() and code == code.upper():
            return code
    return None


def tls_problem(parts: Mapping[str, Any], seconds: float) -> str:
    """Return what is wrong with the encryption of the first server that answers; empty if nothing can be said."""
    mode = parts.get("sslmode", "prefer")
    if mode not in {"require", "verify-ca", "verify-full"}:
        return ""
    hosts, ports = str(parts.get("host", "")).split(","), str(parts.get("port", "5432")).split(",")
    for place, host in enumerate(hosts):
        port = ports[place] if len(ports) > place else ports[0]
        if not host or host.startswith("/"):
            continue
        try:
            with socket.create_connection((host, int(port or 5432)), timeout=seconds) as plain:
                plain.sendall(SSL_REQUEST)
                if plain.recv(1) != b"S":
                    return f"the server offers no encryption, and sslmode={mode} asks for it"
                shake_hands(
                    plain, host, parts, verified=mode != "require", named=mode == "verify-full"
                )
        except ssl.SSLCertVerificationError as error:
            return f"the server's certificate is not accepted ({error.verify_message.rstrip('.')})"
        except ssl.SSLError as error:
            return f"the handshake fails ({error.reason or 'for an unknown reason'})"
        except (OSError, ValueError):
            continue
        return ""
    return ""


def shake_hands(
    plain: socket.socket, host: str, parts: Mapping[str, Any], *, verified: bool, named: bool
) -> None:
    """Make the TLS handshake as libpq would.

    Raises:
        ssl.SSLError: It fails.
        OSError: A file cannot be read, or the connection ends.
    """
    root, certificate = str(parts.get("sslrootcert", "")), str(parts.get("sslcert", ""))
    context = ssl.create_default_context(cafile=root if root not in {"", "system"} else None)
    context.check_hostname = named
    if not verified:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if certificate:
        context.load_cert_chain(certificate, str(parts.get("sslkey", "")) or None)
    with context.wrap_socket(plain, server_hostname=host):
        pass
