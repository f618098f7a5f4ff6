"""Resources are merged with the operator's and compared as Kubernetes compares them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from retraining_operator.api.request import read_spec
from retraining_operator.api.resources import (
    find_maxima,
    find_resource_problems,
    merge_resources,
)
from retraining_operator.settings.quantities import multiply_quantity, parse_quantity
from retraining_operator.settings.scalars import Resources

DEFAULT: Resources = {
    "requests": {"cpu": "500m", "memory": "1Gi"},
    "limits": {"cpu": "1", "memory": "2Gi"},
}


def problems(asked: Resources, **maxima: str) -> list[str]:
    return list(find_resource_problems(asked, find_maxima(maxima, DEFAULT), DEFAULT))


@pytest.mark.parametrize(
    ("asked", "requests", "limits"),
    [
        (None, DEFAULT["requests"], DEFAULT["limits"]),
        ({"requests": {"cpu": "1m"}}, {"cpu": "1m", "memory": "1Gi"}, DEFAULT["limits"]),
        (
            {"limits": {"memory": "512Mi"}},
            {"cpu": "500m", "memory": "512Mi"},
            {"cpu": "1", "memory": "512Mi"},
        ),
        (
            {"requests": {"cpu": "3"}},
            {"cpu": "3", "memory": "1Gi"},
            {"cpu": "3", "memory": "2Gi"},
        ),
        (
            {"requests": {"memory": "2048Mi"}},
            {"cpu": "500m", "memory": "2048Mi"},
            DEFAULT["limits"],
        ),
        ({"requests": {}, "limits": {}}, DEFAULT["requests"], DEFAULT["limits"]),
    ],
)
def test_each_quantity_replaces_its_default_alone(
    asked: Resources | None, requests: dict[str, str], limits: dict[str, str]
) -> None:
    assert merge_resources(asked, DEFAULT) == {"requests": requests, "limits": limits}


def test_defaults_themselves_are_not_changed() -> None:
    merge_resources({"requests": {"cpu": "3"}}, DEFAULT)["limits"]["cpu"] = "9"
    assert DEFAULT["limits"]["cpu"] == "1"


def test_without_defaults_nothing_is_added() -> None:
    assert merge_resources(None, {}) == {}
    assert merge_resources({"limits": {"cpu": "1"}}, {}) == {"limits": {"cpu": "1"}}


@pytest.mark.parametrize(
    ("kind", "name", "quantity", "named"),
    [
        ("requests", "cpu", "1000", "4 (requests.maxResources.cpu)"),
        ("limits", "cpu", "4001m", "4 (requests.maxResources.cpu)"),
        ("limits", "memory", "8.1Gi", "8Gi (requests.maxResources.memory)"),
        ("requests", "memory", "1e30", "8Gi (requests.maxResources.memory)"),
        ("requests", "nvidia.com/gpu", "1", "requests.maxResources.nvidia.com/gpu"),
        ("limits", "ephemeral-storage", "1Gi", "requests.maxResources.ephemeral-storage"),
        ("limits", "memory", "0", "a limit of 0 as no limit"),
        ("limits", "cpu", "0m", "a limit of 0 as no limit"),
        ("claims", "cpu", "1", "only requests and limits"),
    ],
)
def test_quantity_beyond_the_limits_is_refused_with_its_name(
    kind: str, name: str, quantity: str, named: str
) -> None:
    [problem] = problems({kind: {name: quantity}})
    assert problem.startswith(f"spec.resources.{kind}.{name}: {quantity} is not allowed: ")
    assert named in problem


@pytest.mark.parametrize(
    "asked",
    [
        {"limits": {"cpu": "4000m"}},
        {"limits": {"cpu": "4e0"}},
        {"limits": {"memory": "8192Mi"}},
        {"requests": {"cpu": "0"}},
        {"requests": {"cpu": "1n"}},
        DEFAULT,
    ],
)
def test_quantity_within_the_limits_is_allowed(asked: Resources) -> None:
    assert problems(asked) == []


def test_owner_may_set_a_greater_or_a_smaller_maximum_and_name_other_resources() -> None:
    assert problems({"limits": {"cpu": "64"}}, cpu="64") == []
    assert len(problems({"limits": {"cpu": "2"}}, cpu="1")) == 1
    assert problems(DEFAULT, cpu="100m") == []  # what the owner uses is always allowed
    gpu = "nvidia.com/gpu"
    assert problems({"limits": {gpu: "1"}}, **{gpu: "1"}) == []
    assert len(problems({"limits": {gpu: "2"}}, **{gpu: "1"})) == 1


def test_contradicting_quantities_of_one_request_stay_as_they_are() -> None:
    asked: Resources = {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}
    merged = merge_resources(asked, DEFAULT)
    assert (merged["requests"]["cpu"], merged["limits"]["cpu"]) == ("2", "1")


def test_text_of_the_first_of_two_equal_quantities_is_the_maximum() -> None:
    equal: Resources = {"requests": {"cpu": "1"}, "limits": {"cpu": "1000m"}}
    assert find_maxima({}, equal) == {"cpu": multiply_quantity("1", 4)}


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({"claims": {"cpu": "1"}}, "resources have only requests and limits"),
        ({"limits": {"cpu": "0"}}, "Kubernetes reads a limit of 0 as no limit"),
    ],
)
def test_problem_is_the_second_half_of_a_sentence(asked: Resources, problem: str) -> None:
    [[kind, quantities]] = asked.items()
    [[name, text]] = quantities.items()
    assert problems(asked) == [f"spec.resources.{kind}.{name}: {text} is not allowed: {problem}."]


def test_request_equal_to_its_own_limit_is_allowed() -> None:
    assert problems({"requests": {"cpu": "2"}, "limits": {"cpu": "2000m"}}) == []


def test_request_above_its_own_limit_is_refused() -> None:
    [problem] = problems({"requests": {"cpu": "2"}, "limits": {"cpu": "1500m"}})
    assert problem == (
        "spec.resources.requests.cpu: 2 is not allowed: it is greater than "
        "spec.resources.limits.cpu (1500m)."
    )


@pytest.mark.parametrize(
    "quantity",
    ["-1", "-0.5Gi", "1e99999999999999999999", "1 Gi", "Gi", "1Mib", "\u0661", "", "NaN"],
)
def test_text_that_is_not_a_quantity_makes_the_spec_malformed_and_is_named(quantity: str) -> None:
    _, malformed = read_spec({"resources": {"limits": {"cpu": quantity}}})
    assert malformed is not None
    assert malformed.startswith("spec.resources.limits.cpu: ")


@pytest.mark.parametrize("quantity", [-1, -0.5, float("inf"), float("nan"), True, None, [], {}])
def test_value_that_is_not_a_quantity_makes_the_spec_malformed(quantity: Any) -> None:
    assert read_spec({"resources": {"limits": {"cpu": quantity}}})[1] is not None


quantities = st.from_regex(
    r"\A([0-9]{1,4}(\.[0-9]{0,3})?|\.[0-9]{1,3})([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]{1,2})?\Z"
)
resources = st.dictionaries(
    st.sampled_from(["requests", "limits"]),
    st.dictionaries(st.sampled_from(["cpu", "memory"]), quantities),
)


@examples(max_examples=500, deadline=None)
@given(resources)
def test_what_is_allowed_stays_within_the_maxima_and_valid_after_the_merge(
    asked: Resources,
) -> None:
    if problems(asked):
        return
    merged = merge_resources(asked, DEFAULT)
    for name, greatest in {"cpu": "4", "memory": "8Gi"}.items():
        request, limit = (parse_quantity(merged[kind][name]) for kind in ("requests", "limits"))
        assert request <= limit <= parse_quantity(greatest)
        assert limit > 0


@examples(max_examples=300, deadline=None)
@given(quantities)
def test_four_times_a_quantity_keeps_its_unit(quantity: str) -> None:
    assert parse_quantity(multiply_quantity(quantity, 4)) == 4 * parse_quantity(quantity)
