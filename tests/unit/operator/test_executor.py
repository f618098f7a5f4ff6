"""Each step of a plan has one part that executes it."""

from types import SimpleNamespace
from typing import Any, get_args

from retraining_operator.controller.executor import build_executor
from retraining_operator.planning.steps import Settle, Step
from retraining_operator.settings import Settings


def test_every_step_but_settle_is_executed(settings: Settings) -> None:
    nobody: Any = SimpleNamespace()
    executor = build_executor(
        cluster=nobody,
        cache=nobody,
        metrics=nobody,
        audit_writer=nobody,
        event_recorder=nobody,
        settings=settings,
        fault_injection=nobody,
        clock=nobody,
    )
    assert set(executor.handlers) == set(get_args(Step)) - {Settle}
