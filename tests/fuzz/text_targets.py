"""Fuzz targets of HTTP requests, answers of the API server, and the texts of others."""

from __future__ import annotations

import json
from collections.abc import Callable
from http import HTTPStatus

from prometheus_client import CollectorRegistry, Counter

from retraining_operator.api.kubernetes_errors import classify_answer, format_error
from retraining_operator.audit.log_tail import TAIL_LIMIT_BYTES, extract_tail
from retraining_operator.contract import to_line, to_lines
from retraining_operator.kube.answers import parse_object, parse_watch_event, read_page
from retraining_operator.kube.errors import KubeError, read_error, read_watch_error
from retraining_operator.observability.http import build_routes, respond_to
from tests.system.random_input import check_sentence

STATUSES = (0, 400, 403, 404, 409, 410, 413, 422, 429, 500, 503)
LINE_LIMIT = 1000
REGISTRY = CollectorRegistry()
Counter("retraining_fuzz", "Something to scrape.", registry=REGISTRY).inc()
ROUTES = build_routes(REGISTRY, alive=lambda: None, ready=lambda: "Kafka is unavailable.")
REQUEST = "GET /{} HTTP/1.1\r\nHost: 10.0.0.1:8080\r\nAccept: {}\r\nAccept-Encoding: gzip\r\n\r\n"
OPEN_METRICS = (
    "application/openmetrics-text; version=1.0.0; escaping=allow-utf-8; q=0.6, */*; q=0.1"
)
ANSWER = {
    "kind": "Status",
    "status": "Failure",
    "message": 'jobs.batch "x" is forbidden: exceeded quota',
    "reason": "Forbidden",
    "details": {
        "name": "x",
        "kind": "jobs",
        "causes": [{"reason": "FieldValueInvalid", "field": "spec", "message": "no"}],
    },
    "code": 403,
}
LIST = {
    "kind": "JobList",
    "metadata": {"resourceVersion": "7", "continue": "token"},
    "items": [{"metadata": {"name": "x"}}],
}
EVENT = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old"}}
LOG = """2026-03-01 INFO Reading events from postgresql://user:secret@db:5432/fraud
Traceback (most recent call last):
  File "train.py", line 3, in <module>
KeyError: 'password' PGPASSWORD="s3cret" Authorization: Bearer abcdefghijkl
-----BEGIN RSA PRIVATE KEY-----
MIIEowIBAAKCAQEA0123456789abcdefABCDEF0123456789
-----END RSA PRIVATE KEY-----
"""


def fuzz_http(data: bytes) -> None:
    """Answer the head of a request."""
    answer = respond_to(ROUTES, data)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert len(head.splitlines()) == 4, "a request added a header"
    status = int(head.split(b" ")[1])
    assert status != HTTPStatus.INTERNAL_SERVER_ERROR, "a request caused an error"
    assert data.startswith(b"HEAD ") or f"Content-Length: {len(body)}".encode() in head


def fuzz_answer(data: bytes) -> None:
    """Read an error answer of the API server, or of a proxy in its place."""
    body = data.decode(errors="replace")
    for status in STATUSES:
        for error in (read_error(status, body), read_watch_error(status, body)):
            assert isinstance(error, KubeError)
            if error.answer is not None:
                message = format_error(classify_answer(error.answer), error.server_message)
                check_sentence(to_line(message))


def fuzz_list(data: bytes) -> None:
    """Read a list and a watch event, or what a proxy has sent in their place."""
    for read in (parse_watch_event, lambda body: read_page(parse_object(body))):
        try:
            read(data)
        except KubeError as error:
            check_sentence(to_line(str(error)))


def fuzz_log(data: bytes) -> None:
    """Extract the end of a trainer's log."""
    text = data.decode(errors="replace")
    tail = extract_tail(text, 20)
    assert len(tail.encode()) <= TAIL_LIMIT_BYTES
    assert len(tail.split("\n")) <= 20
    for line in tail.split("\n"):
        assert line.isprintable(), line


def fuzz_line(data: bytes) -> None:
    """Write a text of others as one line, and as several."""
    text = data.decode(errors="surrogateescape")
    line = to_line(text, LINE_LIMIT)
    assert len(line) <= LINE_LIMIT
    check_sentence(line or "empty")
    line.encode()
    lines = to_lines(text)
    assert all(part.isprintable() for part in lines.split("\n"))
    lines.encode()


TARGETS: dict[str, Callable[[bytes], None]] = {
    "http": fuzz_http,
    "answer": fuzz_answer,
    "list": fuzz_list,
    "log": fuzz_log,
    "line": fuzz_line,
}
SEEDS: dict[str, Callable[[], list[bytes]]] = {
    "http": lambda: [
        REQUEST.format("metrics", OPEN_METRICS).encode(),
        REQUEST.format("health?x=1", "*/*").encode(),
        REQUEST.format("ready", "").replace("GET", "HEAD").encode(),
    ],
    "answer": lambda: [json.dumps(ANSWER).encode(), b"<html>502 Bad Gateway</html>"],
    "list": lambda: [json.dumps(LIST).encode(), json.dumps(EVENT).encode()],
    "log": lambda: [LOG.encode()],
    "line": lambda: ["drift\n\x1b[31m \u202e\u2028\u00a0".encode()],
}
