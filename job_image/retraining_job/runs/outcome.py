"""Construction of a run's outcome from the result of an evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from retraining_job.audit.outcome import RunOutcome
from retraining_job.contract import Result, Withheld

if TYPE_CHECKING:
    from retraining_job.contract import Window
    from retraining_job.evaluation.evidence import Evidence
    from retraining_job.presets.pipeline import EvaluationResult


@dataclass(frozen=True)
class OutcomeBuilder:
    """Builds outcomes of one run.

    Args:
        run_id: The run's id.
        started_at: When the run started (UTC).
        n_samples: The number of events read.
        window: Their time window, or None if there are no events.
    """

    run_id: str
    started_at: datetime
    n_samples: int
    window: Window | None

    def build(
        self,
        evaluation: EvaluationResult,
        champion_version: int | None = None,
        withheld: Withheld | None = None,
        version: int | None = None,
    ) -> RunOutcome:
        """Build the outcome of a run whose challenger goes live or not.

        Args:
            evaluation: The result of the evaluation.
            champion_version: The version that the challenger was evaluated against.
            withheld: Why a fit challenger does not go live.
            version: The version as which it goes live, or None if it does not.

        Returns:
            The outcome, with the report if there is evidence.
        """
        decision = evaluation.decision
        consequence = describe_consequence(withheld, version)
        message = f"{decision.message}{consequence} {decision.remarks}".strip()
        result = self._build_result(evaluation, message, withheld)
        published = {
            "promoted": version is not None,
            "version": version,
            "champion_version": champion_version,
        }
        return build_outcome(result.model_copy(update=published), evaluation.evidence)

    def build_unpublished(self, evaluation: EvaluationResult) -> RunOutcome:
        """Build the outcome of a run that publishes nothing."""
        withheld = Withheld.DRY_RUN if evaluation.decision.promotes else None
        result = self._build_result(evaluation, evaluation.decision.text, withheld)
        return build_outcome(result, evaluation.evidence)

    def _build_result(
        self, evaluation: EvaluationResult, message: str, withheld: Withheld | None
    ) -> Result:
        return Result(
            run_id=self.run_id,
            verdict=evaluation.decision.verdict,
            withheld=withheld,
            reason=evaluation.decision.reason,
            message=message,
            n_samples=self.n_samples,
            window=self.window,
            metrics=evaluation.metrics,
            started_at=self.started_at,
            finished_at=datetime.now(UTC),
        )


def build_outcome(result: Result, evidence: Evidence | None) -> RunOutcome:
    """Build an outcome, with the report if there is evidence.

    Args:
        result: The result of the run.
        evidence: All numbers that led to its verdict, or None.

    Returns:
        The outcome.
    """
    if evidence is None:
        return RunOutcome(result)
    from retraining_job.report import render_report  # noqa: PLC0415  # not every run has evidence

    final = evidence.model_copy(
        update={"promoted": result.promoted, "withheld": result.withheld, "message": result.message}
    )
    return RunOutcome(result, final, render_report(final))


def describe_consequence(withheld: Withheld | None, version: int | None) -> str:
    """Describe what happens to the challenger.

    Args:
        withheld: Why a fit challenger does not go live.
        version: The version as which it goes live, or None if it does not.

    Returns:
        A sentence after a space, or an empty text.
    """
    if withheld is Withheld.DRY_RUN:
        return " This was a dry run: nothing goes live."
    if withheld is Withheld.AWAITING_APPROVAL:
        return " It waits for approval."
    return f" It goes live as version {version}." if version else ""
