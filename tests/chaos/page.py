"""docs/reliability.md: what was done to the system, and what came of it."""

from __future__ import annotations

import statistics
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from retraining_operator.crash import Point
from tests.chaos.rounds import Tally
from tests.chaos.strikes import STRIKES

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"

TEXT = """# Reliability

Written by `make chaos`. On a real single-node cluster with two operators it sends triggers, and kills what is in its
way with SIGKILL, four strikes at a time; the operators also die at named points of their own code. After each round
it asks whether every record has exactly one RetrainRequest, every request exactly one Job ever (by the API server's
audit log), every promotion one version and one row, and the versions no hole.

| | |
|---|---|
| date | {date:%Y-%m-%d} |
| seed, strikes in one round | {seed}, {at_once} (`make chaos SEED={seed} AT_ONCE={at_once}`) |
| rounds | {rounds} |
| processes killed | {kills} |
| of these operators that died at a named point of their own code | {crashes} |
| records sent | {records} |
| RetrainRequests | {requests} |
| Jobs ever created | {jobs} |
| promotions | {promotions} |
| lost, doubled, or with a hole | **0** |
| seconds until all was at rest again, half of the rounds / the slowest | {median:.0f} / {slowest:.0f} |

| what was done | how often |
|---|---|
{strikes}

| where an operator died by itself | how often |
|---|---|
{falls}

After a kill of Kafka, Redis, PostgreSQL or an operator its pod is deleted as well, because Kubernetes makes a container
that crashes often wait for minutes; a new pod starts at once. Kills and moments follow from the seed; what runs at that
moment does not, so the same seed is the same test and not the same film.
"""


def write(tally: Tally) -> None:
    """Write the page."""
    evidence = tally.evidence
    if evidence is None:
        raise ValueError("there was no round")
    names = [strike.name for strike in STRIKES]
    falls = Counter(tally.falls.values())
    PAGE.write_text(
        TEXT.format(
            date=datetime.now(UTC),
            seed=tally.seed,
            at_once=tally.at_once,
            rounds=tally.rounds,
            kills=tally.dead,
            crashes=len(tally.falls),
            records=f"{len(evidence.records):,}",
            requests=f"{len(evidence.requests):,}",
            jobs=f"{sum(evidence.jobs.values()):,}",
            promotions=f"{len(evidence.versions):,}",
            median=statistics.median(tally.recoveries),
            slowest=max(tally.recoveries),
            strikes="\n".join(f"| {name} | {tally.strikes[name]} |" for name in names),
            falls="\n".join(f"| {point} | {falls[point]} |" for point in Point),
        ),
        encoding="utf-8",
    )
