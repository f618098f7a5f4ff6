"""The RetrainRequest of a record is recognized by everything in it, not only by its name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from retraining_operator.api.record_request import (
    build_request,
    compute_record_key,
    is_own_form,
)
from retraining_operator.api.request import read_spec
from retraining_operator.api.trigger import (
    LAST_TIMESTAMP_MS,
    KafkaPosition,
    Trigger,
    format_timestamp,
    parse_timestamp,
)

TRIGGER = Trigger(KafkaPosition("drift", 0, 7, 1_750_000_000_123), "drift", '{"reason": "drift"}')
OWN = build_request(TRIGGER, "fraud")
KEY = compute_record_key(OWN)


def changed(metadata: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    return {
        **OWN,
        "metadata": {**OWN["metadata"], "generation": 1, **(metadata or {})},
        "spec": {**OWN["spec"], **spec},
    }


def changed_trigger(**fields: Any) -> dict[str, Any]:
    return changed(trigger={**OWN["spec"]["trigger"], **fields})


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(changed(), id="the same"),
        pytest.param(changed(suspend=False), id="with the default of suspend"),
        pytest.param(changed({"generation": 2}, suspend=True), id="suspended later"),
        pytest.param(changed({"labels": {}, "annotations": {"a": "b"}}), id="other labels"),
        pytest.param(build_request(TRIGGER, "fraud", attempt=1), id="under the second name"),
        pytest.param(build_request(TRIGGER, "fraud", attempt=12), id="under a later name"),
    ],
)
def test_own_request_is_recognized(body: dict[str, Any]) -> None:
    assert KEY is not None
    assert compute_record_key(body) == KEY


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({**OWN, "spec": {}}, id="no trigger"),
        pytest.param(changed(dryRun=True), id="a dry run"),
        pytest.param(changed(rollbackTo=1), id="a rollback"),
        pytest.param(changed(margin="1"), id="another margin"),
        pytest.param(changed(resources={}), id="resources"),
        pytest.param(changed(suspend=True), id="suspended from the start"),
        pytest.param(changed({"ownerReferences": [{"uid": "none"}]}), id="deleted with an owner"),
        pytest.param(changed(reason="other"), id="another reason"),
        pytest.param(changed_trigger(record="{}"), id="another record"),
        pytest.param(changed_trigger(offset=8), id="another offset"),
        pytest.param(changed_trigger(timestamp="2025-06-15T15:06:40Z"), id="no milliseconds"),
        pytest.param(changed_trigger(timestamp="x"), id="no time"),
        pytest.param(changed({"name": "drift-0-7"}), id="another name"),
        pytest.param(changed({"name": OWN["metadata"]["name"] + "-1"}), id="a made-up later name"),
        pytest.param({**OWN, "spec": "x"}, id="no object"),
        pytest.param(changed(trigger="x"), id="a trigger that cannot be read"),
        pytest.param(changed(resources="x"), id="a spec that cannot be read"),
    ],
)
def test_everything_else_belongs_to_somebody_else(body: dict[str, Any]) -> None:
    assert compute_record_key(body) != KEY


def test_first_name_that_looks_like_a_later_one_is_recognized() -> None:
    for offset in range(10_000_000, 10_000_400):  # one digest in 43 has only decimal digits
        trigger = Trigger(KafkaPosition("t", 0, offset, 0), "unknown", "{}")
        body = build_request(trigger, "fraud")
        assert is_own_form(body["metadata"]["name"], read_spec(body["spec"])[0])


@examples(max_examples=300, deadline=None)
@given(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=249),
    st.integers(0, 2**31 - 1),
    st.integers(0, 2**63 - 1),
    st.integers(-1, 2**62),
    st.integers(0, 999_999_999),
)
def test_every_record_has_names_that_are_recognized_and_differ(
    topic: str, partition: int, offset: int, timestamp_ms: int, attempt: int
) -> None:
    trigger = Trigger(KafkaPosition(topic, partition, offset, timestamp_ms), "unknown", "{}")
    bodies = [build_request(trigger, "fraud", each) for each in (attempt, attempt + 1)]
    names = {body["metadata"]["name"] for body in bodies}
    assert len(names) == 2
    assert max(map(len, names)) <= 63
    assert all(is_own_form(b["metadata"]["name"], read_spec(b["spec"])[0]) for b in bodies[:1])
    assert len({compute_record_key(body) for body in bodies[:1]} - {None}) == 1


@examples(max_examples=200, deadline=None)
@given(st.integers(0, LAST_TIMESTAMP_MS))
def test_time_is_read_as_it_was_written(milliseconds: int) -> None:
    assert parse_timestamp(format_timestamp(milliseconds)) == milliseconds


@pytest.mark.parametrize(
    "text",
    ["", "x", "2026-03-01", "2026-03-01T12:00:00.000", "2026-03-01T12:00:00.000+00:00", "1"],
)
def test_time_that_the_operator_did_not_write_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        parse_timestamp(text)
