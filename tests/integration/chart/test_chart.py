"""The chart, linted and rendered by Helm, and read by the programs that use it."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from retraining_operator.api.names import LEASE
from retraining_operator.settings import SecretKey, read_settings
from tests.system import environment
from tests.system.environment import ROOT
from tests.system.kubectl import CommandError, run

CHART = str(ROOT / "charts" / "retraining-operator")
NEEDED = (
    "--set=kafka.bootstrapServers=kafka:9092",
    "--set=redis.url=redis://redis:6379/0",
    "--set=database.existingSecret=mine",
)


@pytest.fixture(autouse=True)
def downward_api(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the namespace as the Deployment does, because the rendered configuration lacks it."""
    monkeypatch.setenv("NAMESPACE", "fraud")


def helm(*arguments: str) -> str:
    return run([environment.ours().helm, *arguments])


def rendered(*values: str) -> list[dict[str, Any]]:
    text = helm("template", "retraining", CHART, "--namespace", "fraud", *values)
    return [document for document in yaml.safe_load_all(text) if document]


def one(documents: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    [found] = [document for document in documents if document["kind"] == kind]
    return found


def test_chart_passes_helm_s_own_lint() -> None:
    helm("lint", "--strict", CHART, *NEEDED)


def test_three_values_are_enough() -> None:
    kinds = {document["kind"] for document in rendered(*NEEDED)}
    assert kinds == {
        "ConfigMap",
        "Deployment",
        "Job",
        "Role",
        "RoleBinding",
        "Secret",
        "Service",
        "ServiceAccount",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    }


def operator_role(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rules of the operator's own Role."""
    [account] = [
        document["roleRef"]["name"] for document in documents if document["kind"] == "RoleBinding"
    ]
    [role] = [
        document
        for document in documents
        if document["kind"] == "Role" and document["metadata"]["name"] == account
    ]
    rules: list[dict[str, Any]] = role["rules"]
    return rules


@pytest.mark.parametrize("missing", range(3))
def test_missing_value_is_named(missing: int) -> None:
    name = NEEDED[missing].split("=")[1].partition(".")[0]
    with pytest.raises(CommandError, match=f"{name}.* is needed"):
        rendered(*(value for number, value in enumerate(NEEDED) if number != missing))


def test_url_and_secret_together_are_refused() -> None:
    with pytest.raises(CommandError, match="not both"):
        rendered(*NEEDED, "--set=redis.existingSecret=other")


def test_operator_reads_the_rendered_configuration(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(one(rendered(*NEEDED), "ConfigMap")["data"]["config.yaml"])
    settings = read_settings(config)
    assert settings.namespace == "fraud"
    assert (settings.redis.name, settings.redis.key) == (
        "retraining-retraining-operator-redis",
        "url",
    )
    assert (settings.database.name, settings.database.key) == ("mine", "url")
    assert settings.job.service_account_name == "retraining-retraining-operator-job"
    assert settings.job.image == "retraining-job:0.1.0"
    assert settings.signing is None


def test_operator_gets_the_name_of_the_signing_secret_and_not_the_key(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    documents = rendered(*NEEDED, "--set=signing.existingSecret=mine")
    config.write_text(one(documents, "ConfigMap")["data"]["config.yaml"])
    assert read_settings(config).signing == SecretKey(name="mine", key="key")
    assert read_settings(config).previous_signing is None
    assert len(documents) == len(rendered(*NEEDED))
    changing = "--set=signing.existingSecret=mine,signing.previousSecretKey=old"
    documents = rendered(*NEEDED, changing)
    config.write_text(one(documents, "ConfigMap")["data"]["config.yaml"])
    settings = read_settings(config)
    assert settings.signing == SecretKey(name="mine", key="key")
    assert settings.previous_signing == SecretKey(name="mine", key="old")


def test_url_is_only_in_a_secret() -> None:
    documents = rendered(*NEEDED, "--set=redis.url=redis://:hidden-word@redis:6379/0")
    assert not [
        document["kind"] for document in documents if "hidden-word" in yaml.safe_dump(document)
    ]
    assert (
        base64.b64decode(one(documents, "Secret")["data"]["url"])
        == b"redis://:hidden-word@redis:6379/0"
    )


def test_login_to_kafka_is_mounted_from_the_secret_and_is_nowhere_else(tmp_path: Path) -> None:
    login = (
        "kafka.securityProtocol=SASL_SSL",
        "kafka.saslMechanism=PLAIN",
        "kafka.existingSecret=mine",
    )
    documents = rendered(*NEEDED, *(f"--set={value}" for value in login))
    config = tmp_path / "config.yaml"
    config.write_text(one(documents, "ConfigMap")["data"]["config.yaml"])
    kafka = read_settings(config).kafka
    pod = one(documents, "Deployment")["spec"]["template"]["spec"]
    [volume] = [volume for volume in pod["volumes"] if "secret" in volume]
    [mount] = [
        mount for mount in pod["containers"][0]["volumeMounts"] if mount["name"] == volume["name"]
    ]
    assert volume["secret"]["secretName"] == kafka.existing_secret == "mine"
    assert mount["mountPath"] == str(kafka.secret_folder)
    assert not [volume for volume in deployed_volumes(*NEEDED) if "secret" in volume]


def deployed_volumes(*values: str) -> list[dict[str, Any]]:
    volumes: list[dict[str, Any]] = one(rendered(*values), "Deployment")["spec"]["template"][
        "spec"
    ]["volumes"]
    return volumes


def test_operator_may_write_its_handled_offsets_and_no_other_config_map(tmp_path: Path) -> None:
    documents = rendered(*NEEDED)
    config = tmp_path / "config.yaml"
    config.write_text(one(documents, "ConfigMap")["data"]["config.yaml"])
    rules = [rule for rule in operator_role(documents) if "configmaps" in rule["resources"]]
    named = {verb: rule.get("resourceNames") for rule in rules for verb in rule["verbs"]}
    ledger = read_settings(config).handled_offsets_name
    assert named == {"get": [ledger], "update": [ledger], "create": None}


def test_operator_gets_the_database_url_from_a_secret_and_may_read_no_secret() -> None:
    documents = rendered(*NEEDED)
    [container] = one(documents, "Deployment")["spec"]["template"]["spec"]["containers"]
    [variable] = [each for each in container["env"] if each["name"] == "DATABASE_URL"]
    assert variable["valueFrom"] == {"secretKeyRef": {"name": "mine", "key": "url"}}
    assert not [rule for rule in operator_role(documents) if "secrets" in rule["resources"]]


def test_operator_may_write_its_lease_and_no_other() -> None:
    rules = [rule for rule in operator_role(rendered(*NEEDED)) if "leases" in rule["resources"]]
    named = {verb: rule.get("resourceNames") for rule in rules for verb in rule["verbs"]}
    assert named == {
        "get": [LEASE],
        "list": [LEASE],
        "watch": [LEASE],
        "patch": [LEASE],
        "create": None,
    }


def test_new_operator_stands_by_before_the_old_one_stops() -> None:
    strategy = one(rendered(*NEEDED), "Deployment")["spec"]["strategy"]
    assert strategy == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
    }
    alone = one(rendered(*NEEDED, "--set=leaderElection.enabled=false"), "Deployment")["spec"][
        "strategy"
    ]
    assert alone == {"type": "Recreate"}


def test_several_replicas_are_spread_and_not_all_evicted_at_once() -> None:
    documents = rendered(*NEEDED, "--set=replicas=2")
    deployment = one(documents, "Deployment")["spec"]
    budget = one(documents, "PodDisruptionBudget")["spec"]
    [spread] = deployment["template"]["spec"]["topologySpreadConstraints"]
    assert deployment["replicas"] == 2
    for selector in (budget["selector"], spread["labelSelector"]):
        assert (
            selector["matchLabels"].items() <= deployment["template"]["metadata"]["labels"].items()
        )


def test_several_replicas_without_an_election_are_refused() -> None:
    with pytest.raises(CommandError, match=r"need leaderElection\.enabled"):
        rendered(*NEEDED, "--set=replicas=2", "--set=leaderElection.enabled=false")


def test_changed_configuration_restarts_the_operator() -> None:
    def checksum(*values: str) -> str:
        pod = one(rendered(*NEEDED, *values), "Deployment")["spec"]["template"]
        return str(pod["metadata"]["annotations"]["checksum/config"])

    assert checksum() == checksum()
    assert checksum() != checksum("--set=triggers.maxConcurrent=3")


def test_operator_reads_what_requests_may_ask_for(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    values = (
        "--set=requests.open={margin,rollbackTo}",
        "--set=requests.maxDeadlineSeconds=60",
        "--set=requests.maxResources.cpu=0.5",
        "--set=requests.maxResources.memory=1073741824",
        r"--set=requests.maxResources.nvidia\.com/gpu=1",
    )
    config.write_text(one(rendered(*NEEDED, *values), "ConfigMap")["data"]["config.yaml"])
    found = read_settings(config).requests
    assert (found.open, found.max_deadline_seconds) == (("margin", "rollbackTo"), 60)
    assert found.max_resources == {"cpu": "0.5", "memory": "1073741824", "nvidia.com/gpu": "1"}


def test_field_that_cannot_be_opened_is_refused() -> None:
    with pytest.raises(CommandError, match=r"requests.*open"):
        rendered(*NEEDED, "--set=requests.open={suspend}")


def test_migration_can_be_switched_off() -> None:
    assert not [d for d in rendered(*NEEDED, "--set=database.migrate=false") if d["kind"] == "Job"]


def test_pods_satisfy_the_restricted_standard() -> None:
    documents = rendered(*NEEDED)
    for kind in ("Deployment", "Job"):
        pod = one(documents, kind)["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        for container in pod["containers"]:
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"] is True
            assert security["allowPrivilegeEscalation"] is False
            assert security["capabilities"] == {"drop": ["ALL"]}


def test_api_server_accepts_every_object() -> None:
    kubectl = environment.ours().kubectl.inside("default")
    text = helm("template", "retraining", CHART, "--namespace", "default", *NEEDED)
    kubectl("apply", "--dry-run=server", "--validate=strict", "--filename", "-", stdin=text)
