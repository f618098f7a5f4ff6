"""YAML numbers and booleans become the strings that Kubernetes requires, or are rejected."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from retraining_operator.settings.scalars import Quantity, Text, Valued


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (False, "false"),
        (7, "7"),
        (-7, "-7"),
        (7.0, "7"),
        (20240115.0, "20240115"),
        ("1.10", "1.10"),
    ],
)
def test_value_of_a_label_is_text(value: object, text: str) -> None:
    assert TypeAdapter(Text).validate_python(value) == text


@pytest.mark.parametrize("value", [1.1, 1e300, float("nan"), float("inf")])
def test_label_value_with_an_ambiguous_original_is_rejected(value: float) -> None:
    with pytest.raises(ValidationError, match="in quotes"):
        TypeAdapter(Text).validate_python(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.5, "0.5"),
        (2, "2"),
        (2.0, "2"),
        (1073741824, "1073741824"),
        (2e9, "2000000000"),
        ("500m", "500m"),
        (0, "0"),
        (".5", ".5"),
        ("1e3", "1e3"),
    ],
)
def test_quantity_may_be_a_number(value: object, text: str) -> None:
    assert TypeAdapter(Quantity).validate_python(value) == text


@pytest.mark.parametrize(
    "value",
    [
        True,
        -1,
        float("nan"),
        float("inf"),
        "",
        "half",
        "true",
        "1 Gi",
        "-1",
        None,
        [1],
        {"a": 1},
        10**400,
    ],
)
def test_value_that_is_not_a_quantity_is_rejected(value: Any) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Quantity).validate_python(value)


def test_variable_and_toleration_have_text_as_value_and_nothing_else_changes() -> None:
    adapter = TypeAdapter(Valued)
    assert adapter.validate_python({"name": "PORT", "value": 5432}) == {
        "name": "PORT",
        "value": "5432",
    }
    toleration = {"key": "gpu", "value": True, "tolerationSeconds": 30}
    assert adapter.validate_python(toleration) == toleration | {"value": "true"}
