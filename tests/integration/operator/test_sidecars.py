"""Containers that a webhook adds to the trainer's pod delay neither outcome nor retry."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from retraining_operator.contract import Result
from tests.integration.operator.admission import patched, registered, served
from tests.integration.operator.runs import Start, condition, create_request, wait_until
from tests.system import environment
from tests.system.kubectl import Kubectl, wait_for

FOR_EVER = "import time; time.sleep(3600)"
RUN_ID = "the-run-id-of-the-container"
RESTRICTED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def document(**fields: Any) -> str:
    now = datetime.now(UTC)
    base = {
        "run_id": RUN_ID,
        "reason": "test",
        "message": "Said why.",
        "started_at": now,
        "finished_at": now,
    }
    return Result(**base | fields).document()


def ends(code: int, text: str = "") -> str:
    """Build a program that ends as a trainer does: with a result document and an exit code."""
    return (
        f"import os; text = {text!r}.replace({RUN_ID!r}, os.environ['RETRAIN_RUN_ID']); "
        f"open('/dev/termination-log', 'w').write(text); raise SystemExit({code})"
    )


def injected(
    pod: dict[str, Any], program: str, sidecar: str, *, native: bool = False
) -> dict[str, Any]:
    """Run another program in the trainer's place, and add a container."""
    [trainer] = pod["spec"]["containers"]
    other = {"name": "proxy", "image": trainer["image"], "command": ["python", "-c", sidecar]}
    other |= {"securityContext": RESTRICTED} | ({"restartPolicy": "Always"} if native else {})
    place, value = ("/spec/initContainers", [other]) if native else ("/spec/containers/-", other)
    return patched(
        [
            {"op": "add", "path": "/spec/containers/0/command", "value": ["python", "-c", program]},
            {"op": "add", "path": "/spec/terminationGracePeriodSeconds", "value": 2},
            {"op": "add", "path": place, "value": value},
        ]
    )


@contextmanager
def mesh(
    namespace: Kubectl, folder: Path, programs: dict[str, tuple[str, str]], native: str = ""
) -> Iterator[None]:
    """Inject a sidecar into every pod. The request's name selects both programs."""

    def review(pod: dict[str, Any]) -> dict[str, Any]:
        name = pod["metadata"]["labels"]["retraining.dev/request"]
        return injected(pod, *programs[name], native=name == native)

    for secret in ("redis", "database"):
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": secret},
            "stringData": {"url": "none"},
        }
        namespace.apply(body)
    with served(folder, review) as client:
        hook = {"name": "mesh.test.dev", "clientConfig": client}
        with registered(namespace, "Mutating", ("", "pods"), hook):
            yield


def job_of(namespace: Kubectl, request: str) -> dict[str, Any]:
    [job] = namespace.items("jobs", f"retraining.dev/request={request}")
    return job


def ttl_of(namespace: Kubectl, request: str) -> int | None:
    """Return the seconds after which Kubernetes deletes the finished Job, if they are set."""
    seconds: int | None = job_of(namespace, request)["spec"].get("ttlSecondsAfterFinished")
    return seconds


def ended(namespace: Kubectl, request: str) -> str:
    conditions = job_of(namespace, request).get("status", {}).get("conditions", [])
    return next((each["type"] for each in conditions if each["type"] in {"Complete", "Failed"}), "")


@pytest.fixture
def job() -> dict[str, Any]:
    return {"image": environment.ours().images["job"], "imagePullPolicy": "IfNotPresent"}


def test_outcome_is_stored_although_another_container_never_ends(
    namespace: Kubectl, operator: Start, tmp_path: Path, job: dict[str, Any]
) -> None:
    good = ends(0, document(verdict="Promoted", promoted=True, version=4))
    programs = {
        "good": (good, FOR_EVER),
        "native": (good, FOR_EVER),
        "broken-proxy": (f"import time; time.sleep(2); {good}", "raise SystemExit(1)"),
        "wordless": (ends(0), FOR_EVER),
        "bad-data": (ends(65, document(reason="BadData")), FOR_EVER),
        "defect": (ends(70, document(reason="InternalError")), FOR_EVER),
    }
    with mesh(namespace, tmp_path, programs, native="native"):
        operator(None, **job, ttlSecondsAfterSuccess=1111, ttlSecondsAfterFailure=2222)
        for name in programs:
            create_request(namespace, name, retries=1)
        for name in ("good", "native", "broken-proxy"):
            assert wait_until(namespace, name, "True", "Promoted") == "Said why."
            assert namespace.get("rtr", name)["status"]["version"] == 4
        wait_until(namespace, "wordless", "True", "ResultLost")
        wait_until(namespace, "bad-data", "False", "BadData")
        wait_until(namespace, "defect", "False", "InternalError")

        tried = {
            name: len(namespace.items("pods", f"retraining.dev/request={name}"))
            for name in programs
        }
        failed = {
            name: job_of(namespace, name)["status"].get("failed", 0)
            for name in ("bad-data", "defect")
        }
        assert failed == {"bad-data": 1, "defect": 2}
        assert all(tried[name] <= 1 for name in ("good", "native", "broken-proxy", "wordless"))

        succeeded = ("good", "native", "broken-proxy", "wordless")
        ttl = dict.fromkeys(succeeded, 1111) | dict.fromkeys(("bad-data", "defect"), 2222)
        for name, seconds in ttl.items():
            wait_for(
                f"the TTL of {name}",
                partial(ttl_of, namespace, name),
                40,
            )
            assert job_of(namespace, name)["spec"]["ttlSecondsAfterFinished"] == seconds
        assert (
            ended(namespace, "native") == "Complete"
        )  # the kubelet has ended that sidecar by itself
        assert not [pod for pod in namespace.items("pods") if pod["status"]["phase"] == "Running"]
        status = namespace.get("rtr", "good")["status"]
        assert status["attempts"] == 1
        assert status["completionTime"] >= status["startTime"]


@pytest.mark.parametrize("point", ["job-ended", "outcome-stored"])
def test_crashed_operator_loses_no_outcome_and_starts_no_second_pod(
    namespace: Kubectl, operator: Start, tmp_path: Path, job: dict[str, Any], point: str
) -> None:
    programs = {"good": (ends(0, document(verdict="Kept")), FOR_EVER)}
    with mesh(namespace, tmp_path, programs):
        process = operator(None, {"CRASH_POINTS": f"{point}=1"}, **job)
        create_request(namespace, "good", retries=3)
        process.wait(60)
        before = condition(namespace, "good")[1]
        assert (before == "Kept") == (point == "outcome-stored")
        operator(None, **job)
        wait_until(namespace, "good", "True", "Kept")
        wait_for("the Job's end", lambda: ended(namespace, "good"), 40)
        assert job_of(namespace, "good")["status"].get("failed", 0) <= 1
        assert len(namespace.items("pods")) <= 1
        assert [job["metadata"]["name"] for job in namespace.items("jobs")] == [
            namespace.get("rtr", "good")["status"]["jobName"]
        ]
