"""The reason of a failed connection to PostgreSQL: the SQLSTATE, which psycopg2 does not report.

This is the only part of the contract that does I/O and needs psycopg2.
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
"""libpq's PQERRORS_SQLSTATE: a message is then severity and code, in every language."""

PASSWORD_CODE = "28P01"  # noqa: S105  # a code
"""The code for a wrong password. Also used if the server asks for one and none was given."""

SSL_REQUEST = struct.pack("!ii", 8, 80_877_103)
FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl")


class LoginFailure(NamedTuple):
    """Why there is no connection.

    Args:
        row: The classification of the error.
        code: The SQLSTATE, or None if the server has sent none.
        problem: What is wrong. Empty if only libpq's message says it.
    """

    row: ErrorClass
    code: str | None
    problem: str


def find_login_failure(parts: Mapping[str, Any], seconds: float) -> LoginFailure:
    """Find the reason of a failed connection. Connects once more, to read the SQLSTATE.

    Args:
        parts: libpq's parameters.
        seconds: How long to try.

    Returns:
        The failure. If this attempt succeeds, the failure is classified as one that is retried.
    """
    for name in FILES:
        path = str(parts.get(name, ""))
        # A relative path counts from the working directory, as for libpq.
        if path not in {"", "system"} and not os.path.isfile(path):  # noqa: PTH113
            return LoginFailure(
                TLS, None, f"there is no file at the path that the parameter {name} names"
            )
    code = get_login_code(parts, seconds)
    if code is None and (problem := find_tls_problem(parts, seconds)):
        return LoginFailure(TLS, None, problem)
    return LoginFailure(postgres_error(code), code, "")


def get_login_code(parts: Mapping[str, Any], seconds: float) -> str | None:
    """Get the SQLSTATE with which the server refuses a login.

    Args:
        parts: libpq's parameters.
        seconds: How long to try.

    Returns:
        The code, or None if the server accepts the login or sends no code.
    """
    # Loads the libpq that psycopg2 is linked with.
    library = ctypes.CDLL(psycopg2._psycopg.__file__)
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
            return parse_code(library.PQerrorMessage(pointer) or b"")
    return None


def parse_code(message: bytes) -> str | None:
    """Parse the SQLSTATE in a message: `FATAL:  28P01`. The last line that has one counts."""
    for line in reversed(message.decode("ascii", errors="replace").splitlines()):
        severity, separator, code = line.rpartition(":  ")
        if separator and severity and len(code) == 5 and code.isalnum() and code == code.upper():
            return code
    return None


def find_tls_problem(parts: Mapping[str, Any], seconds: float) -> str:
    """Find what is wrong with the encryption of the first server that answers.

    Args:
        parts: libpq's parameters.
        seconds: The timeout of each connection.

    Returns:
        The end of a sentence; empty if nothing is found.
    """
    mode = parts.get("sslmode", "prefer")
    if mode not in {"require", "verify-ca", "verify-full"}:
        return ""
    hosts, ports = str(parts.get("host", "")).split(","), str(parts.get("port", "5432")).split(",")
    for index, host in enumerate(hosts):
        port = ports[index] if len(ports) > index else ports[0]
        if not host or host.startswith("/"):
            continue
        try:
            with socket.create_connection((host, int(port or 5432)), timeout=seconds) as plain:
                plain.sendall(SSL_REQUEST)
                if plain.recv(1) != b"S":
                    return f"the server offers no encryption, and sslmode={mode} requires it"
                perform_handshake(
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


def perform_handshake(
    plain: socket.socket, host: str, parts: Mapping[str, Any], *, verified: bool, named: bool
) -> None:
    """Perform the TLS handshake as libpq does.

    Args:
        plain: The connection.
        host: The name of the server.
        parts: libpq's parameters.
        verified: Whether the server's certificate is verified.
        named: Whether the certificate must name the host.

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
