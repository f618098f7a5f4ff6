"""The operator as a process: how it starts, reports its health and stops."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from retraining_operator.settings import Settings
from tests.integration.operator.topic import Topic
from tests.system.environment import STATE
from tests.system.kubectl import Kubectl, wait_for


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port: int = probe.getsockname()[1]
        return port


PORT = free_port()
OTHER_PORT = free_port()
TAKEOVER_SECONDS = 20
STOP_SECONDS = 10
"""What a pod's stop may take; then it would be killed."""


@pytest.fixture
def start(settings: Settings, tmp_path: Path) -> Iterator[Any]:
    processes: list[subprocess.Popen[bytes]] = []
    Topic(settings.kafka, settings.kafka.topic).make()

    def run(port: int = PORT, crash_points: str = "", **kafka: str) -> subprocess.Popen[bytes]:
        content = settings.model_dump(mode="json", by_alias=True)
        content["kafka"] |= kafka
        short = {"leaseDurationSeconds": 3, "renewDeadlineSeconds": 2, "retryPeriodSeconds": 0.5}
        config = tmp_path / f"config-{port}.yaml"
        config.write_text(json.dumps({**content, "leaderElection": short, "httpPort": port}))
        command = [sys.executable, "-m", "retraining_operator", "--config", str(config)]
        environment = {
            **os.environ,
            "KUBECONFIG": str(STATE / "kubeconfig"),
            "CRASH_POINTS": crash_points,
        }
        processes.append(subprocess.Popen(command, env=environment))
        return processes[-1]

    yield run
    for process in processes:
        process.kill()
        process.wait()


def answer(path: str, port: int = PORT) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://localhost:{port}{path}", timeout=5) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def test_ready_only_when_kafka_has_answered(start: Any) -> None:
    process = start(bootstrapServers="localhost:1")
    wait_for("the HTTP server", lambda: answer("/health")[0] == 200, 30)
    wait_for("the first list", lambda: "Kafka" in answer("/ready")[1], 30)
    assert answer("/ready")[0] == 503
    process.kill()
    process.wait()
    start()
    wait_for("ready", lambda: answer("/ready")[0] == 200, 60)
    assert "retraining_runs_total 0.0" in answer("/metrics")[1]


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_signal_stops_it_cleanly(start: Any, signum: signal.Signals) -> None:
    process = start()
    wait_for("ready", lambda: answer("/ready")[0] == 200, 60)
    process.send_signal(signum)
    assert process.wait(STOP_SECONDS) == 0


def test_signal_stops_it_while_kafka_is_unavailable(start: Any) -> None:
    process = start(bootstrapServers="localhost:1")
    wait_for("the first list", lambda: "Kafka" in answer("/ready")[1], 30)
    process.send_signal(signal.SIGTERM)
    assert process.wait(STOP_SECONDS) == 0


def test_standby_is_ready_and_takes_over_when_the_leader_is_killed(
    start: Any, namespace: Kubectl, topic: Topic
) -> None:
    leader = start(PORT)
    wait_for("the leader", lambda: "retraining_leader 1.0" in answer("/metrics")[1], 30)
    start(OTHER_PORT)
    wait_for("the standby", lambda: answer("/ready", OTHER_PORT)[0] == 200, 30)
    namespace.apply(
        {
            "apiVersion": "retraining.dev/v1alpha1",
            "kind": "RetrainRequest",
            "metadata": {"name": "first"},
            "spec": {},
        }
    )
    wait_for("the first Job", lambda: len(namespace.items("jobs")) == 1, 20)
    assert "retraining_leader 0.0" in answer("/metrics", OTHER_PORT)[1]
    topic.send(b"{}")
    wait_for("the first record's request", lambda: len(namespace.items("retrainrequests")) == 2, 20)
    leader.kill()
    topic.send(b"{}")
    namespace.apply(
        {
            "apiVersion": "retraining.dev/v1alpha1",
            "kind": "RetrainRequest",
            "metadata": {"name": "second"},
            "spec": {},
        }
    )
    wait_for(
        "the second record's request",
        lambda: len(namespace.items("retrainrequests")) == 4,
        TAKEOVER_SECONDS,
    )
    wait_for(
        "the second's turn",
        lambda: namespace.get("retrainrequest", "second").get("status"),
        TAKEOVER_SECONDS,
    )
    assert "retraining_leader 1.0" in answer("/metrics", OTHER_PORT)[1]
    assert answer("/health", OTHER_PORT)[0] == 200


def series(port: int = PORT) -> dict[str, float]:
    lines = answer("/metrics", port)[1].splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


def request(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "retraining.dev/v1alpha1",
        "kind": "RetrainRequest",
        "metadata": {"name": name},
        "spec": spec,
    }


WAITING = 'retraining_requests{state="waiting"}'
RUNNING = 'retraining_requests{state="running"}'
SUSPENDED = 'retraining_requests_held{reason="Suspended"}'
ABOUT_WORK = (
    "retraining_requests",
    "retraining_consumer",
    "retraining_oldest",
    "retraining_unrecorded",
    "last_",
)


@pytest.mark.usefixtures("no_pods")
def test_only_the_leader_exports_gauges_and_they_follow_the_state(
    start: Any, namespace: Kubectl, topic: Topic
) -> None:
    topic.send(b"{}")
    leader = start(PORT)
    wait_for("the record's Job", lambda: series().get(RUNNING) == 1, 30)
    start(OTHER_PORT)
    wait_for("the standby", lambda: answer("/ready", OTHER_PORT)[0] == 200, 30)
    for name in ("stays", "goes"):
        namespace.apply(request(name, suspend=True))
    wait_for("both to be held", lambda: series()[SUSPENDED] == 2)
    assert series()[WAITING] == 2
    namespace("delete", "retrainrequest", "goes")
    wait_for("one to be counted", lambda: series()[SUSPENDED] == 1)
    assert series()[WAITING] == 1
    namespace("delete", "retrainrequest", "stays")
    wait_for("none to be counted", lambda: series()[WAITING] == series()[SUSPENDED] == 0)
    assert series()["retraining_oldest_waiting_age_seconds"] == 0
    namespace.apply(request("third", suspend=True))
    wait_for("the third to be held", lambda: series()[SUSPENDED] == 1)

    standby = series(OTHER_PORT)
    assert standby["retraining_leader"] == 0
    assert [name for name in standby if name.startswith(ABOUT_WORK)] == []
    leader.kill()
    wait_for("the takeover", lambda: WAITING in series(OTHER_PORT), TAKEOVER_SECONDS)
    first = series(OTHER_PORT)
    assert (first["retraining_leader"], first[WAITING], first[SUSPENDED]) == (1, 1, 1)
    assert first["retraining_oldest_waiting_age_seconds"] > 0


def test_wrong_setting_stops_it_with_one_message(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("kafka: {bootstrapServers: ''}")
    command = [sys.executable, "-m", "retraining_operator", "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 78
    assert "kafka.bootstrapServers" in done.stderr
    assert "Traceback" not in done.stderr
