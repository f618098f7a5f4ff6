"""Counts RetrainRequests by state. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Container, Mapping

from retraining_operator.api.fields import EPOCH, parse_time
from retraining_operator.api.reasons import ConditionReason
from retraining_operator.api.request import RetrainRequest
from retraining_operator.observability.gauges import WorkCounts


def count_work(
    requests: Collection[RetrainRequest],
    launched: Container[str],
    waiting_reasons: Mapping[str, ConditionReason],
    evaluated_at: float,
) -> WorkCounts:
    """Count requests by state.

    Args:
        requests: All requests that are not settled.
        launched: The uids of requests with a Job.
        waiting_reasons: Why requests wait, by name. Other names than those of waiting requests are
            ignored.
        evaluated_at: When a challenger was last evaluated, in seconds since 1970 (UTC).

    Returns:
        The counts.
    """
    unfinished = [request for request in requests if not request.is_finished]
    waiting = [request for request in unfinished if request.uid not in launched]
    oldest = min((request.created_at for request in waiting), default=None)
    reasons: Counter[str] = Counter(
        waiting_reasons[request.name] for request in waiting if request.name in waiting_reasons
    )
    return WorkCounts(
        waiting=len(waiting),
        running=len(unfinished) - len(waiting),
        awaiting_approval=sum(request.is_awaiting_approval for request in requests),
        unrecorded=sum(request.is_finished and not request.is_recorded for request in requests),
        oldest_waiting_at=parse_seconds(oldest) if oldest else None,
        evaluated_at=evaluated_at,
        held=reasons,
    )


def read_evaluation_time(request: RetrainRequest) -> float:
    """Return when the request's challenger was evaluated, in seconds since 1970, or 0."""
    status = request.status
    if not status.get("metrics") or not status.get("completionTime"):
        return 0.0
    return parse_seconds(status["completionTime"])


def parse_seconds(timestamp: str) -> float:
    """Parse a time as Kubernetes writes it; returns seconds since 1970, 0 if it is not a time."""
    return (parse_time(timestamp) or EPOCH).timestamp()
