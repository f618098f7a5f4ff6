"""Verdicts, numbers, dates and long texts as people read them. Pure."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import NamedTuple

from retraining_job.contract import Verdict, Window, Withheld
from retraining_job.evaluation.evidence import Contender, Evidence

NONE = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
THIN = "\N{NARROW NO-BREAK SPACE}"


class Headline(NamedTuple):
    """The verdict in words."""

    sign: str
    """Tells the kinds apart where colours do not."""
    kind: str
    """`good`, `plain`, `open` or `bad`: its colour."""
    words: str


WITHHELD = {
    Withheld.DRY_RUN: "The challenger is fit, and was not promoted, as this was a dry run.",
    Withheld.AWAITING_DECISION: "The challenger is fit, and awaits a person's decision.",
    Withheld.REJECTED: "The challenger was fit, and a person has rejected it.",
}

STAYED = {
    Verdict.PROMOTED: Headline("✓", "good", "The challenger is fit to be promoted."),
    Verdict.KEPT: Headline("=", "plain", "The champion stays."),
    Verdict.INCONCLUSIVE: Headline(
        "?", "open", "The events do not tell whether the challenger is as good."
    ),
    Verdict.INSUFFICIENT_DATA: Headline("?", "open", "There are too few events to train on."),
    Verdict.FIRST_MODEL: Headline("✓", "good", "The challenger is fit to be the first model."),
    Verdict.UNFIT: Headline(
        "=", "plain", "There is no champion, and the challenger is not fit to be the first."
    ),
    Verdict.UNREADABLE_CHAMPION: Headline(
        "!", "bad", "The champion cannot be read, and nothing replaces it unseen."
    ),
    Verdict.IDENTICAL: Headline(
        "=", "plain", "The challenger is the champion again, to the last bit."
    ),
}
WENT_LIVE = {
    Verdict.INCONCLUSIVE: Headline(
        "?", "open", "The events do not tell; the challenger is live, as onInconclusive says."
    ),
    Verdict.FIRST_MODEL: Headline("✓", "good", "The challenger is live: the first model."),
}
LIVE = Headline("✓", "good", "The challenger is live.")
UNJUDGED = Headline("?", "open", "This run has no verdict.")


def headline(evidence: Evidence) -> Headline:
    """Say in one sentence how the challenger was judged and what became of it."""
    if evidence.withheld:
        return Headline("…", "open", WITHHELD[evidence.withheld])
    if evidence.verdict not in list(Verdict):
        return UNJUDGED
    verdict = Verdict(evidence.verdict)
    return WENT_LIVE.get(verdict, LIVE) if evidence.promoted else STAYED[verdict]


def missing_champion(evidence: Evidence) -> str:
    """Say why there are no figures of a champion."""
    if evidence.verdict in {Verdict.FIRST_MODEL, Verdict.UNFIT}:
        return "there was no champion"
    if evidence.input is not None and not evidence.input.comparable:
        return "the champion uses none of the events' features"
    return (
        "the champion cannot be read"
        if evidence.verdict == Verdict.UNREADABLE_CHAMPION
        else "the champion was not judged"
    )


def at_budget(evidence: Evidence) -> str:
    """Name the alert budget: `at a budget of 1 %`."""
    budget = evidence.provenance.settings.get("alert_budget")
    return (
        f"at a budget of {percent(budget)}"
        if isinstance(budget, int | float)
        else "at the alert budget"
    )


def role_of(evidence: Evidence, contender: Contender) -> str:
    """Name a contender: `champion` or `challenger`, which is its class in the style sheet as well."""
    return "champion" if contender is evidence.champion else "challenger"


def known(value: float | None) -> float | None:
    """Give a number that can be shown: not-a-number and infinities count as unknown."""
    return value if value is not None and math.isfinite(value) else None


def number(value: float | None) -> str:
    """Write a figure between 0 and 1: `0.912`."""
    value = known(value)
    return NONE if value is None else f"{value:.3f}".replace("-", MINUS)


def plain(value: float | None) -> str:
    """Write a number of any size without needless digits: `0.7`, `12,500`, `1.2e+09`."""
    value = known(value)
    if value is None:
        return NONE
    short = f"{value:,.0f}" if abs(value) >= 1000 and abs(value) < 1e7 else f"{value:.4g}"
    return short.replace("-", MINUS)


def signed(value: float | None) -> str:
    """Write a difference with its sign: `+0.031`."""
    value = known(value)
    return NONE if value is None else f"{value:+.3f}".replace("-", MINUS)


def percent(value: float | None) -> str:
    """Write a share: `12.3 %`, `0.42 %`."""
    value = known(value)
    if value is None:
        return NONE
    digits = 1 if abs(value) >= 0.01 or value == 0 else 2
    return f"{100 * value:.{digits}f}".removesuffix(".0").replace("-", MINUS) + f"{THIN}%"


def points(value: float | None) -> str:
    """Write a difference of shares in percentage points: `+1.2 pp`."""
    value = known(value)
    return NONE if value is None else f"{100 * value:+.1f}".replace("-", MINUS) + f"{THIN}pp"


def count(value: int, noun: str = "", plural: str = "") -> str:
    """Write how many, with the noun where one is given: `4,812 rows`, `1 row`."""
    if not noun:
        return f"{value:,}"
    return f"{value:,} {noun if value == 1 else plural or noun + 's'}"


def instant(moment: datetime) -> datetime:
    """Give a moment in UTC; one without a zone is taken to be in it."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def date(moment: datetime) -> str:
    """Write a moment: `23 Nov 2026, 14:05 UTC`."""
    moment = instant(moment)
    return f"{moment.day} {moment:%b %Y, %H:%M} UTC"


def span(first: datetime, last: datetime) -> str:
    """Write from when to when, the day once where it is the same."""
    first, last = instant(first), instant(last)
    if first.date() == last.date():
        return f"{first.day} {first:%b %Y, %H:%M} to {last:%H:%M} UTC"
    return f"{first.day} {first:%b %Y, %H:%M} to {last.day} {last:%b %Y, %H:%M} UTC"


def window(events: Window) -> str:
    """Write a window of events: how many, and from when to when."""
    return f"{count(events.rows, 'row')}, {span(events.first, events.last)}"


def shortened(value: str, limit: int) -> str:
    """Cut a text to so many characters; an ellipsis shows that it was cut."""
    return value if len(value) <= limit else value[: limit - 1] + "…"
