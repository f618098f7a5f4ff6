"""The layout of the repository, and copies that must be equal."""

import json
import re
from enum import StrEnum
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from retraining_job.settings import DecideSettings
from retraining_operator.api.approval import UNVERIFIED
from retraining_operator.api.approval_rules import POLICY_MESSAGE
from retraining_operator.api.fields import NAME_LIMIT_CHARACTERS
from retraining_operator.api.request import RequestSpec
from retraining_operator.api.retrain_approval import ANSWERS, COMMENT_LIMIT_CHARACTERS
from retraining_operator.api.trigger import (
    DEFAULT_REASON,
    REASON_LIMIT_CHARACTERS,
    RECORD_LIMIT_BYTES,
)
from retraining_operator.contract import (
    ApprovalAnswer,
    ContenderMetrics,
    OnInconclusive,
    PartMetrics,
    Preset,
    Promotion,
    PromotionPolicy,
    Scaling,
    Tunables,
    Verdict,
    Withheld,
)
from retraining_operator.settings import JobSettings, Kafka, LockedField, Requests, Triggers

ROOT = Path(__file__).parents[3]
CRD = yaml.safe_load((ROOT / "crds/retrainrequests.yaml").read_text())
SCHEMA = CRD["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
APPROVAL = yaml.safe_load((ROOT / "crds/retrainapprovals.yaml").read_text())["spec"]["versions"][0][
    "schema"
]["openAPIV3Schema"]["properties"]
SPEC, STATUS = SCHEMA["spec"], SCHEMA["status"]
VALUES = yaml.safe_load((ROOT / "charts/retraining-operator/values.yaml").read_text())


def snake(name: str) -> str:
    return re.sub(r"([A-Z])", lambda match: "_" + match[1].lower(), name)


def plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def test_operator_folder_is_no_package() -> None:
    # It would shadow Python's own module of that name, but only for some ways of starting Python.
    assert not (ROOT / "operator/__init__.py").exists()
    assert not (ROOT / "operator/operator.py").exists()


def test_chart_copies_of_the_crds_are_the_sources() -> None:
    copies = ROOT / "charts/retraining-operator/crds"
    sources = {file.name: file.read_text() for file in (ROOT / "crds").iterdir()}
    assert {file.name: file.read_text() for file in copies.iterdir()} == sources


def test_operator_knows_the_policy_of_the_chart_by_its_first_message() -> None:
    template = (ROOT / "charts/retraining-operator/templates/approval-policy.yaml").read_text()
    first = template.partition("validations:")[2]
    assert first.partition("message: ")[2].splitlines()[0] == POLICY_MESSAGE
    expression = first.partition("messageExpression: >-\n")[2].splitlines()[0]
    assert expression.strip().startswith(f"'{POLICY_MESSAGE}")


def test_approval_schema_has_the_limits_and_words_of_the_code() -> None:
    fields = APPROVAL["spec"]["properties"]
    assert fields["answer"]["enum"] == list(ANSWERS)
    assert set(ANSWERS.values()) == set(ApprovalAnswer)
    for field in ("approver", "requestedBy"):
        assert fields[field]["maxLength"] == NAME_LIMIT_CHARACTERS
        assert fields[field]["pattern"] == SPEC["properties"]["requestedBy"]["pattern"]
    assert fields["comment"]["maxLength"] == COMMENT_LIMIT_CHARACTERS
    recorded = NAME_LIMIT_CHARACTERS + len(UNVERIFIED)
    [limit] = [
        detail.max_length
        for detail in DecideSettings.model_fields["approval_by"].metadata
        if hasattr(detail, "max_length")
    ]
    assert recorded <= limit


def test_only_the_answer_of_an_approval_can_be_set_later() -> None:
    fields = APPROVAL["spec"]["properties"]
    fixed = {name for name, schema in fields.items() if "x-kubernetes-validations" in schema}
    assert set(fields) - fixed == {"answer", "approver", "comment"}


def test_model_has_the_fields_of_the_schema() -> None:
    assert {snake(name) for name in SPEC["properties"]} == set(RequestSpec.model_fields)


def test_limits_of_record_and_reason_are_those_of_the_schema() -> None:
    assert SPEC["properties"]["reason"]["maxLength"] == REASON_LIMIT_CHARACTERS
    assert SPEC["properties"]["reason"]["default"] == DEFAULT_REASON
    assert SPEC["properties"]["trigger"]["properties"]["record"]["maxLength"] == RECORD_LIMIT_BYTES


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("preset", Preset),
        ("policy", PromotionPolicy),
        ("onInconclusive", OnInconclusive),
        ("promotion", Promotion),
        ("scaling", Scaling),
    ],
)
def test_enums_of_the_schema_are_those_of_the_contract(field: str, words: type[StrEnum]) -> None:
    assert SPEC["properties"][field]["enum"] == list(words)


def test_status_schema_has_every_metric() -> None:
    contender = STATUS["properties"]["metrics"]["properties"]["challenger"]["properties"]
    assert set(contender) == {to_camel(name) for name in ContenderMetrics.model_fields}
    assert set(contender["combined"]["properties"]) == {
        to_camel(name) for name in PartMetrics.model_fields
    }


def test_status_names_every_verdict_of_a_retrain() -> None:
    described = STATUS["properties"]["verdict"]["description"]
    assert all(verdict in described for verdict in set(Verdict) - {"Restored"})
    assert all(word in STATUS["properties"]["withheld"]["description"] for word in Withheld)


def test_every_field_but_suspend_is_immutable() -> None:
    fields = set(SPEC["properties"]) - {"suspend"}
    kept = {
        name for name, schema in SPEC["properties"].items() if "x-kubernetes-validations" in schema
    }
    presence = SPEC["x-kubernetes-validations"][0]["rule"]
    assert kept == fields
    assert set(re.findall(r"has\(oldSelf\.(\w+)\)", presence)) == fields


def test_fields_that_can_be_opened_are_the_same_for_the_chart_and_the_operator() -> None:
    schema = json.loads((ROOT / "charts/retraining-operator/values.schema.json").read_text())
    opened = schema["properties"]["requests"]["properties"]["open"]["items"]["enum"]
    assert opened == list(LockedField)
    assert set(opened) <= set(SPEC["properties"])
    text = (ROOT / "charts/retraining-operator/values.yaml").read_text()
    comment = text.partition("# Locked are ")[2].partition("requests:")[0]
    assert [field for field in LockedField if not re.search(rf"\b{field}\b", comment)] == []


def test_values_are_the_code_s_defaults() -> None:
    trainer = {snake(name): value for name, value in VALUES["trainer"].items()}
    assert trainer == Tunables().model_dump(mode="json")
    assert list(trainer) == list(Tunables.model_fields)
    sections: dict[str, type[BaseModel]] = {
        "job": JobSettings,
        "triggers": Triggers,
        "requests": Requests,
        "kafka": Kafka,
    }
    for section, model in sections.items():
        for name, value in VALUES[section].items():
            if name == "policy":
                continue  # for the chart alone
            field = model.model_fields[snake(name)]
            # Resources are a cluster's matter, and a needed value stands empty in values.yaml.
            assert (
                name == "resources"
                or field.is_required()
                or plain(field.get_default(call_default_factory=True)) == value
            )
