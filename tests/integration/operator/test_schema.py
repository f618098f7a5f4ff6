"""The RetrainRequest's schema, as the API server reads it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from retraining_operator.api.job_manifest import build_job
from retraining_operator.api.outcome import JobOutcome
from retraining_operator.api.outcome_status import build_finished_status
from retraining_operator.api.request import read_request
from retraining_operator.contract import Result
from retraining_operator.kube.client import KubeClient
from retraining_operator.settings import Settings
from tests.system.kubectl import CommandError, Kubectl

FULL = {
    "reason": "all that can be asked for",
    "preset": "recommended",
    "rows": 2000,
    "minimumRows": 600,
    "holdOutRows": 300,
    "threshold": "0.8",
    "policy": "Superior",
    "margin": "0.02",
    "onInconclusive": "Promote",
    "acceptInputChange": True,
    "promotion": "Manual",
    "dryRun": False,
    "scaling": "None",
    "rollbackTo": 3,
}


def apply(namespace: Kubectl, **spec: Any) -> dict[str, Any]:
    manifest = {
        "apiVersion": "retraining.dev/v1alpha1",
        "kind": "RetrainRequest",
        "metadata": {"name": "full"},
    }
    namespace.apply({**manifest, "spec": spec})
    return namespace.get("rtr", "full")


def test_every_field_is_stored_and_read(namespace: Kubectl) -> None:
    body = apply(namespace, **FULL)
    assert body["spec"].items() >= FULL.items()
    request = read_request(body)
    assert request.malformed is None
    assert request.spec.tunables()["margin"] == 0.02


def test_fields_of_the_spec_cannot_be_changed(namespace: Kubectl) -> None:
    apply(namespace, **FULL)
    other = {
        "policy": "NonInferior",
        "margin": "0.05",
        "onInconclusive": "Keep",
        "promotion": "Auto",
        "dryRun": True,
    }
    for change in ({name: value} for name, value in other.items()):
        with pytest.raises(
            CommandError, match=rf"spec.{next(iter(change))}.* apply a new RetrainRequest"
        ):
            apply(namespace, **FULL | change)
    with pytest.raises(CommandError, match="only suspend can be changed"):
        apply(namespace, **{name: value for name, value in FULL.items() if name != "scaling"})


def test_unknown_enum_value_is_refused(namespace: Kubectl) -> None:
    wrong = {
        "policy": "noninferior",
        "margin": "5%",
        "promotion": "manual",
        "scaling": "log",
        "preset": "best",
    }
    with pytest.raises(CommandError) as refused:
        apply(namespace, **wrong)
    assert all(f"spec.{name}" in str(refused.value) for name in wrong)


async def test_status_stores_every_metric(namespace: Kubectl, cluster: KubeClient) -> None:
    request, now = read_request(apply(namespace)), datetime.now(UTC)
    part = dict.fromkeys(
        ("average_precision", "roc_auc", "budget_precision", "budget_recall", "alert_rate"), 0.5
    )
    contender = {"precision": 0.9, "combined": part, "hst": part, "sad": part}
    result = Result(
        run_id="r",
        verdict="Promoted",
        withheld="DryRun",
        reason="not_inferior",
        message="Said why.",
        metrics={"challenger": contender, "champion": contender},
        started_at=now,
        finished_at=now,
    )
    status = build_finished_status(request, JobOutcome("Promoted", "Said why.", result), now)
    stored = await cluster.patch_status(request.name, request.resource_version, status)
    assert stored["status"] == {name: value for name, value in status.items() if value is not None}
    shown = namespace("get", "rtr", "full")
    assert "WITHHELD" in shown
    assert "DryRun" in shown


QUANTITIES = [0.5, 2, 1073741824, 2e9, "0.5", ".5", "500m", "1Gi", "1e3", "2E", "100n"]


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_quantity_is_accepted_as_in_other_manifests_and_reaches_the_job(
    namespace: Kubectl, settings: Settings, quantity: object
) -> None:
    resources = {
        "requests": {"cpu": quantity, "ephemeral-storage": "1Gi"},
        "limits": {"nvidia.com/gpu": 1},
    }
    request = read_request(apply(namespace, resources=resources))
    assert request.malformed is None
    manifest = build_job(request, settings)
    namespace("create", "--dry-run=server", "--filename", "-", stdin=json.dumps(manifest))
    asked = manifest["spec"]["template"]["spec"]["containers"][0]["resources"]
    assert (asked["requests"]["ephemeral-storage"], asked["limits"]) == (
        "1Gi",
        {"nvidia.com/gpu": "1"},
    )


@pytest.mark.parametrize("quantity", [True, False, -1, "half", "1 Gi", "", {"a": 1}, [1], "1Gi\n"])
def test_value_that_is_no_quantity_is_refused_with_the_name_of_the_field(
    namespace: Kubectl, quantity: object
) -> None:
    with pytest.raises(CommandError, match=r"spec\.resources\.requests"):
        apply(namespace, resources={"requests": {"cpu": quantity}})


def test_resources_cannot_be_changed_whichever_way_they_are_written(namespace: Kubectl) -> None:
    apply(namespace, resources={"requests": {"cpu": 0.5}})
    for other in (0.6, "0.5", 1):
        with pytest.raises(CommandError, match="apply a new RetrainRequest"):
            apply(namespace, resources={"requests": {"cpu": other}})
    with pytest.raises(CommandError, match="apply a new RetrainRequest"):
        apply(namespace, resources={"requests": {"cpu": 0.5, "memory": "1Gi"}})
