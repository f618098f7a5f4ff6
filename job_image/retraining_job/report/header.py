"""The head of the report: verdict, headline, message and the facts of the run."""

from __future__ import annotations

from retraining_job.evaluation.evidence import Evidence
from retraining_job.report.formats import format_count, format_time, format_time_range, shorten
from retraining_job.report.headline import get_headline
from retraining_job.report.markup import Markup, tag
from retraining_job.report.roles import describe_missing_champion

MESSAGE_LIMIT, VERDICT_LIMIT, REASON_LIMIT, NAME_LIMIT = 4000, 40, 80, 100
"""The greatest lengths in characters."""
TRIGGER_LIMIT = 300
CHECKSUM_SHOWN = 12


def get_verdict(evidence: Evidence) -> str:
    """Return the verdict, or `No verdict`."""
    return shorten(evidence.verdict, VERDICT_LIMIT) or "No verdict"


def render_header(evidence: Evidence) -> Markup:
    """Render the head of the report."""
    headline = get_headline(evidence)
    sign = tag("span", headline.sign, class_="sign", aria_hidden="true")
    parts = [
        tag("p", "Retraining report", class_="kicker"),
        tag("p", sign, f" {get_verdict(evidence)}", class_=f"badge {headline.kind}"),
    ]
    if evidence.reason:
        parts.append(tag("code", shorten(evidence.reason, REASON_LIMIT), class_="reason"))
    parts.append(tag("h1", headline.words))
    if evidence.message:
        parts.append(tag("p", shorten(evidence.message, MESSAGE_LIMIT), class_="message"))
    facts = [
        tag("div", tag("dt", name), tag("dd", value))
        for name, value in build_facts(evidence).items()
        if value
    ]
    return tag("header", *parts, tag("dl", *facts))


def build_facts(evidence: Evidence) -> dict[str, str]:
    """Build the facts of the run by their names. A fact that is unknown is empty."""
    origin = evidence.provenance
    rows = format_count(origin.window.rows, "row")
    source = shorten(origin.source, REASON_LIMIT)
    return {
        "Run": shorten(origin.run_id, NAME_LIMIT),
        "Request": shorten(origin.request, NAME_LIMIT),
        "Trigger reason": shorten(origin.trigger_reason, TRIGGER_LIMIT),
        "Evaluated": format_time(origin.evaluated_at) if origin.evaluated_at else "",
        "Events": f"{rows} from {source}, checksum {origin.checksum[:CHECKSUM_SHOWN]}",
        "Time range": format_time_range(origin.window.first, origin.window.last),
        "Champion": describe_champion(evidence),
        "Policy": f"{evidence.policy}, preset {shorten(origin.preset, VERDICT_LIMIT)}",
    }


def describe_champion(evidence: Evidence) -> str:
    """Return the version of the champion, or why there is none."""
    if evidence.champion is None:
        return describe_missing_champion(evidence)
    version = evidence.champion.version
    return "version unknown" if version is None else f"version {version}"
