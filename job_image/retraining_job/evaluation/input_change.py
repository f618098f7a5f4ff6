"""Whether the shape of the input has changed since the champion was trained. Pure.

A fall of a share is what counts. A rise harms nobody: events that a feed had lost are there again,
or a new feature comes in, which is noticed and does not stop a promotion.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from retraining_job.contract import value_name
from retraining_job.evaluation.input_shape import FEATURES_LIMIT, InputMeasurement, InputShape
from retraining_job.evaluation.input_shape import NAME_LIMIT_CHARACTERS as RECORDED_CHARACTERS
from retraining_job.events.features import NEUTRAL_FEATURES

NOTICED = 0.05
"""A smaller change of a share is not mentioned: it would be in every message."""

VANISHED = 0.05
"""Without a recorded shape, a feature that the champion uses and fewer events have has vanished."""

CONSTANT_SHARE = 0.5
"""More than this share of the features without any variation is a broken feed. Single ones are not:
all of the newest events may be of one day of the week."""

READABLE_SHARE = 0.5
"""A first model is not put live where fewer of the events could be read: there is nothing to compare
with, and most of what it was trained on is missing."""

NAMES_SHOWN = 3
NAME_LIMIT_CHARACTERS = 40


class Scope(StrEnum):
    """Of which events a share is."""

    ALL = "all"
    """All that were read."""
    NEWEST = "newest"
    """The newest, which judge."""
    STEP = "step"
    """Those after a break within the events of the run."""


class FeatureLoss(BaseModel):
    """A feature that fewer events have as a usable number than before."""

    model_config = ConfigDict(frozen=True)

    name: str
    before: float
    """The share when the champion was trained; of the older events where the scope is `step`."""
    after: float
    scope: Scope

    @property
    def size(self) -> float:
        """The difference, in shares."""
        return self.before - self.after


class InputChange(BaseModel):
    """What has changed in the shape of the input, and whether that stops a promotion."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    now: InputShape
    then: InputShape | None = None
    """The champion's recorded shape; None where there is none."""
    champion_version: int | None = None
    """None where there is no champion, or its version is not known."""
    has_champion: bool = False
    falls: list[FeatureLoss] = []
    """Beyond `NOTICED`, greatest first; of features that the champion uses."""
    new: list[str] = []
    """Features that the champion's events did not have."""
    constant: list[str] = []
    """Features that varied and no longer do."""
    beyond: str = ""
    """Why the change stops a promotion, as sentences; empty where it does not."""
    noticed: str = ""
    """What else has changed, as sentences; empty where nothing has."""
    accepted: bool = False
    """Whether somebody has accepted the change."""
    comparable: bool = True
    """Whether the champion uses at least one feature that the events have."""

    @property
    def stops(self) -> bool:
        """Whether the champion stays because of the change."""
        return bool(self.beyond) and not self.accepted


@dataclass(frozen=True)
class ChampionInput:
    """What is known of the input that the champion was made for."""

    version: int | None
    features: Collection[str]
    """Those that it uses."""
    shape: InputShape | None
    """As its manifest records it; None where another program or an older trainer made it."""


def compare_input(
    measured: InputMeasurement, champion: ChampionInput | None, *, limit: float, accepted: bool
) -> InputChange:
    """Compare the events of a run with the input that the champion was made for.

    Args:
        measured: The shape of the run's events.
        champion: None where there is no live model.
        limit: By how much a share may fall (`input_change_limit`).
        accepted: Whether the run accepts a change.
    """
    now = measured.shape
    if champion is None:
        return InputChange(now=now, beyond=unreadable_input(now), accepted=accepted)
    then = champion.shape
    used = {name for name in champion.features if len(name) <= RECORDED_CHARACTERS}
    falls = sorted(
        recorded_falls(now, then, used) if then else unrecorded_falls(measured, used),
        key=lambda fall: (-fall.size, fall.name),
    )
    constant = turned_constant(now, then) if then else []
    varied = [name for name, one in then.features.items() if one.varies] if then else []
    new = [
        name
        for name, one in now.features.items()
        if one.usable >= NOTICED and name not in known_names(then, used)
    ]
    return InputChange(
        now=now,
        then=then,
        champion_version=champion.version,
        has_champion=True,
        falls=[fall for fall in falls if fall.size >= NOTICED],
        new=sorted(new),
        constant=constant,
        beyond=beyond(falls, constant, varied, champion, limit),
        noticed=noticed(
            [fall for fall in falls if NOTICED <= fall.size <= limit], sorted(new), now, then, limit
        ),
        accepted=accepted,
        comparable=not used or bool(used & set(now.features)),
    )


def recorded_falls(
    now: InputShape, then: InputShape, used: Collection[str]
) -> Iterable[FeatureLoss]:
    """Compute the fall of each feature that the champion uses, against its recorded shape.

    The newest events are compared with the lowest stretch of then, so that a share that rises and
    falls with the time of the day does not count as a change. Where the champion itself was made
    during an accepted change, its newest events say what is normal now.
    """
    for name, before in then.features.items():
        if used and name not in used:
            continue
        found = now.features.get(name)
        usable, newest = (found.usable, found.newest) if found else (0.0, 0.0)
        of_all = FeatureLoss(
            name=name, before=min(before.usable, before.newest), after=usable, scope=Scope.ALL
        )
        of_newest = FeatureLoss(
            name=name, before=min(before.newest, before.lowest), after=newest, scope=Scope.NEWEST
        )
        yield max(of_all, of_newest, key=lambda fall: fall.size)


def unrecorded_falls(measured: InputMeasurement, used: Collection[str]) -> Iterable[FeatureLoss]:
    """Compute the falls that can be known without a recorded shape.

    These are features that the champion uses and (nearly) no event has, and lasting falls within
    the events. Where features were never stored, the champion's neutral ones are not missed.
    """
    now = measured.shape
    if len(now.features) >= FEATURES_LIMIT:
        return  # not all of them are in the shape
    never_stored = now.own == 0.0 and now.unreadable == 0.0
    for name in used:
        found = now.features.get(name)
        usable = found.usable if found else 0.0
        if usable < VANISHED and not (never_stored and name in NEUTRAL_FEATURES):
            yield FeatureLoss(name=name, before=1.0, after=usable, scope=Scope.ALL)
        elif step := measured.steps.get(name):
            yield FeatureLoss(name=name, before=step.before, after=step.after, scope=Scope.STEP)


def turned_constant(now: InputShape, then: InputShape) -> list[str]:
    """Find the features that varied among the newest events of then, and do not any more."""
    return sorted(
        name
        for name, before in then.features.items()
        if before.varies
        and (found := now.features.get(name))
        and found.newest > 0.0
        and not found.varies
    )


def known_names(then: InputShape | None, used: Collection[str]) -> Collection[str]:
    """Return the features that the champion's events are known to have had."""
    return set(then.features) | set(used) if then else set(used)


def unreadable_input(now: InputShape) -> str:
    """Return why no first model can be made of these events; empty where one can."""
    if now.unreadable > READABLE_SHARE:
        return (
            f"The features of {now.unreadable:.1%} of the {now.events:,} events cannot be read: their "
            "features_json holds no JSON object. Correct what writes the events."
        )
    stored = [one.usable for one in now.features.values()]
    if now.events and now.own > READABLE_SHARE and not any(share > 0.0 for share in stored):
        return f"No feature is a usable number in any of the {now.events:,} events. Correct what writes the events."
    return ""


def beyond(
    falls: list[FeatureLoss],
    constant: list[str],
    varied: list[str],
    champion: ChampionInput,
    limit: float,
) -> str:
    """Return why the change is beyond the limit; empty where it is not."""
    found = [fall for fall in falls if fall.size > limit]
    when = named(champion.version)
    sentences = []
    if found:
        of = f" of the {len(champion.features):,}" if champion.features else ""
        sentences.append(
            f"{len(found):,}{of} features that {when} uses are usable numbers in fewer events than before: "
            f"{listed(described(fall) for fall in found)}. "
            f"A share may fall by {limit:.0%} ({value_name('input_change_limit')})."
        )
    if len(constant) > max(CONSTANT_SHARE, limit) * len(varied):
        sentences.append(
            f"{len(constant):,} of {len(varied):,} features have a single value in all of the newest events, and "
            f"had more when {when} was trained: {listed(map(shown, constant))}."
        )
    return " ".join(sentences)


def noticed(
    falls: list[FeatureLoss], new: list[str], now: InputShape, then: InputShape | None, limit: float
) -> str:
    """Return what has changed within the limits; empty where nothing has."""
    sentences = []
    if falls:
        sentences.append(f"Fewer events have {listed(described(fall) for fall in falls)}.")
    if new:
        sentences.append(f"New features since the champion: {listed(map(shown, new))}.")
    if then and then.labelled - now.labelled > limit:
        sentences.append(
            f"{now.labelled:.1%} of the events have a label, {then.labelled:.1%} before."
        )
    return " ".join(sentences)


def named(version: int | None) -> str:
    """Return the champion's name."""
    return "the champion" if version is None else f"the champion (version {version})"


def described(fall: FeatureLoss) -> str:
    """Return a fall in words: `hour_of_day (16.7% of all events, 100.0% before)`."""
    where = {
        Scope.ALL: "all events",
        Scope.NEWEST: "the newest events",
        Scope.STEP: "the newer events",
    }[fall.scope]
    before = "of the older ones" if fall.scope is Scope.STEP else "before"
    return f"{shown(fall.name)} ({fall.after:.1%} of {where}, {fall.before:.1%} {before})"


def listed(names: Iterable[str]) -> str:
    """Return the first few, and how many more there are."""
    found = list(names)
    more = f" and {len(found) - NAMES_SHOWN:,} more" if len(found) > NAMES_SHOWN else ""
    return f"{', '.join(found[:NAMES_SHOWN])}{more}"


def shown(name: str) -> str:
    """Return a feature's name as it may stand in a sentence."""
    short = name if len(name) <= NAME_LIMIT_CHARACTERS else f"{name[:NAME_LIMIT_CHARACTERS]}..."
    return short if short.isprintable() else repr(short)
