"""The chart's Roles for people, and its policies on requests and approvals, rendered by Helm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from retraining_operator.settings import read_settings
from tests.integration.chart.test_chart import CHART, NEEDED, helm, one, rendered
from tests.system.release import DEPLOYMENT


def select(documents: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    """Select documents of a kind, by the last part of their name."""
    return {
        document["metadata"]["name"].removeprefix(f"{DEPLOYMENT}-").rpartition(".")[2]: document
        for document in documents
        if document["kind"] == kind
    }


def changes_of(role: dict[str, Any]) -> set[tuple[str, str]]:
    """Return what a Role may change, as pairs of resource and verb."""
    found = set()
    for rule in role["rules"]:
        for resource in rule["resources"]:
            found |= {(resource, verb) for verb in rule["verbs"]}
    return {(resource, verb) for resource, verb in found if verb not in {"get", "list", "watch"}}


def test_roles_of_people_do_not_overlap() -> None:
    roles = select(rendered(*NEEDED), "Role")
    assert changes_of(roles["viewer"]) == set()
    assert changes_of(roles["requester"]) == {
        ("retrainrequests", "create"),
        ("retrainrequests", "patch"),
    }
    assert changes_of(roles["approver"]) == {("retrainapprovals", "patch")}


def test_nobody_but_the_operator_may_write_a_status_or_create_an_approval() -> None:
    documents = rendered(*NEEDED, "--set=rbac.aggregate=true")
    people = {**select(documents, "Role"), **select(documents, "ClusterRole")}
    operator = people.pop(DEPLOYMENT)
    assert ("retrainapprovals", "create") in changes_of(operator)
    assert not {("retrainapprovals", verb) for verb in ("patch", "update", "delete")} & changes_of(
        operator
    )
    for role in people.values():
        verbs = changes_of(role)
        assert not [pair for pair in verbs if pair[0].endswith("/status")]
        assert ("retrainapprovals", "create") not in verbs


def test_approval_is_part_of_no_built_in_role() -> None:
    assert not select(rendered(*NEEDED), "ClusterRole")
    roles = select(rendered(*NEEDED, "--set=rbac.aggregate=true"), "ClusterRole")
    assert set(roles) == {"viewer", "requester"}
    for name, into in (("viewer", "view"), ("requester", "edit")):
        labels = roles[name]["metadata"]["labels"]
        aggregated = {key for key in labels if key.startswith("rbac.authorization.k8s.io/")}
        assert aggregated == {f"rbac.authorization.k8s.io/aggregate-to-{into}"}


def test_roles_can_be_left_out() -> None:
    documents = rendered(*NEEDED, "--set=rbac.roles=false")
    assert list(select(documents, "Role")) == [DEPLOYMENT]


def test_policies_deny_on_failure_and_only_in_the_namespace_of_the_release() -> None:
    documents = rendered(*NEEDED)
    policies = select(documents, "ValidatingAdmissionPolicy")
    bindings = select(documents, "ValidatingAdmissionPolicyBinding")
    assert set(policies) == set(bindings) == {"approvals", "requesters", "requests"}
    for name, binding in bindings.items():
        assert policies[name]["spec"]["failurePolicy"] == "Fail"
        assert binding["spec"]["policyName"] == policies[name]["metadata"]["name"]
        assert binding["spec"]["validationActions"] == ["Deny"]
        selector = binding["spec"]["matchResources"]["namespaceSelector"]
        assert selector == {"matchLabels": {"kubernetes.io/metadata.name": "fraud"}}


@pytest.mark.parametrize(
    ("first", "second"),
    [(("a", "b-c"), ("a-b", "c")), (("a.b", "c"), ("a", "b-c")), (("one", "x"), ("one", "y"))],
)
def test_policies_of_two_releases_have_different_names(
    first: tuple[str, str], second: tuple[str, str]
) -> None:
    names = []
    for release, namespace in (first, second):
        text = helm("template", release, CHART, "--namespace", namespace, *NEEDED)
        lines = [line for line in text.splitlines() if line.startswith("  policyName: ")]
        assert len(lines) == 3
        names.append(set(lines))
    assert not names[0] & names[1]


def test_policy_exempts_the_account_of_the_operator_only() -> None:
    documents = rendered(*NEEDED)
    account = one(documents, "Deployment")["spec"]["template"]["spec"]["serviceAccountName"]
    policy = select(documents, "ValidatingAdmissionPolicy")["approvals"]
    expressions = [validation["expression"] for validation in policy["spec"]["validations"]]
    exempting = [expression for expression in expressions if "serviceaccount" in expression]
    assert len(exempting) == 1
    assert exempting[0].endswith(f"'system:serviceaccount:' + request.namespace + ':{account}'")
    requests = select(documents, "ValidatingAdmissionPolicy")["requests"]
    [condition] = requests["spec"]["matchConditions"]
    assert condition["expression"].endswith(f"':{account}'")


@pytest.mark.parametrize(
    ("off", "left"),
    [
        (("approvals",), {"requests"}),
        (("requests",), {"approvals", "requesters"}),
        (("approvals", "requests"), set()),
    ],
)
def test_policies_can_be_left_to_the_administrator_of_the_cluster(
    off: tuple[str, ...], left: set[str]
) -> None:
    documents = rendered(*NEEDED, *(f"--set={section}.policy.create=false" for section in off))
    for kind in ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"):
        assert set(select(documents, kind)) == left


def test_four_eyes_reach_the_operator_and_the_policies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAMESPACE", "fraud")  # as the Deployment does
    config = tmp_path / "config.yaml"
    for given, four_eyes in ((), False), (("--set=approvals.fourEyes=true",), True):
        documents = rendered(*NEEDED, *given)
        config.write_text(one(documents, "ConfigMap")["data"]["config.yaml"])
        assert read_settings(config).approvals.four_eyes is four_eyes
        policies = select(documents, "ValidatingAdmissionPolicy").values()
        counts = [len(policy["spec"]["validations"]) for policy in policies]
        assert sorted(counts) == ([2, 2, 5] if four_eyes else [1, 2, 4])


def test_notes_say_that_approvers_are_not_verified_without_the_policy() -> None:
    def notes(*values: str) -> str:
        command = ("install", "retraining", CHART, "--namespace", "fraud", "--dry-run=client")
        return helm(*command, *NEEDED, *values).partition("NOTES:")[2]

    assert "unverified" not in notes()
    warned = notes("--set=approvals.policy.create=false", "--set=approvals.fourEyes=true")
    assert "(unverified)" in warned
    assert "no approval is applied before the policy is in force" in warned
