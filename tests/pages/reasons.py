"""docs/reference/reasons.md: every reason, verdict and exit code, from the enums in the code."""

from __future__ import annotations

from enum import Enum

from retraining_job.contract.verdict import ExitCode, Failure, Verdict, VerdictReason, Withheld
from retraining_operator.api.reasons import ConditionReason
from tests.pages.enums import descriptions
from tests.pages.markdown import GENERATED, code, table

SECTIONS: tuple[tuple[str, str, type[Enum]], ...] = (
    (
        "Verdicts",
        "`status.verdict`, the column `verdict`, and the condition reason of a run that could"
        " evaluate.",
        Verdict,
    ),
    ("Withheld", "`status.withheld`: why a challenger that may be promoted is not live.", Withheld),
    (
        "Reasons of a verdict",
        "The column `reason` of `retraining_runs`, and `reason` of the result document.",
        VerdictReason,
    ),
    ("Failures", "The condition reason of a run whose trainer ended without a verdict.", Failure),
    (
        "Condition reasons of the operator",
        "The reason of the conditions `Succeeded`, `Promoted` and `Recorded`, beside verdicts"
        " and failures.",
        ConditionReason,
    ),
    ("Exit codes of the trainer", "The Job's podFailurePolicy reads them.", ExitCode),
)


def render() -> str:
    """Render the page as Markdown."""
    parts = [
        f"# Reasons\n\n{GENERATED} The same value appears in the condition, the log, the Event,"
        " the metric and the"
        " database. What to do: [troubleshoot](../how-to/troubleshoot.md).\n"
    ]
    for title, introduction, kind in SECTIONS:
        meanings = descriptions(kind)
        rows = [(code(member.value), meanings[member.name]) for member in kind]
        parts.append(f"## {title}\n\n{introduction}\n\n{table(('value', 'meaning'), rows)}")
    return "\n".join(parts)
