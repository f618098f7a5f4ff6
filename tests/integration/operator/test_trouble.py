"""Pods that cannot start or that fail, on a real node: each has its own reason."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from urllib.parse import urlsplit

import psycopg2
import pytest

from retraining_job.audit.migrations import TABLES
from tests.integration.operator.runs import Start, create_request, events, free_port, wait_until
from tests.system import environment
from tests.system.endpoints import KUBECTL, at
from tests.system.environment import SERVICES_NAMESPACE
from tests.system.kubectl import Kubectl, wait_for

SMALL = {"requests": {"cpu": "10m"}, "limits": {"memory": "20Mi"}}
"""Python does not even start within it."""


@pytest.fixture
def database_url(database_url: str) -> str:
    """A half-migrated database: it has the table of runs, but a trainer needs the other one."""
    with (
        closing(psycopg2.connect(database_url)) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(
            TABLES["retraining_runs"] + "ALTER TABLE retraining_runs ADD COLUMN log_tail TEXT"
        )
    return database_url


def rows(url: str) -> dict[str, tuple[str, str | None]]:
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT request, reason, log_tail FROM retraining_runs")
        return {
            request.rpartition("/")[2]: (reason, tail)
            for request, reason, tail in cursor.fetchall()
        }


@contextmanager
def postgres_at(port: int) -> Iterator[None]:
    command = [*KUBECTL, "port-forward", "service/postgres", f"{port}:5432"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as forward:
        yield
        forward.terminate()


def test_waiting_pod_is_shown_and_its_end_is_recorded_when_the_database_is_back(
    namespace: Kubectl, operator: Start, database_url: str
) -> None:
    port = free_port()
    operator(
        at(database_url, address=f"127.0.0.1:{port}"), imagePullPolicy="IfNotPresent"
    )  # nobody listens there
    create_request(namespace, "no-image", deadlineSeconds=12)
    create_request(namespace, "no-room", resources={"requests": {"cpu": "500"}})

    message = wait_until(namespace, "no-image", "Unknown", "ImagePullFailed")
    assert "localhost/none:none" in message
    assert "jobImage.tag" in message
    message = wait_until(namespace, "no-room", "Unknown", "Unschedulable")
    assert "Insufficient cpu" in message

    message = wait_until(namespace, "no-image", "False", "ImagePullFailed")
    assert message.startswith("The deadline of 12 s passed while the pod waited")
    assert "localhost/none:none" in message
    wait_until(namespace, "no-image", "False", "DatabaseUnavailable", "Recorded")
    [job] = namespace.items("jobs", "retraining.dev/request=no-image")
    assert "ttlSecondsAfterFinished" not in job["spec"]

    create_request(namespace, "later")  # an unavailable database delays no launch
    wait_until(namespace, "later", "Unknown", "ImagePullFailed")
    namespace("delete", "retrainrequest", "later", "--timeout=10s")

    with postgres_at(port):
        wait_until(namespace, "no-image", "True", "Recorded", "Recorded")
    assert rows(database_url) == {"no-image": ("ImagePullFailed", None)}
    wait_for(
        "its TTL",
        lambda: "ttlSecondsAfterFinished" in namespace.get("job", job["metadata"]["name"])["spec"],
        20,
    )
    reasons = events(namespace, "no-image")
    assert reasons[-4:] == ["ImagePullFailed", "ImagePullFailed", "DatabaseUnavailable", "Recorded"]
    assert set(reasons[:-4]) <= {"JobCreated"}


def test_pod_that_no_node_can_take_gives_its_place_back(
    namespace: Kubectl, operator: Start, database_url: str
) -> None:
    variables = {"TRIGGERS__STARTTIMEOUTSECONDS": "5", "TRIGGERS__MAXCONCURRENT": "1"}
    operator(database_url, variables, image=environment.ours().images["job"])
    create_request(namespace, "no-room", resources={"requests": {"cpu": "500"}})
    create_request(namespace, "next")
    message = wait_until(namespace, "no-room", "False", "Unschedulable")
    assert message.startswith("The trainer did not start within 5 s (triggers.startTimeoutSeconds)")
    assert "Insufficient cpu" in message
    wait_for("the next run", lambda: namespace.items("jobs", "retraining.dev/request=next"), 30)


def test_job_that_a_queue_has_suspended_is_left_alone(
    namespace: Kubectl, operator: Start, database_url: str
) -> None:
    operator(database_url, {"TRIGGERS__STARTTIMEOUTSECONDS": "5"})
    create_request(namespace, "queued")
    wait_for("its Job", lambda: namespace.items("jobs", "retraining.dev/request=queued"), 30)
    [job] = namespace.items("jobs", "retraining.dev/request=queued")
    suspend = '{"spec": {"suspend": true}}'
    namespace("patch", "job", job["metadata"]["name"], "--type=merge", "--patch", suspend)
    wait_until(namespace, "queued", "Unknown", "JobSuspended")
    time.sleep(10)
    assert wait_until(namespace, "queued", "Unknown", "JobSuspended")


def test_pod_starts_when_its_secret_exists_and_each_end_has_its_own_reason(
    namespace: Kubectl, operator: Start, database_url: str, database_server_url: str
) -> None:
    inside = f"postgres.{SERVICES_NAMESPACE}.svc:5432"
    url = at(database_url, address=inside)
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "database"},
        "stringData": {"url": url},
    }
    namespace.apply(secret)
    operator(database_url, image=environment.ours().images["job"], retries=0)
    create_request(namespace, "no-secret")
    assert 'secret "redis" not found' in wait_until(
        namespace, "no-secret", "Unknown", "ContainerNotCreated"
    )

    values = {"metadata": {"name": "redis"}, "stringData": {"url": "redis://redis.none.svc:6379/0"}}
    namespace.apply({**secret, **values})
    namespace(
        "annotate", "pods", "--all", "nudge=now"
    )  # the kubelet would look again by itself after some 10 s
    create_request(namespace, "no-memory", resources=SMALL)
    assert "limits.memory" in wait_until(namespace, "no-memory", "False", "OutOfMemory")
    message = wait_until(namespace, "no-secret", "False", "BadConfiguration")
    assert "no table model_versions" in message
    assert "Correct the setting or the table" in message

    wait_until(namespace, "no-secret", "True", "Recorded", "Recorded")
    tail = namespace.get("retrainrequest", "no-secret")["status"]["logTail"]
    assert "model_versions" in tail
    assert str(urlsplit(database_server_url).password) not in tail
    wait_until(namespace, "no-memory", "True", "Recorded", "Recorded")
    found = rows(database_url)
    assert found["no-secret"] == ("BadConfiguration", tail)
    assert found["no-memory"][0] == "OutOfMemory"
    assert "Recorded" not in events(namespace, "no-secret")
