"""The gauges show the present state of the process."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from retraining_operator.api.reasons import ConditionReason
from retraining_operator.observability.gauges import ConsumerState, IntakeState, Sources
from retraining_operator.observability.metrics import Metrics
from retraining_operator.watch.cache import ClusterCache

RequestBody = Callable[..., dict[str, Any]]


@dataclass
class ReplicaProcess:
    """The parts of a process that its gauges read."""

    cache: ClusterCache = field(default_factory=ClusterCache)
    held: dict[str, ConditionReason] = field(default_factory=dict)
    leading: bool = True
    acting: bool = True
    consumer: ConsumerState = field(default_factory=ConsumerState)

    def __post_init__(self) -> None:
        self._metrics = Metrics()
        self._metrics.export_gauges(
            Sources(
                leading=lambda: self.leading,
                acting=lambda: self.acting,
                work=lambda: self.cache.count_work(self.held),
                consumer=lambda: self.consumer,
                intake=lambda: IntakeState({"api_server": True}, 3),
            )
        )

    def read(self, name: str, **labels: str) -> float | None:
        return self._metrics.registry.get_sample_value(name, labels)


@pytest.fixture
def process() -> ReplicaProcess:
    return ReplicaProcess()


def test_challenger_that_awaits_approval_is_counted(
    process: ReplicaProcess, request_body: RequestBody
) -> None:
    succeeded = {"type": "Succeeded", "status": "True"}
    process.cache.update_request(
        request_body(status={"conditions": [succeeded], "withheld": "AwaitingApproval"})
    )
    process.cache.update_request(request_body("second"))
    assert process.read("retraining_requests", state="awaiting_approval") == 1
    assert process.read("retraining_requests", state="waiting") == 1
    assert process.read("retraining_requests", state="running") == 0


def test_reason_that_holds_a_request_is_counted_while_it_waits(
    process: ReplicaProcess, request_body: RequestBody
) -> None:
    process.cache.update_request(request_body())
    process.held = {"first": ConditionReason.COOLDOWN}
    assert process.read("retraining_requests_held", reason="Cooldown") == 1
    process.held = {}
    assert process.read("retraining_requests_held", reason="Cooldown") == 0


def test_request_that_is_gone_is_counted_nowhere(
    process: ReplicaProcess, request_body: RequestBody
) -> None:
    body = request_body()
    process.cache.update_request(body)
    process.held = {"first": ConditionReason.SUSPENDED}
    assert process.read("retraining_oldest_waiting_age_seconds") != 0
    process.cache.changed.clear()
    process.cache.remove_request(body["metadata"]["uid"])
    assert process.read("retraining_requests", state="waiting") == 0
    assert process.read("retraining_requests_held", reason="Suspended") == 0
    assert process.read("retraining_oldest_waiting_age_seconds") == 0
    assert process.cache.changed.is_set()


def test_finished_request_without_a_row_is_counted_while_it_exists(
    process: ReplicaProcess, request_body: RequestBody
) -> None:
    conditions = [
        {"type": "Succeeded", "status": "False"},
        {"type": "Recorded", "status": "False", "reason": "DatabaseUnavailable"},
    ]
    body = request_body(status={"conditions": conditions})
    process.cache.update_request(body)
    assert process.read("retraining_unrecorded") == 1
    process.cache.remove_request(body["metadata"]["uid"])
    assert process.read("retraining_unrecorded") == 0


def test_time_of_the_last_evaluation_outlives_its_request(
    process: ReplicaProcess, request_body: RequestBody
) -> None:
    assert process.read("last_retraining_timestamp") == 0
    status = {"metrics": {"rows": 1}, "completionTime": "2026-01-01T00:00:00Z"}
    body = request_body(status=status)
    process.cache.update_request(body)
    process.cache.remove_request(body["metadata"]["uid"])
    assert process.read("last_retraining_timestamp") == 1767225600


def test_lag_is_that_of_the_partitions_that_are_assigned_now(process: ReplicaProcess) -> None:
    process.consumer = ConsumerState({("t", 0): 7, ("t", 1): 0})
    assert process.read("retraining_consumer_lag", topic="t", partition="0") == 7
    process.consumer = ConsumerState({("t", 1): 0})
    assert process.read("retraining_consumer_lag", topic="t", partition="0") is None
    assert process.read("retraining_consumer_lag", topic="t", partition="1") == 0


@pytest.mark.parametrize(("leading", "acting"), [(False, False), (True, False), (False, True)])
def test_replica_that_does_not_act_has_no_gauges_about_its_work(
    process: ReplicaProcess, request_body: RequestBody, leading: bool, acting: bool
) -> None:
    process.cache.update_request(request_body())
    process.consumer = ConsumerState({("t", 0): 7}, 1.0)
    process.leading, process.acting = leading, acting
    assert process.read("retraining_leader") == leading
    for name in (
        "last_retraining_timestamp",
        "retraining_unrecorded",
        "retraining_oldest_waiting_age_seconds",
        "retraining_oldest_record_age_seconds",
        "retraining_dead_letters_open",
    ):
        assert process.read(name) is None
    assert process.read("retraining_requests", state="waiting") is None
    assert process.read("retraining_consumer_held", reason="api_server") is None
    assert process.read("retraining_consumer_lag", topic="t", partition="0") is None
