"""An admission webhook on this machine for one test's namespace."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.integration.operator.apiserver import address
from tests.system.environment import STATE
from tests.system.kubectl import Kubectl, run

Review = Callable[[dict[str, Any]], dict[str, Any]]
"""Returns the fields of an AdmissionReview's response for an object: allowed, status and others."""


def patched(operations: list[dict[str, Any]]) -> dict[str, Any]:
    """Build the response that changes an object by a JSON patch."""
    patch = base64.b64encode(json.dumps(operations).encode()).decode()
    return {"allowed": True, "patchType": "JSONPatch", "patch": patch}


def address_towards_the_api_server() -> str:
    """Return this machine's address for the API server, which may be in another network."""
    server = urlsplit(address(STATE / "kubeconfig"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
        found.connect((server.hostname, server.port))
        return str(found.getsockname()[0])


@contextmanager
def served(folder: Path, review: Review) -> Iterator[dict[str, Any]]:
    """Serve a webhook. Yields the clientConfig under which the API server reaches it."""

    class AdmissionHandler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["request"]
            answer = {"uid": asked["uid"], **review(asked["object"])}
            body = {
                "apiVersion": "admission.k8s.io/v1",
                "kind": "AdmissionReview",
                "response": answer,
            }
            with suppress(OSError):  # the API server may have timed out
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    here = address_towards_the_api_server()
    certificate, key = folder / "webhook.crt", folder / "webhook.key"
    key_kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
    files = ("-keyout", str(key), "-out", str(certificate))
    name = ("-subj", "/CN=webhook", "-addext", f"subjectAltName=IP:{here}")
    run(["openssl", "req", "-x509", "-nodes", "-days", "2", *key_kind, *files, *name])
    server = ThreadingHTTPServer((here, 0), AdmissionHandler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    authority = base64.b64encode(certificate.read_bytes()).decode()
    yield {"url": f"https://{here}:{server.server_port}/", "caBundle": authority}
    server.shutdown()


@contextmanager
def registered(
    namespace: Kubectl, kind: str, rule: tuple[str, str], *hooks: dict[str, Any]
) -> Iterator[None]:
    """Register webhooks for the creation of a kind in a namespace, and wait until they are called.

    Args:
        namespace: the namespace.
        kind: Validating or Mutating.
        rule: the group and the plural of the objects.
        hooks: what each webhook has beyond that, at least `name` and `clientConfig`.
    """
    group, plural = rule
    common = {
        "rules": [
            {
                "apiGroups": [group],
                "apiVersions": ["v1"],
                "operations": ["CREATE"],
                "resources": [plural],
            }
        ],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace.namespace}},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "timeoutSeconds": 5,
    }
    name = f"{namespace.namespace}-{kind.lower()}-{plural}"
    body = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": f"{kind}WebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [common | hook for hook in hooks],
    }
    namespace.apply(body)
    time.sleep(2)  # the API server applies a configuration about a second after it is stored
    try:
        yield
    finally:
        namespace("delete", f"{kind}WebhookConfiguration", name)
