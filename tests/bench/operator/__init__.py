"""Benchmarks of the operator: latency, bursts, promotion, idle use and recovery.

The operator runs as a process on this machine, against the real API server and the real Kafka of
the test cluster. The floor is measured from the same machine over the same connections, alternating
with the operator. Jobs are really created, but with a node selector that no node has (except for
promotions), so that a thousand trainers do not run. For the recovery from a kill, the operator runs
in the cluster, installed by the chart.
"""

from __future__ import annotations

import platform
import re
import sys
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from tests.bench.operator.burst import ROUNDS, measure_few, measure_many
from tests.bench.operator.history import measure_fresh, measure_resumption
from tests.bench.operator.latency import measure_latency
from tests.bench.operator.place import Place, a_place
from tests.bench.operator.promotion import measure_promotions
from tests.bench.operator.recovery import measure_recovery
from tests.bench.operator.report import Figures, report
from tests.bench.page import heading, replace_part
from tests.system import environment
from tests.system.crd import install_crd

SWITCH_SECONDS = 0.0005
"""In seconds. Otherwise the producer's thread and this loop block each other for 5 ms each."""


async def measure() -> None:
    """Run all, print the results and write them into the page."""
    sys.setswitchinterval(SWITCH_SECONDS)
    began = time.perf_counter()
    install_crd(environment.ours().kubectl)
    async with (
        AsyncExitStack() as stack
    ):  # all are deleted at the end, because deleting loads the cluster

        async def begin(name: str, what: str) -> Place:
            sys.stderr.write(f"{time.perf_counter() - began:4.0f} s  {what} ...\n")
            return await stack.enter_async_context(a_place(name))

        bare = await begin("bare", "Preparing the floor")
        fresh = await measure_fresh(await begin("rest", "An idle operator"))
        latency = await measure_latency(await begin("latency", "Record to Job"), bare)
        promotions = await measure_promotions(await begin("promotion", "Record to promotion"), bare)
        few = await measure_few(await begin("few", "Fifty records at once"))
        many = await measure_many(
            [await begin("many", "A thousand records at once") for _ in range(ROUNDS)], bare
        )
        resumption, full = await measure_resumption(
            await begin("history", "Five thousand finished requests")
        )
        recovery = await measure_recovery(
            await begin("recovery", "Kills in bursts"),
            await begin("standby", "Kills with a standby"),
        )
    figures = Figures(latency, few, many, promotions, fresh, full, resumption, recovery)
    text = report(figures, where(), time.perf_counter() - began)
    heading("The operator's benchmarks")
    sys.stdout.write(text)
    replace_part("operator", text)


def where() -> str:
    """Describe the machine and the versions."""
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    model = re.search(r"model name\s*:\s*(.+)", info)
    cores = info.count("processor\t")
    git = re.search(
        r"gitVersion: (\S+)",
        environment.ours().kubectl("version", "--output", "yaml").partition("serverVersion")[2],
    )
    packages = ", ".join(
        f"{name} {version(name)}" for name in ("kopf", "kubernetes", "kafka-python")
    )
    kubernetes = git[1] if git else "unknown"
    return (
        f"Made by `make bench` on {datetime.now(UTC):%Y-%m-%d}: "
        f"{cores} cores ({model[1] if model else 'unknown'}) for "
        f"everything together, Kubernetes {kubernetes}, Python {platform.python_version()},"
        f" {packages}."
    )
