"""The Job's manifest equals a golden file. To update it, run `make golden` and review the diff."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from retraining_operator.api.approval import Approval
from retraining_operator.api.job_container import InvalidRequestError, escape_references
from retraining_operator.api.job_manifest import build_job
from retraining_operator.api.request import read_request
from retraining_operator.contract import ApprovalAnswer
from retraining_operator.settings import SecretKey, Settings

GOLDEN = Path(__file__).parent / "data" / "job.json"
Build = Callable[..., dict[str, Any]]


def test_manifest_is_the_golden_one(settings: Settings, request_body: Build) -> None:
    manifest = build_job(read_request(request_body()), settings)
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(json.dumps(manifest, indent=2) + "\n")
    assert manifest == json.loads(GOLDEN.read_text())


def test_job_of_an_approval_has_another_name(settings: Settings, request_body: Build) -> None:
    request = read_request(request_body())
    train = build_job(request, settings)
    author = "Jane $(REDIS_URL) (unverified)"
    decide = build_job(request, settings, Approval(ApprovalAnswer.APPROVE, author))
    assert decide["metadata"]["name"] != train["metadata"]["name"]
    assert decide["metadata"]["ownerReferences"] == train["metadata"]["ownerReferences"]
    [container] = decide["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["decide"]
    added = {
        "RETRAIN_APPROVAL": "approve",
        "RETRAIN_APPROVAL_BY": "Jane $$(REDIS_URL) (unverified)",
    }
    assert environment(decide) == environment(train) | added


def environment(manifest: dict[str, Any]) -> dict[str, str]:
    container = manifest["spec"]["template"]["spec"]["containers"][0]
    return {variable["name"]: variable.get("value", "") for variable in container["env"]}


def test_rollback_is_a_job_that_does_not_train(settings: Settings, request_body: Build) -> None:
    manifest = build_job(read_request(request_body(spec={"rollbackTo": 3})), settings)
    [container] = manifest["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["rollback", "--to", "3"]


@pytest.mark.parametrize("asked", [{"dryRun": True}, {"promotion": "Manual"}])
def test_rollback_that_should_not_go_live_at_once_is_impossible(
    settings: Settings, request_body: Build, asked: dict[str, Any]
) -> None:
    with pytest.raises(InvalidRequestError, match="A rollback goes live at once"):
        build_job(read_request(request_body(spec={"rollbackTo": 3, **asked})), settings)
    build_job(read_request(request_body(spec=asked)), settings)


@pytest.mark.parametrize("kind", ["requests", "limits"])
def test_request_for_one_resource_keeps_all_other_limits(
    settings: Settings, request_body: Build, kind: str
) -> None:
    spec = {"resources": {kind: {"cpu": "1m"}}}
    manifest = build_job(read_request(request_body(spec=spec)), settings)
    [container] = manifest["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["limits"]["memory"] == "2Gi"
    assert container["resources"]["requests"]["memory"] == "1Gi"


def test_request_overrides_the_settings(settings: Settings, request_body: Build) -> None:
    spec = {
        "reason": "why not",
        "rows": 600,
        "minimumRows": 300,
        "threshold": "0.85",
        "retries": 0,
        "deadlineSeconds": 60,
        "resources": {"limits": {"memory": "3Gi"}},
    }
    manifest = build_job(read_request(request_body(spec=spec)), settings)
    variables = environment(manifest)
    assert variables["RETRAIN_ROWS"] == "600"
    assert variables["RETRAIN_MINIMUM_ROWS"] == "300"
    assert variables["RETRAIN_THRESHOLD"] == "0.85"
    assert variables["RETRAIN_REASON"] == "why not"
    assert manifest["spec"]["backoffLimit"] == 0
    assert manifest["spec"]["activeDeadlineSeconds"] == 60
    container = manifest["spec"]["template"]["spec"]["containers"][0]
    assert container["resources"] == {
        "requests": {"cpu": "500m", "memory": "1Gi"},
        "limits": {"memory": "3Gi"},
    }


def test_hold_out_applies_to_both_presets(settings: Settings, request_body: Build) -> None:
    manifest = build_job(read_request(request_body(spec={"holdOutRows": 900})), settings)
    variables = environment(manifest)
    assert variables["RETRAIN_HOLD_OUT_ROWS"] == variables["RETRAIN_HOLD_OUT_SIZE"] == "900"


def test_spec_reaches_the_trainer(settings: Settings, request_body: Build) -> None:
    spec = {
        "preset": "recommended",
        "policy": "Superior",
        "margin": "0.01",
        "onInconclusive": "Promote",
        "acceptInputChange": True,
        "promotion": "Manual",
        "dryRun": True,
        "scaling": "None",
    }
    variables = environment(build_job(read_request(request_body(spec=spec)), settings))
    fields = (
        "PRESET",
        "POLICY",
        "MARGIN",
        "ON_INCONCLUSIVE",
        "ACCEPT_INPUT_CHANGE",
        "PROMOTION",
        "DRY_RUN",
        "SCALING",
    )
    assert [variables[f"RETRAIN_{field}"] for field in fields] == [
        "recommended",
        "Superior",
        "0.01",
        "Promote",
        "True",
        "Manual",
        "True",
        "None",
    ]


def test_reason_cannot_read_a_variable(settings: Settings, request_body: Build) -> None:
    manifest = build_job(read_request(request_body(spec={"reason": "$(DATABASE_URL)"})), settings)
    assert environment(manifest)["RETRAIN_REASON"] == "$$(DATABASE_URL)"
    assert escape_references("5$ and $$") == "5$$ and $$$$"


def test_signing_key_comes_from_the_configured_secret(
    settings: Settings, request_body: Build
) -> None:
    request = read_request(request_body())
    assert "SIGNING_KEY" not in environment(build_job(request, settings))
    signing = settings.model_copy(update={"signing": SecretKey(name="mine", key="hmac")})
    [container] = build_job(request, signing)["spec"]["template"]["spec"]["containers"]
    [variable] = [variable for variable in container["env"] if variable["name"] == "SIGNING_KEY"]
    assert variable["valueFrom"] == {"secretKeyRef": {"name": "mine", "key": "hmac"}}


def test_previous_signing_key_is_given_to_the_trainer_while_the_key_changes(
    settings: Settings, request_body: Build
) -> None:
    request = read_request(request_body())
    secrets = {
        "signing": SecretKey(name="mine", key="new"),
        "previous_signing": SecretKey(name="mine", key="old"),
    }
    changing = settings.model_copy(update=secrets)
    [container] = build_job(request, changing)["spec"]["template"]["spec"]["containers"]
    keys = {
        variable["name"]: variable["valueFrom"]["secretKeyRef"]["key"]
        for variable in container["env"]
        if variable["name"].startswith("SIGNING_KEY")
    }
    assert keys == {"SIGNING_KEY": "new", "SIGNING_KEY_PREVIOUS": "old"}


def test_same_request_gives_the_same_manifest(settings: Settings, request_body: Build) -> None:
    assert build_job(read_request(request_body()), settings) == build_job(
        read_request(request_body()), settings
    )


def test_fewer_rows_than_the_minimum_is_impossible(settings: Settings, request_body: Build) -> None:
    with pytest.raises(InvalidRequestError, match=r"reads 100 rows .* needs at least 500"):
        build_job(read_request(request_body(spec={"rows": 100})), settings)
