"""Requests beside a bad object, which it must not affect."""

from __future__ import annotations

import json
from typing import Any

from retraining_operator.contract import to_line
from retraining_operator.observability.problems import ObjectProblem, ProblemReporter
from retraining_operator.planning.plan import plan
from retraining_operator.planning.snapshot import PlanInput
from retraining_operator.planning.steps import WriteStatus
from retraining_operator.settings import Triggers
from retraining_operator.watch.cache import ClusterCache
from tests.fuzz.cluster_objects import NOW, request_body
from tests.system.random_input import check_sentence

TRIGGERS = Triggers(
    max_concurrent=2, cooldown_seconds=60, max_runs_per_day=5, breaker_failures=2, coalesce=True
)


class StrictReporter(ProblemReporter):
    """Raises a defect that the operator would only report."""

    def report(
        self,
        problem: ObjectProblem,
        key: str,
        message: str,
        *,
        request_uid: str = "",
        error: Exception | None = None,
    ) -> None:
        """Raise the cause of a defect. Check the message of any other problem."""
        if error is not None:
            raise error
        check_sentence(to_line(message))
        super().report(problem, key, message, request_uid=request_uid)


def parse(data: bytes) -> Any:
    """Return the JSON value of some bytes; the bytes as a text if they are not JSON."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return data.decode(errors="replace")


def build_neighbours() -> ClusterCache:
    """Build a cache with requests that a bad object must not affect."""
    cache = ClusterCache(StrictReporter())
    cache.update_request(request_body("waiting"))
    cache.update_request(request_body("suspended") | {"spec": {"suspend": True}})
    cache.update_request(request_body("running", {"jobName": "running-job"}))
    return cache


def describe_plan(cache: ClusterCache) -> dict[str, tuple[str, str]]:
    """Return the step of each request by name: its kind, and the message that it writes."""
    requests = list(cache.requests.values())
    known = PlanInput(
        requests,
        cache.own_jobs.select(),
        cache.list_finished_runs(),
        approvals=cache.approvals.by_request,
        needs_four_eyes=True,
    )
    found = plan(known, TRIGGERS.model_copy(update={"max_concurrent": 20}), NOW)
    assert not found.failures, found.failures
    described = {}
    for step in found.steps:
        message = ""
        if isinstance(step, WriteStatus):
            json.dumps(step.status, allow_nan=False)
            for entry in step.status["conditions"]:
                check_sentence(entry["message"])
            message = step.status["conditions"][0]["message"]
        described[step.request.name] = (type(step).__name__, message)
    return described


EXPECTED = {name: step for name, step in describe_plan(build_neighbours()).items() if name != "bad"}


def check_neighbours(cache: ClusterCache) -> None:
    """Fail if the plan of the other requests is not the same as without the bad object."""
    cooldown = {"waiting"}  # it may wait for the end of the bad request's run, as designed
    found = describe_plan(cache)
    for name, step in EXPECTED.items():
        assert name in cooldown or found.get(name) == step, (name, found.get(name))
    assert found["waiting"][0] in {"Launch", "WriteStatus"}
    cache.count_waiting()
    cache.count_work({})
    cache.own_jobs.report_foreign(cache.problems)
