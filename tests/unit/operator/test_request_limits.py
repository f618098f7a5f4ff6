"""The owner sets the limits, and a request asks within them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from retraining_operator.api.record_request import build_request
from retraining_operator.api.request import RequestSpec, RetrainRequest, read_request
from retraining_operator.api.request_limits import (
    DIRECTIONS,
    Permission,
    RequestLimits,
    build_limits,
    find_refusal,
    judge,
)
from retraining_operator.api.trigger import KafkaPosition
from retraining_operator.contract import OnInconclusive, PromotionPolicy
from retraining_operator.intake.record_parser import parse_trigger
from retraining_operator.settings import JobSettings, LockedField, Requests, Settings, Trainer
from tests.unit.operator.admissions import Named

LOOSE: dict[LockedField, tuple[Any, ...]] = {
    LockedField.PRESET: ("reference",),
    LockedField.ROWS: (600, 49_999),
    LockedField.MINIMUM_ROWS: (1, 499),
    LockedField.HOLD_OUT_ROWS: (1, 200, 4999, 5001),
    LockedField.THRESHOLD: ("0", "0.69", "0.71", "1"),
    LockedField.POLICY: ("Reference",),
    LockedField.MARGIN: ("1", "0.0501"),
    LockedField.ON_INCONCLUSIVE: ("Promote",),
    LockedField.ACCEPT_INPUT_CHANGE: (True,),
    LockedField.SCALING: ("None", "Linear"),
    LockedField.CALIBRATION: ("None",),
    LockedField.ALERTS: ("Budget",),
    LockedField.ALERT_BUDGET: (0.5, 0.0001),
}
"""Values that the defaults do not allow."""
STRICT: dict[LockedField, tuple[Any, ...]] = {
    LockedField.ROWS: (50_001, 1_000_000),
    LockedField.MINIMUM_ROWS: (501,),
    LockedField.POLICY: ("Superior",),
    LockedField.MARGIN: ("0", "0.0499"),
    LockedField.PROMOTION: ("Manual",),
    LockedField.DRY_RUN: (True,),
}
"""Values that differ from the defaults and are stricter."""
EQUAL: dict[LockedField, Any] = {
    LockedField.PRESET: "recommended",
    LockedField.ROWS: 50_000,
    LockedField.MINIMUM_ROWS: 500,
    LockedField.HOLD_OUT_ROWS: 5000,
    LockedField.THRESHOLD: "0.70",
    LockedField.POLICY: "NonInferior",
    LockedField.MARGIN: "0.050",
    LockedField.ON_INCONCLUSIVE: "Keep",
    LockedField.ACCEPT_INPUT_CHANGE: False,
    LockedField.PROMOTION: "Auto",
    LockedField.DRY_RUN: False,
    LockedField.SCALING: "Auto",
    LockedField.CALIBRATION: "Auto",
    LockedField.ALERTS: "KeepChampion",
    LockedField.ALERT_BUDGET: 0.01,
}
JOB = {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"cpu": "1", "memory": "2Gi"}}


def limits(open_fields: tuple[str, ...] = (), **changes: Any) -> RequestLimits:
    """Build limits with settings of the trainer, or under `requests` and `job`."""
    job = JobSettings(**{"image": "trainer:1", "resources": JOB, **changes.pop("job", {})})
    requests = Requests(open=open_fields, **changes.pop("requests", {}))
    return RequestLimits(Trainer(**changes), job, requests)


def cases(table: dict[LockedField, tuple[Any, ...]]) -> list[Any]:
    return [
        pytest.param(field, value, id=f"{field}: {value}")
        for field, values in table.items()
        for value in values
    ]


@pytest.mark.parametrize(("field", "value"), cases(LOOSE))
def test_field_that_weakens_the_gate_is_locked_unless_the_owner_opens_it(
    request_named: Named, field: LockedField, value: Any
) -> None:
    request = request_named(**{field: value})
    problem = find_refusal(request, limits())
    assert problem is not None
    assert problem.startswith(f"spec.{field}: ")
    assert "the owner's value is" in problem
    assert "(trainer." in problem
    assert problem.endswith(f"unless requests.open in the chart's values has {field}.")
    assert find_refusal(request, limits((field,))) is None


@pytest.mark.parametrize(("field", "value"), cases(STRICT))
def test_stricter_value_is_allowed(request_named: Named, field: LockedField, value: Any) -> None:
    assert find_refusal(request_named(**{field: value}), limits()) is None


def test_owners_own_values_are_allowed(request_named: Named) -> None:
    assert set(EQUAL) == set(LockedField) - {LockedField.ROLLBACK_TO}
    assert find_refusal(request_named(**EQUAL), limits()) is None


def test_combination_that_published_under_manual_promotion_is_refused_for_each_field(
    request_named: Named,
) -> None:
    asked = {
        "promotion": "Auto",
        "onInconclusive": "Promote",
        "margin": "1",
        "threshold": "0",
        "minimumRows": 1,
    }
    problem = find_refusal(request_named(**asked), limits(promotion="Manual"))
    assert problem is not None
    assert [field for field in asked if f"spec.{field}: " in problem] == list(asked)
    assert "spec.promotion: Auto is not allowed: the owner's value is Manual" in problem
    assert "(trainer.promotion), and only Manual is allowed" in problem


@pytest.mark.parametrize(
    ("owner", "asked"),
    [
        ({"promotion": "Manual"}, {"promotion": "Auto"}),
        ({"dry_run": True}, {"dryRun": False}),
        ({"policy": "Superior"}, {"policy": "NonInferior"}),
        ({"policy": "Reference"}, {"policy": "Superior"}),
        ({"accept_input_change": False}, {"acceptInputChange": True}),
        ({"margin": 0.0}, {"margin": "0.0001"}),
        ({"rows": 1000}, {"rows": 999}),
        ({"preset": "reference"}, {"preset": "recommended"}),
        ({"preset": "reference"}, {"holdOutRows": 5000}),
        ({"on_inconclusive": "Keep"}, {"onInconclusive": "Promote"}),
    ],
)
def test_owners_stricter_value_cannot_be_loosened(
    request_named: Named, owner: dict[str, Any], asked: dict[str, Any]
) -> None:
    assert find_refusal(request_named(**asked), limits(**owner)) is not None


@pytest.mark.parametrize(
    ("owner", "asked"),
    [
        ({"on_inconclusive": "Promote"}, {"onInconclusive": "Keep"}),
        ({"accept_input_change": True}, {"acceptInputChange": False}),
        ({"dry_run": True}, {"margin": "0"}),
        ({"preset": "reference"}, {"holdOutRows": 200}),
    ],
)
def test_owners_looser_value_can_be_tightened(
    request_named: Named, owner: dict[str, Any], asked: dict[str, Any]
) -> None:
    assert find_refusal(request_named(**asked), limits(**owner)) is None


def test_dry_run_of_the_request_itself_may_set_every_field_of_the_trainer(
    request_named: Named,
) -> None:
    for field, values in LOOSE.items():
        assert find_refusal(request_named(dryRun=True, **{field: values[0]}), limits()) is None
    # The owner's dry run could end before the request starts, so it opens nothing.
    assert find_refusal(request_named(margin="1"), limits(dry_run=True)) is not None
    # Nothing that costs something, and no rollback, is opened by a dry run.
    for asked in ({"retries": 20}, {"deadlineSeconds": 604_800}, {"rollbackTo": 1}):
        refusal = find_refusal(request_named(dryRun=True, **asked), limits(promotion="Manual"))
        assert refusal is not None


@pytest.mark.parametrize(
    ("owner", "named"), [({"promotion": "Manual"}, "promotion"), ({"dry_run": True}, "dryRun")]
)
def test_rollback_follows_the_owners_mode_of_promotion(
    request_named: Named, owner: dict[str, Any], named: str
) -> None:
    request = request_named(rollbackTo=3)
    assert find_refusal(request, limits()) is None
    problem = find_refusal(request, limits(**owner))
    assert problem is not None
    assert f"(trainer.{named})" in problem
    assert "requests.open" in problem
    assert find_refusal(request, limits(("rollbackTo",), **owner)) is None
    # Opening another field does not open it, nor does a promotion mode of the request.
    assert find_refusal(request, limits(("promotion", "dryRun"), **owner)) is not None
    both = request_named(rollbackTo=3, promotion="Auto", dryRun=False)
    assert find_refusal(both, limits(("promotion", "dryRun"), **owner)) is not None


@pytest.mark.parametrize(
    ("asked", "given", "greatest"),
    [
        ({"deadlineSeconds": 14_400}, {}, None),
        ({"deadlineSeconds": 14_401}, {}, "14400 (requests.maxDeadlineSeconds)"),
        ({"deadlineSeconds": 604_800}, {}, "14400 (requests.maxDeadlineSeconds)"),
        ({"deadlineSeconds": 61}, {"requests": {"max_deadline_seconds": 60}}, None),
        ({"deadlineSeconds": 3601}, {"requests": {"max_deadline_seconds": 60}}, "3600"),
        ({"deadlineSeconds": 9000}, {"requests": {"max_deadline_seconds": 9000}}, None),
        ({"deadlineSeconds": 400}, {"job": {"deadline_seconds": 100}}, None),
        ({"deadlineSeconds": 401}, {"job": {"deadline_seconds": 100}}, "400"),
        ({"retries": 10}, {}, None),
        ({"retries": 11}, {}, "10 (requests.maxRetries)"),
        ({"retries": 4}, {"requests": {"max_retries": 0}}, "3 (requests.maxRetries)"),
        ({"retries": 12}, {"job": {"retries": 12}}, None),
    ],
)
def test_deadline_and_retries_have_a_greatest_value(
    request_named: Named, asked: dict[str, Any], given: dict[str, Any], greatest: str | None
) -> None:
    problem = find_refusal(request_named(**asked), limits(**given))
    if greatest is None:
        assert problem is None
    else:
        assert problem is not None
        assert f"the greatest that the owner allows is {greatest}" in problem


def test_messages_are_whole_sentences_with_the_values_and_settings(
    request_named: Named,
) -> None:
    assert find_refusal(request_named(scaling="None", threshold="0.5"), limits()) == (
        "spec.threshold: 0.5 is not allowed: the owner's value is 0.7 (trainer.threshold), and no "
        "other value is allowed unless requests.open in the chart's values has threshold. "
        "spec.scaling: None is not allowed: the owner's value is Auto (trainer.scaling), and no "
        "other value is allowed unless requests.open in the chart's values has scaling."
    )
    assert find_refusal(
        request_named(acceptInputChange=True, deadlineSeconds=99_999), limits()
    ) == (
        "spec.acceptInputChange: true is not allowed: the owner's value is false "
        "(trainer.acceptInputChange), and only false is allowed unless requests.open in the "
        "chart's values has acceptInputChange. "
        "spec.deadlineSeconds: 99999 is not allowed: the greatest that the owner allows is 14400 "
        "(requests.maxDeadlineSeconds)."
    )
    assert find_refusal(request_named(rollbackTo=3, retries=11), limits(promotion="Manual")) == (
        "spec.rollbackTo: 3 is not allowed: a rollback goes live at once, and the owner's value is "
        "Manual (trainer.promotion), unless requests.open in the chart's values has rollbackTo. "
        "spec.retries: 11 is not allowed: the greatest that the owner allows is 10 "
        "(requests.maxRetries)."
    )
    assert find_refusal(claimed("mine"), limits()) == (
        "spec.trigger is not allowed: it names a Kafka record, and only the operator creates "
        "requests for records. Apply the request without it."
    )


def test_resources_are_compared_with_the_owners_maxima_and_defaults(request_named: Named) -> None:
    greedy = request_named(resources={"limits": {"cpu": "3"}})
    assert find_refusal(greedy, limits()) is None  # four times the default
    refusal = find_refusal(greedy, limits(requests={"max_resources": {"cpu": "2"}}))
    assert refusal == (
        "spec.resources.limits.cpu: 3 is not allowed: the greatest that the owner allows is 2 "
        "(requests.maxResources.cpu)."
    )
    default = request_named(resources={"limits": {"cpu": "1"}})
    assert find_refusal(default, limits(requests={"max_resources": {"cpu": "500m"}})) is None


def test_limits_come_from_the_settings(settings: Settings) -> None:
    assert build_limits(settings) == RequestLimits(
        settings.trainer, settings.job, settings.requests
    )


def test_every_field_of_a_spec_is_free_locked_or_limited() -> None:
    aliases = {info.alias for info in RequestSpec.model_fields.values()}
    free = {"reason", "requestedBy", "suspend"}
    limited = {"deadlineSeconds", "retries", "resources"}
    assert aliases == free | limited | {"trigger"} | set(LockedField)


def test_record_can_set_nothing_but_the_reason(settings: Settings) -> None:
    value = b'{"reason": "drift", "margin": "1", "spec": {"promotion": "Auto"}, "suspend": true}'
    trigger = parse_trigger(KafkaPosition("t", 0, 7, 1_750_000_000_123), value)
    body = build_request(trigger, "fraud")
    assert set(body["spec"]) == {"reason", "trigger"}
    stored = {"uid": "u", "resourceVersion": "1", "creationTimestamp": "2026-03-01T11:00:00Z"}
    request = read_request({**body, "metadata": {**body["metadata"], **stored}})
    assert find_refusal(request, build_limits(settings)) is None


def claimed(name: str, **spec: Any) -> RetrainRequest:
    trigger = {
        "topic": "t",
        "partition": 0,
        "offset": 7,
        "timestamp": "2025-06-15T15:06:40.123Z",
        "record": "{}",
    }
    metadata = {
        "name": name,
        "namespace": "fraud",
        "uid": "u",
        "resourceVersion": "1",
        "creationTimestamp": "2026-03-01T11:00:00Z",
    }
    return read_request({"metadata": metadata, "spec": {"trigger": trigger, **spec}})


def test_request_that_claims_to_come_from_kafka_is_refused() -> None:
    own = build_request(parse_trigger(KafkaPosition("t", 0, 7, 1_750_000_000_123), b"{}"), "fraud")
    name = own["metadata"]["name"]
    assert find_refusal(claimed(name), limits()) is None
    assert find_refusal(claimed(name, suspend=True), limits()) is None
    for request in (claimed("mine"), claimed(f"{name}-x"), claimed(name, dryRun=True)):
        problem = find_refusal(request, limits(tuple(LockedField)))
        assert problem is not None
        assert problem.startswith("spec.trigger is not allowed")


floats = st.floats(0, 1, allow_nan=False)
numbers = st.integers(1, 1_000_000)
values: dict[LockedField, st.SearchStrategy[Any]] = {
    LockedField.ROWS: numbers,
    LockedField.MINIMUM_ROWS: numbers,
    LockedField.MARGIN: floats,
    LockedField.THRESHOLD: floats,
    LockedField.POLICY: st.sampled_from(PromotionPolicy),
    LockedField.ON_INCONCLUSIVE: st.sampled_from(OnInconclusive),
    LockedField.DRY_RUN: st.booleans(),
    LockedField.ACCEPT_INPUT_CHANGE: st.booleans(),
}


@examples(max_examples=300, deadline=None)
@given(data=st.data(), field=st.sampled_from(list(values)))
def test_stricter_is_an_order_and_locks_exactly_one_direction(
    data: st.DataObject, field: LockedField
) -> None:
    first, second, third = (data.draw(values[field]) for _ in range(3))

    def judged(asked: object, owner: object) -> Permission:
        return judge(field, asked, owner, is_open=False)

    assert judged(first, first) is Permission.ALLOWED
    assert judge(field, first, second, is_open=True) is Permission.ALLOWED
    if judged(first, second) is Permission.STRICTER:
        assert judged(second, first) is Permission.LOCKED
        if judged(second, third) is Permission.STRICTER:
            assert judged(first, third) is Permission.STRICTER
    if field not in DIRECTIONS and first != second:
        assert judged(first, second) is Permission.LOCKED


def test_value_that_is_not_a_number_is_neither_equal_nor_stricter(request_named: Named) -> None:
    for field in ("margin", "threshold", "alertBudget"):
        assert find_refusal(request_named(**{field: float("nan")}), limits()) is not None
