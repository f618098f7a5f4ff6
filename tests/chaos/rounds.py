"""Rounds of triggers and strikes, each followed by a check of the guarantees."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.chaos import pods
from tests.chaos.evidence import ChaosEvidence, faults, gather, records
from tests.chaos.release import install
from tests.chaos.strikes import LONGEST_AWAY_SECONDS, SERVICES, STRIKES, Strike
from tests.chaos.targets import labels
from tests.chaos.topics import (
    RoundTopic,
    add_partition,
    answered,
    open_topic,
    send,
    wait_for_consumer,
)
from tests.cluster import lifecycle
from tests.cluster.components import COMPONENTS
from tests.cluster.errors import ClusterError
from tests.cluster.paths import Paths
from tests.e2e.world import OPERATOR, ClusterWorld
from tests.system.kubectl import wait_for

CALM_SECONDS = 240
"""In seconds: the limit until all work is finished. Enough for a takeover and a repeated run."""
LANES = 4
"""Strikes at the same time."""
GROWN_TOPIC_SHARE = 0.3
"""One in so many rounds, the topic gets one more partition while records arrive."""
MENDINGS = 5
"""Starts of a Kubernetes component before the round fails. It may need another one first."""


class GuaranteeViolatedError(Exception):
    """A guarantee does not hold. The text says which, after which strikes, and how to repeat it."""


@dataclass
class ChaosTally:
    """What was done so far, and the results."""

    seed: int
    at_once: int
    kills: int = 0
    rounds: int = 0
    seconds: float = 0
    strikes: Counter[str] = field(default_factory=Counter)
    stop_points: dict[tuple[str, int], str] = field(default_factory=dict)
    """Where operators died by themselves. Incomplete, because a strike can hide the log."""
    recoveries: list[float] = field(default_factory=list)
    """Seconds from the last strike of each round until all work was finished."""
    evidence: ChaosEvidence | None = None
    topics: list[RoundTopic] = field(default_factory=list)
    """One for each round."""
    grown: int = 0
    """How many times a topic got one more partition."""

    @property
    def dead(self) -> int:
        """The number of processes that died."""
        return self.kills + len(self.stop_points)


def run(
    world: ClusterWorld, kills: int, seed: int, say: Callable[[ChaosTally, str], None], at_once: int
) -> ChaosTally:
    """Run rounds of strikes until enough processes were killed.

    Args:
        world: The release.
        kills: The number of processes to kill.
        seed: Decides the strikes.
        say: Gets each line of the output.
        at_once: Strikes at the same time.

    Returns:
        The results.

    Raises:
        GuaranteeViolatedError: at the end of the first round in which a guarantee does not hold.
    """
    source, tally = Random(seed), ChaosTally(seed, at_once)  # noqa: S311  # repeatable
    began = time.monotonic()
    while tally.dead < kills:
        tally.rounds += 1
        findings = one_round(world, source, tally)
        tally.seconds = time.monotonic() - began
        rested = f"at rest after {tally.recoveries[-1]:.0f} s"
        say(
            tally,
            f"round {tally.rounds}, {tally.dead} of {kills} kills, {rested}: "
            f"{'; '.join(findings)}.",
        )
    return tally


def one_round(world: ClusterWorld, source: Random, tally: ChaosTally) -> list[str]:
    """Send triggers, strike, wait until all work is finished, check.

    Args:
        world: The release.
        source: Decides at random.
        tally: The results so far.

    Returns:
        The descriptions of the strikes.

    Raises:
        GuaranteeViolatedError: A guarantee does not hold.
    """
    chosen = source.choices(STRIKES, [strike.weight for strike in STRIKES], k=tally.at_once)
    count, mark, by_hand = (
        source.randint(1, tally.at_once // 2 + 1),
        source.randint(0, 10**6),
        source.random() < 0.5,
    )
    grows = source.random() < GROWN_TOPIC_SHARE
    topic = open_topic(world, tally.rounds)
    tally.topics.append(topic)
    install(world, topic)
    wait_for_consumer(world)
    with ThreadPoolExecutor() as aside, reviving(), ThreadPoolExecutor(LANES) as lanes:
        sending = aside.submit(send, topic.name, count, mark, CALM_SECONDS)
        if by_hand:
            name = f"by-hand-{tally.seed}-{tally.rounds}"
            wait_for(f"{name} to be applied", lambda: world.apply(name, reason="by hand"))

        if grows and add_partition(topic.name):
            tally.grown += 1

        def one(number: int, strike: Strike) -> str | None:
            own = Random(f"{tally.seed}/{tally.rounds}/{number}")  # noqa: S311
            time.sleep(own.random() * 2)
            pods.replace_crashed_pods(world.kubectl, OPERATOR, tally.stop_points)
            return strike.do(world, own)

        done = [
            (strike, what)
            for strike, what in zip(
                chosen, lanes.map(one, range(tally.at_once), chosen), strict=True
            )
            if what
        ]
        sending.result()
    tally.kills += sum(strike.kills for strike, _ in done)
    tally.strikes.update(strike.name for strike, _ in done)
    findings = [what for _, what in done]
    last = time.monotonic()
    wait_for_dependencies(world)
    wait_for_outcomes(world, tally)
    tally.recoveries.append(time.monotonic() - last)
    tally.evidence = gather(world, [each.name for each in tally.topics])
    if wrong := faults(tally.evidence):
        again = (
            f"Seen with seed {tally.seed}, round {tally.rounds} ({topic.start_position}), "
            f"after: {'; '.join(findings)}."
        )
        raise GuaranteeViolatedError(f"{'; '.join(wrong)}. {again}")
    return findings


@contextmanager
def reviving() -> Iterator[None]:
    """Restart components that ended because a component that they need was struck."""
    over = threading.Event()
    with ThreadPoolExecutor() as aside:
        try:
            aside.submit(revive_until, over)
            yield
        finally:
            over.set()


def revive_until(over: threading.Event) -> None:
    """Check every second for Kubernetes components that are down for longer than a strike."""
    paths, since = Paths.here(), dict[str, float]()
    while not over.wait(1):
        for component in COMPONENTS:
            if lifecycle.process(paths, component):
                since.pop(component.name, None)
            elif (
                time.monotonic() - since.setdefault(component.name, time.monotonic())
                > LONGEST_AWAY_SECONDS + 1
            ):
                lifecycle.start(paths, component)


def wait_for_dependencies(world: ClusterWorld) -> None:
    """Wait until all dependencies of the release are available again.

    Args:
        world: The release.

    Raises:
        GuaranteeViolatedError: A dependency does not come back.
    """
    paths = Paths.here()
    for component in COMPONENTS:
        for tries_left in reversed(range(MENDINGS)):
            lifecycle.start(paths, component)
            try:
                lifecycle.wait_until_healthy(paths, component)
                break
            except ClusterError as error:
                if not tries_left:
                    raise GuaranteeViolatedError(str(error)) from error
    services = world.environment.services
    for name in SERVICES:

        def ready(name: str = name) -> str:
            pods.replace_crashed_pods(services, labels(name), {})
            return services("wait", "--for=condition=Ready", f"pod/{name}-0", "--timeout=5s")

        try:
            wait_for(f"{name} to be ready", ready, CALM_SECONDS)
        except TimeoutError:
            findings = pods.describe_pods(services, labels(name))
            raise GuaranteeViolatedError(
                f"{name} does not come back within {CALM_SECONDS} s: {findings}."
            ) from None


def wait_for_outcomes(world: ClusterWorld, tally: ChaosTally) -> None:
    """Wait until each record has a request and each request an outcome.

    Args:
        world: The release.
        tally: The results so far.

    Raises:
        GuaranteeViolatedError: Work is unfinished after the limit.
    """

    def at_rest() -> bool:
        pods.replace_crashed_pods(world.kubectl, OPERATOR, tally.stop_points)
        names = answered(lambda: records(tally.topics[-1].name))
        found = world.requests()
        return all(name in found for name in names) and all(
            ended(request) for request in found.values()
        )

    try:
        wait_for("each trigger's outcome", at_rest, CALM_SECONDS, pause=1)
    except TimeoutError:
        raise GuaranteeViolatedError(
            f"Work is unfinished after {CALM_SECONDS} s: {describe_unfinished(world)}."
        ) from None


def ended(request: dict[str, object]) -> bool:
    """Return whether a request has its outcome, and the database has its row."""
    status: Any = request.get("status", {})
    conditions = {c["type"]: c["status"] for c in status.get("conditions", ())}
    return conditions.get("Succeeded") in {"True", "False"} and conditions.get("Recorded") == "True"


def describe_unfinished(world: ClusterWorld) -> str:
    """Describe the requests without outcome."""
    waiting = {name: request for name, request in world.requests().items() if not ended(request)}
    return "; ".join(
        f"{name}: {request.get('status', {}).get('conditions', 'no status')}"
        for name, request in waiting.items()
    )
