"""The headline of the report: one sentence about the verdict and whether the challenger is live."""

from __future__ import annotations

from typing import NamedTuple

from retraining_job.contract import Verdict, Withheld
from retraining_job.evaluation.evidence import Evidence


class Headline(NamedTuple):
    """A headline."""

    sign: str
    """A character that distinguishes the kinds without colour."""
    kind: str
    """`good`, `plain`, `open` or `bad`: its colour in the style sheet."""
    words: str


WITHHELD = {
    Withheld.DRY_RUN: "The challenger may go live. It was not published: this was a dry run.",
    Withheld.AWAITING_APPROVAL: "The challenger may go live and waits for approval.",
    Withheld.REJECTED: "The challenger was rejected by a person.",
}

NOT_LIVE = {
    Verdict.PROMOTED: Headline("✓", "good", "The challenger may go live."),
    Verdict.KEPT: Headline("=", "plain", "The champion stays live."),
    Verdict.INCONCLUSIVE: Headline(
        "?", "open", "The events do not show whether the challenger is as good as the champion."
    ),
    Verdict.INSUFFICIENT_DATA: Headline("?", "open", "There are too few events to train on."),
    Verdict.FIRST_MODEL: Headline("✓", "good", "The challenger may go live as the first model."),
    Verdict.UNFIT: Headline(
        "=", "plain", "There is no champion, and the challenger is not fit to be the first model."
    ),
    Verdict.UNREADABLE_CHAMPION: Headline(
        "!", "bad", "The champion cannot be read, so it was not replaced."
    ),
    Verdict.IDENTICAL: Headline("=", "plain", "The challenger is identical to the champion."),
}
LIVE = {
    Verdict.INCONCLUSIVE: Headline(
        "?", "open", "The result is inconclusive. The challenger is live because of onInconclusive."
    ),
    Verdict.FIRST_MODEL: Headline("✓", "good", "The challenger is live as the first model."),
}
LIVE_BY_DEFAULT = Headline("✓", "good", "The challenger is live.")
NO_VERDICT = Headline("?", "open", "This run has no verdict.")


def get_headline(evidence: Evidence) -> Headline:
    """Return the headline for a verdict and for whether the challenger is live."""
    if evidence.withheld:
        return Headline("…", "open", WITHHELD[evidence.withheld])
    if evidence.verdict not in list(Verdict):
        return NO_VERDICT
    verdict = Verdict(evidence.verdict)
    return LIVE.get(verdict, LIVE_BY_DEFAULT) if evidence.promoted else NOT_LIVE[verdict]
