"""Requests of an operator that runs as a process, and their conditions."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from tests.system.kubectl import Kubectl, wait_for

Start = Callable[..., Any]
"""Starts the operator as a process, with its DATABASE_URL and settings for its Jobs."""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def create_request(namespace: Kubectl, name: str, **spec: Any) -> None:
    body = {
        "apiVersion": "retraining.dev/v1alpha1",
        "kind": "RetrainRequest",
        "metadata": {"name": name},
    }
    namespace.apply({**body, "spec": {"retries": 0, **spec}})


def condition(namespace: Kubectl, name: str, kind: str = "Succeeded") -> tuple[str, str, str]:
    conditions = namespace.get("retrainrequest", name).get("status", {}).get("conditions", [])
    found = next((each for each in conditions if each["type"] == kind), None)
    return (found["status"], found["reason"], found["message"]) if found else ("", "", "")


def wait_until(
    namespace: Kubectl, name: str, truth: str, reason: str, kind: str = "Succeeded"
) -> str:
    """Wait for a condition. Returns its message."""
    wait_for(
        f"{name} at {reason}", lambda: condition(namespace, name, kind)[:2] == (truth, reason), 60
    )
    return condition(namespace, name, kind)[2]


def events(namespace: Kubectl, name: str) -> list[str]:
    recorded = [
        event
        for event in namespace.items("events.events.k8s.io")
        if event["regarding"]["name"] == name
    ]
    return [event["reason"] for event in sorted(recorded, key=lambda event: event["eventTime"])]
