"""The release itself: rights, wrong settings, upgrade, uninstall."""

import pytest

from tests.e2e.test_outcomes import load_good
from tests.e2e.world import ClusterWorld
from tests.system import release
from tests.system.kubectl import CommandError, wait_for

WRONG_PASSWORD = "wrong-password-of-the-test"  # noqa: S105
NOT_MIGRATED = {"existingSecret": "database", "migrate": False}


def can(world: ClusterWorld, account: str, verb: str, resource: str) -> bool:
    user = f"system:serviceaccount:{world.kubectl.namespace}:{account}"
    try:
        return world.kubectl("auth", "can-i", verb, resource, "--as", user).strip() == "yes"
    except CommandError:
        return False


@pytest.mark.parametrize(
    "resource", ["pods", "secrets", "jobs.batch", "retrainrequests.retraining.dev", "configmaps"]
)
def test_job_has_no_rights(world: ClusterWorld, resource: str) -> None:
    assert not any(
        can(world, f"{release.DEPLOYMENT}-job", verb, resource)
        for verb in ("get", "list", "create")
    )


def test_operator_has_what_it_needs_and_no_more(world: ClusterWorld) -> None:
    account = release.DEPLOYMENT
    assert can(world, account, "create", "jobs.batch")
    assert not can(world, account, "delete", "jobs.batch")
    assert not can(world, account, "get", "secrets")
    assert can(world, account, "delete", "retrainrequests.retraining.dev")  # prunes finished ones
    assert not can(world, account, "update", "retrainrequests.retraining.dev")
    assert can(world, account, "create", "retrainapprovals.retraining.dev")
    for verb in ("update", "patch", "delete"):  # it cannot answer
        assert not can(world, account, verb, "retrainapprovals.retraining.dev")
    assert not can(world, account, "create", "pods")
    assert can(
        world, account, "delete", "pods"
    )  # its trainer has failed and its sidecars still run
    assert not can(world, account, "patch", "pods")
    assert can(world, account, "watch", "events.events.k8s.io")


def test_wrong_setting_is_named_in_the_status(world: ClusterWorld) -> None:
    load_good(world)
    world.install(
        trainer=world.values["trainer"] | {"eventsTable": "nowhere"}, database=NOT_MIGRATED
    )
    try:
        condition = world.wait_for_end(world.apply("misled"))["conditions"][0]
    finally:
        world.install()
    assert (condition["status"], condition["reason"]) == ("False", "BadConfiguration")
    assert "trainer.eventsTable" in condition["message"]
    [job] = world.jobs("misled")
    assert job["status"]["failed"] == 1  # a retry would fail as well


def test_wrong_password_is_named_and_not_shown(world: ClusterWorld) -> None:
    load_good(world)
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "wrong"}}
    host = f"postgres.{world.environment.services.namespace}.svc"
    url = f"postgresql://retraining:{WRONG_PASSWORD}@{host}:5432/{world.postgres.database}"
    world.kubectl.apply({**secret, "stringData": {"url": url}})
    world.install(database={"existingSecret": "wrong", "migrate": False})
    try:
        condition = world.wait_for_end(world.apply("locked-out"))["conditions"][0]
        logs = world.kubectl("logs", "--selector", "retraining.dev/request=locked-out", "--tail=-1")
    finally:
        world.install()
    assert condition["reason"] == "BadConfiguration"
    assert "database.url" in condition["message"]
    assert WRONG_PASSWORD not in condition["message"] + logs


def test_wrong_operator_setting_is_one_message(world: ClusterWorld) -> None:
    world.kubectl("delete", "pod", "misconfigured", "--ignore-not-found")
    image = world.environment.images["operator"]
    world.kubectl(
        "run",
        "misconfigured",
        f"--image={image}",
        "--restart=Never",
        "--env=NAMESPACE=x",
        "--",
        "--config",
        "/none.yaml",
    )
    wait_for(
        "its end", lambda: world.kubectl.get("pod", "misconfigured")["status"]["phase"] == "Failed"
    )
    assert world.kubectl("logs", "misconfigured").count("\n") == 1
    world.kubectl("delete", "pod", "misconfigured")


def test_upgrade_keeps_waiting_requests(world: ClusterWorld) -> None:
    load_good(world)
    world.apply("held", suspend=True)
    world.wait_for_reason("held", "Suspended")
    world.install(triggers={"maxConcurrent": 1})
    try:
        world.kubectl(
            "patch", "rtr", "held", "--type=merge", "--patch", '{"spec": {"suspend": false}}'
        )
        assert world.wait_for_end("held")["version"] == 1
    finally:
        world.install()


def test_uninstall_leaves_the_crd_and_the_data(world: ClusterWorld) -> None:
    load_good(world)
    world.wait_for_end(world.apply("kept"))
    release.uninstall(world.environment, world.kubectl.namespace)
    try:
        assert "retrainrequests.retraining.dev" in world.kubectl("get", "crd", "--output", "name")
        assert world.requests()["kept"]["status"]["version"] == 1
        assert world.versions() == [1]
        assert world.redis.run("GET", "model_version") == "1"
    finally:
        world.install()
