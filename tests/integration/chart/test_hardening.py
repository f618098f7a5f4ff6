"""Pods, network and rights of the chart are as narrow as SECURITY.md and the values say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from retraining_operator.api import names
from retraining_operator.api.job_manifest import build_job
from retraining_operator.api.request import read_request
from retraining_operator.settings import read_settings
from tests.integration.chart.test_chart import NEEDED, downward_api, one, rendered  # noqa: F401
from tests.integration.chart.test_values import refusal, with_file
from tests.system import environment
from tests.system.environment import ROOT

USER = 65_532
OPENSHIFT = """
podSecurityContext: {runAsUser: null, runAsGroup: null, fsGroup: null}
job: {podSecurityContext: {runAsUser: null, runAsGroup: null, fsGroup: null}}
"""
RIGHT = re.compile(r"^\| `(\S*)` \| `(\S+)` \| (.*?) \| ([a-z, ]+) \|", re.MULTILINE)
Pod = dict[str, Any]


def trainer_pod(documents: list[dict[str, Any]], folder: Path) -> Pod:
    """Return the template of the pod that the operator would create for a request."""
    config = folder / "config.yaml"
    config.write_text(one(documents, "ConfigMap")["data"]["config.yaml"])
    metadata = {"name": "first", "namespace": "fraud", "uid": "u", "generation": 1}
    metadata |= {"resourceVersion": "1", "creationTimestamp": "2026-03-01T11:00:00Z"}
    request = read_request({"metadata": metadata, "spec": {}, "status": {}})
    template: Pod = build_job(request, read_settings(config))["spec"]["template"]
    return template


def templates(documents: list[dict[str, Any]], folder: Path) -> dict[str, Pod]:
    """Return the templates of all pods: of the operator, the trainer and the migration."""
    return {
        "operator": one(documents, "Deployment")["spec"]["template"],
        "trainer": trainer_pod(documents, folder),
        "migration": one(documents, "Job")["spec"]["template"],
    }


def test_every_pod_has_a_user_and_groups_that_are_not_root(tmp_path: Path) -> None:
    for template in templates(rendered(*NEEDED), tmp_path).values():
        security = template["spec"]["securityContext"]
        assert security["runAsNonRoot"] is True
        assert security["runAsUser"] == security["runAsGroup"] == security["fsGroup"] == USER
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}


def test_images_have_the_user_of_the_chart() -> None:
    for image in ("operator", "job_image"):
        assert f"USER {USER}:{USER}\n" in (ROOT / image / "Dockerfile").read_text()


def test_platform_that_assigns_users_may_do_so(tmp_path: Path) -> None:
    for template in templates(with_file(tmp_path, OPENSHIFT), tmp_path).values():
        security = template["spec"]["securityContext"]
        assert not {"runAsUser", "runAsGroup", "fsGroup"} & set(security)
        assert security["runAsNonRoot"] is True


def test_every_container_has_the_least_rights(tmp_path: Path) -> None:
    for template in templates(rendered(*NEEDED), tmp_path).values():
        for container in template["spec"]["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


def test_only_the_operator_has_a_token_and_none_reads_the_names_of_services(
    tmp_path: Path,
) -> None:
    documents = rendered(*NEEDED)
    found = {
        name: one_template["spec"] for name, one_template in templates(documents, tmp_path).items()
    }
    tokens = {name: pod["automountServiceAccountToken"] for name, pod in found.items()}
    assert tokens == {"operator": True, "trainer": False, "migration": False}
    assert all(pod["enableServiceLinks"] is False for pod in found.values())
    accounts = [each for each in documents if each["kind"] == "ServiceAccount"]
    assert len(accounts) == 2
    assert all(account["automountServiceAccountToken"] is False for account in accounts)


def documented_rights() -> set[tuple[str, str, str, str]]:
    """Return the rights in the table of SECURITY.md: group, resource, name, verb."""
    rows = RIGHT.findall((ROOT / "SECURITY.md").read_text())
    assert rows
    return {
        (group.removeprefix("core"), resource, name.strip("`"), verb)
        for group, resource, name, verbs in rows
        for verb in verbs.split(", ")
    }


def rights(role: Mapping[str, Any], names_by_object: Mapping[str, str]) -> set[tuple[str, ...]]:
    """Return the rights of a Role: group, resource, name, verb."""
    found: set[tuple[str, ...]] = set()
    for rule in role["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                for name in rule.get("resourceNames", ["any"]):
                    for verb in rule["verbs"]:
                        found.add((group, resource, names_by_object.get(name, name), verb))
    return found


def find_operators_role(documents: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the only Role that the chart binds. The others are for people."""
    name = one(documents, "RoleBinding")["roleRef"]["name"]
    [role] = [
        each for each in documents if each["kind"] == "Role" and each["metadata"]["name"] == name
    ]
    return role


def test_role_has_exactly_the_rights_of_the_page() -> None:
    role = find_operators_role(rendered(*NEEDED))
    labels = {"retraining-retraining-operator-offsets": "the handled offsets"}
    labels[names.LEASE] = "the Lease"
    assert rights(role, labels) == documented_rights()


def test_role_without_an_election_has_no_right_on_leases() -> None:
    role = find_operators_role(rendered(*NEEDED, "--set=leaderElection.enabled=false"))
    assert not [rule for rule in role["rules"] if "leases" in rule["resources"]]


@pytest.mark.parametrize("verb", ["*", "impersonate", "bind", "escalate", "deletecollection"])
def test_role_has_no_right_that_leads_to_others(verb: str) -> None:
    documents = rendered(*NEEDED)
    roles = [each for each in documents if each["kind"] == "Role"]
    assert len(roles) == 4  # the operator's, and those for people
    for rule in (rule for role in roles for rule in role["rules"]):
        assert verb not in rule["verbs"]
        assert not {"secrets", "serviceaccounts/token", "pods/exec", "*"} & set(rule["resources"])
    assert not [each for each in documents if each["kind"].startswith("Cluster")]


ENABLED = "--set=networkPolicy.enabled=true"


def policies(*values: str) -> dict[str, dict[str, Any]]:
    documents = rendered(*NEEDED, ENABLED, *values)
    prefix = "retraining-retraining-operator"
    return {
        each["metadata"]["name"].removeprefix(prefix).lstrip("-") or "operator": each["spec"]
        for each in documents
        if each["kind"] == "NetworkPolicy"
    }


def ports(rules: list[dict[str, Any]]) -> set[int]:
    assert all(rule["ports"] for rule in rules)  # a rule without ports allows every port
    return {port["port"] for rule in rules for port in rule["ports"]}


def test_network_policies_are_off_until_they_are_wanted() -> None:
    kinds = [each["kind"] for each in rendered(*NEEDED)]
    assert "NetworkPolicy" not in kinds


def test_pods_may_connect_only_to_what_they_need() -> None:
    found = policies()
    assert {name: ports(policy["egress"]) for name, policy in found.items()} == {
        "operator": {53, 5353, 443, 6443, 9092, 5432},
        "job": {53, 5353, 6379, 5432},
        "migrate": {53, 5353, 5432},
    }
    for policy in found.values():
        assert policy["policyTypes"] == ["Ingress", "Egress"]


def test_nobody_connects_to_a_job_and_only_pods_to_the_metrics() -> None:
    found = policies()
    assert "ingress" not in found["job"]
    assert "ingress" not in found["migrate"]
    [rule] = found["operator"]["ingress"]
    assert rule == {
        "ports": [{"port": 8005, "protocol": "TCP"}],
        "from": [{"namespaceSelector": {}}],
    }


def test_policies_select_the_pods_that_they_are_for(tmp_path: Path) -> None:
    documents = rendered(*NEEDED, ENABLED)
    pods = templates(documents, tmp_path)
    chosen = {"operator": "operator", "job": "trainer", "migrate": "migration"}
    found = policies()
    assert set(found) == set(chosen)
    for name, policy in found.items():
        selector = policy["podSelector"]["matchLabels"].items()
        matched = {
            kind for kind, pod in pods.items() if selector <= pod["metadata"]["labels"].items()
        }
        assert matched == {chosen[name]}


def test_label_of_the_values_cannot_take_a_trainer_out_of_its_policy(tmp_path: Path) -> None:
    text = "job: {labels: {app.kubernetes.io/component: x, app.kubernetes.io/managed-by: x}}"
    pod = trainer_pod(with_file(tmp_path, text), tmp_path)
    selector = policies()["job"]["podSelector"]["matchLabels"].items()
    assert selector <= pod["metadata"]["labels"].items()


def test_peers_and_additional_rules_are_taken_from_the_values(tmp_path: Path) -> None:
    peer = {"ipBlock": {"cidr": "10.0.0.0/8"}}
    rule = {"ports": [{"port": 15012}]}
    values = {
        "networkPolicy": {
            "enabled": True,
            "kafka": {"ports": [9093], "peers": [peer]},
            "metrics": {"peers": [{"podSelector": {}}]},
            "jobEgress": [rule],
        }
    }
    documents = with_file(tmp_path, yaml.safe_dump(values))
    found = [each["spec"] for each in documents if each["kind"] == "NetworkPolicy"]
    operator, job, migrate = found
    assert {"ports": [{"port": 9093, "protocol": "TCP"}], "to": [peer]} in operator["egress"]
    assert operator["ingress"][0]["from"] == [{"podSelector": {}}]
    assert rule in job["egress"]
    assert rule in migrate["egress"]
    assert rule not in operator["egress"]


def test_api_server_accepts_the_network_policies() -> None:
    kubectl = environment.ours().kubectl.inside("default")
    text = yaml.safe_dump_all(
        each for each in rendered(*NEEDED, ENABLED) if each["kind"] == "NetworkPolicy"
    )
    kubectl("apply", "--dry-run=server", "--validate=strict", "--filename", "-", stdin=text)


@pytest.mark.parametrize("ports_text", ["[]", "null", "['any']", "[0]", "[70000]"])
def test_list_of_ports_that_would_allow_every_port_is_refused(
    tmp_path: Path, ports_text: str
) -> None:
    text = refusal(tmp_path, f"networkPolicy: {{enabled: true, redis: {{ports: {ports_text}}}}}")
    assert "/networkPolicy/redis" in text


def test_migration_has_its_own_login_and_nobody_else_has_it(tmp_path: Path) -> None:
    documents = with_file(tmp_path, "migration: {existingSecret: owner, existingSecretKey: dsn}")

    def secret(pod: Pod) -> dict[str, str]:
        [container] = pod["spec"]["containers"]
        [variable] = [each for each in container["env"] if each["name"] == "DATABASE_URL"]
        found: dict[str, str] = variable["valueFrom"]["secretKeyRef"]
        return found

    found = {name: secret(pod) for name, pod in templates(documents, tmp_path).items()}
    others = {"name": "mine", "key": "url"}
    assert found == {
        "operator": others,
        "trainer": others,
        "migration": {"name": "owner", "key": "dsn"},
    }
    assert "owner" not in one(documents, "ConfigMap")["data"]["config.yaml"]


def test_images_may_be_pinned_by_digest_for_all_pods(tmp_path: Path) -> None:
    digest = f"sha256:{'0123456789abcdef' * 4}"
    text = f"image: {{digest: '{digest}'}}\njobImage: {{digest: '{digest}'}}"
    for template in templates(with_file(tmp_path, text), tmp_path).values():
        assert template["spec"]["containers"][0]["image"].endswith(f"@{digest}")
