"""Named points at which a test stops the operator."""

import os
import subprocess
import sys

import pytest

from retraining_operator.fault_injection import FaultInjection, Point
from retraining_operator.settings import SettingsError

pytestmark = pytest.mark.slow


def test_disabled_by_default() -> None:
    for point in Point:
        FaultInjection.disabled().reach(point)
        FaultInjection.read({}).reach(point)


PROCESS_1 = pytest.param(
    ["unshare", "--pid", "--fork"],
    marks=pytest.mark.skipif(os.geteuid() != 0, reason="only root may start a process 1"),
    id="process 1, as in its container",
)


@pytest.mark.parametrize("command", [pytest.param([], id="any process"), PROCESS_1])
def test_process_stops_only_at_the_named_point(command: list[str]) -> None:
    program = (
        "from retraining_operator.fault_injection import FaultInjection, Point\n"
        "injection = FaultInjection.read({'CRASH_POINTS': 'job-created=1'})\n"
        "injection.reach(Point.LAUNCHING)\n"
        "print('alive', flush=True)\n"
        "injection.reach(Point.JOB_CREATED)\n"
        "print('alive', flush=True)\n"
    )
    done = subprocess.run(
        [*command, sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (137, "alive\n")
    assert done.stderr == "Stopping at the point job-created, as CRASH_POINTS requests.\n"


@pytest.mark.parametrize("text", ["often", "job-created=often", "no-such-point=1"])
def test_invalid_probabilities_are_reported_with_one_message(text: str) -> None:
    with pytest.raises(SettingsError, match=r"^The setting CRASH_POINTS is wrong: .+\.$"):
        FaultInjection.read({"CRASH_POINTS": text})
