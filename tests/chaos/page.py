"""docs/chaos.md: what a chaos run did to the system, and the result."""

from __future__ import annotations

import statistics
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from retraining_operator.fault_injection import Point
from tests.chaos.rounds import ChaosTally
from tests.chaos.strikes import STRIKES
from tests.chaos.topics import PARTITIONS

PAGE = Path(__file__).parents[2] / "docs" / "chaos.md"

TEXT = """# Chaos run

Written by `make chaos`. On a real single-node cluster with two operators it sends triggers and \
kills processes with
SIGKILL, four at a time. The operators also stop at named points of their own code. Each round \
has its own topic
with {partitions} partitions; the start position is `earliest` and `latest` in turn. Records are \
plain or compressed
with lz4, some are in transactions, and some of these are aborted. In some rounds the topic gets \
one more partition.
After each round it checks that every committed record has exactly one RetrainRequest, that \
every request had exactly
one Job (by the API server's audit log), that every promotion has one version and one row, and \
that no version is
missing.

| | |
|---|---|
| date | {date:%Y-%m-%d} |
| seed, strikes in one round | {seed}, {at_once} (`make chaos SEED={seed} AT_ONCE={at_once}`) |
| rounds | {rounds} |
| topics that grew while records arrived | {grown} |
| processes killed | {kills} |
| of these, operators that stopped at a named point of their own code | {crashes} |
| committed records | {records} |
| RetrainRequests | {requests} |
| Jobs ever created | {jobs} |
| promotions | {promotions} |
| lost, duplicated or missing | **0** |
| seconds until all work was finished, median / slowest round | {median:.0f} / {slowest:.0f} |

| strike | number |
|---|---|
{strikes}

| point at which an operator stopped | number |
|---|---|
{stop_points}

After a kill of Kafka, Redis, PostgreSQL or an operator, its pod is deleted as well, because \
Kubernetes lets a container
that crashes often wait for minutes. A new pod starts at once. The seed decides the kills and \
their times, but not what
runs at that moment. Two runs with the same seed are therefore not identical.
"""


def write(tally: ChaosTally) -> None:
    """Write the page.

    Args:
        tally: The results so far.

    Raises:
        ValueError: There was no round.
    """
    evidence = tally.evidence
    if evidence is None:
        raise ValueError("there was no round")
    names = [strike.name for strike in STRIKES]
    stop_points = Counter(tally.stop_points.values())
    PAGE.write_text(
        TEXT.format(
            date=datetime.now(UTC),
            seed=tally.seed,
            at_once=tally.at_once,
            rounds=tally.rounds,
            partitions=PARTITIONS,
            grown=tally.grown,
            kills=tally.dead,
            crashes=len(tally.stop_points),
            records=f"{len(evidence.records):,}",
            requests=f"{len(evidence.requests):,}",
            jobs=f"{sum(evidence.jobs.values()):,}",
            promotions=f"{len(evidence.versions):,}",
            median=statistics.median(tally.recoveries),
            slowest=max(tally.recoveries),
            strikes="\n".join(f"| {name} | {tally.strikes[name]} |" for name in names),
            stop_points="\n".join(f"| {point} | {stop_points[point]} |" for point in Point),
        ),
        encoding="utf-8",
    )
