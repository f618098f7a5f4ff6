"""A Job that somebody deletes: the outcome of its trainer still counts."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest
from pydantic import SecretStr

from retraining_job.audit.migrations import migrate
from retraining_operator.kube.client import KubeClient
from retraining_operator.settings import ConcurrencyPolicy, Settings
from tests.integration.operator.parts import OperatorParts, build_reconciler, populate, reconcile
from tests.integration.operator.test_reconciler import apply, reason, settle
from tests.system.kubectl import Kubectl, wait_for


@pytest.fixture
def settings(settings: Settings, database_url: str) -> Settings:
    """Settings with a migrated database."""
    url = SecretStr(database_url)
    migrate(url, "scored_events")
    return settings.model_copy(update={"database_url": url})


def publish(namespace: Kubectl, name: str, database_url: str) -> None:
    """Write what a trainer writes that has published."""
    uid = namespace.get("retrainrequest", name)["metadata"]["uid"]
    with (
        closing(psycopg2.connect(database_url)) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(
            "INSERT INTO retraining_runs (run_id, verdict, reason, message, version,"
            " started_at, finished_at)"
            " VALUES (%s, 'Promoted', 'not_inferior', 'It is no worse.', 7, now(), now())",
            [uid],
        )


def outcome(namespace: Kubectl, name: str) -> tuple[str, str, int | None]:
    status = namespace.get("retrainrequest", name)["status"]
    return status["conditions"][0]["status"], reason(namespace, name), status.get("version")


@pytest.mark.usefixtures("no_pods")
async def test_verdict_of_a_run_whose_job_was_deleted_comes_from_the_database(
    namespace: Kubectl, cluster: KubeClient, settings: Settings, database_url: str
) -> None:
    apply(namespace, "a", "b")
    await settle(OperatorParts(settings), cluster)
    publish(namespace, "a", database_url)
    namespace("delete", "jobs", "--all", "--wait=true")
    await settle(OperatorParts(settings), cluster)
    assert outcome(namespace, "a") == ("True", "Promoted", 7)
    assert outcome(namespace, "b") == ("False", "JobDeleted", None)
    assert namespace.items("jobs") == []


async def test_pod_that_outlives_its_job_may_reach_a_verdict_and_counts_as_running(
    namespace: Kubectl, cluster: KubeClient, settings: Settings, database_url: str
) -> None:
    apply(namespace, "a")
    one = settings.model_copy(
        update={"triggers": settings.triggers.model_copy(update={"max_concurrent": 1})}
    )
    await settle(OperatorParts(one), cluster)
    [pod] = wait_for("its pod", lambda: namespace.items("pods"))
    namespace("delete", "jobs", "--all", "--cascade=orphan")
    apply(namespace, "b")
    await settle(OperatorParts(one), cluster)
    assert outcome(namespace, "a") == ("Unknown", "JobDeleted", None)
    assert (
        pod["metadata"]["name"]
        in namespace.get("retrainrequest", "a")["status"]["conditions"][0]["message"]
    )
    assert reason(namespace, "b") == "Queued"

    publish(namespace, "a", database_url)
    namespace("delete", "pod", pod["metadata"]["name"], "--wait=true")
    await settle(OperatorParts(one), cluster)
    assert outcome(namespace, "a") == ("True", "Promoted", 7)
    assert len(namespace.items("jobs")) == 1
    assert reason(namespace, "b") != "Queued"


@pytest.mark.usefixtures("no_pods")
async def test_job_that_is_deleted_just_before_it_is_replaced_ends_its_request(
    namespace: Kubectl, cluster: KubeClient, settings: Settings
) -> None:
    policy = {"max_concurrent": 1, "concurrency_policy": ConcurrencyPolicy.REPLACE}
    triggers = settings.triggers.model_copy(update=policy)
    parts = OperatorParts(settings.model_copy(update={"triggers": triggers}))
    apply(namespace, "a")
    await settle(parts, cluster)
    apply(namespace, "b")
    await populate(parts, cluster)
    namespace("delete", "jobs", "--all", "--wait=true")  # the cache still has it
    reconciler = build_reconciler(parts, cluster)
    for _ in range(3):
        await reconcile(reconciler)
    assert outcome(namespace, "a") == ("False", "JobDeleted", None)
