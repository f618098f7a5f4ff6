"""One round after the other: triggers, harm, and then the question whether all is as it must be."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random

from tests.chaos import pods
from tests.chaos.evidence import Evidence, faults, gather, records
from tests.chaos.release import install
from tests.chaos.strikes import LONGEST_AWAY_SECONDS, SERVICES, STRIKES, Strike, labels
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
from tests.e2e.world import OPERATOR, World
from tests.system.kubectl import wait_for

CALM_SECONDS = 240
"""How long a round may take to come to rest after the last strike; a takeover and a run tried again fit in."""
LANES = 4
"""Strikes that are under way at the same time."""
GROWN_TOPIC_SHARE = 0.3
"""In so many rounds the topic gets a partition more while records arrive."""
MENDINGS = 5
"""How often a part of Kubernetes is started before the round has failed: it may need another one that is down."""


class NotAsItMustBe(Exception):
    """A guarantee does not hold; the text says which, after what, and how to see it again."""


@dataclass
class Tally:
    """What was done so far, and what came of it."""

    seed: int
    at_once: int
    kills: int = 0
    rounds: int = 0
    seconds: float = 0
    strikes: Counter[str] = field(default_factory=Counter)
    falls: dict[tuple[str, int], str] = field(default_factory=dict)
    """Where operators have fallen by themselves, at least: what a pod did before it was struck is not always seen."""
    recoveries: list[float] = field(default_factory=list)
    """Seconds from the last strike of each round until all was at rest."""
    evidence: Evidence | None = None
    topics: list[RoundTopic] = field(default_factory=list)
    """One for each round."""
    grown: int = 0
    """How many times a topic got one more partition."""

    @property
    def dead(self) -> int:
        """How many processes have died."""
        return self.kills + len(self.falls)


def run(
    world: World, kills: int, seed: int, say: Callable[[Tally, str], None], at_once: int
) -> Tally:
    """Go on until so many processes were killed, in rounds of so many strikes.

    Raises:
        NotAsItMustBe: at the end of the first round in which a guarantee does not hold.
    """
    source, tally = Random(seed), Tally(seed, at_once)  # noqa: S311  # to be repeated
    began = time.monotonic()
    while tally.dead < kills:
        tally.rounds += 1
        told = one_round(world, source, tally)
        tally.seconds = time.monotonic() - began
        rested = f"at rest after {tally.recoveries[-1]:.0f} s"
        say(
            tally,
            f"round {tally.rounds}, {tally.dead} of {kills} kills, {rested}: {'; '.join(told)}.",
        )
    return tally


def one_round(world: World, source: Random, tally: Tally) -> list[str]:
    """Send some triggers, strike, wait for rest, check."""
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
            own = Random(f"{tally.seed}/{tally.rounds}/{number}")  # noqa: S311  # lanes must not take from one source
            time.sleep(own.random() * 2)
            pods.look_after(world.kubectl, OPERATOR, tally.falls)
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
    told = [what for _, what in done]
    last = time.monotonic()
    mend(world)
    rest(world, tally)
    tally.recoveries.append(time.monotonic() - last)
    tally.evidence = gather(world, [each.name for each in tally.topics])
    if wrong := faults(tally.evidence):
        again = f"Seen with seed {tally.seed}, round {tally.rounds} ({topic.start_position}), after: {'; '.join(told)}."
        raise NotAsItMustBe(f"{'; '.join(wrong)}. {again}")
    return told


@contextmanager
def reviving() -> Iterator[None]:
    """Start again what has ended though nobody struck it, as a machine's init would: it needs what was struck."""
    over = threading.Event()
    with ThreadPoolExecutor() as aside:
        try:
            aside.submit(revive_until, over)
            yield
        finally:
            over.set()


def revive_until(over: threading.Event) -> None:
    """Look every second for parts of Kubernetes that are away for longer than a strike lets them be."""
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


def mend(world: World) -> None:
    """Wait until all that the release stands on is there again."""
    paths = Paths.here()
    for component in COMPONENTS:
        for tries_left in reversed(range(MENDINGS)):
            lifecycle.start(paths, component)
            try:
                lifecycle.wait_until_healthy(paths, component)
                break
            except ClusterError as error:
                if not tries_left:
                    raise NotAsItMustBe(str(error)) from error
    services = world.environment.services
    for name in SERVICES:

        def ready(name: str = name) -> str:
            pods.look_after(services, labels(name), {})
            return services("wait", "--for=condition=Ready", f"pod/{name}-0", "--timeout=5s")

        try:
            wait_for(f"{name} to be ready", ready, CALM_SECONDS)
        except TimeoutError:
            told = pods.standing(services, labels(name))
            raise NotAsItMustBe(
                f"{name} does not come back within {CALM_SECONDS} s: {told}."
            ) from None


def rest(world: World, tally: Tally) -> None:
    """Wait until each record has its request and each request its outcome."""

    def at_rest() -> bool:
        pods.look_after(world.kubectl, OPERATOR, tally.falls)
        names = answered(lambda: records(tally.topics[-1].name))
        found = world.requests()
        return all(name in found for name in names) and all(
            ended(request) for request in found.values()
        )

    try:
        wait_for("each trigger's outcome", at_rest, CALM_SECONDS, pause=1)
    except TimeoutError:
        raise NotAsItMustBe(
            f"There is no rest after {CALM_SECONDS} s: {standing(world)}."
        ) from None


def ended(request: dict[str, object]) -> bool:
    """Tell whether a request has its outcome, and the database as well."""
    conditions = {c["type"]: c["status"] for c in request.get("status", {}).get("conditions", ())}  # type: ignore[attr-defined]
    return conditions.get("Succeeded") in {"True", "False"} and conditions.get("Recorded") == "True"


def standing(world: World) -> str:
    """Say where the requests stand that have no outcome."""
    waiting = {name: request for name, request in world.requests().items() if not ended(request)}
    return "; ".join(
        f"{name}: {request.get('status', {}).get('conditions', 'no status')}"
        for name, request in waiting.items()
    )
