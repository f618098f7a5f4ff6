"""A pod that the scheduler cannot place does not keep its place among the runs for ever."""

from __future__ import annotations

from tests.integration.operator.runs import Start, condition, create_request, wait_until
from tests.system.kubectl import Kubectl, wait_for


def owners(namespace: Kubectl) -> set[str]:
    return {job["metadata"]["ownerReferences"][0]["name"] for job in namespace.items("jobs")}


def test_unschedulable_pods_give_their_places_to_others(
    namespace: Kubectl, operator: Start
) -> None:
    for name in ("first", "second"):
        create_request(namespace, name, resources={"requests": {"cpu": "1000"}})
    create_request(namespace, "third")
    operator(None, triggers={"maxConcurrent": 2, "startTimeoutSeconds": 8})
    wait_until(namespace, "first", "Unknown", "Unschedulable")
    assert condition(namespace, "third")[1] == "Queued"
    assert owners(namespace) == {"first", "second"}
    for name in ("first", "second"):
        message = wait_until(namespace, name, "False", "Unschedulable")
        assert "triggers.startTimeoutSeconds" in message
        assert "Insufficient cpu" in message
    wait_for("the Job of the third", lambda: "third" in owners(namespace), 30)
